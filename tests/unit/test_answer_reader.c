/* SPDX-License-Identifier: MIT */
/* test_answer_reader.c: what is an answer, what is not, and where it ends; in any split. */
#include "unit.h"

#include <stdlib.h>

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
    char retry_after[HEAD_RETRY_AFTER_SIZE];
    struct keep_alive keep_alive;
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
    answer_reader_start(&reader, &snippet, LIMIT, false);
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
    verdict.status = reader.head.status;
    verdict.is_reusable = reader.is_reusable;
    memcpy(verdict.retry_after, reader.head.retry_after, sizeof(verdict.retry_after));
    verdict.keep_alive = reader.head.keep_alive;
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
    {"an empty line in front", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, CLOSED,
     "ok", ""},
    {"Connection: keep-alive, close",
     "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\n", 200, CLOSED,
     "ok", ""},
    {"Connection twice",
     "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
     200, CLOSED, "ok", ""},
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
    {"a blank in front", " HTTP/1.1 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"no version", "HTTP 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 0.9", "HTTP/0.9 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 2.1", "HTTP/2.1 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 3.9", "HTTP/3.9 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 11", "HTTP/11 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 1.10", "HTTP/1.10 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"version 1.", "HTTP/1. 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"ICY", "ICY 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"a version alone", "HTTP/1.1\r\n\r\n", "the answer is not HTTP"},
    {"a version and a blank", "HTTP/1.1 \n\n", "the answer is not HTTP"},
    {"a comma", "HTTP/1.1, 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"a word at the status", "HTTP/1.1 200OK\r\n\r\n", "the answer is not HTTP"},
    {"a negative status", "HTTP/1.1 -200 OK\r\n\r\n", "the answer is not HTTP"},
    {"a bare CR", "HTTP/1.1 200\rOK\r\n\r\n", "the answer is not HTTP"},
    {"a folded status", "HTTP/1.1\r\n 200 OK\r\n\r\n", "the answer is not HTTP"},
    {"a header line alone", "Content-Length: 0\r\n\r\n", "the answer is not HTTP"},
    {"no status", "HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP"},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP"},
    {"status 20", "HTTP/1.1 20 OK\r\n\r\n", "the answer is not HTTP"},
    {"status 099", "HTTP/1.1 099 OK\r\n\r\n", "status 099, which is none"},
    {"status 000", "HTTP/1.1 000 OK\r\n\r\n", "the answer is not HTTP"},
    {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "status 600, which is none"},
    {"101", "HTTP/1.1 101 Sw\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "101 Switching"},
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

#define WITH(header) "HTTP/1.1 200 OK\r\nRetry-After: 9\r\n" header "\r\n\r\n"

/* Heads of which only the status, and where they end, is clear. */
static const struct {
    const char *name;
    const char *text;
} doubtful_heads[] = {
    {"the same length twice", WITH("Content-Length: 2\r\nContent-Length: 2")},
    {"two lengths", WITH("Content-Length: 2\r\nContent-Length: 3")},
    {"a list of lengths", WITH("Content-Length: 2, 2")},
    {"a negative length", WITH("Content-Length: -1")},
    {"a length with a sign", WITH("Content-Length: +2")},
    {"a length in words", WITH("Content-Length: two")},
    {"a hexadecimal length", WITH("Content-Length: 0x2")},
    {"a length and a unit", WITH("Content-Length: 2 bytes")},
    {"no length", WITH("Content-Length:")},
    {"a huge length", WITH("Content-Length: 99999999999999999999")},
    {"length and chunks", WITH("Content-Length: 2\r\nTransfer-Encoding: chunked")},
    {"chunks and length", WITH("Transfer-Encoding: chunked\r\nContent-Length: 2")},
    {"length and gzip", WITH("Content-Length: 2\r\nTransfer-Encoding: gzip")},
    {"a line of a blank", WITH(" \r\nA: b")},
    {"no colon", WITH("A b")},
    {"a word", WITH("garbage")},
    {"no name", WITH(": b")},
    {"a blank before the colon", WITH("A : b")},
    {"a blank in a name", WITH("A b: c")},
    {"a name of other letters", WITH("k\xc3\xa4se: b")},
    {"a control character in a name", WITH("A\x01: b")},
    {"brackets in a name", WITH("A(b): c")},
    {"a bare CR in a value", WITH("A: b\rc")},
    {"a bare CR in front", WITH("\rA: b")},
    {"two CRs", WITH("A: b\r")},
    {"HTML", WITH("<br />\r\n<b>Warning</b>: something")},
    {"another status line", WITH("HTTP/1.1 500 No")},
    {"two blanks", "HTTP/1.1  200 OK\r\nRetry-After: 9\r\n\r\n"},
    {"a tab", "HTTP/1.1\t200\tOK\r\nRetry-After: 9\r\n\r\n"},
    {"version 1.2", "HTTP/1.2 200 OK\r\nRetry-After: 9\r\n\r\n"},
    {"version 2", "HTTP/2 200\r\nRetry-After: 9\r\n\r\n"},
    {"version 2.0", "HTTP/2.0 200 OK\r\nRetry-After: 9\r\n\r\n"},
    {"version 3", "HTTP/3 200\nRetry-After: 9\n\n"},
    {"small letters", "http/1.1 200 OK\r\nRetry-After: 9\r\n\r\n"},
    {"an interim answer", "HTTP/1.1 103 Hints\r\nRetry-After: 7\r\nA b\r\n\r\n"
                          "HTTP/1.1 100 Go\r\nContent-Length: x\r\n\r\n" WITH("Content-Length: 0")},
    {"an interim answer that closes",
     "HTTP/1.1 100 Go\r\nConnection: close\r\n\r\n" WITH("Content-Length: 0")},
};

static void test_doubtful_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(doubtful_heads); i++) {
        size_t length = strlen(doubtful_heads[i].text);

        for (size_t step = 1; step <= length; step++) {
            struct verdict verdict = read_in_steps(doubtful_heads[i].text, length, step);

            if (!verdict.has_head || verdict.status != 200 || verdict.is_reusable ||
                verdict.error[0] != '\0' || strcmp(verdict.retry_after, "9") != 0 ||
                verdict.used != length)
                fail_msg("%s, by %zu: status %d, reusable %d, used %zu of %zu, Retry-After \"%s\", "
                         "error \"%s\"",
                         doubtful_heads[i].name, step, verdict.status, verdict.is_reusable,
                         verdict.used, length, verdict.retry_after, verdict.error);
        }
    }
}

/* Nobody knows where such a body ends: of it there is what has come with the head. */
static void test_bodies_of_doubtful_heads(void **state)
{
    static const char text[] =
        "HTTP/1.1 404 Gone\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok";
    struct verdict verdict = read_in_steps(text, sizeof(text) - 1, sizeof(text));

    (void)state;
    assert_int_equal(verdict.progress, ANSWER_FAULTY);
    assert_int_equal(verdict.status, 404);
    assert_string_equal(verdict.body, "ok");
    verdict = read_in_steps("HTTP/1.1 204 No\r\nA b\r\n\r\n", 24, 24);
    assert_int_equal(verdict.progress, ANSWER_COMPLETE);
    assert_false(verdict.is_reusable);
}

static void test_nul(void **state)
{
    static const char value[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\nok";
    static const char name[] = "HTTP/1.1 200 OK\r\nA\0b: c\r\nContent-Length: 2\r\n\r\nok";
    static const char reason[] = "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok";
    static const char asked[] = "HTTP/1.1 503 No\r\nRetry-After: 7\0\r\nRetry-After: 9\r\n\r\n";
    static const struct {
        const char *text;
        size_t length;
        int status;
    } cases[] = {
        {value, sizeof(value) - 1, 200},
        {name, sizeof(name) - 1, 200},
        {reason, sizeof(reason) - 1, 200},
        {asked, sizeof(asked) - 1, 503},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t step = 1; step <= cases[i].length; step++) {
            struct verdict verdict = read_in_steps(cases[i].text, cases[i].length, step);

            if (!verdict.has_head || verdict.status != cases[i].status || verdict.is_reusable ||
                strcmp(verdict.retry_after, verdict.status == 503 ? "9" : "") != 0)
                fail_msg("%zu, by %zu: status %d, reusable %d, \"%s\"", i, step, verdict.status,
                         verdict.is_reusable, verdict.error);
        }
    assert_false(read_in_steps("HTTP/1.1\0 200 OK\r\n\r\n", 21, 100).has_head);
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
    static const char *const texts[] = {"",
                                        "HTTP/1.1 200 OK\r\nContent-Le",
                                        "HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nA: b\r\n\r",
                                        "HTTP/1.1 200",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rok",
                                        "\r\n\r\n",
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
                               "Retry-After:\r\nRetry-After : soon\r\nretry-after:\r\n 9\r\n"
                               "Content-Length: 0\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct verdict verdict = read_in_steps(text, sizeof(text) - 1, step);

        assert_int_equal(verdict.status, 503);
        assert_string_equal(verdict.retry_after, "120, 7, soon, 9");
    }
}

/* What there is no room for is left out, and a value that is too long cut. */
static void test_many_retry_after(void **state)
{
    struct buffer text;
    struct verdict verdict;

    (void)state;
    buffer_init(&text, LIMIT);
    buffer_append_string(&text, "HTTP/1.1 503 Busy\r\n");
    for (int i = 0; i < 60; i++)
        buffer_append_format(&text, "Retry-After: %d\r\n", 10 + i);
    buffer_append_string(&text, "Retry-After: 7\r\nContent-Length: 0\r\n\r\n");
    verdict = read_in_steps(text.data, text.length, 5);
    assert_true(strncmp(verdict.retry_after, "10, 11, 12, ", 12) == 0);
    assert_true(strlen(verdict.retry_after) > HEAD_RETRY_AFTER_SIZE - 6);
    buffer_clear(&text);
    buffer_append_format(&text, "HTTP/1.1 503 Busy\r\nRetry-After: %0500d\r\n\r\n", 1);
    verdict = read_in_steps(text.data, text.length, 5);
    assert_int_equal(strlen(verdict.retry_after), HEAD_RETRY_AFTER_SIZE - 1);
    buffer_free(&text);
}

static void test_keep_alive(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Keep-Alive: timeout=1\r\n"
                               "keep-alive: timeout=5, max=100\r\nKeep-Alive: max=\r\n"
                               "Keep-Alive: max=7;timeout=9\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct verdict verdict = read_in_steps(text, sizeof(text) - 1, step);

        assert_true(verdict.is_reusable);
        assert_int_equal(verdict.keep_alive.timeout_s, 5);
        assert_int_equal(verdict.keep_alive.max_requests, 7);
    }
    assert_int_equal(read_in_steps(CHUNKED, strlen(CHUNKED), 9).keep_alive.timeout_s,
                     KEEP_ALIVE_UNSAID);
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

/* To a HEAD: no body comes, whatever the head says of one, and what comes all the same is not its. */
static void test_answers_to_head(void **state)
{
    static const struct {
        const char *text;
        bool is_reusable;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true},
        {"HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t length = strlen(cases[i].text);
        char *text = memory_format("%sbody", cases[i].text);
        struct answer_reader reader;
        struct buffer snippet;
        size_t used, heads;

        buffer_init(&snippet, 100);
        answer_reader_start(&reader, &snippet, LIMIT, true);
        check_case(answer_reader_feed(&reader, text, strlen(text), &used, &heads) ==
                       ANSWER_COMPLETE,
                   "%s", cases[i].text);
        check_case(used == length && heads == length && snippet.length == 0, "%s: %zu",
                   cases[i].text, used);
        check_case(reader.is_reusable == cases[i].is_reusable, "%s", cases[i].text);
        buffer_free(&snippet);
        free(text);
    }
}

/* The first one counts, and what has no room is none. */
static void test_date(void **state)
{
    static const struct {
        const char *headers, *date;
    } cases[] = {
        {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"dATE : a \r\nDate: b\r\n", "a"},
        {"Dates: a\r\nX-Date: b\r\nDat: c\r\n", ""},
        {"Date: 0123456789012345678901234567890123456789012345678901234567890123\r\n", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *text =
            memory_format("HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n", cases[i].headers);
        struct answer_reader reader;
        struct buffer snippet;
        size_t used, heads;

        buffer_init(&snippet, 100);
        answer_reader_start(&reader, &snippet, LIMIT, false);
        answer_reader_feed(&reader, text, strlen(text), &used, &heads);
        check_case(strcmp(reader.head.date, cases[i].date) == 0, "%s: %s", cases[i].headers,
                   reader.head.date);
        buffer_free(&snippet);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_doubtful_heads),
        cmocka_unit_test(test_bodies_of_doubtful_heads),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_bodies_that_end_with_the_connection),
        cmocka_unit_test(test_unfinished_heads),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_many_retry_after),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_answers_to_head),
        cmocka_unit_test(test_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
