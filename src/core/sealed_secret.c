/* SPDX-License-Identifier: MIT */
#include "core/sealed_secret.h"

#include <ctype.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "core/base64.h"

#define TAG_BYTES      16
#define PACKED_MAX     (SEALING_NONCE_BYTES + SECRET_TEXT_SIZE + TAG_BYTES)
#define KEY_LINE_SIZE  128
#define ASSOCIATED_MAX ((size_t)1 << 30) /* a URL in PostgreSQL has less */

static const char form[] = "enc1:";
static const char name_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

/* --- keys --- */

static bool check_name(const char *name, size_t length, struct error *error)
{
    if (length <= SEALING_KEY_NAME_MAX && strspn(name, name_characters) >= length)
        return true;
    return error_set(error,
                     "the name of a key has at most %d letters, digits, \"-\", \"_\" and \".\"",
                     SEALING_KEY_NAME_MAX);
}

static bool check_new(const struct sealing_keys *keys, const struct sealing_key *key,
                      struct error *error)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].name, key->name) == 0)
            return error_set(error, "there are two keys of the name \"%s\"", key->name);
        if (CRYPTO_memcmp(keys->keys[i].bytes, key->bytes, sizeof(key->bytes)) == 0)
            return error_set(error, "it is the same key as \"%s\"", keys->keys[i].name);
    }
    return true;
}

/* "NAME BASE64" */
static bool read_key(const char *line, struct sealing_key *key, struct error *error)
{
    size_t length = strcspn(line, " \t");
    const char *base64 = line + length + strspn(line + length, " \t");
    unsigned char decoded[BASE64_DECODED_SIZE(BASE64_LENGTH(SEALING_KEY_BYTES))];
    bool is_key;

    if (*base64 == '\0')
        return error_set(error, "a line is the name of a key, a blank, and %d bytes in base64",
                         SEALING_KEY_BYTES);
    if (!check_name(line, length, error))
        return false;
    is_key = base64_decode_any(base64, decoded, sizeof(decoded)) == SEALING_KEY_BYTES;
    if (is_key) {
        snprintf(key->name, sizeof(key->name), "%.*s", (int)length, line);
        memcpy(key->bytes, decoded, sizeof(key->bytes));
    }
    OPENSSL_cleanse(decoded, sizeof(decoded));
    if (is_key)
        return true;
    error_set(error, "a key is %d bytes in base64", SEALING_KEY_BYTES);
    return error_hint(error, "openssl rand -base64 %d makes them", SEALING_KEY_BYTES);
}

static bool add_key(struct sealing_keys *keys, const char *line, struct error *error)
{
    if (keys->count == SEALING_KEYS_MAX)
        return error_set(error, "there are more than %d keys", SEALING_KEYS_MAX);
    if (!read_key(line, &keys->keys[keys->count], error) ||
        !check_new(keys, &keys->keys[keys->count], error))
        return false;
    keys->count++;
    return true;
}

bool sealing_keys_parse(const char *text, struct sealing_keys *ret_keys, struct error *error)
{
    struct sealing_keys keys = {0};
    char line[KEY_LINE_SIZE];
    bool done = true;

    for (int number = 1; done && *text != '\0'; number++) {
        bool fits;

        text = secret_next_line(text, line, sizeof(line), &fits);
        if (!fits)
            done = error_set(error, "this is longer than any key");
        else if (*line != '\0')
            done = add_key(&keys, line, error);
        if (!done)
            error_prefix(error, "line %d", number);
    }
    if (done && keys.count == 0)
        done = error_set(error, "it holds no key");
    if (done)
        *ret_keys = keys;
    OPENSSL_cleanse(line, sizeof(line));
    sealing_keys_wipe(&keys);
    return done;
}

void sealing_keys_wipe(struct sealing_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}

/* --- AES-256-GCM --- */

/* "enc1:NAME:", customer and URL. A name has no ":", a customer no line feed, and the URL is last.
 */
static struct buffer associate(const char *key_name, const struct secret_scope *scope)
{
    struct buffer data;

    buffer_init(&data, ASSOCIATED_MAX);
    buffer_append_format(&data, "%s%s:", form, key_name);
    for (const char *c = scope->customer; *c != '\0'; c++) {
        char lower = (char)tolower((unsigned char)*c);

        buffer_append(&data, &lower, 1);
    }
    buffer_append(&data, "\n", 1);
    buffer_append_string(&data, scope->url);
    return data;
}

/* In place; the tag is written when sealing, and compared (by OpenSSL, in constant time) when
 * opening. */
static bool run_cipher(const struct sealing_key *key, const struct secret_scope *scope,
                       const unsigned char *nonce, unsigned char *bytes, size_t length,
                       unsigned char *tag, bool is_sealing)
{
    struct buffer data = associate(key->name, scope);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned char rest[TAG_BYTES];
    int written = 0;
    bool done =
        context != NULL && !data.overflowed && length <= INT_MAX &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, nonce, is_sealing) == 1 &&
        EVP_CipherUpdate(context, NULL, &written, (const unsigned char *)data.data,
                         (int)data.length) == 1 &&
        EVP_CipherUpdate(context, bytes, &written, bytes, (int)length) == 1;

    if (done && !is_sealing)
        done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1;
    done = done && EVP_CipherFinal_ex(context, rest, &written) == 1;
    if (done && is_sealing)
        done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(context); /* wipes the key in it */
    buffer_free(&data);
    return done;
}

bool sealed_secret_seal(const struct sealing_keys *keys, const struct secret_scope *scope,
                        const char *secret, const unsigned char nonce[SEALING_NONCE_BYTES],
                        char text[SEALED_TEXT_SIZE], struct error *error)
{
    const struct sealing_key *key = &keys->keys[0];
    unsigned char packed[PACKED_MAX];
    size_t length = strlen(secret);
    int used;

    if (keys->count == 0)
        return error_set(error, "there is no key to seal with");
    if (length >= SECRET_TEXT_SIZE)
        return error_set(error, "this is longer than any secret");
    memcpy(packed, nonce, SEALING_NONCE_BYTES);
    snprintf((char *)packed + SEALING_NONCE_BYTES, SECRET_TEXT_SIZE, "%s", secret);
    if (!run_cipher(key, scope, nonce, packed + SEALING_NONCE_BYTES, length,
                    packed + SEALING_NONCE_BYTES + length, true)) {
        OPENSSL_cleanse(packed, sizeof(packed));
        return error_set(error, "OpenSSL can't encrypt with AES-256-GCM");
    }
    used = snprintf(text, SEALED_TEXT_SIZE, "%s%s:", form, key->name);
    EVP_EncodeBlock((unsigned char *)text + used, packed,
                    (int)(SEALING_NONCE_BYTES + length + TAG_BYTES));
    return true;
}

_Static_assert(sizeof("enc1::") + SEALING_KEY_NAME_MAX + BASE64_LENGTH(PACKED_MAX) <=
                   SEALED_TEXT_SIZE,
               "SEALED_TEXT_SIZE is too small");
_Static_assert(BASE64_LENGTH(PACKED_MAX) <= BASE64_TEXT_MAX, "BASE64_TEXT_MAX is too small");

/* --- opening --- */

/* Also of a later form, which must not be taken for a plain secret that is wrong. */
static bool is_sealed(const char *text)
{
    return strncmp(text, "enc", 3) == 0 && isdigit((unsigned char)text[3]);
}

/* The base64 after "enc1:NAME:", and the name; NULL when text has another form. */
static const char *split(const char *text, char name[SEALING_KEY_NAME_MAX + 1])
{
    const char *start = text + strlen(form);
    size_t length;

    if (!text_begins_with(text, form))
        return NULL;
    length = strspn(start, name_characters);
    if (length == 0 || length > SEALING_KEY_NAME_MAX || start[length] != ':')
        return NULL;
    snprintf(name, SEALING_KEY_NAME_MAX + 1, "%.*s", (int)length, start);
    return start + length + 1;
}

void sealed_secret_key_name(const char *text, char name[SEALING_KEY_NAME_MAX + 1])
{
    if (split(text, name) == NULL)
        name[0] = '\0';
}

static const struct sealing_key *find_key(const struct sealing_keys *keys, const char *name,
                                          struct error *error)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].name, name) == 0)
            return &keys->keys[i];
    if (keys->count == 0)
        error_set(error, "it is sealed with the key \"%s\", and signing.key_file is not set", name);
    else
        error_set(error, "it is sealed with the key \"%s\", which is not in signing.key_file",
                  name);
    return NULL;
}

/* Why a sealed secret does not open. */
enum opening {
    OPENED,
    OPENING_NEEDS_KEY, /* with another key it might */
    OPENING_BROKEN,    /* no key opens it: it is not whole */
};

static enum opening unpack(const struct sealing_key *key, const struct secret_scope *scope,
                           const char *base64, char ret_secret[SECRET_TEXT_SIZE],
                           struct error *error)
{
    unsigned char packed[BASE64_DECODED_SIZE(BASE64_TEXT_MAX)];
    unsigned char *sealed = packed + SEALING_NONCE_BYTES;
    size_t size = base64_decode(base64, packed, sizeof(packed));
    size_t length = size - SEALING_NONCE_BYTES - TAG_BYTES;
    enum opening result = OPENED;

    if (size <= SEALING_NONCE_BYTES + TAG_BYTES || length >= SECRET_TEXT_SIZE) {
        error_set(error, "it begins as a sealed secret, but is none: it was cut or changed");
        result = OPENING_BROKEN;
    } else if (!run_cipher(key, scope, packed, sealed, length, sealed + length, false)) {
        error_set(error,
                  "it does not open with the key \"%s\": it was changed, or sealed for another "
                  "customer or URL, or the key is another one",
                  key->name);
        result = OPENING_NEEDS_KEY;
    } else {
        memcpy(ret_secret, sealed, length);
        ret_secret[length] = '\0';
    }
    OPENSSL_cleanse(packed, sizeof(packed));
    return result;
}

/* text is sealed. */
static enum opening open_sealed(const struct sealing_keys *keys, const struct secret_scope *scope,
                                const char *text, char ret_secret[SECRET_TEXT_SIZE],
                                struct error *error)
{
    char name[SEALING_KEY_NAME_MAX + 1];
    const char *base64 = split(text, name);
    const struct sealing_key *key;

    if (base64 == NULL) {
        error_set(error, "it is sealed in a form that this version can't read");
        return OPENING_NEEDS_KEY;
    }
    key = find_key(keys, name, error);
    return key != NULL ? unpack(key, scope, base64, ret_secret, error) : OPENING_NEEDS_KEY;
}

static bool check_secret(const char *text, struct error *error)
{
    struct secret secret;

    if (!secret_parse(text, &secret, error))
        return false;
    secret_wipe(&secret);
    return true;
}

static enum sealed_state open_line(const struct sealing_keys *keys,
                                   const struct secret_scope *scope, const char *line,
                                   char ret_secret[SECRET_TEXT_SIZE], struct error *error)
{
    char name[SEALING_KEY_NAME_MAX + 1];

    if (is_sealed(line)) {
        if (open_sealed(keys, scope, line, ret_secret, error) != OPENED)
            return SEALED_UNREADABLE;
        sealed_secret_key_name(line, name);
        return strcmp(name, keys->keys[0].name) == 0 ? SEALED_CURRENT : SEALED_OLD;
    }
    if (strlen(line) >= SECRET_TEXT_SIZE) {
        error_set(error, "this is longer than any secret");
        return SEALED_UNREADABLE;
    }
    snprintf(ret_secret, SECRET_TEXT_SIZE, "%s", line);
    return SEALED_PLAIN;
}

enum sealed_state sealed_secret_open(const struct sealing_keys *keys,
                                     const struct secret_scope *scope, const char *text,
                                     char ret_secret[SECRET_TEXT_SIZE], struct error *error)
{
    char line[SEALED_TEXT_SIZE];
    bool fits;
    const char *rest = secret_next_line(text, line, sizeof(line), &fits);
    enum sealed_state state = SEALED_UNREADABLE;

    ret_secret[0] = '\0';
    if (!fits || *rest != '\0')
        error_set(error, "it is not one secret, alone in its row");
    else
        state = open_line(keys, scope, line, ret_secret, error);
    if (state != SEALED_UNREADABLE && !check_secret(ret_secret, error))
        state = SEALED_UNREADABLE;
    if (state == SEALED_UNREADABLE)
        OPENSSL_cleanse(ret_secret, SECRET_TEXT_SIZE);
    OPENSSL_cleanse(line, sizeof(line));
    return state;
}

/* A set while it is read. */
struct reading {
    struct secret_set set;
    struct sealed_set_skipped skipped;
    bool is_closed;         /* one needs another key */
    bool is_broken;         /* one is sealed and not whole: alone it is like one that needs a key */
    bool has_many;          /* more than there is room for */
    struct error closed_by; /* the first of those */
};

/* Secrets are many in a set, and each is said by its line. */
static void skip(struct reading *reading, int line, const struct error *error)
{
    if (reading->skipped.count++ > 0)
        return;
    reading->skipped.line = line;
    reading->skipped.error = *error;
}

static void close_set(struct reading *reading, const struct error *error)
{
    if (!reading->is_closed)
        reading->closed_by = *error;
    reading->is_closed = true;
}

static void add_secret(struct reading *reading, const char *secret, int line)
{
    struct error error;

    if (!check_secret(secret, &error))
        skip(reading, line, &error);
    else if (!secret_set_add(&reading->set, secret, &error))
        reading->has_many = true;
}

static void add_line(struct reading *reading, const struct sealing_keys *keys,
                     const struct secret_scope *scope, const char *text, int line)
{
    char secret[SECRET_TEXT_SIZE];
    struct error error;

    if (!is_sealed(text)) {
        add_secret(reading, text, line);
        return;
    }
    switch (open_sealed(keys, scope, text, secret, &error)) {
    case OPENED:
        add_secret(reading, secret, line);
        break;
    case OPENING_NEEDS_KEY:
        close_set(reading, &error);
        break;
    case OPENING_BROKEN:
        reading->is_broken = true;
        skip(reading, line, &error);
        break;
    }
    OPENSSL_cleanse(secret, sizeof(secret));
}

/* Also of a later version's, which may be longer. */
static void note_long_line(struct reading *reading, const char *beginning, int line)
{
    struct error error;

    error_set(&error, "this is longer than any secret");
    if (is_sealed(beginning))
        close_set(reading, &error);
    else
        skip(reading, line, &error);
}

static enum sealed_set_result decide(const struct reading *reading, struct error *error)
{
    if (reading->is_closed) {
        *error = reading->closed_by;
        return SEALED_SET_CLOSED;
    }
    if (reading->has_many) {
        error_set(error, "there are more than %d secrets", SECRET_SET_MAX);
        return SEALED_SET_INVALID;
    }
    if (reading->set.count > 0)
        return SEALED_SET_OK;
    if (reading->skipped.count == 0) {
        error_set(error, "it holds no secret");
        return SEALED_SET_INVALID;
    }
    *error = reading->skipped.error;
    if (reading->is_broken)
        return SEALED_SET_CLOSED;
    error_prefix(error, "line %d", reading->skipped.line);
    return SEALED_SET_INVALID;
}

enum sealed_set_result sealed_set_parse(const struct sealing_keys *keys,
                                        const struct secret_scope *scope, const char *text,
                                        struct secret_set *ret_set,
                                        struct sealed_set_skipped *ret_skipped, struct error *error)
{
    struct reading reading = {.is_closed = false};
    char line[SEALED_TEXT_SIZE];
    enum sealed_set_result result;

    for (int number = 1; *text != '\0'; number++) {
        bool fits;

        text = secret_next_line(text, line, sizeof(line), &fits);
        if (!fits)
            note_long_line(&reading, line, number);
        else if (*line != '\0')
            add_line(&reading, keys, scope, line, number);
    }
    result = decide(&reading, error);
    if (result == SEALED_SET_OK) {
        *ret_set = reading.set;
        *ret_skipped = reading.skipped;
    }
    OPENSSL_cleanse(line, sizeof(line));
    secret_set_wipe(&reading.set);
    return result;
}
