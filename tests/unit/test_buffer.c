/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"

static void test_content_is_always_a_string(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    assert_string_equal(buffer_string(&buffer), "");
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_string_equal(buffer.data, "");
    assert_true(buffer_append_string(&buffer, "one"));
    assert_true(buffer_append(&buffer, ", two", 3));
    assert_true(buffer_append_format(&buffer, "%s%d", "o", 3));
    assert_string_equal(buffer_string(&buffer), "one, to3");
    assert_int_equal(buffer.length, 8);
    assert_true(buffer_append(&buffer, "a\0b", 3));
    assert_int_equal(buffer.length, 11);
    assert_memory_equal(buffer.data, "one, to3a\0b", 12);
    buffer_clear(&buffer);
    assert_string_equal(buffer_string(&buffer), "");
    assert_int_equal(buffer.length, 0);
    buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.maximum, 100);
}

static void test_the_maximum_is_kept(void **state)
{
    static const size_t maxima[] = {0, 1, 10, 255, 256, 257, 511, 512, 1000, 65536};
    char *bytes = memory_new(65537, 1);

    (void)state;
    memset(bytes, 'x', 65537);
    for (size_t i = 0; i < ARRAY_LENGTH(maxima); i++) {
        struct buffer buffer;

        buffer_init(&buffer, maxima[i]);
        check_case(!buffer_append(&buffer, bytes, maxima[i] + 1), "%zu", maxima[i]);
        check_case(buffer.overflowed && buffer.length == 0, "%zu", maxima[i]);
        /* What fits is taken, and the mark stays: a caller checks once at the end. */
        check_case(buffer_append(&buffer, bytes, maxima[i]), "%zu", maxima[i]);
        check_case(buffer.overflowed, "%zu", maxima[i]);
        check_case(buffer.length == maxima[i], "%zu", maxima[i]);
        check_case(buffer.data[maxima[i]] == '\0', "%zu", maxima[i]);
        check_case(buffer.capacity <= maxima[i] + 1 || buffer.capacity == 256, "%zu", maxima[i]);
        check_case(!buffer_append_string(&buffer, "y"), "%zu", maxima[i]);
        check_case(!buffer_append_format(&buffer, "%d", 7), "%zu", maxima[i]);
        check_case(buffer_append(&buffer, bytes, 0), "%zu", maxima[i]);
        check_case(buffer.length == maxima[i], "%zu", maxima[i]);
        buffer_clear(&buffer);
        check_case(!buffer.overflowed, "%zu", maxima[i]);
        check_case(buffer_append(&buffer, bytes, maxima[i]), "%zu", maxima[i]);
        buffer_free(&buffer);
    }
    free(bytes);
}

static void test_nothing_before_the_first_append(void **state)
{
    struct buffer buffer;
    char *taken;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_clear(&buffer);
    assert_string_equal(buffer_string(&buffer), "");
    taken = buffer_take(&buffer);
    assert_string_equal(taken, "");
    free(taken);
    buffer_free(&buffer);
}

static void test_take_hands_the_memory_over(void **state)
{
    struct buffer buffer;
    char *taken;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append_string(&buffer, "mine");
    taken = buffer_take(&buffer);
    assert_string_equal(taken, "mine");
    assert_int_equal(buffer.length, 0);
    assert_int_equal(buffer.maximum, 10);
    buffer_append_string(&buffer, "another");
    assert_string_equal(taken, "mine");
    assert_string_equal(buffer_string(&buffer), "another");
    free(taken);
    buffer_free(&buffer);
}

/* Against a plain array: random pieces, with every growth on the way. */
static void test_random_pieces(void **state)
{
    static char model[5000];
    struct dice dice = {3};
    struct buffer buffer;
    size_t length = 0;

    (void)state;
    buffer_init(&buffer, sizeof(model) - 1);
    for (int i = 0; i < 20000; i++) {
        char piece[200];
        size_t size = (size_t)dice_below(&dice, sizeof(piece));
        bool fits = length + size < sizeof(model);

        memset(piece, 'a' + (int)dice_below(&dice, 26), sizeof(piece));
        if (dice_below(&dice, 100) == 0) {
            buffer_clear(&buffer);
            length = 0;
            continue;
        }
        assert_int_equal(buffer_append_format(&buffer, "%.*s", (int)size, piece), fits);
        if (fits) {
            memcpy(model + length, piece, size);
            length += size;
        }
        assert_int_equal(buffer.length, length);
        assert_memory_equal(buffer_string(&buffer), model, length);
    }
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_is_always_a_string),
        cmocka_unit_test(test_the_maximum_is_kept),
        cmocka_unit_test(test_nothing_before_the_first_append),
        cmocka_unit_test(test_take_hands_the_memory_over),
        cmocka_unit_test(test_random_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
