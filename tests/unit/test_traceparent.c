/* SPDX-License-Identifier: MIT */
/* What is a traceparent: the rules and examples of W3C Trace Context. */
#include "core/traceparent.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_traceparents(void **state)
{
    static const struct {
        const char *text;
        bool is_one;
    } cases[] = {
        {"00-" TRACE "-" PARENT "-01", true},
        {"00-" TRACE "-" PARENT "-ff", true},
        {"cc-" TRACE "-" PARENT "-00", true},
        {"ff-" TRACE "-" PARENT "-01", false},
        {"00-00000000000000000000000000000000-" PARENT "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", false},
        {"00-" TRACE "-" PARENT "-1", false},
        {"00-" TRACE "-" PARENT "-012", false},
        {"00-" TRACE "-" PARENT "-01-more", false},
        {"00-" TRACE "-" PARENT, false},
        {"00-" TRACE PARENT "-01", false},
        {"0-" TRACE "-" PARENT "-01", false},
        {" 00-" TRACE "-" PARENT "-01", false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char id[TRACE_ID_SIZE] = "as it was";
        bool is_one = traceparent_read(cases[i].text, id);

        check_case(is_one == cases[i].is_one, "%s", cases[i].text != NULL ? cases[i].text : "NULL");
        assert_string_equal(id, is_one ? TRACE : "as it was");
    }
}

static void test_parts(void **state)
{
    char span_id[SPAN_ID_SIZE];
    char text[TRACEPARENT_SIZE];

    (void)state;
    traceparent_read_parent("00-" TRACE "-" PARENT "-01", span_id);
    assert_string_equal(span_id, PARENT);
    assert_true(traceparent_is_sampled("00-" TRACE "-" PARENT "-01"));
    assert_true(traceparent_is_sampled("00-" TRACE "-" PARENT "-ff"));
    assert_false(traceparent_is_sampled("00-" TRACE "-" PARENT "-00"));
    assert_false(traceparent_is_sampled("00-" TRACE "-" PARENT "-02"));
    traceparent_write(TRACE, PARENT, text);
    assert_string_equal(text, "00-" TRACE "-" PARENT "-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traceparents),
                                       cmocka_unit_test(test_parts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
