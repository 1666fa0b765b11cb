/* SPDX-License-Identifier: MIT */
/*
 * core/client_certificate.h: certificates that endpoints' receivers are shown, with their private
 * keys, as they are read from PEM.
 *
 * One PEM text holds the certificate of the key first, then those between it and its authority,
 * and the key, not encrypted, anywhere. They are taken apart here, since libcurl copies what holds
 * the certificates and does not wipe it. Keys are wiped when they are freed, and never quoted.
 */
#ifndef POSTRIDER_CORE_CLIENT_CERTIFICATE_H
#define POSTRIDER_CORE_CLIENT_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CLIENT_CERTIFICATE_CHAIN_MAX 16 /* certificates of one */

struct client_certificate {
    char *name;
    size_t chain_length;
    char *chain; /* PEM, that of the key first */
    size_t key_length;
    char *key;       /* PEM */
    int64_t ends_s;  /* when that of the key expires, since 1970 */
    bool is_exposed; /* others on this machine may read its file; set by whoever read it */
};

/* Sorted by name. */
struct client_certificates {
    size_t count;
    struct client_certificate *list;
};

/*
 * Reads the certificate called name. The error says what is missing, encrypted, or does not belong
 * together.
 */
bool client_certificate_read(const char *name, const char *pem, size_t length,
                             struct client_certificate *ret_certificate,
                             struct error *error) MUST_USE;

/* Takes it over. */
void client_certificates_add(struct client_certificates *certificates,
                             const struct client_certificate *certificate);

/* NULL when there is none. */
const struct client_certificate *
client_certificates_find(const struct client_certificates *certificates, const char *name);

void client_certificates_free(struct client_certificates *certificates);

#endif
