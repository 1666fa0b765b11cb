/*
 * http/trust.h: the certificate authorities that are trusted, read once for all connections.
 *
 * A file of the operator's is read when the engine is made, so that a mistake in it is found then;
 * the system's bundle when the first TLS connection needs it. A changed file is seen by a new
 * engine (SIGHUP makes one).
 */
#ifndef POSTRIDER_HTTP_TRUST_H
#define POSTRIDER_HTTP_TRUST_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"

struct trust {
    X509_STORE *store; /* NULL: not read yet */
};

/* ca_file "" is the system's bundle. */
bool trust_init(struct trust *trust, const char *ca_file, struct error *error) MUST_USE;
void trust_free(struct trust *trust);

/* Makes context trust them. */
void trust_apply(struct trust *trust, SSL_CTX *context);

#endif
