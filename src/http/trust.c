#include "http/trust.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

static X509_STORE *new_store(void)
{
    X509_STORE *store = X509_STORE_new();

    if (store == NULL)
        bug("out of memory in X509_STORE_new()");
    return store;
}

bool trust_init(struct trust *trust, const char *ca_file, struct error *error)
{
    trust->store = NULL;
    if (ca_file[0] == '\0')
        return true;
    if (access(ca_file, R_OK) != 0)
        return error_set(error, "network.ca_file: cannot read %s: %s", ca_file,
                         strerrordesc_np(errno));
    trust->store = new_store();
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
static X509_STORE *read_system(void)
{
    X509_STORE *store = new_store();
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
        trust->store = read_system();
    SSL_CTX_set1_cert_store(context, trust->store);
}
