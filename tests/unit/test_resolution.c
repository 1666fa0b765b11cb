/* SPDX-License-Identifier: MIT */
/* test_resolution.c: all addresses of a URL's host, asked for beside the loop. */
#include "unit.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "http/resolution.h"

static struct resolution *resolve(const char *url)
{
    struct error error = {0};
    struct resolution *resolution = resolution_start(url, &error);

    if (resolution == NULL)
        fail_msg("%s: %s", url, error.message);
    while (!resolution_is_done(resolution))
        usleep(1000);
    return resolution;
}

static void test_hosts_and_ports(void **state)
{
    static const struct {
        const char *url, *host;
        int port;
        const char *address;
    } cases[] = {
        {"http://127.0.0.1/hook", "127.0.0.1", 80, "127.0.0.1"},
        {"https://127.0.0.1/hook?a=b#c", "127.0.0.1", 443, "127.0.0.1"},
        {"https://127.0.0.1:8443", "127.0.0.1", 8443, "127.0.0.1"},
        {"https://[::1]:8443/", "::1", 8443, "::1"},
        {"http://[2001:db8:0:0::7]/", "2001:db8::7", 80, "2001:db8::7"},
        {"http://10.1.2.3/", "10.1.2.3", 80, "10.1.2.3"}, /* whether it may be used, others say */
        {"http://0x7f.1/", "127.0.0.1", 80, "127.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct resolution *resolution = resolve(cases[i].url);
        struct address addresses[RESOLUTION_MAX];
        char text[RESOLUTION_ADDRESS_SIZE];

        assert_string_equal(resolution_host(resolution), cases[i].host);
        assert_int_equal(resolution_port(resolution), cases[i].port);
        assert_null(resolution_error(resolution));
        assert_int_equal(resolution_addresses(resolution, addresses), 1);
        resolution_format(&addresses[0], text);
        assert_string_equal(text, cases[i].address);
        resolution_free(resolution);
    }
}

static void test_no_host(void **state)
{
    static const char *const urls[] = {"", "hook", "http://user@127.0.0.1/", "https://[::1/"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct error error = {0};

        if (resolution_start(urls[i], &error) != NULL || error.message[0] == '\0')
            fail_msg("\"%s\" was asked for", urls[i]);
    }
}

/* RFC 6761: nobody has it, and nobody is asked. */
static void test_no_such_name(void **state)
{
    struct resolution *resolution = resolve("https://no-such-name.invalid/");
    struct address addresses[RESOLUTION_MAX];

    (void)state;
    assert_non_null(resolution_error(resolution));
    assert_int_equal(resolution_addresses(resolution, addresses), 0);
    resolution_free(resolution);
}

/* What nobody waits for any more is freed when its thread has ended: the sanitizer counts. */
static void test_freed_before_it_is_done(void **state)
{
    struct error error;

    (void)state;
    for (int i = 0; i < 50; i++)
        resolution_free(resolution_start("http://localhost/", &error));
    resolution_free(NULL);
    for (int tries = 0; tries < 3; tries++)
        resolution_free(resolve("http://127.0.0.1/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_and_ports),
        cmocka_unit_test(test_no_host),
        cmocka_unit_test(test_no_such_name),
        cmocka_unit_test(test_freed_before_it_is_done),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
