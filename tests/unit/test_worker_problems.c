/* SPDX-License-Identifier: MIT */
/* What a worker writes of its problems is read as it was; so is what other versions have written.
 */
#include "unit.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "db/worker_problems.h"

#define CUSTOMER "11111111-2222-3333-4444-555555555555"
#define URL      "https://shop.example/hook"
#define OF_IT    "\"customer\":\"" CUSTOMER "\",\"url\":\"" URL "\""

/*
 * As 0.1.0 has written it, every field of it, and as PostgreSQL gives it back. It is never changed:
 * when the codec does not read it any more, workers and commands of two versions don't understand
 * each other.
 */
static const char sample[] =
    "[{\"name\": \"requirements\", \"what\": \"nothing is sent: the role may not update "
    "webhook_deliveries\", \"action\": \"postrider migrate --grant postrider\"}, "
    "{\"name\": \"unsettled\", \"what\": \"the database does not take 3 outcomes, of " URL
    ": value too long\", \"held\": [{\"url\": \"" URL "\", \"state\": \"outcome\", \"reason\": "
    "\"value too long\", \"customer\": \"" CUSTOMER "\", \"outcomes\": 3}]}, "
    "{\"name\": \"secrets\", \"what\": \"the deliveries of 1 endpoint are held: no key\", "
    "\"held\": [{\"url\": \"" URL
    "\", \"state\": \"secret\", \"reason\": \"no key\", \"customer\": "
    "\"" CUSTOMER "\"}]}, "
    "{\"name\": \"unread_secrets\", \"what\": \"for " URL " of customer " CUSTOMER
    ", 1 of 2 secrets can't be read\", \"endpoints\": [{\"url\": \"" URL "\", \"reason\": "
    "\"1 of 2 secrets can't be read\", \"customer\": \"" CUSTOMER "\"}]}, "
    "{\"name\": \"breakers\", \"what\": \"https://shop.example:443, " URL " and 2 more fail or "
    "asked to be left alone, and are only probed\", \"held\": [{\"state\": \"open\", \"origin\": "
    "\"https://shop.example:443\", \"next_ms\": 900, \"failures\": 8, \"since_ms\": 10, "
    "\"opened_after\": 7}, {\"url\": \"" URL "\", \"state\": \"probing\", \"next_ms\": 0, "
    "\"customer\": \"" CUSTOMER "\", \"failures\": 12, \"since_ms\": 61000, \"opened_after\": 5}, "
    "{\"url\": \"" URL "?2\", \"state\": \"held\", \"next_ms\": 9000, \"customer\": \"" CUSTOMER
    "\"}]}]";

static const struct worker_named outcome = {.state = WORKER_NAMED_OUTCOME,
                                            .customer = CUSTOMER,
                                            .url = URL,
                                            .reason = "why",
                                            .outcomes = 3};
static const struct worker_named secret = {
    .state = WORKER_NAMED_SECRET, .customer = CUSTOMER, .url = URL, .reason = "no key"};
static const struct worker_named retry_after = {
    .state = WORKER_NAMED_RETRY_AFTER, .customer = CUSTOMER, .url = URL, .next_ms = INT64_MAX};
static const struct worker_named of_origin = {.state = WORKER_NAMED_OPEN,
                                              .origin = "https://shop.example:443",
                                              .failures = INT32_MAX,
                                              .opened_after = 7,
                                              .since_ms = INT64_MIN,
                                              .next_ms = 900};
static const struct worker_named probing = {.state = WORKER_NAMED_PROBING,
                                            .customer = CUSTOMER,
                                            .url = URL,
                                            .failures = 12,
                                            .opened_after = 5,
                                            .since_ms = 61000};
static const struct worker_named unread = {
    .state = WORKER_NAMED_OTHER, .customer = CUSTOMER, .url = URL, .reason = "1 of 2"};

static void check_text(const char *text, const char *expected, const char *what)
{
    bool is_same =
        text == NULL || expected == NULL ? text == expected : strcmp(text, expected) == 0;

    check_case(is_same, "%s: %s, not %s", what, text != NULL ? text : "none",
               expected != NULL ? expected : "none");
}

static void check_named(const struct worker_named *read, const struct worker_named *expected)
{
    assert_int_equal(read->state, expected->state);
    check_text(read->customer, expected->customer, "customer");
    check_text(read->url, expected->url, "url");
    check_text(read->origin, expected->origin, "origin");
    check_text(read->reason, expected->reason, "reason");
    assert_int_equal(read->failures, expected->failures);
    assert_int_equal(read->opened_after, expected->opened_after);
    assert_int_equal(read->since_ms, expected->since_ms);
    assert_int_equal(read->next_ms, expected->next_ms);
    assert_int_equal(read->outcomes, expected->outcomes);
}

static void check_list(const struct worker_named_list *read,
                       const struct worker_named_list *expected)
{
    assert_int_equal(read->count, expected->count);
    for (size_t i = 0; i < read->count; i++)
        check_named(&read->entries[i], &expected->entries[i]);
}

static void check_problems(const struct worker_problems *read,
                           const struct worker_problems *expected)
{
    assert_int_equal(read->count, expected->count);
    for (size_t i = 0; i < read->count; i++) {
        check_text(read->list[i].name, expected->list[i].name, "name");
        check_text(read->list[i].what, expected->list[i].what, "what");
        check_text(read->list[i].action, expected->list[i].action, "action");
        check_list(&read->list[i].held, &expected->list[i].held);
        check_list(&read->list[i].endpoints, &expected->list[i].endpoints);
    }
}

static struct worker_problems written_and_read(const struct worker_problems *problems)
{
    char *json = worker_problems_write(problems);
    struct worker_problems read = worker_problems_read(json);

    free(json);
    return read;
}

static void test_every_field_comes_back(void **state)
{
    static const struct worker_named *const held[] = {&outcome, &secret, &retry_after, &of_origin,
                                                      &probing};
    struct worker_problems problems = {.count = 0}, read;
    struct worker_problem *problem;

    (void)state;
    problem = worker_problems_add(&problems, "requirements", "nothing is sent: %s %d", "why", 7);
    problem->action = "do this";
    problem = worker_problems_add(&problems, "breakers", "all of them");
    for (size_t i = 0; i < ARRAY_LENGTH(held); i++)
        worker_problems_name(&problem->held, held[i]);
    problem = worker_problems_add(&problems, "unread_secrets", "one");
    worker_problems_name(&problem->endpoints, &unread);
    read = written_and_read(&problems);
    assert_string_equal(read.list[0].what, "nothing is sent: why 7");
    assert_int_equal(read.list[1].held.count, ARRAY_LENGTH(held));
    check_problems(&read, &problems);
    worker_problems_free(&read);
    worker_problems_free(&problems);
}

static void test_none(void **state)
{
    struct worker_problems problems = {.count = 0};
    char *json = worker_problems_write(&problems);

    (void)state;
    assert_string_equal(json, "[]");
    free(json);
}

static void test_limits(void **state)
{
    char url[WORKER_PROBLEMS_URL_MAX + 2] = {0};
    struct worker_named named = outcome;
    struct worker_problems problems = {.count = 0}, read;
    struct worker_problem *problem;

    (void)state;
    memset(url, 'u', WORKER_PROBLEMS_URL_MAX + 1);
    named.url = url;
    problem = worker_problems_add(&problems, "first", "%s%s", url, url);
    worker_problems_name(&problem->held, &named);
    assert_int_equal(problem->held.count, 0);
    url[WORKER_PROBLEMS_URL_MAX] = '\0';
    for (int i = 0; i < 2 * WORKER_PROBLEMS_NAMED_MAX; i++)
        worker_problems_name(&problem->held, &named);
    assert_int_equal(problem->held.count, WORKER_PROBLEMS_NAMED_MAX);
    for (int i = 1; i < WORKER_PROBLEMS_MAX; i++)
        assert_non_null(worker_problems_add(&problems, "more", "%d", i));
    assert_null(worker_problems_add(&problems, "too many", "%d", WORKER_PROBLEMS_MAX));
    read = written_and_read(&problems);
    assert_int_equal(strlen(read.list[0].what), WORKER_PROBLEMS_WHAT_SIZE - 1);
    check_problems(&read, &problems);
    worker_problems_free(&read);
    worker_problems_free(&problems);
}

/* Others have written them: customers their URLs, servers their messages. */
static void test_hostile_texts(void **state)
{
    static const struct {
        const char *text, *read; /* NULL: the same */
    } cases[] = {
        {"\"}],\"name\":\"x\\\"", NULL},
        {"\x01\x1b[2J\x7f\r\n\t", NULL},
        {"100 %s %n", NULL},
        {"", NULL},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa8", NULL},
        {"cut \xe2\x82", "cut "},
        {"\xff\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80.", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."},
        {"</script>\xe2\x80\xa8", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *expected = cases[i].read != NULL ? cases[i].read : cases[i].text;
        struct worker_problems problems = {.count = 0}, read;
        struct worker_problem *problem = worker_problems_add(&problems, "x", "%s", cases[i].text);
        const struct worker_named named = {.state = WORKER_NAMED_SECRET,
                                           .customer = cases[i].text,
                                           .url = cases[i].text,
                                           .origin = cases[i].text,
                                           .reason = cases[i].text};

        problem->action = cases[i].text;
        worker_problems_name(&problem->held, &named);
        read = written_and_read(&problems);
        assert_int_equal(read.count, 1);
        check_text(read.list[0].what, expected, "what");
        check_text(read.list[0].action, expected, "action");
        check_text(read.list[0].held.entries[0].customer, expected, "customer");
        check_text(read.list[0].held.entries[0].url, expected, "url");
        check_text(read.list[0].held.entries[0].origin, expected, "origin");
        check_text(read.list[0].held.entries[0].reason, expected, "reason");
        worker_problems_free(&read);
        worker_problems_free(&problems);
    }
}

/* It is read, and written again it is the same JSON. */
static void test_version_before(void **state)
{
    struct worker_problems read = worker_problems_read(sample);
    json_t *expected = json_loads(sample, 0, NULL);
    char *text = worker_problems_write(&read);
    json_t *written = json_loads(text, 0, NULL);
    const struct worker_named *named;

    (void)state;
    assert_int_equal(read.count, 5);
    assert_string_equal(read.list[0].name, "requirements");
    assert_string_equal(read.list[0].action, "postrider migrate --grant postrider");
    assert_int_equal(read.list[1].held.entries[0].outcomes, 3);
    assert_int_equal(read.list[2].held.entries[0].state, WORKER_NAMED_SECRET);
    assert_string_equal(read.list[3].endpoints.entries[0].reason, "1 of 2 secrets can't be read");
    assert_int_equal(read.list[4].held.count, 3);
    named = &read.list[4].held.entries[0];
    assert_string_equal(named->origin, "https://shop.example:443");
    assert_true(named->failures == 8 && named->opened_after == 7 && named->since_ms == 10 &&
                named->next_ms == 900 && named->state == WORKER_NAMED_OPEN);
    assert_int_equal(read.list[4].held.entries[1].state, WORKER_NAMED_PROBING);
    assert_int_equal(read.list[4].held.entries[2].state, WORKER_NAMED_RETRY_AFTER);
    assert_true(json_equal(written, expected));
    json_decref(written);
    json_decref(expected);
    free(text);
    worker_problems_free(&read);
}

/* What this version does not know is passed over; what it knows beside that is read. */
static void test_newer_version(void **state)
{
    struct worker_problems read = worker_problems_read(
        "[{\"name\":\"tired\",\"what\":\"it sleeps\",\"since\":{\"ms\":[1,2]},\"held\":["
        "{\"state\":\"asleep\",\"next_ms\":5,\"dreams\":true," OF_IT "},"
        "{\"state\":\"open\",\"failures\":1e300,\"since_ms\":\"long\",\"next_ms\":null," OF_IT "}],"
        "\"endpoints\":{\"all\":true}},"
        "{\"kind\":\"nameless\"}]");

    (void)state;
    assert_int_equal(read.count, 2);
    check_text(read.list[0].name, "tired", "name");
    check_text(read.list[0].what, "it sleeps", "what");
    assert_int_equal(read.list[0].held.count, 2);
    check_named(&read.list[0].held.entries[0],
                &(struct worker_named){
                    .state = WORKER_NAMED_OTHER, .customer = CUSTOMER, .url = URL, .next_ms = 5});
    check_named(
        &read.list[0].held.entries[1],
        &(struct worker_named){.state = WORKER_NAMED_OPEN, .customer = CUSTOMER, .url = URL});
    assert_int_equal(read.list[0].endpoints.count, 0);
    assert_null(read.list[1].name);
    assert_string_equal(read.list[1].what, "");
    worker_problems_free(&read);
}

/* A newer worker may name more of everything than this version would. */
static void test_more_than_is_written(void **state)
{
    size_t count = (size_t)2 * WORKER_PROBLEMS_NAMED_MAX;
    json_t *array = json_array(), *held = json_array();
    struct worker_problems read;
    char *text;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(held, json_pack("{s:s}", "url", URL));
        json_array_append_new(array, json_pack("{s:O}", "held", held));
    }
    text = json_dumps(array, 0);
    read = worker_problems_read(text);
    assert_int_equal(read.count, count);
    assert_int_equal(read.list[count - 1].held.count, count);
    check_text(read.list[count - 1].held.entries[count - 1].url, URL, "url");
    worker_problems_free(&read);
    free(text);
    json_decref(held);
    json_decref(array);
}

static void test_nonsense(void **state)
{
    static const struct {
        const char *json;
        size_t count;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"nonsense", 0},
        {"null", 0},
        {"{}", 0},
        {"{\"name\":\"x\"}", 0},
        {"[{\"name\":\"x\"}", 0},
        {"[{\"what\":\"\\u0000\"}]", 0},
        {"[]", 0},
        {"[1,null,\"x\",[],{}]", 5},
        {"[{\"name\":1,\"what\":[],\"action\":{},\"held\":7,\"endpoints\":\"\"}]", 1},
        {"[{\"held\":[1,null,[],{\"state\":3,\"url\":4,\"customer\":[],\"origin\":{}}]}]", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct worker_problems read = worker_problems_read(cases[i].json);

        check_case(read.count == cases[i].count, "%s", cases[i].json);
        for (size_t k = 0; k < read.count; k++) {
            check_text(read.list[k].name, NULL, "name");
            check_text(read.list[k].what, "", "what");
            check_text(read.list[k].action, NULL, "action");
            for (size_t n = 0; n < read.list[k].held.count; n++)
                check_named(&read.list[k].held.entries[n], &(struct worker_named){0});
        }
        worker_problems_free(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_comes_back),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_version_before),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_more_than_is_written),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
