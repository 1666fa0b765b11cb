/* SPDX-License-Identifier: MIT */
/*
 * test_engine_border.c: which addresses the HTTP engine connects to, and which URLs it takes: the
 * border that is the same for all, and what an endpoint may reach besides.
 */
#include "client.h"
#include "names.h"

static void test_addresses(void **state)
{
    static const struct expectation cases[] = {
        {"http://127.0.0.1:%d/", 1, ATTEMPT_ANSWERED, ""},
        {"http://127.0.0.1:%d/", 0, ATTEMPT_UNSENDABLE,
         "127.0.0.1 is in loopback 127.0.0.0/8; add it to network.allow to permit it"},
        {"http://2130706433:%d/", 0, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback"},
        {"http://0x7f.1:%d/", 0, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback"},
        {"http://127%2e0.0.1:%d/", 0, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback"},
        {"http://[::1]:%d/", 0, ATTEMPT_UNSENDABLE, "::1 is in loopback"},
        {"http://[::1]:%d/", 1, ATTEMPT_UNSENDABLE, "::1 is in loopback"},
        {"http://[::ffff:127.0.0.1]:%d/", 0, ATTEMPT_UNSENDABLE, "127.0.0.1 is in "},
        {"http://0.0.0.0:%d/", 1, ATTEMPT_UNSENDABLE, "0.0.0.0 is in "},
        {"http://localhost:%d/", 0, ATTEMPT_UNSENDABLE, "is in loopback"},
        {"http://localhost:%d/", 1, ATTEMPT_ANSWERED, ""},
        {"http://b\xc3\xbc"
         "cher.localhost:%d/",
         1, ATTEMPT_ANSWERED, ""},
        {"http://private.test:%d/", 1, ATTEMPT_UNSENDABLE, "10.0.0.1 is in private"},
        {"http://metadata.test:%d/", 1, ATTEMPT_UNSENDABLE, "169.254.169.254 is in cloud metadata"},
        {"http://hidden.test:%d/", 1, ATTEMPT_UNSENDABLE, "10.0.0.1 is in "},
        {"http://mixed.test:%d/", 1, ATTEMPT_ANSWERED, ""},
        {"http://mixed6.test:%d/", 1, ATTEMPT_ANSWERED, ""},
        {"http://mixed.test:%d/", 0, ATTEMPT_UNSENDABLE, "10.0.0.1 is in private"},
        {"https://127.0.0.1:%d/", 0, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback"},
    };
    struct receiver *receiver = receiver_start(serve_ok);

    (void)state;
    check_expectations(cases, ARRAY_LENGTH(cases), receiver->port);
    receiver_stop(receiver);
}

static struct permit *make_permit(const char *allow)
{
    struct permit *permit = NULL;
    struct error error = {0};

    if (!permit_make(allow, NULL, &permit, &error))
        fail_msg("%s", error.message);
    return permit;
}

static void expect_refusal(struct client *client, const struct permit *permit, const char *url)
{
    struct result result = {0};

    client_post_as(client, permit, url, LONG_MS, &result);
    assert_int_equal(result.result, ATTEMPT_UNSENDABLE);
    assert_non_null(strstr(result.error, "127.0.0.1 is in loopback"));
    free(result.transcript);
}

static bool post_permitted(struct client *client, const struct permit *permit, const char *url)
{
    struct result result = {0};

    client_post_as(client, permit, url, LONG_MS, &result);
    if (result.status != 200)
        fail_msg("%s: %s", url, result.error);
    free(result.transcript);
    return result.is_reused;
}

/*
 * What one endpoint may reach is not what another one may, at the same origin: not before a
 * connection is there, not over the kept one (nor the name's addresses that are known by then), and
 * not after it.
 */
static void check_permits(const char *host)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct client *client = client_new();
    struct permit *mine, *narrow, *others;
    char url[URL_SIZE], narrow_text[64];

    snprintf(url, sizeof(url), "http://%s:%d/", host, receiver->port);
    snprintf(narrow_text, sizeof(narrow_text), "127.0.0.1:%d", receiver->port);
    mine = make_permit("127.0.0.0/8");
    narrow = make_permit(narrow_text);
    others = make_permit("10.0.0.0/8");
    client->options.allow_count = 0;
    client_open(client);
    for (int round = 0; round < 2; round++) {
        expect_refusal(client, NULL, url);
        expect_refusal(client, others, url);
        assert_int_equal(post_permitted(client, mine, url), round > 0);
        expect_refusal(client, NULL, url);
        expect_refusal(client, others, url);
        assert_int_equal(post_permitted(client, narrow, url), round > 0);
        assert_true(post_permitted(client, mine, url));
    }
    assert_int_equal(receiver->connections, 2);
    permit_free(mine);
    permit_free(narrow);
    permit_free(others);
    client_free(client);
    receiver_stop(receiver);
}

static void test_permits_are_kept_apart(void **state)
{
    (void)state;
    check_permits("127.0.0.1");
    check_permits("loopback.test");
}

/* Both are under way at the same time: the name is resolved for the one that may, first. */
static void test_permits_are_kept_apart_while_dialing(void **state)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct client *client = client_new();
    struct permit *mine = make_permit("127.0.0.0/8");
    struct result allowed = {0}, refused = {0};
    struct http_request request = {.timeout_ms = LONG_MS, .body = "{}", .body_length = 2};
    char url[URL_SIZE];

    (void)state;
    snprintf(url, sizeof(url), "http://slow.test:%d/", receiver->port);
    request.url = url;
    client->options.allow_count = 0;
    client_open(client);
    request.permit = mine;
    client_start(client, &request, &allowed);
    request.permit = NULL;
    client_start(client, &request, &refused);
    sem_post(&slow_names);
    sem_post(&slow_names);
    client_run(client, 2);
    assert_int_equal(allowed.status, 200);
    assert_int_equal(refused.result, ATTEMPT_UNSENDABLE);
    assert_int_equal(receiver->connections, 1);
    free(allowed.transcript);
    free(refused.transcript);
    permit_free(mine);
    client_free(client);
    receiver_stop(receiver);
}

/* The proxy does the connecting: only literals are checked here, and by the same permit. */
static void test_permits_behind_a_proxy(void **state)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct client *client = client_new();
    struct permit *mine = make_permit("127.0.0.1:80");
    char proxy[URL_SIZE];

    (void)state;
    client->options.allow_count = 0;
    client->options.proxy = local_url(receiver->port, "", proxy);
    client_open(client);
    post_permitted(client, mine, "http://127.0.0.1/");
    expect_refusal(client, NULL, "http://127.0.0.1/");
    expect_refusal(client, mine, "http://127.0.0.1:81/");
    expect_refusal(client, mine, "https://127.0.0.1/");
    permit_free(mine);
    client_free(client);
    receiver_stop(receiver);
}

/* A gate lives as long as its targets: those used long ago make room, with a permit as without. */
static void test_permits_are_forgotten(void **state)
{
    struct client *client = client_new();

    (void)state;
    client->options.allow_count = 0;
    client_open(client);
    for (int i = 0; i < 1500; i++) {
        char url[4096], allow[32];
        struct permit *permit;
        struct result result = {0};

        snprintf(url, sizeof(url), "http://[::1]/%01000d", i);
        snprintf(allow, sizeof(allow), "10.0.%d.%d", i / 256, i % 256);
        permit = make_permit(allow);
        client_post_as(client, permit, url, LONG_MS, &result);
        assert_int_equal(result.result, ATTEMPT_UNSENDABLE);
        free(result.transcript);
        permit_free(permit);
    }
    client_free(client);
}

static void test_unsendable(void **state)
{
    static const struct expectation cases[] = {
        {"", 1, ATTEMPT_UNSENDABLE, "the URL is empty"},
        {"localhost:%d", 1, ATTEMPT_UNSENDABLE, "does not begin with http:// or https://"},
        {"file:///etc/passwd", 1, ATTEMPT_UNSENDABLE, "scheme \"file\" is not supported"},
        {"http://user:pw@127.0.0.1:%d/", 1, ATTEMPT_UNSENDABLE, "credentials in a URL"},
        {"http://127.0.0.1:%d/\n", 1, ATTEMPT_UNSENDABLE, "control character"},
        {"http://\xff.test/", 1, ATTEMPT_UNSENDABLE, "no ASCII form"},
    };

    (void)state;
    check_expectations(cases, ARRAY_LENGTH(cases), 1);
}

static void test_https_only(void **state)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct client *client = client_new();
    struct result result;

    (void)state;
    client->options.https_only = true;
    result = post_to_format(client, "http://127.0.0.1:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.result, ATTEMPT_UNSENDABLE);
    assert_non_null(strstr(result.error, "network.https_only"));
    assert_int_equal(receiver->connections, 0);
    free(result.transcript);
    receiver_stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_permits_are_kept_apart),
        cmocka_unit_test(test_permits_are_kept_apart_while_dialing),
        cmocka_unit_test(test_permits_behind_a_proxy),
        cmocka_unit_test(test_permits_are_forgotten),
        cmocka_unit_test(test_unsendable),
        cmocka_unit_test(test_https_only),
    };

    alarm(120);
    names_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
