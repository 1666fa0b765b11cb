/* SPDX-License-Identifier: MIT */
/* test_receiver_verdicts.c: what a doctor says of answers and clocks, as receivers have them. */
#include "unit.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "worker/receiver_verdicts.h"

#define DAY_S INT64_C(86400)

/* What is said of one thing that was looked at: 'w'ell, 'W'arning, 'X' wrong, '-' nothing. */
static char level_of(const struct verdicts *verdicts, const char *name, const char *words)
{
    json_t *one;
    size_t i;

    json_array_foreach(verdicts->list, i, one)
    {
        bool is_ok = json_is_true(json_object_get(one, "ok"));
        const char *says = json_string_value(json_object_get(one, "says"));

        if (strcmp(json_string_value(json_object_get(one, "check")), name) != 0)
            continue;
        if (words != NULL && strstr(says, words) == NULL)
            fail_msg("%s says \"%s\", not \"%s\"", name, says, words);
        return !is_ok ? 'X' : json_is_null(json_object_get(one, "fix")) ? 'w' : 'W';
    }
    return '-';
}

static void begin(struct endpoint_check *check, const char *url)
{
    *check = (struct endpoint_check){.url = (char *)url};
    verdicts_init(&check->verdicts, false);
}

static struct http_response answered(int status)
{
    return (struct http_response){.result = ATTEMPT_ANSWERED,
                                  .status = status,
                                  .peer = "127.0.0.1:80",
                                  .timings = {.total_us = 1000, .is_connected = true}};
}

static void test_answers(void **state)
{
    static const struct {
        int status;
        char level;
        const char *words;
    } cases[] = {
        {200, 'w', "200"},
        {204, 'w', "204"},
        {301, 'W', "301"},
        {308, 'W', "308"},
        {401, 'w', "to this method any answer will do"},
        {404, 'W', "404"},
        {405, 'w', "to this method any answer will do"},
        {410, 'W', "410"},
        {426, 'w', "to this method any answer will do"},
        {429, 'w', "429"},
        {500, 'W', "500"},
        {501, 'w', "501"},
        {503, 'W', "503"},
        {599, 'W', "599"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint_check check;
        struct http_response response = answered(cases[i].status);
        char level;

        begin(&check, "http://receiver.example/");
        receiver_verdicts_add(&check, &response);
        level = level_of(&check.verdicts, "answer", cases[i].words);
        if (level != cases[i].level)
            fail_msg("%d: %c", cases[i].status, level);
        assert_int_equal(level_of(&check.verdicts, "tls", NULL), 'W'); /* http: */
        verdicts_free(&check.verdicts);
    }
}

/* Nothing behind what did not come about is judged. */
static void test_no_answer(void **state)
{
    static const struct {
        enum attempt_result result;
        const char *peer;
        char connection, answer;
    } cases[] = {
        {ATTEMPT_CONNECT, "", 'X', '-'},
        {ATTEMPT_TIMEOUT, "127.0.0.1:80", 'w', 'X'},
        {ATTEMPT_BROKEN, "127.0.0.1:80", 'w', 'X'},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint_check check;
        struct http_response response = answered(0);

        begin(&check, "http://receiver.example/");
        response.result = cases[i].result;
        response.timings.is_connected = cases[i].peer[0] != '\0';
        snprintf(response.peer, sizeof(response.peer), "%s", cases[i].peer);
        snprintf(response.error, sizeof(response.error), "a header of more than 64 KiB");
        receiver_verdicts_add(&check, &response);
        if (level_of(&check.verdicts, "connection", NULL) != cases[i].connection ||
            level_of(&check.verdicts, "answer", NULL) != cases[i].answer)
            fail_msg("%zu: %s", i, json_dumps(check.verdicts.list, 0));
        assert_int_equal(level_of(&check.verdicts, "clock", NULL), '-');
        verdicts_free(&check.verdicts);
    }
}

static void test_clocks(void **state)
{
    static const struct {
        const char *date; /* NULL: as far from now as off_s says */
        long off_s;
        char level;
        const char *words;
    } cases[] = {
        {"", 0, 'w', "no Date that could be read"},
        {"tomorrow", 0, 'w', "no Date that could be read"},
        {"Wed, 99 Nov 2031 25:61:61 GMT", 0, 'w', "no Date that could be read"},
        {NULL, 0, 'w', "receivers take up to 300 s"},
        {NULL, -20, 'w', "receivers take up to 300 s"},
        {NULL, 120, 'W', "ahead of ours"},
        {NULL, -120, 'W', "behind ours"},
        {NULL, 3600, 'X', "ahead of ours: it will refuse signatures"},
        {NULL, -3600, 'X', "behind ours: it will refuse signatures"},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0, 'X', "behind ours"},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 0, 'X', "ahead of ours"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint_check check;
        struct http_response response = answered(200);
        time_t at = (time_t)(clock_wall_s() + cases[i].off_s);
        struct tm utc;
        char level;

        begin(&check, "http://receiver.example/");
        if (cases[i].date != NULL)
            snprintf(response.date, sizeof(response.date), "%s", cases[i].date);
        else
            strftime(response.date, sizeof(response.date), "%a, %d %b %Y %H:%M:%S GMT",
                     gmtime_r(&at, &utc));
        receiver_verdicts_add(&check, &response);
        level = level_of(&check.verdicts, "clock", cases[i].words);
        if (level != cases[i].level)
            fail_msg("\"%s\": %c", response.date, level);
        verdicts_free(&check.verdicts);
    }
}

/* Whose clock is off, is said: a receiver is not sent to mend its own for ours. */
static void test_own_clock(void **state)
{
    struct endpoint_check check;
    struct http_response response = answered(200);

    (void)state;
    begin(&check, "http://receiver.example/");
    check.database_skew_ms = 40000;
    receiver_verdicts_add(&check, &response);
    assert_int_equal(level_of(&check.verdicts, "worker's clock", "40 s apart"), 'W');
    verdicts_free(&check.verdicts);
    begin(&check, "http://receiver.example/");
    check.database_skew_ms = -400000;
    receiver_verdicts_add(&check, &response);
    assert_int_equal(level_of(&check.verdicts, "worker's clock", "400 s apart"), 'X');
    verdicts_free(&check.verdicts);
    begin(&check, "http://receiver.example/");
    check.database_skew_ms = -400000;
    check.verdicts.is_for_customer = true; /* who can do nothing about it */
    receiver_verdicts_add(&check, &response);
    assert_int_equal(level_of(&check.verdicts, "worker's clock", NULL), '-');
    verdicts_free(&check.verdicts);
}

static void test_certificates(void **state)
{
    static const struct {
        int64_t begins_s, ends_s; /* from now */
        char level;
        const char *words;
    } cases[] = {
        {-DAY_S, 90 * DAY_S, 'w', "expires on"},
        {-DAY_S, 5 * DAY_S + 60, 'W', "in 5 days"},
        {-DAY_S, -60, 'X', "has expired on"},
        {DAY_S, 90 * DAY_S, 'X', "and not before"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint_check check;
        struct http_response response = answered(200);
        int64_t now_s = clock_wall_s();

        begin(&check, "https://receiver.example/");
        check.inspection = (struct http_inspection){
            .has_chain = true,
            .is_complete = true,
            .count = 1,
            .version = "TLSv1.3",
            .names = "receiver.example",
            .chain = {{.subject = "CN = receiver.example", .issuer = "CN = issuer"}},
        };
        check.inspection.chain[0].begins_s = now_s + cases[i].begins_s;
        check.inspection.chain[0].ends_s = now_s + cases[i].ends_s;
        receiver_verdicts_add(&check, &response);
        assert_int_equal(level_of(&check.verdicts, "certificate", cases[i].words), cases[i].level);
        verdicts_free(&check.verdicts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_clocks),       cmocka_unit_test(test_own_clock),
        cmocka_unit_test(test_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
