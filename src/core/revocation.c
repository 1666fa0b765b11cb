/* SPDX-License-Identifier: MIT */
#include "core/revocation.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

#define ISSUER_BYTES 256

/* Those that OpenSSL knows what to do with. */
static bool has_unknown_critical_extension(const X509_CRL *crl)
{
    int at = -1;

    while ((at = X509_CRL_get_ext_by_critical(crl, 1, at)) >= 0) {
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_CRL_get_ext(crl, at)));

        if (nid != NID_issuing_distribution_point && nid != NID_authority_key_identifier)
            return true;
    }
    return false;
}

/* NULL when all is well. */
static const char *find_limit(const X509_CRL *crl)
{
    int presence; /* -1: it is not there */
    ISSUING_DIST_POINT *scope =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &presence, NULL);
    const char *limit = NULL;

    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
        limit = "a delta CRL";
    else if (scope == NULL && presence != -1)
        limit = "a CRL whose issuing distribution point can't be read";
    else if (scope != NULL && scope->indirectCRL > 0)
        limit = "an indirect CRL";
    else if (scope != NULL && scope->onlysomereasons != NULL)
        limit = "a CRL for some reasons alone";
    else if (scope != NULL && scope->onlyattr > 0)
        limit = "a CRL of attribute certificates";
    else if (has_unknown_critical_extension(crl))
        limit = "a CRL with an unknown critical extension";
    ISSUING_DIST_POINT_free(scope);
    return limit;
}

static int64_t seconds_of(const ASN1_TIME *time, int64_t otherwise_s)
{
    struct tm parts;

    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : otherwise_s;
}

static char *name_issuer(const X509_CRL *crl)
{
    char text[ISSUER_BYTES] = "";
    BIO *memory = BIO_new(BIO_s_mem());
    int length;

    if (memory == NULL)
        bug("out of memory in BIO_new()");
    X509_NAME_print_ex(memory, X509_CRL_get_issuer(crl), 0, XN_FLAG_RFC2253);
    length = BIO_read(memory, text, sizeof(text) - 1);
    BIO_free(memory);
    return memory_copy(text, length > 0 ? (size_t)length : 0);
}

/* Takes crl over. */
static bool add_list(struct revocation_lists *lists, X509_CRL *crl, struct error *error)
{
    const char *limit = find_limit(crl);
    char *issuer = name_issuer(crl);

    lists->list = memory_resize(lists->list, lists->count + 1, sizeof(*lists->list));
    lists->list[lists->count++] = (struct revocation_list){
        .crl = crl,
        .issuer = issuer,
        .starts_s = seconds_of(X509_CRL_get0_lastUpdate(crl), 0),
        .ends_s = seconds_of(X509_CRL_get0_nextUpdate(crl), INT64_MAX),
    };
    return limit == NULL ||
           error_set(error, "holds %s as number %zu (%s); only complete ones count", limit,
                     lists->count, issuer);
}

/* The end of the text is the one reason for an end that is none. */
static bool is_at_end(const struct revocation_lists *lists, struct error *error)
{
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return error_set(error, "holds a CRL that can't be read, as number %zu", lists->count + 1);
    return lists->count > 0 || error_set(error, "holds no CRL in PEM");
}

static bool read_all(BIO *memory, struct revocation_lists *lists, struct error *error)
{
    X509_CRL *crl;

    while ((crl = PEM_read_bio_X509_CRL(memory, NULL, NULL, NULL)) != NULL) {
        if (!add_list(lists, crl, error))
            return false;
    }
    return is_at_end(lists, error);
}

/* As authorities publish them (RFC 5280, 4.2.1.13). */
static bool is_der(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)length);
    bool is_one = crl != NULL;

    X509_CRL_free(crl);
    return is_one;
}

bool revocation_lists_read(const char *pem, size_t length, struct revocation_lists *ret_lists,
                           struct error *error)
{
    struct revocation_lists lists = {0};
    BIO *memory;
    bool is_good;

    if (length > INT_MAX)
        return error_set(error, "is too large");
    memory = BIO_new_mem_buf(pem, (int)length);
    if (memory == NULL)
        bug("out of memory in BIO_new_mem_buf()");
    ERR_clear_error();
    is_good = read_all(memory, &lists, error);
    if (!is_good && lists.count == 0 && is_der(pem, length))
        error_set(error, "holds a CRL in DER, not in PEM: convert it with \"openssl crl -inform "
                         "DER\"");
    BIO_free(memory);
    ERR_clear_error();
    if (is_good)
        *ret_lists = lists;
    else
        revocation_lists_free(&lists);
    return is_good;
}

void revocation_lists_free(struct revocation_lists *lists)
{
    for (size_t i = 0; i < lists->count; i++) {
        X509_CRL_free(lists->list[i].crl);
        free(lists->list[i].issuer);
    }
    free(lists->list);
    *lists = (struct revocation_lists){0};
}
