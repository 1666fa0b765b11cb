/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <string.h>

#include "core/event_type.h"

static void test_types(void **state)
{
    static const struct {
        const char *text;
        bool is_type, is_pattern;
    } cases[] = {
        {"order", true, true},
        {"order.paid", true, true},
        {"a.b.c-d_E.9", true, true},
        {"", false, false},
        {".", false, false},
        {"order.", false, false},
        {".paid", false, false},
        {"order..paid", false, false},
        {"order paid", false, false},
        {"order.paid\n", false, false},
        {"größe", false, false},
        {"order\x1b[31m", false, false},
        {"*", false, true},
        {"order.*", false, true},
        {"order.item.*", false, true},
        {"order*", false, false},
        {"*.paid", false, false},
        {"order.*.paid", false, false},
        {".*", false, false},
        {"order..*", false, false},
        {"order.**", false, false},
        {"order.*.*", false, false},
    };
    struct error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        check_case(event_type_check(cases[i].text, &error) == cases[i].is_type, "\"%s\"",
                   cases[i].text);
        check_case(event_type_check_pattern(cases[i].text, &error) == cases[i].is_pattern,
                   "\"%s\" as a pattern", cases[i].text);
    }
}

static void test_length(void **state)
{
    char text[EVENT_TYPE_MAX + 2];
    struct error error;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[EVENT_TYPE_MAX] = '\0';
    assert_true(event_type_check(text, &error));
    assert_true(event_type_check_pattern(text, &error));
    text[EVENT_TYPE_MAX] = 'a';
    text[EVENT_TYPE_MAX + 1] = '\0';
    assert_false(event_type_check(text, &error));
    assert_string_equal(error.message, "an event type has at most 255 bytes, this one has 256");
    assert_false(event_type_check_pattern(text, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
