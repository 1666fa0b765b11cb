/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/memory.h"
#include "core/client_certificate.h"

#define ENDS_S INT64_C(2000000000)

static char *take(BIO *memory)
{
    char *data;
    long length = BIO_get_mem_data(memory, &data);
    char *text = memory_copy(data, (size_t)length);

    BIO_free(memory);
    return text;
}

static char *certificate_of(EVP_PKEY *key, const char *name)
{
    X509 *certificate = X509_new();
    BIO *memory = BIO_new(BIO_s_mem());

    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    ASN1_TIME_set(X509_getm_notAfter(certificate), ENDS_S);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    PEM_write_bio_X509(memory, certificate);
    X509_free(certificate);
    return take(memory);
}

static char *text_of(EVP_PKEY *key, const char *passphrase)
{
    BIO *memory = BIO_new(BIO_s_mem());

    PEM_write_bio_PKCS8PrivateKey(memory, key, passphrase != NULL ? EVP_aes_256_cbc() : NULL,
                                  passphrase, passphrase != NULL ? (int)strlen(passphrase) : 0,
                                  NULL, NULL);
    return take(memory);
}

/* PEM: of a client and of its authority, and what is wrong with it. */
static char *leaf, *leaf_key, *authority, *encrypted_key;

static int make_texts(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");

    (void)state;
    leaf = certificate_of(key, "client");
    leaf_key = text_of(key, NULL);
    encrypted_key = text_of(key, "open sesame");
    authority = certificate_of(other, "authority");
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static int free_texts(void **state)
{
    (void)state;
    free(leaf);
    free(leaf_key);
    free(encrypted_key);
    free(authority);
    return 0;
}

static int count_of(const char *text, const char *words)
{
    int count = 0;

    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

static void free_one(const struct client_certificate *certificate)
{
    struct client_certificates one = {0};

    client_certificates_add(&one, certificate);
    client_certificates_free(&one);
}

static void check_taken_apart(const char *pem)
{
    struct client_certificate certificate;
    struct error error = {0};

    check_case(client_certificate_read("acme", pem, strlen(pem), &certificate, &error), "%s",
               error.message);
    assert_string_equal(certificate.name, "acme");
    assert_int_equal(certificate.ends_s, ENDS_S);
    assert_int_equal(certificate.chain_length, strlen(certificate.chain));
    assert_int_equal(certificate.key_length, strlen(certificate.key));
    assert_int_equal(count_of(certificate.chain, "BEGIN CERTIFICATE"), 2);
    assert_int_equal(count_of(certificate.chain, "PRIVATE"), 0);
    assert_int_equal(strncmp(certificate.chain, leaf, strlen(leaf)), 0);
    assert_string_equal(certificate.chain + strlen(leaf), authority);
    assert_string_equal(certificate.key, leaf_key);
    free_one(&certificate);
}

static void test_certificates_and_key_are_taken_apart(void **state)
{
    char *orders[] = {memory_format("%s%s%s", leaf, authority, leaf_key),
                      memory_format("%s%s%s", leaf_key, leaf, authority),
                      memory_format("a note\n%s\n%s\n# end\n%s", leaf, leaf_key, authority)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        check_taken_apart(orders[i]);
        free(orders[i]);
    }
}

static void check_refused(char *pem, size_t length, const char *reason)
{
    struct client_certificate certificate = {.key_length = 7};
    struct error error = {0};

    check_case(!client_certificate_read("acme", pem, length, &certificate, &error), "%s", reason);
    check_case(strstr(error.message, reason) != NULL, "%s: %s", reason, error.message);
    assert_int_equal(certificate.key_length, 7);
    free(pem);
}

static void refuse(char *pem, const char *reason)
{
    check_refused(pem, strlen(pem), reason);
}

static void test_what_can_not_be_used_is_refused(void **state)
{
    const int half_leaf = (int)strlen(leaf) / 2, half_key = (int)strlen(leaf_key) / 2;

    (void)state;
    refuse(memory_copy_string(""), "holds no certificate in PEM");
    refuse(memory_copy_string("nonsense"), "holds no certificate in PEM");
    refuse(memory_copy_string(leaf_key), "holds no certificate in PEM");
    refuse(memory_copy_string(leaf), "holds no private key in PEM");
    refuse(memory_format("%s%s", leaf, encrypted_key), "holds an encrypted private key");
    refuse(memory_format("%s%s", authority, leaf_key),
           "a private key that is not its certificate's");
    refuse(memory_format("%s%s%s", authority, leaf, leaf_key),
           "holds the certificate of its private key as number 2; it must be the first");
    refuse(memory_format("%.*s\n-----END CERTIFICATE-----\n%s", half_leaf, leaf, leaf_key),
           "holds a certificate or a key that can't be read");
    refuse(memory_format("%s%.*s\n-----END CERTIFICATE-----\n%s", leaf, half_leaf, authority,
                         leaf_key),
           "holds a certificate or a key that can't be read");
    refuse(memory_format("%s%.*s\n-----END PRIVATE KEY-----\n", leaf, half_key, leaf_key),
           "can't be read");
    check_refused(memory_format("%s%s%cmore", leaf, leaf_key, '\0'),
                  strlen(leaf) + strlen(leaf_key) + 5, "is no text in PEM");
}

static char *chain_of(int count)
{
    char *text = memory_format("%s%s", leaf_key, leaf);

    for (int i = 1; i < count; i++) {
        char *longer = memory_format("%s%s", text, authority);

        free(text);
        text = longer;
    }
    return text;
}

static void test_longest_chain(void **state)
{
    char *pem = chain_of(CLIENT_CERTIFICATE_CHAIN_MAX);
    struct client_certificate certificate;
    struct error error = {0};

    (void)state;
    check_case(client_certificate_read("acme", pem, strlen(pem), &certificate, &error), "%s",
               error.message);
    assert_int_equal(count_of(certificate.chain, "BEGIN CERTIFICATE"),
                     CLIENT_CERTIFICATE_CHAIN_MAX);
    free_one(&certificate);
    free(pem);
    refuse(chain_of(CLIENT_CERTIFICATE_CHAIN_MAX + 1), "holds more than 16 certificates");
}

static void test_found_by_name_alone(void **state)
{
    static const char *const names[] = {"m", "acme", "z", "acme.2", "b"};
    struct client_certificates certificates = {0};

    (void)state;
    assert_null(client_certificates_find(&certificates, "acme"));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct client_certificate certificate = {.name = memory_copy_string(names[i])};

        client_certificates_add(&certificates, &certificate);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_string_equal(client_certificates_find(&certificates, names[i])->name, names[i]);
    assert_null(client_certificates_find(&certificates, "acm"));
    assert_null(client_certificates_find(&certificates, "acme."));
    assert_null(client_certificates_find(&certificates, "ACME"));
    assert_null(client_certificates_find(&certificates, ""));
    client_certificates_free(&certificates);
    assert_int_equal(certificates.count, 0);
    assert_null(certificates.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates_and_key_are_taken_apart),
        cmocka_unit_test(test_what_can_not_be_used_is_refused),
        cmocka_unit_test(test_longest_chain),
        cmocka_unit_test(test_found_by_name_alone),
    };

    return cmocka_run_group_tests(tests, make_texts, free_texts);
}
