/* SPDX-License-Identifier: MIT */
/* crl.h: lists of revoked certificates for tests of what reads them. */
#ifndef POSTRIDER_TESTS_CRL_H
#define POSTRIDER_TESTS_CRL_H

#include "unit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/memory.h"

#define CRL_DAY_S 86400

/* A list of that issuer, not yet signed. It begins two days before ends_s (seconds from now). */
static inline X509_CRL *crl_new(const X509_NAME *issuer, long ends_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *starts = X509_gmtime_adj(NULL, ends_s - 2 * CRL_DAY_S);
    ASN1_TIME *ends = X509_gmtime_adj(NULL, ends_s);

    assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
    assert_true(X509_CRL_set_issuer_name(crl, issuer));
    assert_true(X509_CRL_set1_lastUpdate(crl, starts));
    assert_true(X509_CRL_set1_nextUpdate(crl, ends));
    ASN1_TIME_free(starts);
    ASN1_TIME_free(ends);
    return crl;
}

static inline void crl_revoke(X509_CRL *crl, const ASN1_INTEGER *serial)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);

    assert_true(X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)serial));
    assert_true(X509_REVOKED_set_revocationDate(revoked, now));
    assert_true(X509_CRL_add0_revoked(crl, revoked));
    ASN1_TIME_free(now);
}

static inline void crl_extend(X509_CRL *crl, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_true(X509_CRL_add_ext(crl, extension, -1));
    X509_EXTENSION_free(extension);
}

/* Signs and frees it. */
static inline char *crl_finish(X509_CRL *crl, EVP_PKEY *key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *data, *text;
    long length;

    X509_CRL_sort(crl);
    assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    assert_true(PEM_write_bio_X509_CRL(memory, crl));
    length = BIO_get_mem_data(memory, &data);
    text = memory_copy(data, (size_t)length);
    BIO_free(memory);
    X509_CRL_free(crl);
    return text;
}

/* An empty list of "CN=name", with an extension of that value (NULL: none), by any key. */
static inline char *crl_text(const char *name, long ends_s, int nid, const char *value)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_NAME *issuer = X509_NAME_new();
    X509_CRL *crl;
    char *text;

    assert_true(X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_UTF8, (const unsigned char *)name,
                                           -1, -1, 0));
    crl = crl_new(issuer, ends_s);
    if (value != NULL)
        crl_extend(crl, nid, value);
    text = crl_finish(crl, key);
    X509_NAME_free(issuer);
    EVP_PKEY_free(key);
    return text;
}

#endif
