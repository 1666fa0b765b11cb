/* SPDX-License-Identifier: MIT */
/*
 * authority.h: a throw-away certificate authority, and servers of every kind that it signs for. One in a
 * process, from authority_begin() to authority_end().
 */
#ifndef POSTRIDER_TESTS_AUTHORITY_H
#define POSTRIDER_TESTS_AUTHORITY_H

#include <openssl/ssl.h>

#include "receiver.h"

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char file[64]; /* with its certificate, in PEM */
};

extern struct authority authority;

void authority_begin(void);
void authority_end(void);

/* A certificate for key, valid from yesterday until ends_s seconds from now, not yet signed. */
X509 *certificate_new(EVP_PKEY *key, const char *name, long ends_s);
void certificate_extend(X509 *certificate, int nid, const char *value);

/* A server's context with a certificate for the names ("DNS:localhost"), signed by the authority, or
 * by itself. */
SSL_CTX *server_context_new(const char *names, long ends_s, int max_version, bool is_self_signed);

/* What serve_tls() uses. */
extern SSL_CTX *server_context;

/* Answers every read that is a whole request (they are small) with 200, until the client closes. */
void serve_tls(struct connection *connection);

#endif
