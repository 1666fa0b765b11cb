/* SPDX-License-Identifier: MIT */
/* test_engine.c: the HTTP engine against receivers that behave, and against ones that do not. */
#include "client.h"

#define SHORT_MS 700 /* enough for a busy machine to get headers through */

/* One engine, one receiver, one request. The caller frees result.transcript. */
static struct result post_once(script *serve, int64_t timeout_ms)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve);
    struct result result = {0};
    char url[URL_SIZE];

    client_open(client);
    client_post_to(client, local_url(receiver->port, "/hook", url), timeout_ms, &result);
    assert_int_equal(http_engine_in_flight(client->engine), 0);
    client_free(client);
    receiver_stop(receiver);
    return result;
}

static void test_request_on_the_wire(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "User-Agent: Postrider/1", "X-Empty: ", "X-Last: a: b"};
    static const char body[] = "{\"k\":\"\\u0000\"}";
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    struct result result = {0};
    char url[URL_SIZE];
    char expected[512];
    struct http_request request = {
        .url = local_url(receiver->port, "/a/b?c=d#fragment", url),
        .headers = headers,
        .headers_count = 4,
        .body = body,
        .body_length = strlen(body),
        .timeout_ms = LONG_MS,
    };

    (void)state;
    client_open(client);
    client_post(client, &request, &result);
    snprintf(expected, sizeof(expected),
             "POST /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n"
             "Content-Type: application/json\r\nUser-Agent: Postrider/1\r\nX-Empty:\r\n"
             "X-Last: a: b\r\nContent-Length: %zu\r\n\r\n%s",
             receiver->port, strlen(body), body);
    assert_string_equal(receiver->last_request, expected);
    assert_int_equal(result.result, ATTEMPT_ANSWERED);
    assert_int_equal(result.status, 200);
    assert_string_equal(result.error, "");
    assert_string_equal(result.snippet, "ok");
    assert_string_equal(result.transcript, "");
    assert_false(result.is_truncated);
    assert_false(result.is_reused);
    snprintf(expected, sizeof(expected), "127.0.0.1:%d", receiver->port);
    assert_string_equal(result.peer, expected);
    assert_true(result.timings.connect_us > 0);
    assert_true(result.timings.first_byte_us >= result.timings.connect_us);
    assert_true(result.timings.total_us >= result.timings.first_byte_us);
    assert_int_equal(result.timings.tls_us, 0);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

/* The worker builds every request in the same place, and more than one before the first is sent. */
static void test_request_is_copied(void **state)
{
    enum { COUNT = 5 };
    struct client *client = client_new();
    struct receiver *receivers[COUNT];
    struct result results[COUNT] = {0};
    char url[URL_SIZE];
    char line[32];
    const char *lines[] = {line};

    (void)state;
    client_open(client);
    for (int i = 0; i < COUNT; i++) {
        struct http_request request = {.headers = lines,
                                       .headers_count = 1,
                                       .body = "{}",
                                       .body_length = 2,
                                       .timeout_ms = LONG_MS};

        receivers[i] = receiver_start(serve_ok);
        request.url = local_url(receivers[i]->port, "/", url);
        snprintf(line, sizeof(line), "X-Number: %d", i);
        client_start(client, &request, &results[i]);
    }
    memset(url, 'x', sizeof(url));
    memset(line, 'x', sizeof(line));
    client_run(client, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char expected[32];

        snprintf(expected, sizeof(expected), "\r\nX-Number: %d\r\n", i);
        assert_int_equal(results[i].status, 200);
        assert_non_null(strstr(receivers[i]->last_request, expected));
        free(results[i].transcript);
        receiver_stop(receivers[i]);
    }
    client_free(client);
}

static void test_connection_is_kept(void **state)
{
    struct exchange_fixture *fixture = *state;
    char url[URL_SIZE];

    fixture_start(fixture, serve_ok);
    for (int i = 0; i < 20; i++) {
        client_post_to(fixture->client, local_url(fixture->receiver->port, "/", url), LONG_MS,
                       &fixture->result);
        assert_int_equal(fixture->result.status, 200);
        assert_int_equal(fixture->result.is_reused, i > 0);
        assert_int_equal(fixture->result.timings.connect_us > 0, i == 0);
    }
    assert_int_equal(fixture->receiver->connections, 1);
    assert_int_equal(fixture->receiver->requests, 20);
}

static void serve_large_body(struct connection *connection)
{
    read_request(connection);
    send_text(connection, OK_ANSWER);
}

/* Above 1 MiB libcurl would wait for 100 Continue. */
static void test_large_request_without_expect(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json"};
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_large_body);
    struct result result = {0};
    char url[URL_SIZE];
    char *body = memory_new(3000000, 1);
    struct http_request request = {
        .url = local_url(receiver->port, "/", url),
        .headers = headers,
        .headers_count = 1,
        .body = body,
        .body_length = 3000000,
        .timeout_ms = LONG_MS,
    };

    (void)state;
    memset(body, 'x', 3000000);
    client_open(client);
    client_post(client, &request, &result);
    assert_int_equal(result.status, 200);
    assert_null(strcasestr(receiver->last_request, "expect:"));
    assert_non_null(strstr(receiver->last_request, "Content-Length: 3000000\r\n"));
    free(body);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

/* Scripts that end in an answer, whatever follows the headers. */

static void serve_close_in_body(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
}

static void serve_reset_in_body(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n");
    reset_connection(connection);
}

static void serve_hang_in_body(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    wait_for_close(connection);
}

static void serve_endless_body(struct connection *connection)
{
    static char megabyte[1024 * 1024];

    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
    for (int i = 0; i < 100; i++)
        send_bytes(connection, megabyte, sizeof(megabyte));
}

static void serve_gzip(struct connection *connection)
{
    static const unsigned char gzip[] = {0x1f, 0x8b, 8,    0,    0,    0,    0,    0, 2, 3, 0xcb,
                                         0xcf, 0x06, 0x00, 0x47, 0xdd, 0xdc, 0x79, 2, 0, 0, 0};

    read_request(connection);
    send_text(connection,
              "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n");
    send_bytes(connection, gzip, sizeof(gzip));
}

static void serve_redirect(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
                              "Content-Length: 0\r\n\r\n");
}

static void serve_continue(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\n"
                          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_ANSWER);
}

static void serve_trailers(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
                          "2\r\nok\r\n0\r\nX: 1\r\nRetry-After: 9\r\n\r\n");
}

static void serve_endless_trailers(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 10000; i++)
        send_text(connection, "X-Trailer: one more of many, and then another one\r\n");
    wait_for_close(connection);
}

static void serve_http_1_0(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.0 200 OK\r\n\r\nok");
}

static void serve_no_content(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void serve_retry_after(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 503 Busy\r\nretry-after: \t 120 \r\nRetry-After: 7\r\n"
                          "Content-Length: 0\r\n\r\n");
}

static void serve_long_retry_after(struct connection *connection)
{
    char text[512];

    read_request(connection);
    snprintf(text, sizeof(text),
             "HTTP/1.1 429 Slow\r\nRetry-After: %0200d\r\nContent-Length: 0\r\n\r\n", 0);
    send_text(connection, text);
}

/* Answers before it has read the body, and closes. */
static void serve_early_answer(struct connection *connection)
{
    char byte;

    recv(connection->fd, &byte, 1, 0);
    send_text(connection, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n"
                          "Connection: close\r\n\r\n");
}

static void serve_unauthorised(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
                              "Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
}

static void serve_bad_length(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok");
}

static void serve_reasonless(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok");
}

static void test_answered(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        int status;
        int is_truncated;
        const char *snippet; /* NULL: whatever it is */
        const char *retry_after;
        int64_t timeout_ms;
    } cases[] = {
        {"closed in the body", serve_close_in_body, 200, true, "part", "", LONG_MS},
        {"reset in the body", serve_reset_in_body, 201, true, "", "", LONG_MS},
        {"hangs in the body", serve_hang_in_body, 200, true, "part", "", SHORT_MS},
        {"100 MB", serve_endless_body, 200, true, NULL, "", LONG_MS},
        {"gzip", serve_gzip, 200, false, NULL, "", LONG_MS},
        {"redirect", serve_redirect, 302, false, "", "", LONG_MS},
        {"interim answers", serve_continue, 200, false, "ok", "", LONG_MS},
        {"trailers", serve_trailers, 200, false, "ok", "", LONG_MS},
        {"endless trailers", serve_endless_trailers, 200, true, "", "", LONG_MS},
        {"HTTP/1.0", serve_http_1_0, 200, false, "ok", "", LONG_MS},
        {"204", serve_no_content, 204, false, "", "", LONG_MS},
        {"Retry-After", serve_retry_after, 503, false, "", "120, 7", LONG_MS},
        {"long Retry-After", serve_long_retry_after, 429, false, "",
         "000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000000000",
         LONG_MS},
        {"early answer", serve_early_answer, 413, false, "", "", LONG_MS},
        {"401", serve_unauthorised, 401, false, "", "", LONG_MS},
        {"no reason", serve_reasonless, 200, false, "ok", "", LONG_MS},
        {"bad length", serve_bad_length, 200, true, "ok", "", LONG_MS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct result result = post_once(cases[i].serve, cases[i].timeout_ms);

        if (result.result != ATTEMPT_ANSWERED || result.status != cases[i].status ||
            result.error[0] != '\0' || result.is_truncated != cases[i].is_truncated ||
            (cases[i].snippet != NULL && strcmp(result.snippet, cases[i].snippet) != 0) ||
            strcmp(result.retry_after, cases[i].retry_after) != 0)
            fail_msg("%s: result %d, status %d, error \"%s\", truncated %d, snippet \"%s\", "
                     "Retry-After \"%s\"",
                     cases[i].name, (int)result.result, result.status, result.error,
                     result.is_truncated, result.snippet, result.retry_after);
        free(result.transcript);
    }
}

static void test_body_is_not_decoded(void **state)
{
    struct result result = post_once(serve_gzip, LONG_MS);

    (void)state;
    assert_int_equal(result.snippet_length, 22);
    assert_memory_equal(result.snippet, "\x1f\x8b", 2);
    free(result.transcript);
    result = post_once(serve_endless_body, LONG_MS);
    assert_int_equal(result.snippet_length, HTTP_SNIPPET_BYTES);
    free(result.transcript);
}

/* Scripts that end without an answer. */

static void serve_garbage(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "\x01\x02\x03 this is not HTTP\r\n\r\n");
}

static void serve_http_0_9(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "<html>hello</html>");
}

static void serve_close(struct connection *connection)
{
    read_request(connection);
}

static void serve_close_in_headers(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void serve_close_after_interim(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void serve_reset(struct connection *connection)
{
    read_request(connection);
    reset_connection(connection);
}

static void serve_hang(struct connection *connection)
{
    read_request(connection);
    wait_for_close(connection);
}

static void serve_hang_in_headers(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    wait_for_close(connection);
}

static void serve_endless_headers(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000; i++)
        send_text(connection, "X-Header: one more of many, and then another one\r\n");
    wait_for_close(connection);
}

static void serve_endless_header_line(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 200 OK\r\nX-Header: ");
    for (int i = 0; i < 10000; i++)
        send_text(connection, "one more of many, and then another one, and then the next");
    wait_for_close(connection);
}

static void serve_endless_interim(struct connection *connection)
{
    read_request(connection);
    for (int i = 0; i < 10000; i++)
        send_text(connection, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    wait_for_close(connection);
}

static void serve_101(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    wait_for_close(connection);
}

static void serve_999(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n");
}

static void serve_status_0(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n");
}

static void serve_http_3_9(struct connection *connection)
{
    read_request(connection);
    send_text(connection, "HTTP/3.9 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void test_unanswered(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        enum attempt_result result;
        const char *error; /* a part of it */
        int64_t timeout_ms;
    } cases[] = {
        {"garbage", serve_garbage, ATTEMPT_BROKEN, "the answer is not HTTP", LONG_MS},
        {"HTTP/0.9", serve_http_0_9, ATTEMPT_BROKEN, "the answer is not HTTP", LONG_MS},
        {"closed", serve_close, ATTEMPT_BROKEN, "closed without an answer", LONG_MS},
        {"closed in headers", serve_close_in_headers, ATTEMPT_BROKEN,
         "closed before the answer's headers were complete", LONG_MS},
        {"closed after 100", serve_close_after_interim, ATTEMPT_BROKEN,
         "closed before the answer's headers were complete", LONG_MS},
        {"reset", serve_reset, ATTEMPT_BROKEN, "Connection reset by peer", LONG_MS},
        {"hang", serve_hang, ATTEMPT_TIMEOUT, ": no answer from 127.0.0.1:", SHORT_MS},
        {"hangs in headers", serve_hang_in_headers, ATTEMPT_TIMEOUT,
         "ms: the headers were not complete in the answer of 127.0.0.1:", SHORT_MS},
        {"endless headers", serve_endless_headers, ATTEMPT_BROKEN,
         "the headers of the answer are larger than 64KiB", LONG_MS},
        {"endless header line", serve_endless_header_line, ATTEMPT_BROKEN,
         "the headers of the answer are larger than 64KiB", LONG_MS},
        {"endless 103", serve_endless_interim, ATTEMPT_BROKEN,
         "the headers of the answer are larger than 64KiB", LONG_MS},
        {"101", serve_101, ATTEMPT_BROKEN, "101 Switching Protocols", LONG_MS},
        {"999", serve_999, ATTEMPT_BROKEN, "status 999", LONG_MS},
        {"000", serve_status_0, ATTEMPT_BROKEN, "", LONG_MS},
        {"HTTP/3.9", serve_http_3_9, ATTEMPT_BROKEN, "", LONG_MS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct result result = post_once(cases[i].serve, cases[i].timeout_ms);

        if (result.result != cases[i].result || result.status != 0 || result.error[0] == '\0' ||
            strstr(result.error, cases[i].error) == NULL)
            fail_msg("%s: result %d, status %d, error \"%s\"\n%s", cases[i].name,
                     (int)result.result, result.status, result.error, result.transcript);
        free(result.transcript);
    }
}

static void test_transcript(void **state)
{
    struct result result = post_once(serve_unauthorised, LONG_MS);

    (void)state;
    assert_non_null(strstr(result.transcript, "> POST /hook HTTP/1.1\n> Host: 127.0.0.1:"));
    assert_non_null(strstr(result.transcript, "> X-Test: yes\n"));
    assert_non_null(strstr(result.transcript, "\n< HTTP/1.1 401 No\n"));
    assert_non_null(strstr(result.transcript, "\n* "));
    assert_null(strchr(result.transcript, '\r'));
    free(result.transcript);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_on_the_wire),
        cmocka_unit_test(test_request_is_copied),
        engine_test(test_connection_is_kept),
        cmocka_unit_test(test_large_request_without_expect),
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_body_is_not_decoded),
        cmocka_unit_test(test_unanswered),
        cmocka_unit_test(test_transcript),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
