/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>

#include "base/memory.h"

static void test_new_memory_is_zeroed(void **state)
{
    char *bytes = memory_new(1000, 3);
    char *none = memory_new(0, 8);

    (void)state;
    for (int i = 0; i < 3000; i++)
        assert_int_equal(bytes[i], 0);
    assert_non_null(none);
    free(bytes);
    free(none);
}

static void test_resizing_keeps_the_content(void **state)
{
    int *numbers = memory_resize(NULL, 2, sizeof(int));

    (void)state;
    numbers[0] = 1;
    numbers[1] = 2;
    numbers = memory_resize(numbers, 1000, sizeof(int));
    numbers[999] = 3;
    assert_int_equal(numbers[0] + numbers[1] + numbers[999], 6);
    /* An empty array is still memory that can be freed. */
    numbers = memory_resize(numbers, 0, sizeof(int));
    assert_non_null(numbers);
    free(numbers);
}

static void test_copies(void **state)
{
    char *string = memory_copy_string("text");
    char *bytes = memory_copy("a\0b!", 3);
    char *nothing = memory_copy(NULL, 0);
    char *format = memory_format("%s-%03d", "n", 7);

    (void)state;
    assert_string_equal(string, "text");
    assert_memory_equal(bytes, "a\0b", 4);
    assert_string_equal(nothing, "");
    assert_string_equal(format, "n-007");
    free(string);
    free(bytes);
    free(nothing);
    free(format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_memory_is_zeroed),
        cmocka_unit_test(test_resizing_keeps_the_content),
        cmocka_unit_test(test_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
