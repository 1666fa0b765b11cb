/* SPDX-License-Identifier: MIT */
/* test_engine_tls.c: the HTTP engine over TLS, with a throw-away certificate authority. */
#include "client.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "authority.h"

#define SHORT_MS 200

static void serve_plain(struct connection *connection)
{
    char bytes[64];

    recv(connection->fd, bytes, sizeof(bytes), 0);
    send_text(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

static void serve_nothing(struct connection *connection)
{
    wait_for_close(connection);
}

static void serve_end(struct connection *connection)
{
    char bytes[64];

    recv(connection->fd, bytes, sizeof(bytes), 0);
}

/* Not before the client has spoken: its connection would fail then. */
static void serve_reset(struct connection *connection)
{
    char bytes[64];

    recv(connection->fd, bytes, sizeof(bytes), 0);
    reset_connection(connection);
}

static void post_three(bool is_kept)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_tls);
    struct result result = {0};
    char url[URL_SIZE];

    server_context = server_context_new("DNS:localhost", 3600, TLS1_3_VERSION, false);
    client->options.ca_file = authority.file;
    client->options.max_tls_connections = is_kept ? 1 : 0;
    client_open(client);
    snprintf(url, sizeof(url), "https://localhost:%d/", receiver->port);
    for (int i = 0; i < 3; i++) {
        client_post_to(client, url, LONG_MS, &result);
        if (result.status != 200)
            fail_msg("%s\n%s", result.error, result.transcript);
        assert_int_equal(result.is_reused, is_kept && i > 0);
        assert_int_equal(result.timings.tls_us > 0, !is_kept || i == 0);
    }
    assert_int_equal(receiver->connections, is_kept ? 1 : 3);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
    SSL_CTX_free(server_context);
}

static void test_good_certificate(void **state)
{
    (void)state;
    post_three(true);
}

/* Those with TLS have a limit of their own. */
static void test_none_is_kept_where_none_may_be(void **state)
{
    (void)state;
    post_three(false);
}

static char *write_pem(X509 *certificate, EVP_PKEY *key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *data, *text;
    long length;

    PEM_write_bio_X509(memory, certificate);
    PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL);
    length = BIO_get_mem_data(memory, &data);
    text = memory_copy(data, (size_t)length);
    BIO_free(memory);
    return text;
}

/* A client's certificate, signed by our authority, or by itself. */
static void add_client(struct client_certificates *all, const char *name, bool is_self_signed,
                       long ends_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_new(key, name, ends_s);
    struct client_certificate client;
    struct error error;
    char *text;

    X509_set_issuer_name(
        certificate, X509_get_subject_name(is_self_signed ? certificate : authority.certificate));
    X509_sign(certificate, is_self_signed ? key : authority.key, EVP_sha256());
    text = write_pem(certificate, key);
    if (!client_certificate_read(name, text, strlen(text), &client, &error))
        fail_msg("%s", error.message);
    client_certificates_add(all, &client);
    free(text);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* Posts with the certificate called name (NULL: none). */
static struct result post_with(struct client *client, const struct receiver *receiver,
                               const char *name)
{
    struct permit *permit = NULL;
    struct result result = {0};
    struct error unused;
    char url[URL_SIZE];

    assert_true(permit_make(NULL, name, &permit, &unused));
    snprintf(url, sizeof(url), "https://localhost:%d/", receiver->port);
    client_post_as(client, permit, url, LONG_MS, &result);
    permit_free(permit);
    return result;
}

/* A server that demands one of our authority. */
static void demand_certificates(int version)
{
    static const unsigned char name[] = "tests";

    server_context = server_context_new("DNS:localhost", 60, version, false);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server_context), authority.certificate);
    SSL_CTX_set_verify(server_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(server_context, name,
                                   sizeof(name)); /* sessions may be resumed */
}

/* By a server that says why it refuses; what we say of it names the column to look at. */
static void check_client(int version, const char *name, const char *error)
{
    struct client_certificates all = {0};
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_tls);
    struct result result;

    add_client(&all, "good", false, 60);
    add_client(&all, "expired", false, -60);
    add_client(&all, "stranger", true, 60);
    demand_certificates(version);
    client->options.ca_file = authority.file;
    client->options.certificates = &all;
    client_open(client);
    result = post_with(client, receiver, name);
    if (strstr(result.error, error) == NULL || (result.status == 200) != (error[0] == '\0'))
        fail_msg("%s: \"%s\"\n%s", name, result.error, result.transcript);
    assert_int_equal(receiver->requests, error[0] == '\0');
    /* Not ATTEMPT_TLS, which would be the host's trouble, and so everybody's who posts there. */
    assert_int_equal(result.result, error[0] == '\0' ? ATTEMPT_ANSWERED : ATTEMPT_BROKEN);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
    SSL_CTX_free(server_context);
    client_certificates_free(&all);
}

/* Neither a handle that is used again nor a session that could be resumed knows the last one's. */
static void check_nothing_remains(int version)
{
    static const char *const order[] = {"good", NULL,    "good", "stranger",
                                        NULL,   "other", NULL,   "good"};
    struct client_certificates all = {0};
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_tls);
    int good = 0;

    add_client(&all, "good", false, 60);
    add_client(&all, "other", false, 60);
    add_client(&all, "stranger", true, 60);
    demand_certificates(version);
    client->options.ca_file = authority.file;
    client->options.certificates = &all;
    client->options.max_tls_connections = 0;
    client_open(client);
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        bool is_good = order[i] != NULL && strcmp(order[i], "stranger") != 0;
        struct result result = post_with(client, receiver, order[i]);

        if ((result.status == 200) != is_good)
            fail_msg("%zu: %d \"%s\"\n%s", i, result.status, result.error, result.transcript);
        good += is_good;
        free(result.transcript);
    }
    assert_int_equal(receiver->requests, good);
    client_free(client);
    receiver_stop(receiver);
    SSL_CTX_free(server_context);
    client_certificates_free(&all);
}

static void test_no_client_certificate_remains(void **state)
{
    (void)state;
    check_nothing_remains(TLS1_2_VERSION);
    check_nothing_remains(TLS1_3_VERSION);
}

static void test_client_certificates(void **state)
{
    static const char hint[] = "webhook_endpoints.client_certificate";

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        check_client(version, "good", "");
        check_client(version, NULL, hint);
        check_client(version, "stranger", hint);
        check_client(version, "expired", hint);
    }
}

static void test_bad_handshakes(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        const char *names; /* in the certificate */
        long ends_s;
        int max_version;
        int trusts; /* our authority */
        enum attempt_result result;
        const char *error; /* a part of it */
    } cases[] = {
        {"TLS 1.2", serve_tls, "DNS:localhost", 9, TLS1_2_VERSION, 1, ATTEMPT_ANSWERED, ""},
        {"unknown authority", serve_tls, "DNS:localhost", 9, TLS1_3_VERSION, 0, ATTEMPT_TLS,
         "SSL certificate problem"},
        {"another name", serve_tls, "DNS:example.com", 9, TLS1_3_VERSION, 1, ATTEMPT_TLS,
         "subject name matches target host name"},
        {"another name in a wildcard", serve_tls, "DNS:*.localhost", 9, TLS1_3_VERSION, 1,
         ATTEMPT_TLS, "subject name matches target host name"},
        {"expired", serve_tls, "DNS:localhost", -60, TLS1_3_VERSION, 1, ATTEMPT_TLS, "expired"},
        {"TLS 1.1", serve_tls, "DNS:localhost", 9, TLS1_1_VERSION, 1, ATTEMPT_TLS,
         "TLS handshake failed: "},
        {"no TLS", serve_plain, "DNS:localhost", 9, TLS1_3_VERSION, 1, ATTEMPT_TLS,
         "TLS handshake failed: "},
        {"hangs", serve_nothing, "DNS:localhost", 9, TLS1_3_VERSION, 1, ATTEMPT_TIMEOUT,
         "no end of the TLS handshake with 127.0.0.1:"},
        {"closed", serve_end, "DNS:localhost", 9, TLS1_3_VERSION, 1, ATTEMPT_TLS,
         "TLS handshake failed: "},
        {"reset", serve_reset, "DNS:localhost", 9, TLS1_3_VERSION, 1, ATTEMPT_TLS,
         "TLS handshake failed: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool is_hanging = cases[i].result == ATTEMPT_TIMEOUT;
        struct client *client = client_new();
        struct receiver *receiver = receiver_start(cases[i].serve);
        struct result result = {0};
        char url[URL_SIZE];

        server_context =
            server_context_new(cases[i].names, cases[i].ends_s, cases[i].max_version, false);
        client->options.ca_file = cases[i].trusts ? authority.file : "";
        client->options.connect_timeout_ms = is_hanging ? SHORT_MS : LONG_MS;
        client_open(client);
        snprintf(url, sizeof(url), "https://localhost:%d/", receiver->port);
        client_post_to(client, url, LONG_MS, &result);
        if (result.result != cases[i].result || strstr(result.error, cases[i].error) == NULL ||
            (result.result != ATTEMPT_ANSWERED && result.error[0] == '\0'))
            fail_msg("%s: result %d, error \"%s\"\n%s", cases[i].name, (int)result.result,
                     result.error, result.transcript);
        if (result.result != ATTEMPT_ANSWERED)
            assert_int_equal(receiver->requests, 0);
        free(result.transcript);
        client_free(client);
        receiver_stop(receiver);
        SSL_CTX_free(server_context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_certificate),
        cmocka_unit_test(test_none_is_kept_where_none_may_be),
        cmocka_unit_test(test_bad_handshakes),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_no_client_certificate_remains),
    };
    int failed;

    alarm(120);
    authority_begin();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_end();
    return failed;
}
