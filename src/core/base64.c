/* SPDX-License-Identifier: MIT */
#include "core/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

/*
 * EVP_DecodeBlock() skips blanks, decodes padding to zero bytes and ignores stray bits, so the
 * result is encoded again and must be what was read.
 */
size_t base64_decode(const char *text, unsigned char *decoded, size_t size)
{
    unsigned char again[BASE64_TEXT_MAX + 1];
    size_t length = strlen(text);
    int count;
    bool is_same;

    if (length == 0 || length > BASE64_TEXT_MAX || length % 4 != 0 ||
        BASE64_DECODED_SIZE(length) > size)
        return 0;
    count = EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)length);
    if (count < 0)
        return 0;
    count -= (text[length - 1] == '=') + (text[length - 2] == '=');
    is_same = EVP_EncodeBlock(again, decoded, count) == (int)length &&
              CRYPTO_memcmp(again, text, length) == 0;
    OPENSSL_cleanse(again, sizeof(again));
    return is_same ? (size_t)count : 0;
}

size_t base64_decode_any(const char *text, unsigned char *decoded, size_t size)
{
    char standard[BASE64_TEXT_MAX + 1];
    size_t length = strcspn(text, "=");
    size_t padding = strlen(text + length);
    size_t missing = (4 - length % 4) % 4;
    size_t count = 0;

    if (length + missing <= BASE64_TEXT_MAX && padding <= missing) {
        for (size_t i = 0; i < length; i++)
            standard[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
        memset(standard + length, '=', missing);
        standard[length + missing] = '\0';
        if (strspn(text + length, "=") == padding)
            count = base64_decode(standard, decoded, size);
    }
    OPENSSL_cleanse(standard, sizeof(standard));
    return count;
}
