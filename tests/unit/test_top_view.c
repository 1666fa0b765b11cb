/* SPDX-License-Identifier: MIT */
/* What "postrider top" shows of two reports, and in which order. */
#include "command/top_view.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}

static const char endpoints[] =
    "{\"endpoints\": ["
    "{\"url\": \"https://b/\", \"due\": 9, \"retrying\": 0, \"failures_last_hour\": null},"
    "{\"url\": \"https://a/\", \"due\": 1, \"retrying\": 2, \"failures_last_hour\": 5,"
    " \"last_error\": \"Timeout\"},"
    "{\"url\": \"https://c/\", \"due\": null, \"retrying\": 4, \"failures_last_hour\": 1}]}";

static void test_order(void **state)
{
    static const struct {
        const char *filter, *expected;
        enum top_sort sort;
    } cases[] = {
        {"", "acb", TOP_BY_TROUBLE},  {"", "bac", TOP_BY_DUE}, {"", "cab", TOP_BY_RETRYING},
        {"", "acb", TOP_BY_FAILURES}, {"", "abc", TOP_BY_URL}, {"HTTPS://C", "c", TOP_BY_URL},
        {"timeout", "a", TOP_BY_DUE}, {"x", "", TOP_BY_DUE},
    };
    json_t *report = parse(endpoints);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct top_view view = top_view_make(report, NULL, 0, cases[i].sort, cases[i].filter);
        char got[8] = "";

        for (size_t row = 0; row < view.count; row++)
            got[row] = view.rows[row].url[strlen("https://")];
        check_case(strcmp(got, cases[i].expected) == 0, "%s \"%s\": %s",
                   top_sort_name(cases[i].sort), cases[i].filter, got);
    }
    json_decref(report);
}

/* A worker that has come since, or begun anew, makes no jump. */
static void test_rates(void **state)
{
    json_t *before = parse("{\"workers\": [{\"owner\": \"a\", \"delivered\": 100},"
                           " {\"owner\": \"b\", \"delivered\": 900}]}");
    json_t *after = parse("{\"workers\": [{\"owner\": \"a\", \"delivered\": 140, \"in_flight\": 3},"
                          " {\"owner\": \"b\", \"delivered\": 5},"
                          " {\"owner\": \"c\", \"delivered\": 5000, \"in_flight\": 4}]}");
    struct top_view view = top_view_make(after, before, 10000, TOP_BY_DUE, "");

    (void)state;
    assert_true(view.rates.delivered > 3.99 && view.rates.delivered < 4.01);
    assert_int_equal(view.in_flight, 7);
    assert_int_equal(view.workers, 3);
    assert_int_equal(view.due, -1); /* not in the report: not known */
    assert_true(top_view_make(after, NULL, 0, TOP_BY_DUE, "").rates.delivered < 0);
    assert_int_equal(top_view_make(NULL, NULL, 0, TOP_BY_DUE, "").count, 0);
    json_decref(before);
    json_decref(after);
}

static void test_text(void **state)
{
    static const struct {
        const char *text, *expected;
        bool is_ascii;
    } cases[] = {
        {"ä\x1b[2J", "ä\xef\xbf\xbd[2J", false},
        {"ä\x1b[2J", "??[2J", true},
        {"a\xe2\x80\xae"
         "b",
         "a\xef\xbf\xbd"
         "b",
         false},
        {"0123456789012345", "0123456…", false},
        {"0123456789012345", "0123456?", true},
    };

    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *got = top_clean(cases[i].text, 8, cases[i].is_ascii, false);

        assert_string_equal(got, cases[i].expected);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
