/* SPDX-License-Identifier: MIT */
#include "authority.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct authority authority;
SSL_CTX *server_context;

void certificate_extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

X509 *certificate_new(EVP_PKEY *key, const char *name, long ends_s)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), ends_s);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_pubkey(certificate, key);
    return certificate;
}

void authority_begin(void)
{
    FILE *file;

    snprintf(authority.file, sizeof(authority.file), "/tmp/postrider-test-ca-XXXXXX");
    file = fdopen(mkstemp(authority.file), "w");
    authority.key = EVP_EC_gen("P-256");
    authority.certificate = certificate_new(authority.key, "Postrider's tests", 86400);
    X509_set_issuer_name(authority.certificate, X509_get_subject_name(authority.certificate));
    certificate_extend(authority.certificate, NID_basic_constraints, "critical,CA:TRUE");
    certificate_extend(authority.certificate, NID_key_usage, "critical,keyCertSign");
    X509_sign(authority.certificate, authority.key, EVP_sha256());
    PEM_write_X509(file, authority.certificate);
    fclose(file);
}

void authority_end(void)
{
    unlink(authority.file);
    X509_free(authority.certificate);
    EVP_PKEY_free(authority.key);
}

SSL_CTX *server_context_new(const char *names, long ends_s, int max_version, bool is_self_signed)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_new(key, "server", ends_s);
    X509 *issuer = is_self_signed ? certificate : authority.certificate;

    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    certificate_extend(certificate, NID_subject_alt_name, names);
    X509_sign(certificate, is_self_signed ? key : authority.key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_security_level(context, 0); /* or OpenSSL refuses TLS 1.1 by itself */
    SSL_CTX_set_max_proto_version(context, max_version);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

void serve_tls(struct connection *connection)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    SSL *ssl = SSL_new(server_context);
    char text[4096];
    size_t length = 0;

    SSL_set_fd(ssl, connection->fd);
    while (SSL_accept(ssl) == 1) {
        int got = SSL_read(ssl, text + length, (int)(sizeof(text) - length - 1));

        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        if (!is_whole_request(text, length))
            continue;
        connection->receiver->requests++;
        SSL_write(ssl, answer, sizeof(answer) - 1);
        length = 0;
    }
    SSL_free(ssl);
}
