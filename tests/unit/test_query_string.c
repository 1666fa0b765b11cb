/* SPDX-License-Identifier: MIT */
#include "core/query_string.h"

#include <string.h>

#include "base/buffer.h"
#include "unit.h"

static bool read_text(const char *text, struct query_string *query)
{
    struct error error;

    return query_string_read((struct slice){text, strlen(text)}, query, &error);
}

static void test_read(void **state)
{
    struct query_string query;
    struct error error;

    (void)state;
    assert_true(read_text("a=1&b+c=%C3%A9+%2b%26%3d&d=&e=x=y?z", &query));
    assert_int_equal(query.count, 4);
    assert_string_equal(query_string_find(&query, "a"), "1");
    assert_string_equal(query_string_find(&query, "b c"), "\xc3\xa9 +&=");
    assert_string_equal(query_string_find(&query, "d"), "");
    assert_string_equal(query_string_find(&query, "e"), "x=y?z");
    assert_null(query_string_find(&query, "f"));
    assert_true(query_string_read((struct slice){NULL, 0}, &query, &error));
    assert_int_equal(query.count, 0);
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "a",    "=",   "=a",    "a=1&",  "&a=1",  "a=1&&b=2", "a=%",     "a=%1",      "a=%g0",
        "a=%0", "%=1", "a=%00", "%00=1", "a=%ff", "a=%c3",    "a=1&a=2", "a=1&%61=2", "a=%ed%a0%80",
    };
    struct query_string query;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(!read_text(cases[i], &query), "%s", cases[i]);
}

static void test_limits(void **state)
{
    struct query_string query;
    struct buffer text;

    (void)state;
    buffer_init(&text, (size_t)16 * 1024);
    for (int i = 0; i < QUERY_STRING_PARAMETERS_MAX; i++)
        buffer_append_format(&text, "%sp%d=%d", i > 0 ? "&" : "", i, i);
    assert_true(read_text(buffer_string(&text), &query));
    assert_string_equal(query_string_find(&query, "p31"), "31");
    buffer_append_string(&text, "&more=1");
    assert_false(read_text(buffer_string(&text), &query));
    buffer_clear(&text);
    buffer_append_string(&text, "a=");
    while (text.length < SERVED_HEAD_MAX - 1)
        buffer_append_string(&text, "b");
    assert_true(read_text(buffer_string(&text), &query));
    assert_int_equal(strlen(query_string_find(&query, "a")), SERVED_HEAD_MAX - 3);
    buffer_append_string(&text, "b");
    assert_false(read_text(buffer_string(&text), &query));
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
