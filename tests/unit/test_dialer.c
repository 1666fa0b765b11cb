/* SPDX-License-Identifier: MIT */
/* test_dialer.c: which cache of names a host has. */
#include "unit.h"

#include <event2/event.h>

#include "http/dialer.h"

#define HOSTS 6400

static struct event_base *base;
static struct dialer dialer;

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    dialer_init(&dialer, base, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dialer_free(&dialer);
    event_base_free(base);
    return 0;
}

static int cache_number(const char *url)
{
    const CURLSH *cache = dialer_name_cache(&dialer, url);

    for (int i = 0; i < DIALER_NAME_CACHES; i++)
        if (dialer.name_caches[i] == cache)
            return i;
    fail_msg("no cache of the dialer for %s", url);
    return -1;
}

/* Around a hundred each, of names and of addresses. */
static void test_hosts_are_spread(void **state)
{
    int counts[2][DIALER_NAME_CACHES] = {{0}};

    (void)state;
    for (int i = 0; i < HOSTS; i++) {
        char url[64];

        snprintf(url, sizeof(url), "https://shop-%d.example/hook", i);
        counts[0][cache_number(url)]++;
        snprintf(url, sizeof(url), "http://10.0.%d.%d/hook", i / 250, 1 + i % 250);
        counts[1][cache_number(url)]++;
    }
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < DIALER_NAME_CACHES; i++)
            check_case(counts[kind][i] >= 25 && counts[kind][i] <= 250, "%d hosts in cache %d",
                       counts[kind][i], i);
}

/* Else its name would be asked for once more for each of its URLs. */
static void test_host_has_one_cache(void **state)
{
    static const char *const urls[] = {"https://shop.example", "https://shop.example/",
                                       "https://shop.example/a/b?c=d#e",
                                       "https://shop.example?x=y/z", "https://shop.example#://"};

    (void)state;
    for (int i = 0; i < (int)ARRAY_LENGTH(urls); i++)
        check_case(cache_number(urls[i]) == cache_number(urls[0]), "%s", urls[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hosts_are_spread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_host_has_one_cache, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
