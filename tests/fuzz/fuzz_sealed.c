/* SPDX-License-Identifier: MIT */
/*
 * fuzz_sealed.c: key files, and sealed secrets as a row may hold them. The input is a nonce, then a
 * text. No error may quote it; what opens must be what was sealed; what was changed in any place
 * must not open; the set and the single reader must agree.
 */
#include "core/sealed_secret.h"
#include "fuzz.h"

#define QUOTED_MAX 12 /* so much of what was given may be in a message */
#define SECRET     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static const char keys_text[] = "k AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
                                "old ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";

static const struct secret_scope scope = {"11111111-2222-3333-4444-555555555555", "https://a.b/c"};

/* From start on; what stands before it may be the name of a key, which is no secret. */
static void check_error(const char *text, size_t start, const struct error *error)
{
    demand(error->message[0] != '\0', "refused without a word");
    for (size_t i = start; i + QUOTED_MAX < strlen(text); i++) {
        char part[QUOTED_MAX + 1];

        memcpy(part, text + i, QUOTED_MAX);
        part[QUOTED_MAX] = '\0';
        demand(strspn(part, "abcdefghijklmnopqrstuvwxyz ,._\"") == QUOTED_MAX ||
                   strstr(error->message, part) == NULL,
               "an error shows what was given");
    }
}

static void check_keys(const char *text)
{
    struct sealing_keys keys;
    struct error error;

    if (!sealing_keys_parse(text, &keys, &error)) {
        demand(error.message[0] != '\0', "refused without a word");
        return;
    }
    demand(keys.count > 0 && keys.count <= SEALING_KEYS_MAX, "a strange number of keys");
    for (size_t i = 0; i < keys.count; i++)
        demand(keys.keys[i].name[0] != '\0', "a key without a name");
    sealing_keys_wipe(&keys);
}

/* Of text as a whole, if it is one line. */
static void check_open(const struct sealing_keys *keys, const char *text)
{
    char secret[SECRET_TEXT_SIZE];
    struct sealed_set_skipped skipped;
    struct secret_set set;
    struct error error;
    enum sealed_state state = sealed_secret_open(keys, &scope, text, secret, &error);
    enum sealed_set_result result = sealed_set_parse(keys, &scope, text, &set, &skipped, &error);

    if (result == SEALED_SET_OK)
        demand(set.count > 0 && set.count <= SECRET_SET_MAX, "a strange number of secrets");
    if (result == SEALED_SET_OK && skipped.count > 0 && strstr(text, "enc") == NULL)
        check_error(text, 0, &skipped.error);
    if (state == SEALED_UNREADABLE) {
        demand(secret[0] == '\0', "something is left of what was not opened");
        if (strstr(text, "enc") == NULL)
            check_error(text, 0, &error);
    } else {
        struct secret parsed;

        demand(secret_parse(secret, &parsed, &error), "what was opened is no secret");
        demand(result == SEALED_SET_OK && set.count == 1 && skipped.count == 0,
               "alone it is read, in a set it isn't");
    }
    /* By nobody else than who has the keys. */
    demand(state != SEALED_CURRENT && state != SEALED_OLD, "nonsense was opened");
}

/* A good one, and the same changed in one place. */
static void check_sealed(const struct sealing_keys *keys, const unsigned char *nonce,
                         const char *change)
{
    char text[SEALED_TEXT_SIZE];
    char secret[SECRET_TEXT_SIZE];
    struct error error;
    size_t at;

    demand(sealed_secret_seal(keys, &scope, SECRET, nonce, text, &error), "it can't be sealed");
    demand(sealed_secret_open(keys, &scope, text, secret, &error) == SEALED_CURRENT &&
               strcmp(secret, SECRET) == 0,
           "what was sealed does not open");
    if (strlen(change) < 2)
        return;
    at = (unsigned char)change[0] % strlen(text);
    if (text[at] == change[1])
        return;
    text[at] = change[1];
    demand(sealed_secret_open(keys, &scope, text, secret, &error) == SEALED_UNREADABLE,
           "it opens although it was changed");
    check_error(text, strlen("enc1:k:") + SEALING_KEY_NAME_MAX, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char nonce[SEALING_NONCE_BYTES] = {0};
    size_t taken = size < sizeof(nonce) ? size : sizeof(nonce);
    char *text = fuzz_text(data + taken, size - taken);
    struct sealing_keys keys;
    struct error error;

    memcpy(nonce, data, taken);
    demand(sealing_keys_parse(keys_text, &keys, &error), "its own keys are refused");
    check_keys(text);
    check_open(&keys, text);
    check_sealed(&keys, nonce, text);
    free(text);
    return 0;
}
