/* SPDX-License-Identifier: MIT */
#include "core/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "core/base64.h"

#define HMAC_BYTES_MIN      24
#define HMAC_BYTES_MAX      SECRET_BYTES_MAX
#define ED25519_PUBLIC_SIZE 32
#define ED25519_PAIR_SIZE   (SECRET_ED25519_SEED_SIZE + ED25519_PUBLIC_SIZE)
#define BASE64_MAX          BASE64_LENGTH(SECRET_BYTES_MAX)

static const char prefix_hmac[] = "whsec_";
static const char prefix_private[] = "whsk_";
static const char prefix_public[] = "whpk_";

static bool read_key(const char *base64, struct secret *secret, struct error *error)
{
    unsigned char decoded[BASE64_DECODED_SIZE(BASE64_MAX)];
    size_t length = base64_decode_any(base64, decoded, sizeof(decoded));

    if (length <= SECRET_BYTES_MAX) {
        memcpy(secret->key, decoded, length);
        secret->length = length;
    }
    OPENSSL_cleanse(decoded, sizeof(decoded));
    if (strlen(base64) > BASE64_MAX || length > SECRET_BYTES_MAX)
        return error_set(error, "the secret is longer than %d bytes in base64", SECRET_BYTES_MAX);
    if (length == 0)
        return error_set(error, "the secret is not base64 after its prefix");
    return true;
}

static bool derive_public(const unsigned char *seed, unsigned char public[ED25519_PUBLIC_SIZE],
                          struct error *error)
{
    size_t length = ED25519_PUBLIC_SIZE;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SECRET_ED25519_SEED_SIZE);
    bool done = key != NULL && EVP_PKEY_get_raw_public_key(key, public, &length) == 1;

    EVP_PKEY_free(key);
    return done || error_set(error, "OpenSSL can't derive an ed25519 public key");
}

static bool check_hmac(size_t length, struct error *error)
{
    if (length >= HMAC_BYTES_MIN)
        return true;
    return error_set(error, "a whsec_ secret has %d to %d bytes, and this one %zu", HMAC_BYTES_MIN,
                     HMAC_BYTES_MAX, length);
}

static bool check_ed25519(const unsigned char *bytes, size_t length, struct error *error)
{
    unsigned char public[ED25519_PUBLIC_SIZE];

    if (length == SECRET_ED25519_SEED_SIZE)
        return true;
    if (length != ED25519_PAIR_SIZE)
        return error_set(error, "a whsk_ key has %d or %d bytes, and this one %zu",
                         SECRET_ED25519_SEED_SIZE, ED25519_PAIR_SIZE, length);
    if (!derive_public(bytes, public, error))
        return false;
    if (memcmp(public, bytes + SECRET_ED25519_SEED_SIZE, sizeof(public)) == 0)
        return true;
    return error_set(error, "the public half of the whsk_ key does not belong to its seed");
}

/* The part after the prefix; NULL with an error when the prefix is none of a secret. */
static const char *split_prefix(const char *text, enum secret_kind *ret_kind, struct error *error)
{
    if (text_begins_with(text, prefix_hmac)) {
        *ret_kind = SECRET_HMAC;
        return text + strlen(prefix_hmac);
    }
    if (text_begins_with(text, prefix_private)) {
        *ret_kind = SECRET_ED25519;
        return text + strlen(prefix_private);
    }
    if (text_begins_with(text, prefix_public)) {
        error_set(error, "a whpk_ key is public, it can't sign");
        error_hint(error, "Give the whsk_ key that belongs to it.");
    } else {
        error_set(error, "a secret begins with whsec_ or whsk_");
        error_hint(error, "Make one with: postrider secret new%s", hint_options());
    }
    return NULL;
}

bool secret_parse(const char *text, struct secret *ret_secret, struct error *error)
{
    struct secret secret = {0};
    const char *base64 = split_prefix(text, &secret.kind, error);
    bool done;

    if (base64 == NULL)
        return false;
    done = read_key(base64, &secret, error) &&
           (secret.kind == SECRET_HMAC ? check_hmac(secret.length, error)
                                       : check_ed25519(secret.key, secret.length, error));
    if (done) {
        if (secret.kind == SECRET_ED25519)
            secret.length = SECRET_ED25519_SEED_SIZE;
        *ret_secret = secret;
    }
    secret_wipe(&secret);
    return done;
}

const char *secret_next_line(const char *text, char *line, size_t size, bool *ret_fits)
{
    const char *end = strchrnul(text, '\n');
    const char *next = *end == '\n' ? end + 1 : end;

    while (text < end && strchr(" \t\r", *text) != NULL)
        text++;
    while (end > text && strchr(" \t\r", end[-1]) != NULL)
        end--;
    if (*text == '#')
        end = text;
    *ret_fits = (size_t)(end - text) < size;
    snprintf(line, size, "%.*s", (int)(end - text), text);
    return next;
}

bool secret_set_add(struct secret_set *set, const char *text, struct error *error)
{
    struct secret secret;
    bool has_room = set->count < SECRET_SET_MAX;

    if (!secret_parse(text, &secret, error))
        return false;
    if (has_room)
        set->secrets[set->count++] = secret;
    secret_wipe(&secret);
    return has_room || error_set(error, "there are more than %d secrets", SECRET_SET_MAX);
}

bool secret_set_parse(const char *text, struct secret_set *ret_set, struct error *error)
{
    struct secret_set set = {0};
    char line[SECRET_TEXT_SIZE];
    bool done = true;

    for (int number = 1; done && *text != '\0'; number++) {
        bool fits;

        text = secret_next_line(text, line, sizeof(line), &fits);
        if (!fits)
            done = error_set(error, "this is longer than any secret");
        else if (*line != '\0')
            done = secret_set_add(&set, line, error);
        if (!done)
            error_prefix(error, "line %d", number);
    }
    if (done && set.count == 0)
        done = error_set(error, "it holds no secret");
    if (done)
        *ret_set = set;
    OPENSSL_cleanse(line, sizeof(line));
    secret_set_wipe(&set);
    return done;
}

static void write_text(const char *prefix, const unsigned char *bytes, size_t length,
                       char text[SECRET_TEXT_SIZE])
{
    snprintf(text, SECRET_TEXT_SIZE, "%s", prefix);
    EVP_EncodeBlock((unsigned char *)text + strlen(prefix), bytes, (int)length);
}

bool secret_format(enum secret_kind kind, const unsigned char *random_bytes,
                   char text[SECRET_TEXT_SIZE], struct error *error)
{
    unsigned char pair[ED25519_PAIR_SIZE];
    bool done;

    if (kind == SECRET_HMAC) {
        write_text(prefix_hmac, random_bytes, SECRET_NEW_BYTES, text);
        return true;
    }
    memcpy(pair, random_bytes, SECRET_ED25519_SEED_SIZE);
    done = derive_public(pair, pair + SECRET_ED25519_SEED_SIZE, error);
    if (done)
        write_text(prefix_private, pair, sizeof(pair), text);
    OPENSSL_cleanse(pair, sizeof(pair));
    return done;
}

bool secret_format_public(const struct secret *secret, char text[SECRET_TEXT_SIZE],
                          struct error *error)
{
    unsigned char public[ED25519_PUBLIC_SIZE];

    if (secret->kind != SECRET_ED25519)
        return error_set(error, "a whsec_ secret is symmetric, it has no public key");
    if (!derive_public(secret->key, public, error))
        return false;
    write_text(prefix_public, public, sizeof(public), text);
    return true;
}

void secret_wipe(struct secret *secret)
{
    OPENSSL_cleanse(secret, sizeof(*secret));
}

void secret_set_wipe(struct secret_set *set)
{
    OPENSSL_cleanse(set, sizeof(*set));
}
