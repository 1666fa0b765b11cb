/* SPDX-License-Identifier: MIT */
/* What a worker said of an endpoint some time ago is brought forward to now. */
#include "unit.h"

#include "explain/holding.h"

#define CUSTOMER "11111111-2222-3333-4444-555555555555"
#define URL      "https://shop.example/hook"
#define OF_IT    "\"customer\":\"" CUSTOMER "\",\"url\":\"" URL "\"}"

#define SAID(held) "[{\"name\":\"breakers\",\"what\":\"\",\"held\":[" held "]}]"

static void test_words_are_brought_forward(void **state)
{
    static const struct {
        const char *name;
        const char *problems;
        int64_t age_ms;
        struct holding expected;
    } cases[] = {
        {"a pause",
         SAID("{\"state\":\"open\",\"opened_after\":5,\"since_ms\":1000,\"next_ms\":4000," OF_IT),
         1500,
         {.reason = HOLDING_ENDPOINT, .opened_after = 5, .since_ms = 2500, .next_ms = 2500}},
        {"a pause that is over",
         SAID("{\"state\":\"open\",\"opened_after\":5,\"since_ms\":1000,\"next_ms\":4000," OF_IT),
         4000,
         {.reason = HOLDING_ENDPOINT, .opened_after = 5, .since_ms = 5000, .next_ms = 0}},
        {"a host's pause",
         SAID("{\"state\":\"open\",\"opened_after\":7,\"since_ms\":10,\"next_ms\":900,"
              "\"origin\":\"https://shop.example:443\"}"),
         100,
         {.reason = HOLDING_ORIGIN, .opened_after = 7, .since_ms = 110, .next_ms = 800}},
        {"a probe that is out",
         SAID("{\"state\":\"probing\",\"opened_after\":5,\"since_ms\":1000,\"next_ms\":0," OF_IT),
         100,
         {.reason = HOLDING_ENDPOINT, .opened_after = 5, .since_ms = 1100, .next_ms = 0}},
        {"Retry-After",
         SAID("{\"state\":\"held\",\"next_ms\":9000," OF_IT),
         4000,
         {.reason = HOLDING_RETRY_AFTER, .opened_after = 0, .since_ms = 4000, .next_ms = 5000}},
        {"Retry-After that has ended",
         SAID("{\"state\":\"held\",\"next_ms\":9000," OF_IT),
         9000,
         {.reason = HOLDING_NONE, .opened_after = 0, .since_ms = 9000, .next_ms = 0}},
        {"a clock that went back",
         SAID("{\"state\":\"held\",\"next_ms\":9000," OF_IT),
         -4000,
         {.reason = HOLDING_RETRY_AFTER, .opened_after = 0, .since_ms = 0, .next_ms = 9000}},
        {"a secret",
         SAID("{\"state\":\"secret\",\"reason\":\"\"," OF_IT),
         4000,
         {.reason = HOLDING_SECRET, .opened_after = 0, .since_ms = 0, .next_ms = 0}},
        {"another endpoint",
         SAID("{\"state\":\"held\",\"next_ms\":9000,\"customer\":\"\","
              "\"url\":\"" URL "\"}"),
         0,
         {.reason = HOLDING_NONE, .opened_after = 0, .since_ms = 0, .next_ms = 0}},
        {"nothing",
         NULL,
         4000,
         {.reason = HOLDING_NONE, .opened_after = 0, .since_ms = 0, .next_ms = 0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct holding found = holding_find(cases[i].problems, cases[i].age_ms, CUSTOMER, URL);

        check_case(found.reason == cases[i].expected.reason, "%s", cases[i].name);
        check_case(found.opened_after == cases[i].expected.opened_after, "%s", cases[i].name);
        check_case(found.since_ms == cases[i].expected.since_ms, "%s", cases[i].name);
        check_case(found.next_ms == cases[i].expected.next_ms, "%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_brought_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
