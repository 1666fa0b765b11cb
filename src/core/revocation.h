/* SPDX-License-Identifier: MIT */
/*
 * core/revocation.h: lists of revoked certificates (CRLs, RFC 5280, 5), as they are read from PEM.
 *
 * Only complete lists are taken, since OpenSSL would pass over all others in silence, and what they
 * revoke would be trusted: no delta lists, no indirect ones, none for some reasons alone. Whether a
 * list was signed by whom it names is seen when a certificate is verified with it: the authority
 * may be known from the receiver's chain alone.
 */
#ifndef POSTRIDER_CORE_REVOCATION_H
#define POSTRIDER_CORE_REVOCATION_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct revocation_list {
    X509_CRL *crl;
    char *issuer;     /* "CN=…", escaped to printable ASCII; may be cut */
    int64_t starts_s; /* since 1970 */
    int64_t ends_s;   /* when a newer one should be there; INT64_MAX = it does not say */
};

struct revocation_lists {
    size_t count;
    struct revocation_list *list;
};

/* At least one. The error says which is wrong, and what is allowed. */
bool revocation_lists_read(const char *pem, size_t length, struct revocation_lists *ret_lists,
                           struct error *error) MUST_USE;

void revocation_lists_free(struct revocation_lists *lists);

#endif
