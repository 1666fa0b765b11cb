/* SPDX-License-Identifier: MIT */
#include "core/client_certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

/* What the PEM text holds. */
struct parts {
    X509 *certificates[CLIENT_CERTIFICATE_CHAIN_MAX];
    size_t count;
    EVP_PKEY *key;
};

static void free_parts(struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        X509_free(parts->certificates[i]);
    EVP_PKEY_free(parts->key);
    ERR_clear_error();
}

/* OpenSSL would ask for the passphrase on the terminal. */
static int refuse_passphrase(char *buffer, int size, int for_writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)for_writing;
    (void)user;
    return -1;
}

static BIO *open_memory(const char *pem, size_t length)
{
    BIO *memory = BIO_new_mem_buf(pem, (int)length);

    if (memory == NULL)
        bug("out of memory in BIO_new_mem_buf()");
    return memory;
}

static bool read_certificates(const char *pem, size_t length, struct parts *parts,
                              struct error *error)
{
    BIO *memory = open_memory(pem, length);
    X509 *certificate;

    while ((certificate = PEM_read_bio_X509(memory, NULL, refuse_passphrase, NULL)) != NULL) {
        if (parts->count == CLIENT_CERTIFICATE_CHAIN_MAX) {
            X509_free(certificate);
            BIO_free(memory);
            return error_set(error, "holds more than %d certificates",
                             CLIENT_CERTIFICATE_CHAIN_MAX);
        }
        parts->certificates[parts->count++] = certificate;
    }
    BIO_free(memory);
    /* The end of the text is the one reason that is none. */
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return error_set(error, "holds a certificate or a key that can't be read");
    ERR_clear_error();
    return parts->count > 0 || error_set(error, "holds no certificate in PEM");
}

static bool read_key(const char *pem, size_t length, struct parts *parts, struct error *error)
{
    BIO *memory = open_memory(pem, length);

    parts->key = PEM_read_bio_PrivateKey(memory, NULL, refuse_passphrase, NULL);
    BIO_free(memory);
    if (parts->key != NULL)
        return true;
    if (strstr(pem, "ENCRYPTED") != NULL)
        return error_set(error, "holds an encrypted private key; write it without a passphrase");
    if (strstr(pem, "PRIVATE KEY-----") == NULL)
        return error_set(error, "holds no private key in PEM");
    return error_set(error, "holds a private key that can't be read");
}

static bool check_parts(const struct parts *parts, struct error *error)
{
    if (X509_check_private_key(parts->certificates[0], parts->key) == 1)
        return true;
    for (size_t i = 1; i < parts->count; i++)
        if (X509_check_private_key(parts->certificates[i], parts->key) == 1)
            return error_set(error,
                             "holds the certificate of its private key as number %zu; it "
                             "must be the first",
                             i + 1);
    return error_set(error, "holds a private key that is not its certificate's");
}

/* BIO_free() wipes what it frees. */
static char *take_text(BIO *memory, size_t *ret_length)
{
    char *data;
    long length = BIO_get_mem_data(memory, &data);
    char *text;

    if (length <= 0)
        bug("a certificate that was read can't be written");
    text = memory_copy(data, (size_t)length);
    *ret_length = (size_t)length;
    BIO_free(memory);
    return text;
}

static BIO *new_memory(void)
{
    BIO *memory = BIO_new(BIO_s_mem());

    if (memory == NULL)
        bug("out of memory in BIO_new()");
    return memory;
}

static void write_parts(const struct parts *parts, struct client_certificate *certificate)
{
    BIO *chain = new_memory();
    BIO *key = new_memory();
    struct tm end;

    for (size_t i = 0; i < parts->count; i++)
        PEM_write_bio_X509(chain, parts->certificates[i]);
    PEM_write_bio_PrivateKey(key, parts->key, NULL, NULL, 0, NULL, NULL);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(parts->certificates[0]), &end) == 1)
        certificate->ends_s = timegm(&end);
    certificate->chain = take_text(chain, &certificate->chain_length);
    certificate->key = take_text(key, &certificate->key_length);
}

bool client_certificate_read(const char *name, const char *pem, size_t length,
                             struct client_certificate *ret_certificate, struct error *error)
{
    struct parts parts = {.count = 0};
    bool is_good;

    if (length > INT_MAX || strlen(pem) != length)
        return error_set(error, "is no text in PEM");
    ERR_clear_error();
    is_good = read_certificates(pem, length, &parts, error) &&
              read_key(pem, length, &parts, error) && check_parts(&parts, error);
    if (is_good) {
        *ret_certificate = (struct client_certificate){.name = memory_copy_string(name)};
        write_parts(&parts, ret_certificate);
    }
    free_parts(&parts);
    return is_good;
}

static int compare(const void *a, const void *b)
{
    const struct client_certificate *left = a, *right = b;

    return strcmp(left->name, right->name);
}

void client_certificates_add(struct client_certificates *certificates,
                             const struct client_certificate *certificate)
{
    certificates->list =
        memory_resize(certificates->list, certificates->count + 1, sizeof(*certificates->list));
    certificates->list[certificates->count++] = *certificate;
    qsort(certificates->list, certificates->count, sizeof(*certificates->list), compare);
}

const struct client_certificate *
client_certificates_find(const struct client_certificates *certificates, const char *name)
{
    struct client_certificate wanted = {.name = (char *)name};

    if (certificates->count == 0)
        return NULL;
    return bsearch(&wanted, certificates->list, certificates->count, sizeof(*certificates->list),
                   compare);
}

void client_certificates_free(struct client_certificates *certificates)
{
    for (size_t i = 0; i < certificates->count; i++) {
        struct client_certificate *certificate = &certificates->list[i];

        memory_free_secret(certificate->key);
        free(certificate->chain);
        free(certificate->name);
    }
    free(certificates->list);
    *certificates = (struct client_certificates){0};
}
