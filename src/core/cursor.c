/* SPDX-License-Identifier: MIT */
#include "core/cursor.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/text.h"
#include "core/rfc3339.h"

#define ENCODED_MAX 128 /* of 76 bytes and less */
#define DECODED_MAX (ENCODED_MAX / 4 * 3)

/* Base64url without padding, as ordinary base64. */
static bool to_base64(const char *text, char base64[ENCODED_MAX + 1])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(text);

    if (length == 0 || length > ENCODED_MAX - 4 || strspn(text, letters) != length ||
        length % 4 == 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        base64[i] = text[i];
        if (text[i] == '-')
            base64[i] = '+';
        else if (text[i] == '_')
            base64[i] = '/';
    }
    while (length % 4 != 0)
        base64[length++] = '=';
    base64[length] = '\0';
    return true;
}

static bool is_time(const char *text)
{
    return rfc3339_is_moment(text) || strcmp(text, "infinity") == 0 ||
           strcmp(text, "-infinity") == 0;
}

static bool decode(const char *text, char plain[DECODED_MAX + 1])
{
    char base64[ENCODED_MAX + 1];

    memset(plain, 0, DECODED_MAX + 1);
    return to_base64(text, base64) &&
           EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)base64,
                           (int)strlen(base64)) >= 0;
}

bool cursor_read(const char *text, struct cursor *ret_cursor)
{
    char plain[DECODED_MAX + 1];
    char *blank;

    if (!decode(text, plain))
        return false;
    blank = strchr(plain, ' ');
    if (blank == NULL || (size_t)(blank - plain) >= CURSOR_TIME_SIZE || !text_is_uuid(blank + 1))
        return false;
    *blank = '\0';
    if (!is_time(plain))
        return false;
    text_copy(ret_cursor->time, sizeof(ret_cursor->time), plain);
    text_copy(ret_cursor->id, sizeof(ret_cursor->id), blank + 1);
    return true;
}

/* As many as an xid8 has, and less than PostgreSQL would refuse or take modulo something. */
static bool is_transaction(const char *text)
{
    static const char largest[] = "18446744073709551615";
    size_t length = strlen(text);

    return length > 0 && strspn(text, "0123456789") == length &&
           (length < strlen(largest) || (length == strlen(largest) && strcmp(text, largest) <= 0));
}

bool cursor_read_feed(const char *text, struct feed_cursor *ret_cursor)
{
    char plain[DECODED_MAX + 1];
    char *transaction, *id;

    if (!decode(text, plain))
        return false;
    transaction = strchr(plain, ' ');
    id = transaction == NULL ? NULL : strchr(transaction + 1, ' ');
    if (id == NULL || !text_is_uuid(id + 1))
        return false;
    *transaction++ = '\0';
    *id++ = '\0';
    if (strlen(plain) != 16 || strspn(plain, "0123456789abcdef") != 16 ||
        !is_transaction(transaction))
        return false;
    text_copy(ret_cursor->epoch, sizeof(ret_cursor->epoch), plain);
    text_copy(ret_cursor->transaction_id, sizeof(ret_cursor->transaction_id), transaction);
    text_copy(ret_cursor->id, sizeof(ret_cursor->id), id);
    return true;
}
