/* SPDX-License-Identifier: MIT */
#include "command/sealing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool sealing_random(unsigned char *bytes, size_t size, struct error *error)
{
    return getrandom(bytes, size, 0) == (ssize_t)size ||
           error_set(error, "the system gives no random bytes: %s", strerror(errno));
}

bool sealing_seal(const struct sealing_keys *keys, const struct secret_scope *scope,
                  const char *secret, char text[SEALED_TEXT_SIZE], struct error *error)
{
    unsigned char nonce[SEALING_NONCE_BYTES];

    return sealing_random(nonce, sizeof(nonce), error) &&
           sealed_secret_seal(keys, scope, secret, nonce, text, error);
}

bool sealing_store(const struct sealing_keys *keys, const struct secret_scope *scope,
                   const char *secret, char text[SEALED_TEXT_SIZE], struct error *error)
{
    if (keys->count > 0)
        return sealing_seal(keys, scope, secret, text, error);
    snprintf(text, SEALED_TEXT_SIZE, "%s", secret);
    return true;
}
