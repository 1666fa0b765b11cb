/* SPDX-License-Identifier: MIT */
/*
 * http/inspection.h: what a TLS handshake with a receiver has shown, for somebody who looks into it.
 *
 * Written while a connection is made, whether that succeeds or not: the certificates that came, what
 * the verification has found of them, and what was agreed on. Whether the certificate is one for
 * the host is libcurl's to say. Nothing is decided here, and nothing is verified otherwise than for
 * any delivery. Texts are as the receiver has sent them.
 */
#ifndef POSTRIDER_HTTP_INSPECTION_H
#define POSTRIDER_HTTP_INSPECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSPECTION_CHAIN_MAX  8
#define INSPECTION_NAME_SIZE  256
#define INSPECTION_NAMES_SIZE 512

struct inspected_certificate {
    char subject[INSPECTION_NAME_SIZE];
    char issuer[INSPECTION_NAME_SIZE];
    int64_t begins_s, ends_s; /* since the epoch; 0: it can't be read */
};

struct http_inspection {
    bool has_chain;   /* certificates came, and were looked at */
    int verify_error; /* X509_V_OK, or what is wrong with the chain … */
    char verify_text[128];
    int verify_depth; /* … and with which of it, 0 the receiver's own */
    size_t count; /* certificates that came, but of many the first ones: the receiver's own first */
    struct inspected_certificate chain[INSPECTION_CHAIN_MAX];
    char
        names[INSPECTION_NAMES_SIZE]; /* that the receiver's own is for: "a.example, *.b.example" */
    bool is_complete;                 /* the handshake has ended well, by TLS alone */
    char version[16];                 /* "TLSv1.3" */
    char cipher[64];
    char protocol[32]; /* that ALPN has chosen; "" = the receiver says none */
};

/* Of the handshake that is made with context, which must end before the inspection does. */
void inspection_attach(struct http_inspection *inspection, SSL_CTX *context);

#endif
