/* SPDX-License-Identifier: MIT */
#include "core/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/text.h"

_Static_assert(TOKEN_HASH_BYTES == SHA256_DIGEST_LENGTH, "a token's hash is SHA-256");

#define ENCODED 44 /* of 32 bytes in base64, the last letter of which is = */

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

static bool is_token_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

void token_format(const unsigned char random[TOKEN_BYTES], char text[TOKEN_SIZE])
{
    unsigned char encoded[ENCODED + 1];
    char *out = text + strlen(TOKEN_PREFIX);

    text_copy(text, TOKEN_SIZE, TOKEN_PREFIX);
    EVP_EncodeBlock(encoded, random, TOKEN_BYTES);
    for (size_t i = 0; i < ENCODED - 1; i++) {
        out[i] = (char)encoded[i];
        if (out[i] == '+')
            out[i] = '-';
        else if (out[i] == '/')
            out[i] = '_';
    }
    out[ENCODED - 1] = '\0';
    OPENSSL_cleanse(encoded, sizeof(encoded));
}

bool token_hash(const char *text, size_t length, unsigned char hash[TOKEN_HASH_BYTES])
{
    unsigned int written = 0;

    if (length != TOKEN_SIZE - 1 || memcmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0)
        return false;
    for (size_t i = strlen(TOKEN_PREFIX); i < length; i++)
        if (!is_token_letter(text[i]))
            return false;
    return EVP_Digest(text, length, hash, &written, EVP_sha256(), NULL) == 1 &&
           written == TOKEN_HASH_BYTES;
}

bool token_hash_is_same(const unsigned char a[TOKEN_HASH_BYTES],
                        const unsigned char b[TOKEN_HASH_BYTES])
{
    return CRYPTO_memcmp(a, b, TOKEN_HASH_BYTES) == 0;
}

static unsigned scope_of(const char *word, size_t length)
{
    static const struct {
        const char *word;
        enum token_scope scope;
    } words[] = {{"publish", TOKEN_PUBLISH}, {"read", TOKEN_READ}, {"operate", TOKEN_OPERATE}};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (strlen(words[i].word) == length && memcmp(words[i].word, word, length) == 0)
            return words[i].scope;
    return 0;
}

unsigned token_scopes(const char *text)
{
    unsigned scopes = 0;

    while (true) {
        size_t length = strcspn(text, ",");
        unsigned scope = scope_of(text, length);

        if (scope == 0)
            return 0;
        scopes |= scope;
        if (text[length] == '\0')
            return scopes;
        text += length + 1;
    }
}

bool token_name_is_good(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= TOKEN_NAME_MAX && name[0] != '.' && name[0] != '-' &&
           strspn(name, name_letters) == length;
}
