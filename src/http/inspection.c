/* SPDX-License-Identifier: MIT */
#include "http/inspection.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"

static int64_t read_time(const ASN1_TIME *time)
{
    struct tm parts;

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static void read_name(const X509_NAME *name, char text[INSPECTION_NAME_SIZE])
{
    BIO *out = BIO_new(BIO_s_mem());
    int length = 0;

    if (out == NULL)
        bug("out of memory in BIO_new()");
    X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    length = BIO_read(out, text, INSPECTION_NAME_SIZE - 1);
    text[length > 0 ? length : 0] = '\0';
    BIO_free(out);
}

static void add_certificate(struct http_inspection *inspection, const X509 *certificate)
{
    struct inspected_certificate *one = &inspection->chain[inspection->count++];

    read_name(X509_get_subject_name(certificate), one->subject);
    read_name(X509_get_issuer_name(certificate), one->issuer);
    one->begins_s = read_time(X509_get0_notBefore(certificate));
    one->ends_s = read_time(X509_get0_notAfter(certificate));
}

static void add_name(struct http_inspection *inspection, const char *name, int length)
{
    size_t used = strlen(inspection->names);

    if (length > 0 && used + (size_t)length + 3 < sizeof(inspection->names))
        snprintf(inspection->names + used, sizeof(inspection->names) - used, "%s%.*s",
                 used > 0 ? ", " : "", length, name);
}

static void add_alternative(struct http_inspection *inspection, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    int length = value != NULL ? ASN1_STRING_length(value) : 0;

    if (type == GEN_DNS)
        add_name(inspection, (const char *)ASN1_STRING_get0_data(value), length);
    if (type == GEN_IPADD && (length == 4 || length == 16) &&
        inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text,
                  sizeof(text)) != NULL)
        add_name(inspection, text, (int)strlen(text));
}

static void add_names(struct http_inspection *inspection, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_alternative(inspection, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
}

/* As they came, not as they were put into order. */
static void add_chain(struct http_inspection *inspection, X509_STORE_CTX *context)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(context);
    const X509 *own = X509_STORE_CTX_get0_cert(context);

    inspection->count = 0;
    inspection->names[0] = '\0';
    if (own != NULL) {
        add_certificate(inspection, own);
        add_names(inspection, own);
    }
    for (int i = 0; i < sk_X509_num(chain) && inspection->count < INSPECTION_CHAIN_MAX; i++)
        if (sk_X509_value(chain, i) != own)
            add_certificate(inspection, sk_X509_value(chain, i));
}

/* In place of OpenSSL's own, which it calls. What reading the names has left of errors is not the
 * verification's. */
static int on_verify(X509_STORE_CTX *context, void *argument)
{
    struct http_inspection *inspection = argument;
    int result = X509_verify_cert(context);
    int error = X509_STORE_CTX_get_error(context);

    ERR_set_mark();
    inspection->has_chain = true;
    inspection->verify_error = error;
    inspection->verify_depth = X509_STORE_CTX_get_error_depth(context);
    snprintf(inspection->verify_text, sizeof(inspection->verify_text), "%s",
             X509_verify_cert_error_string(error));
    add_chain(inspection, context);
    ERR_pop_to_mark();
    return result;
}

/* SSL_CTX has one place for each number, and gives the numbers out. */
static int place(void)
{
    static int number = -1;

    if (number < 0)
        number = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return number;
}

static void on_event(const SSL *ssl, int where, int result)
{
    struct http_inspection *inspection = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place());
    const unsigned char *protocol = NULL;
    unsigned length = 0;

    (void)result;
    if ((where & SSL_CB_HANDSHAKE_DONE) == 0 || inspection == NULL || inspection->is_complete)
        return;
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    snprintf(inspection->version, sizeof(inspection->version), "%s", SSL_get_version(ssl));
    snprintf(inspection->cipher, sizeof(inspection->cipher), "%s", SSL_get_cipher_name(ssl));
    snprintf(inspection->protocol, sizeof(inspection->protocol), "%.*s", (int)length,
             protocol != NULL ? (const char *)protocol : "");
    inspection->is_complete = true;
}

void inspection_attach(struct http_inspection *inspection, SSL_CTX *context)
{
    *inspection = (struct http_inspection){.has_chain = false};
    SSL_CTX_set_cert_verify_callback(context, on_verify, inspection);
    if (SSL_CTX_set_ex_data(context, place(), inspection) != 1)
        bug("SSL_CTX_set_ex_data() failed");
    SSL_CTX_set_info_callback(context, on_event);
}
