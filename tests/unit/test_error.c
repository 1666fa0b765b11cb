/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

static void test_message_and_hint(void **state)
{
    struct error error;

    (void)state;
    memset(&error, 'x', sizeof(error));
    assert_false(error_set(&error, "port %d is taken", 80));
    assert_string_equal(error.message, "port 80 is taken");
    assert_string_equal(error.hint, "");
    assert_false(error_hint(&error, "Use port %d.", 8080));
    assert_string_equal(error.hint, "Use port 8080.");
    assert_false(error_prefix(&error, "line %d", 3));
    assert_false(error_prefix(&error, "%s", "config.yaml"));
    assert_string_equal(error.message, "config.yaml: line 3: port 80 is taken");
    assert_string_equal(error.hint, "Use port 8080.");
    /* A new message has nothing to do with the old hint. */
    assert_false(error_set(&error, "%s", ""));
    assert_string_equal(error.message, "");
    assert_string_equal(error.hint, "");
}

/* Texts of each length around the capacity are cut, not overrun, and the start is kept. */
static void test_what_is_too_long_is_cut(void **state)
{
    const size_t capacity = sizeof(((struct error *)NULL)->message);
    char *text = memory_new(2 * capacity, 1);

    (void)state;
    for (size_t length = 0; length < capacity + 10; length++) {
        struct error error;

        memset(text, 'm', length);
        text[length] = '\0';
        error_set(&error, "%s", text);
        error_hint(&error, "%s", text);
        check_case(strlen(error.message) == (length < capacity ? length : capacity - 1), "%zu",
                   length);
        check_case(strlen(error.hint) ==
                       (length < sizeof(error.hint) ? length : sizeof(error.hint) - 1),
                   "%zu", length);
        error_prefix(&error, "pre");
        check_case(strlen(error.message) == (length + 5 < capacity ? length + 5 : capacity - 1),
                   "%zu", length);
        check_case(strncmp(error.message, "pre: ", 5) == 0, "%zu", length);
        error_set(&error, "message");
        error_prefix(&error, "%s", text);
        check_case(strlen(error.message) == (length + 9 < capacity ? length + 9 : capacity - 1),
                   "%zu", length);
        check_case(strncmp(error.message, text, length < capacity ? length : capacity - 1) == 0,
                   "%zu", length);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_and_hint),
        cmocka_unit_test(test_what_is_too_long_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
