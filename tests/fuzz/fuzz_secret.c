/* SPDX-License-Identifier: MIT */
/*
 * fuzz_secret.c: signing secrets, one and several, from any text. No error may quote a secret.
 */
#include "core/secret.h"
#include "fuzz.h"

#define QUOTED_MAX 12 /* so much of what was given may be in a message */

static void check_error(const char *text, const struct error *error)
{
    demand(error->message[0] != '\0', "refused without a word");
    for (size_t i = 0; i + QUOTED_MAX < strlen(text); i++) {
        char part[QUOTED_MAX + 1];

        memcpy(part, text + i, QUOTED_MAX);
        part[QUOTED_MAX] = '\0';
        demand(strspn(part, "abcdefghijklmnopqrstuvwxyz ,_") == QUOTED_MAX ||
                   strstr(error->message, part) == NULL,
               "an error shows what was given");
    }
}

static void check_secret(const struct secret *secret)
{
    char text[SECRET_TEXT_SIZE];
    struct error error;

    if (secret->kind == SECRET_ED25519) {
        demand(secret->length == SECRET_ED25519_SEED_SIZE, "a seed of another length");
        demand(secret_format_public(secret, text, &error), "a key without its public one");
    } else
        demand(secret->length >= 24 && secret->length <= SECRET_BYTES_MAX, "a wrong length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct secret secret;
    struct secret_set set;
    struct error error;

    if (secret_parse(text, &secret, &error)) {
        check_secret(&secret);
        secret_wipe(&secret);
    } else
        check_error(text, &error);
    if (secret_set_parse(text, &set, &error)) {
        demand(set.count <= SECRET_SET_MAX, "too many");
        for (size_t i = 0; i < set.count; i++)
            check_secret(&set.secrets[i]);
        secret_set_wipe(&set);
    } else
        check_error(text, &error);
    free(text);
    return 0;
}
