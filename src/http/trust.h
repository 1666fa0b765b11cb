/* SPDX-License-Identifier: MIT */
/*
 * http/trust.h: the certificate authorities that are trusted, read once for all connections, and
 * what they have revoked.
 *
 * A file of the operator's is read when the engine is made, so that a mistake in it is found then;
 * the system's bundle when the first TLS connection needs it. A changed file is seen by a new
 * engine (SIGHUP makes one).
 *
 * A CRL counts for certificates of the authority that has signed it, also for those between a
 * receiver's and a root. What no CRL is about passes; a CRL that has ended, or whose signature is
 * wrong, refuses all of its authority. CURLOPT_CRLFILE would refuse every receiver one of whose
 * authorities has no CRL. A proxy over TLS is judged alike. OpenSSL checks the signature of a CRL
 * for each connection that it is about, so that a CRL of some megabytes costs milliseconds there.
 */
#ifndef POSTRIDER_HTTP_TRUST_H
#define POSTRIDER_HTTP_TRUST_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"
#include "core/revocation.h"

struct trust {
    X509_STORE *store;                          /* NULL: not read yet */
    const struct revocation_lists *revocations; /* borrowed; NULL = none */
};

/* ca_file "" is the system's bundle. */
bool trust_init(struct trust *trust, const char *ca_file,
                const struct revocation_lists *revocations, struct error *error) MUST_USE;
void trust_free(struct trust *trust);

/* Makes context trust them. */
void trust_apply(struct trust *trust, SSL_CTX *context);

#endif
