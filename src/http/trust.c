/* SPDX-License-Identifier: MIT */
#include "http/trust.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

/*
 * Lets pass what no CRL is about: OpenSSL asks for one for every certificate of a chain, the root's
 * too. Another scope is that of a CRL for a part of an authority's certificates. All other errors
 * end the verification, so that there was none before. libcurl tells the verification's error,
 * unless the signature that failed has left one that stands before it.
 */
static int on_verify(int is_good, X509_STORE_CTX *context)
{
    int error = X509_STORE_CTX_get_error(context);

    if (is_good == 1)
        return 1;
    if (error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_DIFFERENT_CRL_SCOPE) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    if (error == X509_V_ERR_CRL_SIGNATURE_FAILURE)
        ERR_clear_error();
    return 0;
}

static void add_revocations(X509_STORE *store, const struct revocation_lists *revocations)
{
    for (size_t i = 0; i < revocations->count; i++)
        if (X509_STORE_add_crl(store, revocations->list[i].crl) != 1)
            bug("X509_STORE_add_crl() failed");
    if (revocations->count == 0)
        return;
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    X509_STORE_set_verify_cb(store, on_verify);
}

static X509_STORE *new_store(const struct trust *trust)
{
    X509_STORE *store = X509_STORE_new();

    if (store == NULL)
        bug("out of memory in X509_STORE_new()");
    if (trust->revocations != NULL)
        add_revocations(store, trust->revocations);
    return store;
}

bool trust_init(struct trust *trust, const char *ca_file,
                const struct revocation_lists *revocations, struct error *error)
{
    *trust = (struct trust){.revocations = revocations};
    if (ca_file[0] == '\0')
        return true;
    if (access(ca_file, R_OK) != 0)
        return error_set(error, "network.ca_file: cannot read %s: %s", ca_file,
                         strerrordesc_np(errno));
    trust->store = new_store(trust);
    if (X509_STORE_load_file(trust->store, ca_file) == 1)
        return true;
    return error_set(error, "network.ca_file: %s holds no certificate in PEM", ca_file);
}

void trust_free(struct trust *trust)
{
    X509_STORE_free(trust->store);
    trust->store = NULL;
}

/* The bundle that libcurl was built to use, or OpenSSL's places when it is not there. */
static X509_STORE *read_system(const struct trust *trust)
{
    X509_STORE *store = new_store(trust);
    CURL *easy = curl_easy_init();
    char *bundle = NULL;

    if (easy != NULL)
        curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle);
    if (bundle == NULL || X509_STORE_load_file(store, bundle) != 1)
        X509_STORE_set_default_paths(store);
    curl_easy_cleanup(easy);
    return store;
}

void trust_apply(struct trust *trust, SSL_CTX *context)
{
    if (trust->store == NULL)
        trust->store = read_system(trust);
    SSL_CTX_set1_cert_store(context, trust->store);
}
