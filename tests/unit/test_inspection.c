/* SPDX-License-Identifier: MIT */
/* test_inspection.c: what is seen of a handshake, with servers as they should be and as they should not. */
#include "client.h"

#include <openssl/x509_vfy.h>
#include <string.h>
#include <time.h>

#include "authority.h"
#include "http/inspection.h"

#define NOTHING_SEEN (-1) /* in place of an error of the verification */
#define SHORT_MS     300
#define ANY_VERSION  0

static void serve_garbage(struct connection *connection)
{
    static const char garbage[] = "\0\377\026\003 no TLS at all";
    char bytes[64];

    recv(connection->fd, bytes, sizeof(bytes), 0);
    send_bytes(connection, garbage, sizeof(garbage));
}

static void serve_http(struct connection *connection)
{
    char bytes[64];

    recv(connection->fd, bytes, sizeof(bytes), 0);
    send_text(connection, "HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n");
}

static void serve_end(struct connection *connection)
{
    (void)connection;
}

static void serve_nothing(struct connection *connection)
{
    wait_for_close(connection);
}

/* HEAD of https://localhost:PORT/ at a server with server_context, which it frees. */
static struct result inspect(script *serve, bool trusts, struct http_inspection *inspection)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve);
    struct result result = {0};
    char url[URL_SIZE];
    struct http_request request = {.url = url,
                                   .is_head = true,
                                   .keep_transcript = true,
                                   .timeout_ms = LONG_MS,
                                   .inspection = inspection};

    /* What was there before is not of this handshake. */
    memset(inspection, 0x5a, sizeof(*inspection));
    snprintf(url, sizeof(url), "https://localhost:%d/", receiver->port);
    client->options.ca_file = trusts ? authority.file : "";
    client->options.connect_timeout_ms = serve == serve_nothing ? SHORT_MS : LONG_MS;
    client_open(client);
    client_post(client, &request, &result);
    free(result.transcript);
    result.transcript = NULL;
    client_free(client);
    receiver_stop(receiver);
    SSL_CTX_free(server_context);
    return result;
}

static void test_handshakes(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        const char *names;
        long ends_s;
        int max_version;
        int is_self_signed, trusts;
        int verify_error; /* X509_V_…, or NOTHING_SEEN */
        int is_complete;
        enum attempt_result result;
    } cases[] = {
        {"good", serve_tls, "DNS:localhost", 600, ANY_VERSION, false, true, X509_V_OK, true,
         ATTEMPT_ANSWERED},
        {"TLS 1.2", serve_tls, "DNS:localhost", 600, TLS1_2_VERSION, false, true, X509_V_OK, true,
         ATTEMPT_ANSWERED},
        {"TLS 1.1 and older", serve_tls, "DNS:localhost", 600, TLS1_1_VERSION, false, true,
         NOTHING_SEEN, false, ATTEMPT_TLS},
        {"TLS 1.0 alone", serve_tls, "DNS:localhost", 600, TLS1_VERSION, false, true, NOTHING_SEEN,
         false, ATTEMPT_TLS},
        {"expired", serve_tls, "DNS:localhost", -60, ANY_VERSION, false, true,
         X509_V_ERR_CERT_HAS_EXPIRED, false, ATTEMPT_TLS},
        {"self-signed", serve_tls, "DNS:localhost", 600, ANY_VERSION, true, true,
         X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, false, ATTEMPT_TLS},
        {"unknown authority", serve_tls, "DNS:localhost", 600, ANY_VERSION, false, false,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, false, ATTEMPT_TLS},
        /* The name is libcurl's to say, when TLS itself has ended well. */
        {"another name", serve_tls, "DNS:other.example", 600, ANY_VERSION, false, true, X509_V_OK,
         true, ATTEMPT_TLS},
        {"says nothing", serve_nothing, "DNS:localhost", 600, ANY_VERSION, false, true,
         NOTHING_SEEN, false, ATTEMPT_TIMEOUT},
        {"closes at once", serve_end, "DNS:localhost", 600, ANY_VERSION, false, true, NOTHING_SEEN,
         false, ATTEMPT_TLS},
        {"garbage", serve_garbage, "DNS:localhost", 600, ANY_VERSION, false, true, NOTHING_SEEN,
         false, ATTEMPT_TLS},
        {"HTTP without TLS", serve_http, "DNS:localhost", 600, ANY_VERSION, false, true,
         NOTHING_SEEN, false, ATTEMPT_TLS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_inspection seen;
        bool has_chain = cases[i].verify_error != NOTHING_SEEN;
        struct result result;

        server_context = server_context_new(cases[i].names, cases[i].ends_s, cases[i].max_version,
                                            cases[i].is_self_signed);
        result = inspect(cases[i].serve, cases[i].trusts, &seen);
        if (result.result != cases[i].result || seen.has_chain != has_chain ||
            seen.is_complete != cases[i].is_complete ||
            (has_chain && seen.verify_error != cases[i].verify_error))
            fail_msg("%s: result %d (%s), chain %d, complete %d, verification %d (%s)",
                     cases[i].name, (int)result.result, result.error, seen.has_chain,
                     seen.is_complete, seen.verify_error, seen.verify_text);
        if (!has_chain) {
            assert_int_equal(seen.count, 0);
            continue;
        }
        assert_int_equal(seen.count, 1);
        assert_string_equal(seen.chain[0].subject, "CN = server");
        assert_string_equal(seen.chain[0].issuer,
                            cases[i].is_self_signed ? "CN = server" : "CN = Postrider's tests");
        assert_string_equal(seen.names, cases[i].names + strlen("DNS:"));
        assert_true(llabs(seen.chain[0].ends_s - (int64_t)time(NULL) - cases[i].ends_s) < 120);
        assert_true(seen.chain[0].begins_s < (int64_t)time(NULL) - 86000);
        assert_int_equal(seen.verify_depth, 0);
        assert_true(seen.verify_text[0] != '\0');
    }
}

static void test_what_was_agreed_on(void **state)
{
    struct http_inspection seen;

    (void)state;
    server_context = server_context_new("DNS:localhost, DNS:*.b.example, IP:127.0.0.1, IP:::1", 600,
                                        TLS1_3_VERSION, false);
    assert_int_equal(inspect(serve_tls, true, &seen).status, 200);
    assert_string_equal(seen.version, "TLSv1.3");
    assert_memory_equal(seen.cipher, "TLS_", 4);
    assert_string_equal(seen.protocol, ""); /* the server says nothing of it */
    assert_string_equal(seen.names, "localhost, *.b.example, 127.0.0.1, ::1");
}

/* Of names without end only whole ones are kept, and of a chain without end the first certificates. */
static void test_too_much(void **state)
{
    struct http_inspection seen;
    char names[60 * 100] = "DNS:localhost";
    struct result result;

    (void)state;
    for (int i = 0; i < 100; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names),
                 ",DNS:%02d.a-name-that-is-not-short.example", i);
    server_context = server_context_new(names, 600, TLS1_3_VERSION, false);
    for (int i = 0; i < 2 * INSPECTION_CHAIN_MAX; i++)
        SSL_CTX_add0_chain_cert(server_context, X509_dup(authority.certificate));
    result = inspect(serve_tls, true, &seen);
    if (result.status != 200)
        fail_msg("%s", result.error);
    assert_int_equal(seen.count, INSPECTION_CHAIN_MAX);
    assert_string_equal(seen.chain[INSPECTION_CHAIN_MAX - 1].subject, "CN = Postrider's tests");
    assert_memory_equal(seen.names, "localhost, 00.a-name-that-is-not-short.example, ", 48);
    assert_string_equal(seen.names + strlen(seen.names) - strlen("short.example"), "short.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_what_was_agreed_on),
        cmocka_unit_test(test_too_much),
    };
    int failed;

    alarm(120);
    authority_begin();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_end();
    return failed;
}
