/* SPDX-License-Identifier: MIT */
/*
 * test_engine_dialing.c: how the HTTP engine comes to a connection: names, the addresses of a name
 * in turn, where it dials from, the handshake, and what keeps it from all of that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "client.h"
#include "names.h"

#define SHORT_MS 200
#define FILLERS  4

/* Nobody listens on the port. */
static void test_no_connection(void **state)
{
    static const struct expectation cases[] = {
        {"http://127.0.0.1:%d/", 1, ATTEMPT_CONNECT, "cannot connect to 127.0.0.1:"},
        {"http://127.0.0.1:%d/", 1, ATTEMPT_CONNECT, ": Connection refused"},
        {"http://mixed.test:%d/", 1, ATTEMPT_CONNECT, "cannot connect to 127.0.0.1:"},
        {"https://localhost:%d/", 1, ATTEMPT_CONNECT, ": Connection refused"},
        {"http://missing.test:%d/", 1, ATTEMPT_DNS, "Could not resolve host: missing.test"},
    };
    int port;
    int fd = bind_anywhere(&port);

    (void)state;
    check_expectations(cases, ARRAY_LENGTH(cases), port);
    close(fd);
}

/* An address that answers no SYN: its queue of connections that nobody accepts is full. */
struct dropping {
    int fd;
    int fillers[FILLERS];
};

static void connect_filler(int *filler, const struct sockaddr *address, socklen_t length)
{
    *filler = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(*filler, address, length) != 0)
        assert_int_equal(errno, EINPROGRESS);
}

static struct dropping drop_at(const char *ip, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct dropping dropping = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    assert_int_equal(bind(dropping.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(dropping.fd, 0), 0);
    for (int i = 0; i < FILLERS; i++)
        connect_filler(&dropping.fillers[i], (struct sockaddr *)&address, sizeof(address));
    return dropping;
}

static void stop_dropping(struct dropping *dropping)
{
    for (int i = 0; i < FILLERS; i++)
        close(dropping->fillers[i]);
    close(dropping->fd);
}

/* The proxy's addresses are tried in turn as well. */
static void expect_way_through_proxy(int port)
{
    struct client *client = client_new();
    struct result result;
    char proxy[URL_SIZE];

    snprintf(proxy, sizeof(proxy), "http://dropped-twice.test:%d", port);
    client->options.proxy = proxy;
    client->options.connect_timeout_ms = 2000;
    result = post_to_format(client, "http://receiver.example/", port, LONG_MS);
    if (result.result != ATTEMPT_ANSWERED)
        fail_msg("the proxy: error \"%s\"\n%s", result.error, result.transcript);
    free(result.transcript);
}

/* One address of several that does not answer leaves time for the others. */
static void test_dropping_addresses(void **state)
{
    static const char *const urls[] = {
        "http://dropped.test:%d/",         "http://dropped-twice.test:%d/",
        "http://refused-dropped.test:%d/", "http://dropped-refused.test:%d/",
        "http://alive-dropped.test:%d/",   "http://dropped6.test:%d/",
    };
    struct receiver *receiver = receiver_start(serve_ok);
    struct dropping one = drop_at("127.0.0.2", receiver->port);
    struct dropping other = drop_at("127.0.0.3", receiver->port);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct client *client = client_new();
        struct result result;

        client->options.connect_timeout_ms = 2000;
        result = post_to_format(client, urls[i], receiver->port, LONG_MS);
        if (result.result != ATTEMPT_ANSWERED)
            fail_msg("%s: result %d, error \"%s\"\n%s", urls[i], (int)result.result, result.error,
                     result.transcript);
        free(result.transcript);
    }
    expect_way_through_proxy(receiver->port);
    stop_dropping(&one);
    stop_dropping(&other);
    receiver_stop(receiver);
}

/* The resolver's thread can't be stopped, and must not be waited for. */
static void test_slow_name(void **state)
{
    struct client *client = client_new();
    struct result result = {0};

    (void)state;
    client_open(client);
    client_post_to(client, "http://slow.test:1/", SHORT_MS, &result);
    assert_int_equal(slow_ended, 0);
    assert_int_equal(result.result, ATTEMPT_TIMEOUT);
    assert_non_null(strstr(result.error, ": the host name was not resolved"));
    assert_int_equal(result.timings.dns_us, 0);
    free(result.transcript);
    client_free(client);
    assert_int_equal(slow_ended, 0);
    sem_post(&slow_names);
    while (slow_ended < 1)
        sched_yield();
}

static void serve_no_handshake(struct connection *connection)
{
    char hello[4096];

    if (recv(connection->fd, hello, sizeof(hello), 0) > 0)
        shutdown(connection->fd, SHUT_WR);
}

static void serve_reset_in_handshake(struct connection *connection)
{
    char hello[5];

    if (recv(connection->fd, hello, sizeof(hello), 0) > 0)
        reset_connection(connection);
}

/* In plain words, without a proxy. */
static void test_handshake_that_fails(void **state)
{
    static const struct {
        script *serve;
        enum attempt_result result;
        const char *error;
    } cases[] = {
        {serve_no_handshake, ATTEMPT_TLS,
         "TLS handshake failed: the other side closed the connection"},
        {serve_reset_in_handshake, ATTEMPT_TLS, "TLS handshake failed: Connection reset by peer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct receiver *receiver = receiver_start(cases[i].serve);
        struct result result =
            post_to_format(client_new(), "https://127.0.0.1:%d/", receiver->port, LONG_MS);

        if (result.result != cases[i].result || strcmp(result.error, cases[i].error) != 0)
            fail_msg("%zu: result %d, error \"%s\"", i, (int)result.result, result.error);
        free(result.transcript);
        receiver_stop(receiver);
    }
}

/* Answers with the address that the request came from. */
static void serve_peer(struct connection *connection)
{
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof(peer);
    char ip[INET_ADDRSTRLEN] = "";
    char answer[128];

    read_request(connection);
    getpeername(connection->fd, (struct sockaddr *)&peer, &length);
    inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof(ip));
    snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\n\r\n%s", ip);
    send_text(connection, answer);
}

static void test_source_address(void **state)
{
    struct receiver *receiver = receiver_start(serve_peer);
    struct client *client = client_new();
    struct result result;

    (void)state;
    client->options.source_address = "127.0.0.77";
    result = post_to_format(client, "http://localhost:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.status, 200);
    assert_string_equal(result.snippet, "127.0.0.77");
    free(result.transcript);
    client = client_new();
    client->options.source_address = "203.0.113.1";
    result = post_to_format(client, "http://localhost:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.result, ATTEMPT_CONNECT);
    assert_non_null(strstr(result.error, "network.source_address: bind failed"));
    free(result.transcript);
    receiver_stop(receiver);
}

/* IPv6 addresses are of no use from an IPv4 address. */
static void test_source_address_of_one_kind(void **state)
{
    struct receiver *receiver = receiver_start(serve_peer);
    struct client *client = client_new();
    struct result result;

    (void)state;
    client->options.source_address = "127.0.0.77";
    result = post_to_format(client, "http://loopback.test:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.status, 200);
    assert_int_equal(asked_family, AF_INET);
    free(result.transcript);
    receiver_stop(receiver);
}

static void test_source_interface(void **state)
{
    struct receiver *receiver = receiver_start(serve_peer);
    struct client *client = client_new();
    struct result result;

    (void)state;
    client->options.source_address = "lo";
    result = post_to_format(client, "http://127.0.0.1:%d/", receiver->port, LONG_MS);
    assert_int_equal(result.status, 200);
    assert_string_equal(result.snippet, "127.0.0.1");
    free(result.transcript);
    receiver_stop(receiver);
}

static void test_no_file_descriptors(void **state)
{
    struct receiver *receiver = receiver_start(serve_ok);
    struct client *client = client_new();
    struct result result = {0};
    char url[URL_SIZE];
    int fillers[1024];
    int count = 0;

    (void)state;
    client_open(client);
    while (count < 1024 && (fillers[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
    assert_int_equal(result.result, ATTEMPT_CONNECT);
    assert_non_null(strstr(result.error, ": Too many open files"));
    while (count > 0)
        close(fillers[--count]);
    client_post_to(client, url, LONG_MS, &result);
    assert_int_equal(result.status, 200);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

static void test_bad_options(void **state)
{
    static const char long_name[] = "no_interface_has_a_name_of_so_many_bytes_"
                                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    static const struct {
        const char *ca_file, *proxy, *source_address, *message;
    } cases[] = {
        {"/nowhere/ca.pem", "", "", "network.ca_file: cannot read /nowhere/ca.pem: No such file"},
        {"/dev/null", "", "", "network.ca_file: /dev/null holds no certificate in PEM"},
        {"", "http://[", "", "network.proxy is not a valid URL"},
        {"", "ftp://proxy.test/", "", "network.proxy must begin with http://, https://, socks4://"},
        {"", "", long_name, "network.source_address has more than 122 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *client = client_new();
        struct error error = {0};

        client->options.ca_file = cases[i].ca_file;
        client->options.proxy = cases[i].proxy;
        client->options.source_address = cases[i].source_address;
        assert_null(http_engine_new(client->base, &client->options, on_client_finished, &error));
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s", error.message);
        client_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_connection),
        cmocka_unit_test(test_dropping_addresses),
        cmocka_unit_test(test_slow_name),
        cmocka_unit_test(test_handshake_that_fails),
        cmocka_unit_test(test_source_address),
        cmocka_unit_test(test_source_address_of_one_kind),
        cmocka_unit_test(test_source_interface),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_no_file_descriptors),
    };

    alarm(120);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024});
    names_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
