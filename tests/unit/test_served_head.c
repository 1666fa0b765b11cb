/* SPDX-License-Identifier: MIT */
#include "core/served_head.h"

#include <string.h>

#include "unit.h"

#define HOST "Host: a\r\n"

static int read_text(const char *text, struct served_head *head)
{
    const char *reason = NULL;

    return served_head_read(text, strlen(text), head, &reason);
}

/* Many more go through the whole service: tests/e2e/test_serve_hostile.py. */
static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"G\xc3\xa9T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST " a: c\r\n\r\n", 400},
        {"GET / HTTP/3\r\n" HOST "\r\n", 505},
        {"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    };
    struct served_head head;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(read_text(cases[i].text, &head) == cases[i].status, "%s", cases[i].text);
}

static void test_read(void **state)
{
    struct served_head head;
    struct slice value;

    (void)state;
    assert_int_equal(read_text("POST /a/b?c=d?e HTTP/1.1\r\nhOST:a\r\nContent-Length: 007 \r\n"
                               "X:\t a b \t\r\nEmpty:\r\nConnection: keep-alive , CLOSE\r\n\r\n",
                               &head),
                     0);
    assert_true(slice_is(head.method, "POST") && slice_is(head.path, "/a/b"));
    assert_true(slice_is(head.query, "c=d?e"));
    assert_int_equal(head.content_length, 7);
    assert_true(served_head_find(&head, "x", &value) && slice_is(value, "a b"));
    assert_true(served_head_find(&head, "empty", &value) && slice_is(value, ""));
    assert_true(served_head_find(&head, "absent", &value) && value.at == NULL);
    assert_true(served_head_has_word(&head, "connection", "close"));
    assert_false(served_head_has_word(&head, "connection", "los"));
}

static void test_end(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\nbody\n";
    size_t end = strlen(text) - strlen("body\n");
    size_t length = 0;

    (void)state;
    for (size_t size = 0; size < end; size++)
        for (size_t from = 0; from <= size; from++)
            assert_int_equal(served_head_find_end(text, size, from, &length), SERVED_UNFINISHED);
    assert_int_equal(served_head_find_end(text, strlen(text), 0, &length), SERVED_FINISHED);
    assert_int_equal(length, end);
    assert_int_equal(served_head_find_end("a\nb", 3, 0, &length), SERVED_BARE);
    assert_int_equal(served_head_find_end("\n", 1, 0, &length), SERVED_BARE);
    assert_int_equal(served_head_find_end("a\r\n\n", 4, 3, &length), SERVED_BARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
