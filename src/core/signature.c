/* SPDX-License-Identifier: MIT */
#include "core/signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define SIGNATURE_BYTES_MAX 64 /* ed25519; SHA-256 has 32 */
#define SIGNATURE_TEXT_MAX  96 /* " v1a," and base64 of SIGNATURE_BYTES_MAX */

/* One secret, ready to sign: mac is set for HMAC, key and digest for ed25519. */
struct signing_key {
    enum secret_kind kind;
    EVP_MAC_CTX *mac;
    EVP_PKEY *key;
    EVP_MD_CTX *digest;
};

struct signer {
    size_t count;
    struct signing_key keys[SECRET_SET_MAX];
};

/* What is signed: start ("id.timestamp.") and body, one after the other. */
struct message {
    const char *start;
    size_t start_length;
    const void *body;
    size_t body_length;
};

static bool key_init_hmac(struct signing_key *key, const struct secret *secret)
{
    char digest_name[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    key->mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    return key->mac != NULL && EVP_MAC_init(key->mac, secret->key, secret->length, parameters) == 1;
}

static bool key_init_ed25519(struct signing_key *key, const struct secret *secret)
{
    key->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret->key, secret->length);
    key->digest = EVP_MD_CTX_new();
    return key->key != NULL && key->digest != NULL;
}

struct signer *signer_new(const struct secret_set *set, struct error *error)
{
    struct signer *signer;

    if (set->count == 0) {
        error_set(error, "there is no secret to sign with");
        return NULL;
    }
    signer = memory_new(1, sizeof(*signer));
    for (; signer->count < set->count; signer->count++) {
        const struct secret *secret = &set->secrets[signer->count];
        struct signing_key *key = &signer->keys[signer->count];

        key->kind = secret->kind;
        if (!(secret->kind == SECRET_HMAC ? key_init_hmac(key, secret)
                                          : key_init_ed25519(key, secret))) {
            error_set(error, "OpenSSL refuses secret %zu of %zu", signer->count + 1, set->count);
            signer->count++;
            signer_free(signer);
            return NULL;
        }
    }
    return signer;
}

/* OpenSSL wipes the keys in its contexts when they are freed. */
void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    for (size_t i = 0; i < signer->count; i++) {
        EVP_MAC_CTX_free(signer->keys[i].mac);
        EVP_MD_CTX_free(signer->keys[i].digest);
        EVP_PKEY_free(signer->keys[i].key);
    }
    free(signer);
}

static size_t sign_hmac(const struct signing_key *key, const struct message *message,
                        unsigned char signature[SIGNATURE_BYTES_MAX])
{
    size_t length = 0;

    /* Without a key and parameters this starts anew with those that the context has. */
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(key->mac, (const unsigned char *)message->start, message->start_length) !=
            1 ||
        EVP_MAC_update(key->mac, message->body, message->body_length) != 1 ||
        EVP_MAC_final(key->mac, signature, &length, SIGNATURE_BYTES_MAX) != 1)
        return 0;
    return length;
}

/* Pure ed25519 reads its message twice (RFC 8032, 5.1.6), so it wants it in one piece. */
static size_t sign_ed25519(const struct signing_key *key, const struct message *message,
                           unsigned char signature[SIGNATURE_BYTES_MAX])
{
    size_t total = message->start_length + message->body_length;
    unsigned char *whole = memory_new(total, 1);
    size_t length = SIGNATURE_BYTES_MAX;

    memcpy(whole, message->start, message->start_length);
    if (message->body_length > 0)
        memcpy(whole + message->start_length, message->body, message->body_length);
    if (EVP_DigestSignInit(key->digest, NULL, NULL, NULL, key->key) != 1 ||
        EVP_DigestSign(key->digest, signature, &length, whole, total) != 1)
        length = 0;
    free(whole);
    return length;
}

/* "id.timestamp." */
static struct buffer message_start(const char *id, int64_t timestamp_s)
{
    char number[TEXT_INTEGER_SIZE];
    struct buffer start;

    buffer_init(&start, strlen(id) + TEXT_INTEGER_SIZE + 2);
    buffer_append_string(&start, id);
    buffer_append(&start, ".", 1);
    buffer_append_string(&start, text_integer(timestamp_s, number));
    buffer_append(&start, ".", 1);
    return start;
}

bool signer_sign(struct signer *signer, const char *id, int64_t timestamp_s, const void *body,
                 size_t body_length, struct buffer *out, struct error *error)
{
    char header[SECRET_SET_MAX * SIGNATURE_TEXT_MAX];
    size_t used = 0;
    struct buffer start = message_start(id, timestamp_s);
    struct message message = {start.data, start.length, body, body_length};
    bool done = true;

    for (size_t i = 0; done && i < signer->count; i++) {
        const struct signing_key *key = &signer->keys[i];
        unsigned char signature[SIGNATURE_BYTES_MAX];
        bool is_hmac = key->kind == SECRET_HMAC;
        size_t length =
            is_hmac ? sign_hmac(key, &message, signature) : sign_ed25519(key, &message, signature);

        done = length > 0;
        used += text_copy(header + used, sizeof(header) - used, i > 0 ? " " : "");
        used += text_copy(header + used, sizeof(header) - used, is_hmac ? "v1," : "v1a,");
        used += (size_t)EVP_EncodeBlock((unsigned char *)header + used, signature, (int)length);
    }
    buffer_free(&start);
    if (!done)
        return error_set(error, "OpenSSL can't sign the message");
    if (!buffer_append(out, header, used))
        return error_set(error, "the signatures do not fit into the header");
    return true;
}
