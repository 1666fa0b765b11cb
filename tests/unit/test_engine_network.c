/*
 * test_engine_network.c: names, addresses, connections and proxies of the HTTP engine.
 *
 * Names below .test are resolved by this program's own getaddrinfo(), which libcurl's resolver
 * thread calls instead of the C library's.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <semaphore.h>
#include <sys/resource.h>

#include "receiver.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LONG_MS   20000
#define SHORT_MS  200

static sem_t slow_names; /* posted to let a resolution of slow.test go on */
static atomic_int slow_ended;
static atomic_int asked_family; /* AF_…, for loopback.test */

static const struct {
    const char *name;
    const char *addresses[4];
} names[] = {
    {"private.test", {"10.0.0.1", "192.168.1.1"}},
    {"mixed.test", {"10.0.0.1", "127.0.0.1"}},
    {"mixed6.test", {"::1", "127.0.0.1"}},
    {"hidden.test", {"::ffff:10.0.0.1"}},
    {"loopback.test", {"127.0.0.1"}},
    {"slow.test", {"127.0.0.1"}},
    {"dropped.test", {"127.0.0.2", "127.0.0.1"}},
    {"dropped-twice.test", {"127.0.0.2", "127.0.0.3", "127.0.0.1"}},
    {"refused-dropped.test", {"127.0.0.9", "127.0.0.2", "127.0.0.1"}},
    {"dropped-refused.test", {"127.0.0.2", "127.0.0.9", "127.0.0.1"}},
    {"alive-dropped.test", {"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
    {"dropped6.test", {"::1", "127.0.0.2", "127.0.0.1"}},
    {"all-dropped.test", {"127.0.0.2", "127.0.0.3"}},
    {"metadata.test", {"169.254.169.254"}},
};

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int resolve_listed(resolve *real, const char *const *addresses, const char *service,
                          const struct addrinfo *hints, struct addrinfo **ret_list)
{
    int result = EAI_NONAME;

    *ret_list = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(names[0].addresses) && addresses[i] != NULL; i++) {
        struct addrinfo *one;
        struct addrinfo **end = ret_list;

        result = real(addresses[i], service, hints, &one);
        if (result != 0)
            break;
        while (*end != NULL)
            end = &(*end)->ai_next;
        *end = one;
    }
    return result;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");

    if (strcmp(name, "loopback.test") == 0)
        asked_family = hints->ai_family;
    if (strcmp(name, "slow.test") == 0) {
        sem_wait(&slow_names);
        slow_ended++;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i].name) == 0)
            return resolve_listed(real, names[i].addresses, service, hints, ret_list);
    }
    if (strstr(name, ".test") != NULL)
        return EAI_NONAME;
    return real(name, service, hints, ret_list);
}

static void serve_ok(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, OK_ANSWER);
}

/* Posts to format, in which %d is port, with a new engine. */
static struct result post_to_format(struct client *client, const char *format, int port,
                                    int64_t timeout_ms)
{
    struct result result = {0};
    char url[URL_SIZE];
    const char *number = strstr(format, "%d");

    if (number != NULL)
        snprintf(url, sizeof(url), "%.*s%d%s", (int)(number - format), format, port, number + 2);
    else
        snprintf(url, sizeof(url), "%s", format);
    client_open(client);
    client_post_to(client, url, timeout_ms, &result);
    client_free(client);
    return result;
}

struct expectation {
    const char *url;
    int allow_count;
    enum attempt_result result;
    const char *error; /* a part of it */
};

static void check_expectations(const struct expectation *cases, size_t count, int port)
{
    for (size_t i = 0; i < count; i++) {
        struct client *client = client_new();
        struct result result;

        client->options.allow_count = (size_t)cases[i].allow_count;
        result = post_to_format(client, cases[i].url, port, LONG_MS);
        if (result.result != cases[i].result || strstr(result.error, cases[i].error) == NULL)
            fail_msg("%s: result %d, status %d, error \"%s\"\n%s", cases[i].url, (int)result.result,
                     result.status, result.error, result.transcript);
        free(result.transcript);
    }
}

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

/* The resolver's thread can't be stopped, and must not be waited for. */
#define FILLERS 4

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

static void serve_hang(struct connection *connection)
{
    read_request(connection);
    wait_for_close(connection);
}

static void turn_until(struct client *client, const atomic_int *count, int value)
{
    while (*count < value) {
        event_base_loop(client->base, EVLOOP_NONBLOCK);
        sched_yield();
    }
}

static void test_cancel_all(void **state)
{
    struct client *client = client_new();
    struct receiver *hanging = receiver_start(serve_hang);
    struct receiver *good = receiver_start(serve_ok);
    struct result result = {0};
    char url[URL_SIZE];
    struct http_request request = {.url = local_url(hanging->port, "/", url),
                                   .body = "{}",
                                   .body_length = 2,
                                   .timeout_ms = LONG_MS};
    struct client_request owner = {.client = client, .result = &result};

    (void)state;
    client_open(client);
    for (int i = 0; i < 20; i++)
        http_start(client->engine, &request, &owner);
    request.url = "nonsense";
    http_start(client->engine, &request, &owner);
    request.url = "http://slow.test/";
    http_start(client->engine, &request, &owner);
    assert_int_equal(http_engine_in_flight(client->engine), 22);
    turn_until(client, &hanging->requests, 20);
    http_engine_cancel_all(client->engine);
    assert_int_equal(http_engine_in_flight(client->engine), 0);
    assert_false(http_engine_collect(client->engine, 100));
    client_post_to(client, local_url(good->port, "/", url), LONG_MS, &result);
    assert_int_equal(result.status, 200);
    assert_int_equal(client->finished, 1);
    free(result.transcript);
    client_free(client);
    receiver_stop(hanging);
    receiver_stop(good);
    sem_post(&slow_names);
    while (slow_ended < 2)
        sched_yield();
}

/* Answers a connection's first request, and closes when it has read the second. */
static void serve_stale(struct connection *connection)
{
    if (read_request(connection))
        send_text(connection, OK_ANSWER);
    read_request(connection);
}

/*
 * A request that was written to its end may have been taken: it never goes out twice. Afterwards
 * the receiver is not trusted with kept connections.
 */
static void test_stale_connection(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_stale);
    struct result result = {0};
    char url[URL_SIZE];

    (void)state;
    client_open(client);
    client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
    assert_int_equal(result.status, 200);
    client_post_to(client, url, LONG_MS, &result);
    assert_int_equal(result.result, ATTEMPT_BROKEN);
    assert_true(result.is_reused);
    assert_string_equal(result.error, "the kept connection was closed without an answer");
    assert_int_equal(receiver->requests, 2);
    for (int i = 0; i < 5; i++) {
        client_post_to(client, url, LONG_MS, &result);
        assert_int_equal(result.status, 200);
        assert_false(result.is_reused);
    }
    assert_int_equal(receiver->connections, 6);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

/* Takes a second request's first bytes only, and ends the connection as a restarted server does. */
static void serve_stale_early(struct connection *connection)
{
    char byte;

    if (!read_request(connection))
        return;
    send_text(connection, OK_ANSWER);
    if (connection->index == 0 && recv(connection->fd, &byte, 1, 0) == 1)
        reset_connection(connection);
    else if (read_request(connection))
        send_text(connection, OK_ANSWER);
}

/* The socket can't take all of such a body, so what was not written can't have been taken. */
static void test_unfinished_request_goes_out_again(void **state)
{
    enum { LENGTH = 20000000 };
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_stale_early);
    struct result result = {0};
    char url[URL_SIZE];
    char *body = memset(memory_new(LENGTH, 1), 'x', LENGTH);
    const struct http_request request = {.url = local_url(receiver->port, "/", url),
                                         .body = body,
                                         .body_length = LENGTH,
                                         .timeout_ms = LONG_MS};

    (void)state;
    client_open(client);
    client_post_to(client, url, LONG_MS, &result);
    assert_int_equal(result.status, 200);
    client_post(client, &request, &result);
    if (result.status != 200)
        fail_msg("%s", result.error);
    assert_false(result.is_reused);
    assert_int_equal(receiver->requests, 2);
    assert_int_equal(receiver->connections, 2);
    free(body);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

static void serve_close(struct connection *connection)
{
    read_request(connection);
}

/* On a new connection nothing goes out twice. */
static void test_no_resend_on_new_connection(void **state)
{
    struct receiver *receiver = receiver_start(serve_close);
    struct result result =
        post_to_format(client_new(), "http://127.0.0.1:%d/", receiver->port, LONG_MS);

    (void)state;
    assert_int_equal(result.result, ATTEMPT_BROKEN);
    assert_int_equal(receiver->requests, 1);
    free(result.transcript);
    receiver_stop(receiver);
}

/* Closes each connection after its answer; the client must notice before it uses it again. */
static void serve_one(struct connection *connection)
{
    read_request(connection);
    send_text(connection, OK_ANSWER);
}

static void test_connection_closed_while_idle(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_one);
    struct result result = {0};
    char url[URL_SIZE];

    (void)state;
    client_open(client);
    for (int i = 0; i < 10; i++) {
        client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
        assert_int_equal(result.status, 200);
        assert_false(result.is_reused);
        turn_until(client, &receiver->ended, i + 1);
        event_base_loop(client->base, EVLOOP_NONBLOCK); /* as a turn does before it starts any */
    }
    assert_int_equal(receiver->requests, 10);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

static int count_open(struct receiver *receiver)
{
    int open = 0;

    for (int i = 0; i < receiver->connections; i++) {
        char byte;

        open += recv(receiver->table[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
    }
    return open;
}

static void test_many_origins_at_once(void **state)
{
    enum { COUNT = 100 };
    static struct result results[COUNT];
    static char urls[COUNT][URL_SIZE];
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    struct http_request request = {.body = "{}", .body_length = 2, .timeout_ms = LONG_MS};

    (void)state;
    client->options.max_connections = COUNT;
    client_open(client);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(urls[i], URL_SIZE, "http://h%d.localhost:%d/", i, receiver->port);
            request.url = urls[i];
            client_start(client, &request, &results[i]);
        }
        assert_int_equal(http_engine_in_flight(client->engine), COUNT);
        client_run(client, COUNT * round);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(results[i].callbacks, round);
            assert_int_equal(results[i].status, 200);
        }
    }
    assert_int_equal(receiver->connections, COUNT); /* all were kept */
    for (int i = 0; i < COUNT; i++)
        free(results[i].transcript);
    client_free(client);
    receiver_stop(receiver);
}

static void test_idle_connections_are_limited(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    struct result result = {0};
    char url[URL_SIZE];

    (void)state;
    client->options.max_connections = 10;
    client->options.max_tls_connections = 1000;
    client_open(client);
    for (int i = 0; i < 100; i++) {
        snprintf(url, sizeof(url), "http://h%d.localhost:%d/", i, receiver->port);
        client_post_to(client, url, LONG_MS, &result);
        assert_int_equal(result.status, 200);
    }
    assert_int_equal(receiver->connections, 100);
    assert_int_equal(count_open(receiver), 10);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

struct chain {
    struct http_engine *engine;
    const struct http_request *request;
    int left;
};

static void on_chain_finished(void *owner, const struct http_response *response)
{
    struct chain *chain = owner;

    assert_int_equal(response->status, 200);
    if (--chain->left > 0)
        http_start(chain->engine, chain->request, chain);
}

static void test_start_from_callback(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    char url[URL_SIZE];
    const struct http_request request = {.url = local_url(receiver->port, "/", url),
                                         .body = "{}",
                                         .body_length = 2,
                                         .timeout_ms = LONG_MS};
    struct chain chain = {.request = &request, .left = 50};
    struct error error;

    (void)state;
    chain.engine = http_engine_new(client->base, &client->options, on_chain_finished, &error);
    assert_non_null(chain.engine);
    http_start(chain.engine, &request, &chain);
    while (chain.left > 0) {
        event_base_loop(client->base, EVLOOP_ONCE);
        http_engine_collect(chain.engine, 1);
    }
    assert_int_equal(receiver->requests, 50);
    assert_int_equal(receiver->connections, 1);
    http_engine_free(chain.engine);
    client_free(client);
    receiver_stop(receiver);
}

/* Proxies. */

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
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_permits_are_kept_apart),
        cmocka_unit_test(test_permits_behind_a_proxy),
        cmocka_unit_test(test_permits_are_forgotten),
        cmocka_unit_test(test_no_connection),
        cmocka_unit_test(test_unsendable),
        cmocka_unit_test(test_https_only),
        cmocka_unit_test(test_dropping_addresses),
        cmocka_unit_test(test_slow_name),
        cmocka_unit_test(test_permits_are_kept_apart_while_dialing),
        cmocka_unit_test(test_cancel_all),
        cmocka_unit_test(test_stale_connection),
        cmocka_unit_test(test_unfinished_request_goes_out_again),
        cmocka_unit_test(test_no_resend_on_new_connection),
        cmocka_unit_test(test_connection_closed_while_idle),
        cmocka_unit_test(test_many_origins_at_once),
        cmocka_unit_test(test_idle_connections_are_limited),
        cmocka_unit_test(test_start_from_callback),
        cmocka_unit_test(test_environment_is_ignored),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_proxy_that_fails),
        cmocka_unit_test(test_proxy_without_tls),
        cmocka_unit_test(test_handshake_that_fails),
        cmocka_unit_test(test_socks_proxy_that_fails),
        cmocka_unit_test(test_socks_proxy_gets_the_name),
        cmocka_unit_test(test_source_address),
        cmocka_unit_test(test_source_address_of_one_kind),
        cmocka_unit_test(test_source_interface),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_no_file_descriptors),
    };

    alarm(120);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024});
    sem_init(&slow_names, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
