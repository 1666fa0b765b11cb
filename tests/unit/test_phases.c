/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/phases.h"

#define NONE PHASE_NONE

static void test_phases(void **state)
{
    static const struct {
        const char *what;
        struct phase_ends ends;
        struct phases phases;
    } cases[] = {
        {"a new connection with TLS", {10, 30, 60, 100, 110, false, false, true}, {10, 20, 30, 40}},
        {"one without", {10, 30, 0, 100, 110, false, false, false}, {10, 20, NONE, 70}},
        {"a kept one", {0, 0, 0, 100, 110, true, false, true}, {NONE, NONE, NONE, 100}},
        {"a kept one that says when it was made",
         {1, 2, 3, 100, 110, true, false, true},
         {NONE, NONE, NONE, 100}},
        {"no address", {0, 0, 0, 0, 5000, false, false, true}, {5000, NONE, NONE, NONE}},
        {"no connection", {10, 0, 0, 0, 5000, false, false, true}, {10, 4990, NONE, NONE}},
        {"no TLS", {10, 30, 0, 0, 5000, false, false, true}, {10, 20, 4970, NONE}},
        {"no TLS, and nobody knows when it was connected",
         {10, 0, 0, 0, 5000, false, true, true},
         {10, NONE, 4990, NONE}},
        {"no answer", {10, 30, 60, 0, 5000, false, false, true}, {10, 20, 30, 4940}},
        {"no answer without TLS", {10, 30, 0, 0, 5000, false, false, false}, {10, 20, NONE, 4970}},
        {"no answer on a kept one",
         {0, 0, 0, 0, 5000, true, false, true},
         {NONE, NONE, NONE, 5000}},
        {"an address that needed no looking up",
         {0, 30, 60, 100, 110, false, false, true},
         {NONE, 30, 30, 40}},
        {"clocks that disagree", {10, 5, 60, 50, 40, false, false, true}, {10, 0, 50, 0}},
        {"nothing took any time", {0, 0, 0, 0, 0, false, false, true}, {0, NONE, NONE, NONE}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct phases found = phases_of(&cases[i].ends);

        check_case(found.dns_us == cases[i].phases.dns_us &&
                       found.connect_us == cases[i].phases.connect_us &&
                       found.tls_us == cases[i].phases.tls_us &&
                       found.wait_us == cases[i].phases.wait_us,
                   "%s: %lld %lld %lld %lld", cases[i].what, (long long)found.dns_us,
                   (long long)found.connect_us, (long long)found.tls_us, (long long)found.wait_us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
