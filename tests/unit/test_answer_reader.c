/* test_answer_reader.c: what is an answer, what is not, and where it ends; in any split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/answer_reader.h"

#define LIMIT 4096

/* What a reader said in the end. */
struct verdict {
    enum answer_progress progress; /* after the end of the connection, when it came to that */
    bool waits_for_end;
    bool has_head;
    int status;
    bool is_reusable;
    size_t used;
    char retry_after[ANSWER_RETRY_AFTER_SIZE];
    char error[ANSWER_ERROR_SIZE];
    char body[256];
};

/* Feeds text in pieces of at most step bytes. */
static struct verdict read_in_steps(const char *text, size_t length, size_t step)
{
    struct verdict verdict = {0};
    struct answer_reader reader;
    struct buffer snippet;

    buffer_init(&snippet, sizeof(verdict.body) - 1);
    answer_reader_start(&reader, &snippet, LIMIT);
    while (verdict.used < length && reader.progress == ANSWER_UNFINISHED) {
        size_t piece = length - verdict.used < step ? length - verdict.used : step;
        char *copy = memory_copy(text + verdict.used, piece); /* so that ASan sees its end */
        size_t used;
        size_t heads;

        answer_reader_feed(&reader, copy, piece, &used, &heads);
        assert_true(used <= piece && heads <= used);
        verdict.used += used;
        free(copy);
    }
    verdict.waits_for_end = reader.progress == ANSWER_UNFINISHED;
    if (verdict.waits_for_end)
        answer_reader_end(&reader);
    verdict.progress = reader.progress;
    verdict.has_head = reader.has_head;
    verdict.status = reader.status;
    verdict.is_reusable = reader.is_reusable;
    memcpy(verdict.retry_after, reader.retry_after, sizeof(verdict.retry_after));
    memcpy(verdict.error, reader.error, sizeof(verdict.error));
    memcpy(verdict.body, buffer_string(&snippet), snippet.length + 1);
    buffer_free(&snippet);
    return verdict;
}

enum keep { CLOSED, KEPT };

struct good_case {
    const char *name;
    const char *text;
    int status;
    enum keep keep;
    const char *body;
    const char *rest; /* what comes behind it */
};

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct good_case good_cases[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, KEPT, "ok", ""},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", 200, KEPT, "ok", ""},
    {"bytes behind it", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, KEPT, "ok", "HTTP"},
    {"nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, KEPT, "", "x"},
    {"204", "HTTP/1.1 204 No\r\n\r\n", 204, KEPT, "", ""},
    {"204 with a length", "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", 204, CLOSED, "", "abc"},
    {"204 in chunks", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", 204, CLOSED, "",
     "0\r\n\r\n"},
    {"304 with a length", "HTTP/1.1 304 Same\r\nContent-Length: 3\r\n\r\n", 304, KEPT, "", "abc"},
    {"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", 200,
     CLOSED, "ok", ""},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", 200, CLOSED, "ok", ""},
    {"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n", 200,
     KEPT, "ok", ""},
    {"100 and 103",
     "HTTP/1.1 100 Go\r\nContent-Length: 3\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"
     "HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\n",
     201, KEPT, "ok", ""},
    {"chunks", CHUNKED "1\r\no\r\n1;a=\"b\"\r\nk\r\n0\r\n\r\n", 200, KEPT, "ok", "x"},
    {"trailers", CHUNKED "2\r\nok\r\n0\r\nX: 1\r\nRetry-After: 9\r\n\r\n", 200, KEPT, "ok", ""},
    {"gzip in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 200,
     KEPT, "", ""},
    {"HTTP/1.0 in chunks",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     200, CLOSED, "", ""},
    {"folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n", 200, CLOSED, "ok",
     ""},
    {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\n", 200, CLOSED, "ok", ""},
    {"one bare LF", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\n", 200, CLOSED, "ok", ""},
    {"control characters",
     "HTTP/1.1 200 \x1b[31mred\r\nX: \x1b[2J\xff\r\nContent-Length: 2\r\n\r\n", 200, KEPT, "ok",
     ""},
};

/* Texts of cases with a length end before the body. */
static char *whole_text(const struct good_case *one)
{
    bool has_body = strcmp(one->body, "ok") == 0 && strstr(one->text, "chunked") == NULL;

    return memory_format("%s%s%s", one->text, has_body ? "ok" : "", one->rest);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good_cases); i++) {
        const struct good_case *one = &good_cases[i];
        char *text = whole_text(one);
        size_t length = strlen(text);

        for (size_t step = 1; step <= length; step++) {
            struct verdict verdict = read_in_steps(text, length, step);

            if (verdict.progress != ANSWER_COMPLETE || verdict.status != one->status ||
                verdict.waits_for_end || verdict.is_reusable != (one->keep == KEPT) ||
                strcmp(verdict.body, one->body) != 0 || verdict.retry_after[0] != '\0' ||
                verdict.used != length - strlen(one->rest))
                fail_msg("%s, by %zu: progress %d, status %d, reusable %d, used %zu, body \"%s\", "
                         "error \"%s\"",
                         one->name, step, (int)verdict.progress, verdict.status,
                         verdict.is_reusable, verdict.used, verdict.body, verdict.error);
        }
        free(text);
    }
}

static const struct {
    const char *name;
    const char *text;
    const char *error;
} bad_cases[] = {
    {"HTTP/0.9", "<html>hello</html>", "the answer is not HTTP"},
    {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the answer is not HTTP"},
    {"an empty line", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer is not HTTP"},
    {"version 2.0", "HTTP/2.0 200 OK\r\n\r\n", "the answer is not HTTP/1.1 but HTTP/2.0"},
    {"version 0.9", "HTTP/0.9 200 OK\r\n\r\n", "the answer is not HTTP/1.1 but HTTP/0.9"},
    {"version 3.9", "HTTP/3.9 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"no status", "HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP"},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP"},
    {"status 20", "HTTP/1.1 20 OK\r\n\r\n", "status 20, which is none"},
    {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "status 600, which is none"},
    {"101", "HTTP/1.1 101 Sw\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "101 Switching"},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
     "Content-Length"},
    {"the same twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
     "Content-Length"},
    {"a list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "Content-Length"},
    {"negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "Content-Length"},
    {"huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", "Content-Length"},
    {"length and chunks",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "Transfer-Encoding"},
    {"chunks and length",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
     "Transfer-Encoding"},
    {"a line of a blank", "HTTP/1.1 200 OK\r\n \r\nA: b\r\n\r\n", "not clear where they end"},
    {"no colon", "HTTP/1.1 200 OK\r\nA b\r\n\r\n", "not valid"},
    {"blank before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "not valid"},
    {"bare CR", "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\nok", "not valid"},
    {"CR without LF", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rok", "not valid"},
};

static void test_garbage(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad_cases); i++) {
        size_t length = strlen(bad_cases[i].text);

        for (size_t step = 1; step <= length; step++) {
            struct verdict verdict = read_in_steps(bad_cases[i].text, length, step);

            if (verdict.progress != ANSWER_FAULTY || verdict.has_head || verdict.waits_for_end ||
                strstr(verdict.error, bad_cases[i].error) == NULL)
                fail_msg("%s, by %zu: progress %d, status %d, error \"%s\"", bad_cases[i].name,
                         step, (int)verdict.progress, verdict.status, verdict.error);
        }
    }
}

static void test_nul(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\nok";
    struct verdict verdict = read_in_steps(text, sizeof(text) - 1, 1000);

    (void)state;
    assert_int_equal(verdict.progress, ANSWER_FAULTY);
    assert_non_null(strstr(verdict.error, "NUL"));
    verdict = read_in_steps("HTTP/1.1, 200 OK\r\nA: \0\r\n\r\n", 27, 1000);
    assert_string_equal(verdict.error, "the answer is not HTTP"); /* whatever comes later */
}

/* The head is an answer, and the rest is its bad luck. */
static void test_bad_bodies(void **state)
{
    static const char *const texts[] = {
        CHUNKED "xyz\r\nok\r\n0\r\n\r\n",
        CHUNKED "-1\r\nok\r\n0\r\n\r\n",
        CHUNKED "fffffffffffffffff\r\nok\r\n0\r\n\r\n",
        CHUNKED "2\nok\r\n0\r\n\r\n",
        CHUNKED "2\r\nokab0\r\n\r\n",
        CHUNKED "2\r\nok\r\n0\r\nX 1\r\n\r\n",
        CHUNKED "2\r\nok\r\n",                            /* ends here */
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", /* this too */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        for (size_t step = 1; step <= strlen(texts[i]); step++) {
            struct verdict verdict = read_in_steps(texts[i], strlen(texts[i]), step);

            if (verdict.progress != ANSWER_FAULTY || verdict.status != 200 || !verdict.has_head ||
                verdict.error[0] != '\0' || verdict.is_reusable)
                fail_msg("%zu, by %zu: progress %d, status %d, error \"%s\"", i, step,
                         (int)verdict.progress, verdict.status, verdict.error);
        }
    }
}

/* A body without a length ends with the connection, which is no fault. */
static void test_bodies_that_end_with_the_connection(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct verdict verdict = read_in_steps(texts[i], strlen(texts[i]), 7);

        assert_true(verdict.waits_for_end);
        assert_int_equal(verdict.progress, ANSWER_COMPLETE);
        assert_string_equal(verdict.body, "ok");
        assert_false(verdict.is_reusable);
    }
}

static void test_unfinished_heads(void **state)
{
    static const char *const texts[] = {"", "HTTP/1.1 200 OK\r\nContent-Le",
                                        "HTTP/1.1 100 Continue\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct verdict verdict = read_in_steps(texts[i], strlen(texts[i]), 1);

        assert_true(verdict.waits_for_end);
        assert_int_equal(verdict.progress, ANSWER_FAULTY);
        assert_false(verdict.has_head);
        assert_string_equal(verdict.error, "");
    }
}

static void test_retry_after(void **state)
{
    static const char text[] = "HTTP/1.1 100 Go\r\nRetry-After: 1\r\n\r\n"
                               "HTTP/1.1 503 Busy\r\nX-Retry-After: 2\r\nRetry-Afte: 3\r\n"
                               "Retry-Afters: 4\r\nrETRY-aFTER: \t 120 \r\nRetry-After: 7\r\n"
                               "Content-Length: 0\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct verdict verdict = read_in_steps(text, sizeof(text) - 1, step);

        assert_int_equal(verdict.status, 503);
        assert_string_equal(verdict.retry_after, "120");
    }
}

/* start, then unit again and again: at which byte it ends, and with which words. */
static struct verdict read_endless(const char *start, const char *unit, size_t step)
{
    size_t length = strlen(start) + 3 * (size_t)LIMIT * strlen(unit);
    char *text = memory_new(length + 1, 1);
    size_t at = strlen(start);
    struct verdict verdict;

    memcpy(text, start, at);
    for (; at + strlen(unit) <= length; at += strlen(unit))
        memcpy(text + at, unit, strlen(unit));
    verdict = read_in_steps(text, at, step);
    free(text);
    return verdict;
}

static void test_limits(void **state)
{
    static const struct {
        const char *name;
        const char *start;
        const char *unit;
        size_t used;   /* of the start, the limit, and the byte that is too many */
        bool has_head; /* else the headers are too large */
    } cases[] = {
        {"headers", "HTTP/1.1 200 OK\r\n", "A: b\r\n", LIMIT, false},
        {"a header", "HTTP/1.1 200 OK\r\nA: ", "b", LIMIT, false},
        {"a name", "HTTP/1.1 200 OK\r\n", "b", LIMIT, false},
        {"a reason", "HTTP/1.1 200 ", "b", LIMIT, false},
        {"interim answers", "", "HTTP/1.1 103 Hints\r\n\r\n", LIMIT, false},
        {"trailers", CHUNKED "0\r\n", "A: b\r\n", LIMIT + 1, true},
        {"zeros", CHUNKED, "0", LIMIT + 1, true},
        {"a chunk's extension", CHUNKED "1;a=", "b", LIMIT + 1, true},
    };
    size_t steps[] = {1, 7, 1000, 100000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases) * ARRAY_LENGTH(steps); i++) {
        size_t one = i / ARRAY_LENGTH(steps);
        struct verdict verdict =
            read_endless(cases[one].start, cases[one].unit, steps[i % ARRAY_LENGTH(steps)]);
        bool has_error = strstr(verdict.error, "larger than 4KiB") != NULL;

        if (verdict.progress != ANSWER_FAULTY || verdict.waits_for_end ||
            verdict.has_head != cases[one].has_head || has_error == verdict.has_head ||
            verdict.used > cases[one].used)
            fail_msg("%s: progress %d, head %d, used %zu, error \"%s\"", cases[one].name,
                     (int)verdict.progress, verdict.has_head, verdict.used, verdict.error);
    }
}

static void test_body_limit(void **state)
{
    char *text = memory_new(3 * LIMIT, 1);

    (void)state;
    for (int over = 0; over <= 1; over++) {
        int head =
            snprintf(text, LIMIT, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LIMIT + over);
        struct verdict verdict;

        memset(text + head, 'x', LIMIT + 1);
        verdict = read_in_steps(text, (size_t)(head + LIMIT + over), 1000);
        assert_int_equal(verdict.progress, over ? ANSWER_FAULTY : ANSWER_COMPLETE);
        assert_int_equal(verdict.status, 200);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_bodies_that_end_with_the_connection),
        cmocka_unit_test(test_unfinished_heads),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_body_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
