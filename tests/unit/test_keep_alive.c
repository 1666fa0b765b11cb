/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/keep_alive.h"

#define NONE KEEP_ALIVE_UNSAID

static void test_values(void **state)
{
    static const struct {
        const char *value;
        int64_t timeout_s;
        int64_t max_requests;
    } cases[] = {
        {"timeout=5", 5, NONE},
        {"timeout=5, max=100", 5, 100},
        {"max=1,timeout=15", 15, 1},
        {"Timeout=5;MAX=0", 5, 0},
        {"timeout=5 max=7", 5, 7},
        {"  timeout = 5 ,max= 7 ", 5, 7},
        {"timeout=\"5\", max=\"7\"", 5, 7},
        {"timeout=5.9", 5, NONE},
        {"timeout=5s", 5, NONE},
        {"timeout=0", 0, NONE},
        {"timeout=007", 7, NONE},
        {"timeout=9, timeout=5, timeout=7", 5, NONE},
        {"timeout=99999999999999999999999", INT64_C(1000000000), NONE},
        {"other=1, timeout=5, and=2", 5, NONE},
        {"", NONE, NONE},
        {",,;", NONE, NONE},
        {"5", NONE, NONE},
        {"timeout", NONE, NONE},
        {"timeout=", NONE, NONE},
        {"timeout=-1", NONE, NONE},
        {"timeout=+5", NONE, NONE},
        {"timeout=soon", NONE, NONE},
        {"timeouts=5", NONE, NONE},
        {"time-out=5", NONE, NONE},
        {"xmax=5", NONE, NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct keep_alive known = KEEP_ALIVE_UNKNOWN;

        keep_alive_read(&known, cases[i].value);
        check_case(known.timeout_s == cases[i].timeout_s &&
                       known.max_requests == cases[i].max_requests,
                   "\"%s\": %lld, %lld", cases[i].value, (long long)known.timeout_s,
                   (long long)known.max_requests);
    }
}

static void test_several_headers(void **state)
{
    struct keep_alive known = KEEP_ALIVE_UNKNOWN;

    (void)state;
    keep_alive_read(&known, "timeout=5, max=9");
    keep_alive_read(&known, "timeout=7, max=3");
    keep_alive_read(&known, "junk");
    assert_int_equal(known.timeout_s, 5);
    assert_int_equal(known.max_requests, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_several_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
