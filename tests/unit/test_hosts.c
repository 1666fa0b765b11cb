/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdbool.h>

#include "db/hosts.h"

static bool is_text(const char *text, const char *expected)
{
    return expected == NULL ? text == NULL : text != NULL && strcmp(text, expected) == 0;
}

static void test_rotation(void **state)
{
    static const struct {
        const char *url;
        unsigned turn;
        const char *host, *hostaddr, *port;
    } cases[] = {
        {"postgresql:///postrider", 1, NULL, NULL, NULL},
        {"postgresql://a/postrider", 1, NULL, NULL, NULL},
        {"postrider", 1, NULL, NULL, NULL},
        {"postgresql://[broken", 1, NULL, NULL, NULL},
        {"postgresql://a,b/postrider", 0, "a,b", NULL, ","},
        {"postgresql://a,b/postrider", 1, "b,a", NULL, ","},
        {"postgresql://a,b/postrider", 2, "a,b", NULL, ","},
        {"postgresql://a,b/postrider?port=6432", 1, "b,a", NULL, NULL},
        {"postgresql://a:1,b:2,c:3/postrider", 2, "c,a,b", NULL, "3,1,2"},
        {"postgresql://a:1,b,c:3/postrider", 1, "b,c,a", NULL, ",3,1"},
        {"host=a,b hostaddr=10.0.0.1,10.0.0.2 port=1,2", 3, "b,a", "10.0.0.2,10.0.0.1", "2,1"},
        {"host=/run/one,/run/two dbname=x", 1, "/run/two,/run/one", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct hosts hosts;

        hosts_rotate(cases[i].url, cases[i].turn, &hosts);
        check_case(is_text(hosts.host, cases[i].host) &&
                       is_text(hosts.hostaddr, cases[i].hostaddr) &&
                       is_text(hosts.port, cases[i].port),
                   "%s from %u: %s, %s, %s", cases[i].url, cases[i].turn, hosts.host,
                   hosts.hostaddr, hosts.port);
        hosts_free(&hosts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
