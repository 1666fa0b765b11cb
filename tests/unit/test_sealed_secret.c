/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/sealed_secret.h"

#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define LONGEST                                                                     \
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ" \
    "6p9lMicMFs6Kvg=="
#define CUSTOMER "11111111-2222-3333-4444-5555aaaa5555"
#define URL      "https://shop.example/hook"

/* The bytes 00 01 … 1f, and 20 21 … 3f. */
#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

#define REFERENCE                                                             \
    "enc1:k:YWJjZGVmZ2hpamtsiF8EOmK8u9JbgCDGjkoAVaiY04cQtRBozyYE5MrcZkQDhgx/" \
    "4Af4AotZ3p1lxlrK0AZ2VBai"

/* Of SECRET_TEXT_SIZE letters, a byte more than fits. */
#define TOO_LONG                                                       \
    "enc1:k:"                                                          \
    "YWJjZGVmZ2hpamtsh08PJ3mbjsxoqWHMznUzdKGS/4gCmDhUjxcwzOjtcQ43nzhm" \
    "ywjAjlX7eJY/VOVvCxx94rQ0A601R1RKMKSefaEf75sj/jV9OAYNuo8lOE94O+Iz" \
    "ZDiA3kgdzXf11u0lAcMKvZu0Qd/1exSrrCPScMx3mtIxWz9bnQ5OkpkRwfKoC5dY" \
    "gPQ/kNv44Uf1KnJb"

static const unsigned char nonce[SEALING_NONCE_BYTES] = "abcdefghijkl";
static const struct secret_scope scope = {CUSTOMER, URL};

static struct sealing_keys read_keys(const char *text)
{
    struct sealing_keys keys;
    struct error error;

    check_case(sealing_keys_parse(text, &keys, &error), "%s", error.message);
    return keys;
}

static void seal(const struct sealing_keys *keys, const char *secret, char text[SEALED_TEXT_SIZE])
{
    struct error error;

    check_case(sealed_secret_seal(keys, &scope, secret, nonce, text, &error), "%s", error.message);
}

static void check_open(const struct sealing_keys *keys, const struct secret_scope *of,
                       const char *text, enum sealed_state expected, const char *contents)
{
    char secret[SECRET_TEXT_SIZE];
    struct error error = {0};

    check_case(sealed_secret_open(keys, of, text, secret, &error) == expected, "%s: %s", text,
               error.message);
    if (expected == SEALED_UNREADABLE) {
        assert_string_equal(secret, "");
        check_case(strstr(error.message, contents) != NULL, "%s: %s", text, error.message);
    } else
        assert_string_equal(secret, contents);
}

static void test_keys(void **state)
{
    struct sealing_keys keys =
        read_keys("# rotated in May\n\n  2026b \t " KEY_A "\r\n2026-a_. " KEY_B);

    (void)state;
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.keys[0].name, "2026b");
    assert_string_equal(keys.keys[1].name, "2026-a_.");
    for (size_t i = 0; i < SEALING_KEY_BYTES; i++) {
        assert_int_equal(keys.keys[0].bytes[i], i);
        assert_int_equal(keys.keys[1].bytes[i], SEALING_KEY_BYTES + i);
    }
}

static void test_keys_that_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "it holds no key"},
        {"# none\n\n", "it holds no key"},
        {KEY_A, "line 1: a line is the name of a key, a blank, and 32 bytes in base64"},
        {"\na ", "line 2: a line is the name"},
        {"a b " KEY_A, "line 1: a key is 32 bytes in base64"},
        {"a " KEY_A "\na " KEY_B, "line 2: there are two keys of the name \"a\""},
        {"a " KEY_A "\nb " KEY_A, "line 2: it is the same key as \"a\""},
        {"a:b " KEY_A, "line 1: the name of a key has at most 32"},
        {"ä " KEY_A, "line 1: the name of a key has at most 32"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx " KEY_A, "line 1: the name of a key has at most 32"},
        {"a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "line 1: a key is 32 bytes"},
        {"a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", NULL},
        {"a " KEY_A "\nb AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
         "line 2: it is the same key"},
        {"a " KEY_A "AAAA", "line 1: a key is 32 bytes"},
        {"a                                                                           " KEY_A,
         NULL},
        {"a                                                                                       "
         "                                            " KEY_A,
         "line 1: this is longer than any key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sealing_keys keys = {.count = 7};
        struct error error = {0};
        bool done = sealing_keys_parse(cases[i].text, &keys, &error);

        check_case(done == (cases[i].reason == NULL), "%s", cases[i].text);
        if (done)
            continue;
        check_case(strstr(error.message, cases[i].reason) != NULL, "%s: %s", cases[i].text,
                   error.message);
        check_case(strstr(error.message, "AAEC") == NULL, "quotes a key: %s", error.message);
        assert_int_equal(keys.count, 7);
    }
}

static void test_not_too_many_keys(void **state)
{
    char text[(SEALING_KEYS_MAX + 1) * 64] = "";
    struct sealing_keys keys;
    struct error error;

    (void)state;
    for (int i = 0; i <= SEALING_KEYS_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%d %.2s%s\n", i,
                 &"QAQBQCQDQEQFQGQHQIQJQKQLQMQNQOQPQQ"[2 * i], &KEY_A[2]);
    assert_false(sealing_keys_parse(text, &keys, &error));
    assert_non_null(strstr(error.message, "line 17: there are more than 16 keys"));
}

/* Python's cryptography: AESGCM(key).encrypt(nonce, secret, associated). */
static void test_value_of_another_implementation(void **state)
{
    struct sealing_keys keys = read_keys("k " KEY_A);
    char text[SEALED_TEXT_SIZE];

    (void)state;
    seal(&keys, WHSEC, text);
    assert_string_equal(text, REFERENCE);
    check_open(&keys, &scope, REFERENCE, SEALED_CURRENT, WHSEC);
}

static void test_states(void **state)
{
    struct sealing_keys old = read_keys("old " KEY_A);
    struct sealing_keys both = read_keys("new " KEY_B "\nold " KEY_A);
    struct sealing_keys none = {0};
    char text[SEALED_TEXT_SIZE];
    char name[SEALING_KEY_NAME_MAX + 1];

    (void)state;
    seal(&old, WHSEC, text);
    sealed_secret_key_name(text, name);
    assert_string_equal(name, "old");
    check_open(&old, &scope, text, SEALED_CURRENT, WHSEC);
    check_open(&both, &scope, text, SEALED_OLD, WHSEC);
    check_open(&none, &scope, text, SEALED_UNREADABLE,
               "sealed with the key \"old\", and signing.key_file is not set");
    check_open(&none, &scope, WHSEC, SEALED_PLAIN, WHSEC);
    check_open(&both, &scope, " " WHSEC "\t\n", SEALED_PLAIN, WHSEC);
    sealed_secret_key_name(WHSEC, name);
    assert_string_equal(name, "");
    seal(&both, WHSEC, text);
    check_open(&both, &scope, text, SEALED_CURRENT, WHSEC);
    check_open(&old, &scope, text, SEALED_UNREADABLE,
               "sealed with the key \"new\", which is not in signing.key_file");
}

/* The longest of both halves fits, and comes back as it was. */
static void test_lengths(void **state)
{
    struct sealing_keys keys = read_keys("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx " KEY_A);
    char longest[SECRET_TEXT_SIZE + 1];
    char text[SEALED_TEXT_SIZE];
    struct error error;

    (void)state;
    seal(&keys, LONGEST, text);
    check_open(&keys, &scope, text, SEALED_CURRENT, LONGEST);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[SECRET_TEXT_SIZE] = '\0';
    assert_false(sealed_secret_seal(&keys, &scope, longest, nonce, text, &error));
    longest[SECRET_TEXT_SIZE - 1] = '\0';
    seal(&keys, longest, text);
    check_open(&keys, &scope, text, SEALED_UNREADABLE, "begins with whsec_");
    check_open(&keys, &scope, LONGEST "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SEALED_UNREADABLE,
               "longer than any secret");
}

/* By somebody who has the key, but not this program. */
static void test_longer_than_any_secret_inside(void **state)
{
    struct sealing_keys keys = read_keys("k " KEY_A);

    (void)state;
    check_open(&keys, &scope, TOO_LONG, SEALED_UNREADABLE, "it was cut or changed");
}

static void test_nothing_to_seal_with(void **state)
{
    struct sealing_keys none = {0};
    char text[SEALED_TEXT_SIZE];
    struct error error;

    (void)state;
    assert_false(sealed_secret_seal(&none, &scope, WHSEC, nonce, text, &error));
    assert_string_equal(error.message, "there is no key to seal with");
}

static void test_bound_to_its_row(void **state)
{
    static const struct secret_scope others[] = {
        {CUSTOMER, ""},
        {CUSTOMER, URL "/"},
        {CUSTOMER, "https://shop.example/hooK"},
        {"11111111-2222-3333-4444-5555aaaa5556", URL},
        {CUSTOMER "\nh", "ttps://shop.example/hook"},
    };
    static const struct secret_scope upper = {"11111111-2222-3333-4444-5555AAAA5555", URL};
    struct sealing_keys keys = read_keys("k " KEY_A);
    struct sealing_keys renamed = read_keys("l " KEY_A);
    char text[SEALED_TEXT_SIZE];

    (void)state;
    seal(&keys, WHSEC, text);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        check_open(&keys, &others[i], text, SEALED_UNREADABLE, "it does not open with the key");
    check_open(&keys, &upper, text, SEALED_CURRENT, WHSEC);
    text[strlen("enc1:")] = 'l';
    check_open(&renamed, &scope, text, SEALED_UNREADABLE, "it does not open with the key \"l\"");
}

/* Whatever character is changed, added or taken away: it opens no more, and no error quotes it. */
static void test_tampering(void **state)
{
    struct sealing_keys keys = read_keys("k " KEY_A);
    char text[SEALED_TEXT_SIZE];
    size_t length;

    (void)state;
    seal(&keys, WHSEC, text);
    length = strlen(text);
    for (size_t i = 3; i < length; i++) {
        char changed[SEALED_TEXT_SIZE];
        char secret[SECRET_TEXT_SIZE];
        struct error error;

        memcpy(changed, text, sizeof(changed));
        changed[i] = changed[i] == 'B' ? 'C' : 'B';
        if (i == 3) /* "encB": plain text, and no secret */
            check_open(&keys, &scope, changed, SEALED_UNREADABLE, "a secret begins with whsec_");
        assert_int_equal(sealed_secret_open(&keys, &scope, changed, secret, &error),
                         SEALED_UNREADABLE);
        check_case(strstr(error.message, text + 10) == NULL, "%s", error.message);
        memcpy(changed, text, sizeof(changed));
        changed[i] = '\0';
        assert_int_equal(sealed_secret_open(&keys, &scope, changed, secret, &error),
                         SEALED_UNREADABLE);
    }
    strncat(text, "AAAA", sizeof(text) - length - 1);
    check_open(&keys, &scope, text, SEALED_UNREADABLE, "it does not open");
}

static void test_what_only_looks_sealed(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"enc2:k:AAAA", "in a form that this version can't read"},
        {"enc1", "in a form that this version can't read"},
        {"enc1:", "in a form that this version can't read"},
        {"enc1::AAAA", "in a form that this version can't read"},
        {"enc1:k", "in a form that this version can't read"},
        {"enc1:k:", "it was cut or changed"},
        {"enc1:k:AAAA", "it was cut or changed"},
        {"enc1:k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "it was cut or changed"},
        {"enc1:k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "it does not open"},
        {"enc1:other:AAAA", "which is not in signing.key_file"},
        {"", "begins with whsec_"},
        {"encore", "begins with whsec_"},
        {"# " WHSEC, "begins with whsec_"},
        {WHSEC "\n" WHSEC, "not one secret, alone in its row"},
    };
    struct sealing_keys keys = read_keys("k " KEY_A);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_open(&keys, &scope, cases[i].text, SEALED_UNREADABLE, cases[i].reason);
}

static void check_set(const struct sealing_keys *keys, const char *text,
                      enum sealed_set_result expected, size_t count, const char *reason)
{
    struct secret_set set = {.count = 99};
    struct sealed_set_skipped skipped = {.count = 99};
    struct error error = {0};

    check_case(sealed_set_parse(keys, &scope, text, &set, &skipped, &error) == expected, "%s: %s",
               text, error.message);
    if (expected == SEALED_SET_OK) {
        assert_int_equal(set.count, count);
        check_case((skipped.count > 0) == (reason != NULL), "%s: %d", text, skipped.count);
        check_case(reason == NULL || strstr(skipped.error.message, reason) != NULL, "%s: %s", text,
                   skipped.error.message);
    } else {
        assert_int_equal(skipped.count, 99);
        assert_int_equal(set.count, 99);
        check_case(strstr(error.message, reason) != NULL, "%s: %s", text, error.message);
    }
}

static void test_sets(void **state)
{
    struct sealing_keys keys = read_keys("k " KEY_A);
    struct sealing_keys none = {0};
    char text[SEALED_TEXT_SIZE];
    char *mixed;

    (void)state;
    seal(&keys, WHSEC, text);
    mixed = memory_format("%s\n# a comment\n\n %s\r\n", text, OTHER);
    check_set(&keys, mixed, SEALED_SET_OK, 2, NULL);
    check_set(&none, mixed, SEALED_SET_CLOSED, 0, "signing.key_file is not set");
    check_set(&none, OTHER, SEALED_SET_OK, 1, NULL);
    check_set(&none, "", SEALED_SET_INVALID, 0, "holds no secret");
    check_set(&none, OTHER "\nnonsense", SEALED_SET_OK, 1, "a secret begins with");
    check_set(&none, "nonsense\nwhsec_x", SEALED_SET_INVALID, 0, "line 1: a secret begins with");
    free(mixed);
    text[strlen(text) - 3]++;
    mixed = memory_format("%s\n%s", OTHER, text);
    check_set(&keys, mixed, SEALED_SET_CLOSED, 0, "it does not open");
    free(mixed);
    /* Perhaps a later version's. */
    mixed = memory_format("enc2:k:%0*d", SEALED_TEXT_SIZE, 0);
    check_set(&keys, mixed, SEALED_SET_CLOSED, 0, "longer than any secret");
    check_set(&keys, mixed + strlen("enc2:k:"), SEALED_SET_INVALID, 0,
              "line 1: this is longer than any secret");
    free(mixed);
    /* Sealed by hand, and no secret: no key opens what isn't there. */
    seal(&keys, "nonsense", text);
    check_set(&keys, text, SEALED_SET_INVALID, 0, "line 1: a secret begins with");
}

/* What no key makes readable is left out beside what can be read; what a key may open is not. */
static void test_sets_in_which_some_can_not_be_read(void **state)
{
    struct sealing_keys keys = read_keys("k " KEY_A);
    struct sealing_keys none = {0};
    struct sealed_set_skipped skipped;
    struct secret_set set;
    struct error error;
    char text[SEALED_TEXT_SIZE];
    char *all;

    (void)state;
    check_set(&none, "whsec_x\n" OTHER "\n\nnonsense", SEALED_SET_OK, 1, "not base64");
    assert_int_equal(
        sealed_set_parse(&none, &scope, OTHER "\n\nwhsec_x\n" WHSEC "\nx", &set, &skipped, &error),
        SEALED_SET_OK);
    assert_int_equal(set.count, 2);
    assert_int_equal(skipped.count, 2);
    assert_int_equal(skipped.line, 3);
    /* Sealed, and not whole: no key opens it. Alone it is held all the same, as a key file's fault.
     */
    check_set(&keys, "enc1:k:AAAA\n" OTHER, SEALED_SET_OK, 1, "it was cut or changed");
    check_set(&keys, "enc1:k:AAAA", SEALED_SET_CLOSED, 0, "it was cut or changed");
    check_set(&keys, "enc1:k:AAAA\nnonsense", SEALED_SET_CLOSED, 0, "it was cut or changed");
    /* Nobody knows what it is: an unknown key, an unknown form, another row's. */
    check_set(&none, "enc1:k:AAAA\n" OTHER, SEALED_SET_CLOSED, 0, "signing.key_file is not set");
    check_set(&keys, OTHER "\nnonsense\nenc1:x:AAAA", SEALED_SET_CLOSED, 0, "is not in signing");
    check_set(&keys, OTHER "\nenc2:k:AAAA", SEALED_SET_CLOSED, 0, "in a form");
    /* Sealed by hand, and no secret. */
    seal(&keys, "nonsense", text);
    all = memory_format("%s\n%s", text, OTHER);
    check_set(&keys, all, SEALED_SET_OK, 1, "a secret begins with");
    free(all);
    /* Room is for those that can be read. */
    all = memory_format(
        "%s%s%s%s\nx", "nonsense\n",
        OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n",
        OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n", OTHER);
    check_set(&none, all, SEALED_SET_OK, SECRET_SET_MAX, "a secret begins with");
    free(all);
    all = memory_format("%s\n%s",
                        OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER
                              "\n" OTHER "\n",
                        OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER "\n" OTHER
                              "\n" OTHER "\n" OTHER);
    check_set(&none, all, SEALED_SET_INVALID, 0, "there are more than 16 secrets");
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_that_are_refused),
        cmocka_unit_test(test_not_too_many_keys),
        cmocka_unit_test(test_value_of_another_implementation),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_longer_than_any_secret_inside),
        cmocka_unit_test(test_nothing_to_seal_with),
        cmocka_unit_test(test_bound_to_its_row),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_what_only_looks_sealed),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_sets_in_which_some_can_not_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
