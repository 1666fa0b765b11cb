/* SPDX-License-Identifier: MIT */
/*
 * test_engine_proxy.c: the HTTP engine behind HTTP and SOCKS proxies: what they are asked for, and
 * whose failure it is that no answer came.
 */
#include "client.h"
#include "names.h"

#define SHORT_MS 200

static const char *const proxy_variables[] = {"http_proxy", "HTTP_PROXY",  "https_proxy",
                                              "all_proxy",  "HTTPS_PROXY", "ALL_PROXY"};

static void test_environment_is_ignored(void **state)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct result result;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(proxy_variables); i++)
        setenv(proxy_variables[i], "http://127.0.0.1:1/", 1);
    result = post_to_format(client_new(), "http://127.0.0.1:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.status, 200);
    free(result.transcript);
    for (size_t i = 0; i < ARRAY_LENGTH(proxy_variables); i++)
        unsetenv(proxy_variables[i]);
    receiver_stop(receiver);
}

static void serve_proxy(struct connection *connection)
{
    while (read_request(connection)) {
        const char *text = connection->receiver->last_request;

        if (strstr(text, "hang.test") != NULL)
            wait_for_close(connection);
        else if (strstr(text, "credentials.test") != NULL)
            send_text(connection, "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n");
        else if (strstr(text, "denied.test") != NULL)
            send_text(connection, "HTTP/1.1 403 No\r\nx-squid-ERROR: ERR_ACCESS_DENIED 0\r\n"
                                  "Content-Length: 0\r\n\r\n");
        else if (strstr(text, "forbids.test") != NULL)
            send_text(connection, "HTTP/1.1 403 No\r\nX-Squid-Errors: 1\r\nX-Squid: 2\r\n"
                                  "Content-Length: 0\r\n\r\n");
        else if (strncmp(text, "CONNECT ", 8) == 0)
            send_text(connection, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        else
            send_text(connection, OK_ANSWER);
    }
}

static struct result post_by_proxy(struct receiver *receiver, const char *url, bool is_allowed)
{
    struct client *client = client_new();
    struct result result;
    char proxy[URL_SIZE];

    client->options.proxy = local_url(receiver->port, "", proxy);
    client->options.allow_count = is_allowed ? 1 : 0;
    client->options.connect_timeout_ms = strstr(url, "hang") != NULL ? SHORT_MS : LONG_MS;
    setenv("no_proxy", "*", 1);
    result = post_to_format(client, url, 80, LONG_MS);
    unsetenv("no_proxy");
    return result;
}

static void test_proxy(void **state)
{
    static const struct {
        const char *url;
        bool is_allowed;
        enum attempt_result result;
        const char *error;
        const char *request; /* the proxy got; NULL = none */
    } cases[] = {
        {"http://missing.test/a", false, ATTEMPT_ANSWERED, "", "POST http://missing.test/a HTTP"},
        {"http://127.0.0.1/a", true, ATTEMPT_ANSWERED, "", "POST http://127.0.0.1/a HTTP"},
        {"http://127.0.0.1/a", false, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback", NULL},
        {"http://2130706433/a", false, ATTEMPT_UNSENDABLE, "127.0.0.1 is in loopback", NULL},
        {"https://[fd00::1]/a", false, ATTEMPT_UNSENDABLE, "fd00::1 is in ", NULL},
        {"http://credentials.test/", false, ATTEMPT_CONNECT, "407", "POST http://cred"},
        {"http://denied.test/", false, ATTEMPT_CONNECT, "the proxy answered 403 by itself",
         "POST http://denied"},
        {"http://forbids.test/", false, ATTEMPT_ANSWERED, "", "POST http://forbids"},
        {"https://missing.test/", false, ATTEMPT_CONNECT, "403", "CONNECT missing.test:443 HTTP"},
        {"https://hang.test/", false, ATTEMPT_TIMEOUT,
         "no tunnel through the proxy 127.0.0.1:", "CONNECT hang.test"},
        {"https://credentials.test/", false, ATTEMPT_CONNECT, "407", "CONNECT credentials.test"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct receiver *receiver = receiver_start(serve_proxy);
        struct result result = post_by_proxy(receiver, cases[i].url, cases[i].is_allowed);
        const char *got = receiver->last_request;

        if (result.result != cases[i].result || strstr(result.error, cases[i].error) == NULL ||
            (got == NULL) != (cases[i].request == NULL) ||
            (got != NULL && strncmp(got, cases[i].request, strlen(cases[i].request)) != 0))
            fail_msg("%s: result %d, error \"%s\", the proxy got %s\n%s", cases[i].url,
                     (int)result.result, result.error, got, result.transcript);
        if (got != NULL && strncmp(got, "CONNECT", 7) == 0)
            assert_null(strstr(got, "X-Test")); /* for the receiver alone */
        free(result.transcript);
        receiver_stop(receiver);
    }
}

/* Proxies that fail: what is asked of them says how. The request is read by pieces, for SOCKS has
 * no end that read_request() would know. */
static void serve_bad_proxy(struct connection *connection)
{
    char asked[1024] = "";
    size_t length = 0;
    ssize_t got;

    do {
        got = recv(connection->fd, asked + length, sizeof(asked) - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
        asked[length] = '\0';
    } while (got > 0 && strstr(asked, "\r\n\r\n") == NULL);
    if (strstr(asked, "cut.test") != NULL)
        reset_connection(connection);
    else if (strstr(asked, "noise.test") != NULL)
        send_text(connection, "220 mail.test ESMTP\r\n\r\n");
    else if (strstr(asked, "busy.test") != NULL)
        send_text(connection, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    else if (strstr(asked, "CONNECT then-") == asked)
        send_text(connection, "HTTP/1.1 200 Go\r\n\r\n");
    if (strstr(asked, "then-reset.test") != NULL && recv(connection->fd, asked, 5, 0) > 0)
        reset_connection(connection);
    else if (strstr(asked, "then-close.test") != NULL)
        shutdown(connection->fd, SHUT_WR);
    else if (strstr(asked, "then-garbage.test") != NULL)
        send_text(connection, "220 mail.test ESMTP\r\n\r\n");
    if (strstr(asked, "then-") != NULL || strstr(asked, "hang") != NULL)
        wait_for_close(connection);
}

/* Each failure is named as whose it is, as far as anybody can know, and counts so. */
static void test_proxy_that_fails(void **state)
{
    static const struct {
        const char *url;
        enum attempt_result result;
        const char *error; /* its start */
        const char *part;
    } cases[] = {
        {"https://cut.test/", ATTEMPT_CONNECT,
         "the proxy made no tunnel: ", "Connection reset by peer"},
        {"https://close.test/", ATTEMPT_CONNECT, "the proxy made no tunnel: ", ""},
        {"https://noise.test/", ATTEMPT_CONNECT, "the proxy made no tunnel: ", ""},
        {"https://busy.test/", ATTEMPT_CONNECT, "the proxy made no tunnel: ", "503"},
        {"https://hang.test/", ATTEMPT_TIMEOUT, "timed out after ",
         "no tunnel through the proxy 127."},
        {"https://then-reset.test/", ATTEMPT_TLS,
         "TLS handshake through the proxy failed: ", "reset"},
        {"https://then-close.test/", ATTEMPT_TLS,
         "TLS handshake through the proxy failed: ", "the other side closed the connection"},
        {"https://then-garbage.test/", ATTEMPT_TLS,
         "TLS handshake through the proxy failed: ", "it does not speak TLS"},
        {"https://then-hang.test/", ATTEMPT_TIMEOUT, "timed out after ",
         "no end of the TLS handshake with the receiver, through the proxy 127."},
        {"http://cut.test/", ATTEMPT_BROKEN, "the connection to the proxy ended without an answer",
         "Connection reset by peer"},
        {"http://close.test/", ATTEMPT_BROKEN,
         "the connection to the proxy was closed without an answer", ""},
        {"http://noise.test/", ATTEMPT_BROKEN, "the answer is not HTTP", ""},
        {"http://hang-and-hang.test/", ATTEMPT_TIMEOUT, "timed out after ",
         "no answer from the receiver, through the proxy 127."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct receiver *receiver = receiver_start(serve_bad_proxy);
        struct client *client = client_new();
        bool hangs = strstr(cases[i].url, "hang") != NULL;
        struct result result;
        char proxy[URL_SIZE];

        client->options.proxy = local_url(receiver->port, "", proxy);
        result = post_to_format(client, cases[i].url, 80, hangs ? SHORT_MS : LONG_MS);
        if (result.result != cases[i].result ||
            strncmp(result.error, cases[i].error, strlen(cases[i].error)) != 0 ||
            strstr(result.error, cases[i].part) == NULL)
            fail_msg("%s: result %d, error \"%s\"\n%s", cases[i].url, (int)result.result,
                     result.error, result.transcript);
        free(result.transcript);
        receiver_stop(receiver);
    }
}

static void serve_tls_garbage(struct connection *connection)
{
    char byte;

    recv(connection->fd, &byte, 1, 0);
    send_text(connection, "HTTP/1.1 400 Plain\r\n\r\n");
}

/* A proxy that should speak TLS and does not; and one that is not there. */
static void test_proxy_without_tls(void **state)
{
    static const struct {
        const char *url;
        const char *error;
    } cases[] = {
        {"https://receiver.test/", "the proxy made no tunnel: "},
        {"http://receiver.test/", "no connection to the proxy: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct receiver *receiver = receiver_start(serve_tls_garbage);
        struct client *client = client_new();
        struct result result;
        char proxy[URL_SIZE];

        snprintf(proxy, sizeof(proxy), "https://127.0.0.1:%d", receiver->port);
        client->options.proxy = proxy;
        result = post_to_format(client, cases[i].url, 443, LONG_MS);
        if (result.result != ATTEMPT_CONNECT ||
            strncmp(result.error, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s: result %d, error \"%s\"", cases[i].url, (int)result.result, result.error);
        free(result.transcript);
        receiver_stop(receiver);
    }
}

/* By the name that it is asked for: replies with an error, or stops. */
static void serve_bad_socks(struct connection *connection)
{
    static const char no_authentication[] = {5, 0};
    unsigned char reply[] = {5, 5, 0, 1, 0, 0, 0, 0, 0, 0};
    unsigned char asked[300] = {0};
    const char *name = (const char *)asked + 5;

    if (recv(connection->fd, asked, sizeof(asked), 0) < 3)
        return;
    send_bytes(connection, no_authentication, sizeof(no_authentication));
    memset(asked, 0, sizeof(asked));
    if (recv(connection->fd, asked, sizeof(asked) - 1, 0) < 7 || strncmp(name, "close", 5) == 0)
        return;
    if (strncmp(name, "rules", 5) == 0)
        reply[1] = 2;
    if (strncmp(name, "hang", 4) == 0)
        wait_for_close(connection);
    send_bytes(connection, reply, sizeof(reply));
}

static void test_socks_proxy_that_fails(void **state)
{
    static const struct {
        const char *url;
        enum attempt_result result;
        const char *error; /* its start */
        const char *part;
    } cases[] = {
        {"http://refused.test/", ATTEMPT_CONNECT,
         "the proxy made no tunnel: ", "(connection refused)"},
        {"https://refused.test/", ATTEMPT_CONNECT,
         "the proxy made no tunnel: ", "(connection refused)"},
        {"https://rules.test/", ATTEMPT_CONNECT,
         "the proxy made no tunnel: ", "(not allowed by its rules)"},
        {"http://close.test/", ATTEMPT_CONNECT, "the proxy made no tunnel: ", ""},
        {"https://close.test/", ATTEMPT_CONNECT, "the proxy made no tunnel: ", ""},
        {"http://hang.test/", ATTEMPT_TIMEOUT, "timed out after ",
         "no tunnel through the proxy 127."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct receiver *receiver = receiver_start(serve_bad_socks);
        struct client *client = client_new();
        bool hangs = strstr(cases[i].url, "hang") != NULL;
        struct result result;
        char proxy[URL_SIZE];

        snprintf(proxy, sizeof(proxy), "socks5://127.0.0.1:%d", receiver->port);
        client->options.proxy = proxy;
        result = post_to_format(client, cases[i].url, 80, hangs ? SHORT_MS : LONG_MS);
        if (result.result != cases[i].result ||
            strncmp(result.error, cases[i].error, strlen(cases[i].error)) != 0 ||
            strstr(result.error, cases[i].part) == NULL)
            fail_msg("%s: result %d, error \"%s\"\n%s", cases[i].url, (int)result.result,
                     result.error, result.transcript);
        free(result.transcript);
        receiver_stop(receiver);
    }
}

/* RFC 1928: keeps what it is asked to connect to, and answers in the receiver's place. */
static void serve_socks(struct connection *connection)
{
    static const char no_authentication[] = {5, 0};
    static const char connected[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    unsigned char asked[300] = {0};

    if (recv(connection->fd, asked, sizeof(asked), 0) < 3)
        return;
    send_bytes(connection, no_authentication, sizeof(no_authentication));
    memset(asked, 0, sizeof(asked));
    if (recv(connection->fd, asked, sizeof(asked) - 1, 0) < 7)
        return;
    send_bytes(connection, connected, sizeof(connected));
    if (asked[3] != 3 || strncmp((char *)asked + 5, "loopback.test", 13) != 0)
        return; /* no name */
    while (read_request(connection))
        send_text(connection, OK_ANSWER);
}

/* A name that would resolve to a forbidden address here goes to the proxy as a name, unresolved. */
static void test_socks_proxy_gets_the_name(void **state)
{
    static const char *const schemes[] = {"socks5", "socks5h"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        struct receiver *receiver = receiver_start(serve_socks);
        struct client *client = client_new();
        struct result result;
        char proxy[URL_SIZE];

        snprintf(proxy, sizeof(proxy), "%s://127.0.0.1:%d", schemes[i], receiver->port);
        client->options.proxy = proxy;
        client->options.allow_count = 0;
        result = post_to_format(client, "http://loopback.test:%d/", 80, LONG_MS);
        if (result.status != 200)
            fail_msg("%s: %s\n%s", schemes[i], result.error, result.transcript);
        free(result.transcript);
        receiver_stop(receiver);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_is_ignored),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_proxy_that_fails),
        cmocka_unit_test(test_proxy_without_tls),
        cmocka_unit_test(test_socks_proxy_that_fails),
        cmocka_unit_test(test_socks_proxy_gets_the_name),
    };

    alarm(120);
    names_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
