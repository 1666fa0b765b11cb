/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "base/buffer.h"
#include "core/secret.h"

/* The example of the Standard Webhooks specification. */
#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHSK                                                                        \
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ" \
    "6p9lMicMFs6Kvg=="
#define WHPK "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

static void test_the_specification_s_examples(void **state)
{
    static const unsigned char hmac[] = {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a,
                                         0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c,
                                         0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0};
    struct secret secret;
    struct error error;
    char text[SECRET_TEXT_SIZE];

    (void)state;
    assert_true(secret_parse(WHSEC, &secret, &error));
    assert_int_equal(secret.kind, SECRET_HMAC);
    assert_int_equal(secret.length, sizeof(hmac));
    assert_memory_equal(secret.key, hmac, sizeof(hmac));
    assert_false(secret_format_public(&secret, text, &error));
    assert_non_null(strstr(error.message, "symmetric"));

    assert_true(secret_parse(WHSK, &secret, &error));
    assert_int_equal(secret.kind, SECRET_ED25519);
    assert_int_equal(secret.length, SECRET_ED25519_SEED_SIZE);
    assert_true(secret_format_public(&secret, text, &error));
    assert_string_equal(text, WHPK);
}

static void test_refusals_say_why_and_never_quote(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "begins with whsec_ or whsk_"},
        {"SENTINEL", "begins with whsec_ or whsk_"},
        {"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_ or whsk_"},
        {" " WHSEC, "begins with whsec_ or whsk_"},
        {WHPK, "is public"},
        {"whsec_", "is not base64 after its prefix"},
        {"whsec_SENTINE", "24 to 64 bytes, and this one 5"},
        {"whsec_====", "is not base64 after its prefix"},
        {"whsec_SENTINEL====", "is not base64 after its prefix"},
        {"whsec_SENTINELMfKQ9r8GKYqrTwjUPD8ILPZ==", "is not base64 after its prefix"},
        {WHSEC " ", "is not base64 after its prefix"},
        {WHSEC "\n", "is not base64 after its prefix"},
        {WHSEC "\n\n\n\n", "is not base64 after its prefix"},
        {"whsec_    MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaSw===", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZ", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjU.,8ILPZIo2LaLaSw", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjU\xff\xfe"
         "8ILPZIo2LaLaSw",
         "is not base64 after its prefix"},
        /* Bits that padding leaves unused must be 0: "Zm9=" would decode as "Zm8=" does. */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZm9=", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZh==", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZm9", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZm8==", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZg=x", "is not base64 after its prefix"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa8=", "24 to 64 bytes, and this one 23"},
        {"whsec_SENTINEL", "24 to 64 bytes, and this one 6"},
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAA=",
         "longer than 64 bytes"}, /* 65 */
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAA",
         "longer than 64 bytes"},
        {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "32 or 64 bytes, and this one 24"},
        /* The example's pair with one bit of the public half turned. */
        {"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6K"
         "vw==",
         "does not belong to its seed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct secret secret = {.length = 12345};
        struct error error;

        check_case(!secret_parse(cases[i].text, &secret, &error), "%s", cases[i].text);
        check_case(strstr(error.message, cases[i].reason) != NULL, "%s: %s", cases[i].text,
                   error.message);
        check_case(strstr(error.message, "SENTIN") == NULL && strstr(error.hint, "SENTIN") == NULL,
                   "%s: %s", cases[i].text, error.message);
        check_case(secret.length == 12345, "%s", cases[i].text);
    }
}

static void fill(struct dice *dice, unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)dice_next(dice);
}

/* A base64 encoder that shares nothing with the code under test. */
static void encode(const unsigned char *bytes, size_t length, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        unsigned value = (unsigned)bytes[i] << 16;

        value |= i + 1 < length ? (unsigned)bytes[i + 1] << 8 : 0;
        value |= i + 2 < length ? bytes[i + 2] : 0;
        *text++ = digits[value >> 18];
        *text++ = digits[(value >> 12) & 63];
        *text++ = (char)(i + 1 < length ? digits[(value >> 6) & 63] : '=');
        *text++ = (char)(i + 2 < length ? digits[value & 63] : '=');
    }
    *text = '\0';
}

static void test_every_length_round_trips(void **state)
{
    struct dice dice = {42};
    struct secret secret;
    struct error error;

    (void)state;
    for (size_t length = 1; length <= SECRET_BYTES_MAX; length++) {
        for (int i = 0; i < 50; i++) {
            unsigned char bytes[SECRET_BYTES_MAX];
            char text[SECRET_TEXT_SIZE] = "whsec_";

            fill(&dice, bytes, length);
            encode(bytes, length, text + strlen(text));
            check_case(secret_parse(text, &secret, &error) == (length >= 24), "%s", text);
            if (length >= 24) {
                assert_int_equal(secret.length, length);
                assert_memory_equal(secret.key, bytes, length);
            }
        }
    }
}

static void test_both_alphabets_with_and_without_padding(void **state)
{
    struct dice dice = {3};

    (void)state;
    for (size_t length = 24; length <= SECRET_BYTES_MAX; length++) {
        for (int i = 0; i < 200; i++) {
            unsigned char bytes[SECRET_BYTES_MAX];
            char text[SECRET_TEXT_SIZE] = "whsec_";
            struct secret secret;
            struct error error;

            fill(&dice, bytes, length);
            encode(bytes, length, text + strlen(text));
            if (i % 2 == 1)
                text[strcspn(text, "=")] = '\0';
            for (char *c = text + strlen("whsec_"); i % 4 >= 2 && *c != '\0'; c++)
                *c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
            check_case(secret_parse(text, &secret, &error), "%s: %s", text, error.message);
            assert_int_equal(secret.length, length);
            assert_memory_equal(secret.key, bytes, length);
        }
    }
}

/* Of the two alphabets. */
static bool is_same_letter(char a, char b)
{
    return (a == '+' && b == '-') || (a == '/' && b == '_');
}

/* Any other change of one character gives another key or a refusal, never the same key again. */
static void test_one_key_has_one_text(void **state)
{
    struct dice dice = {7};
    struct error error;

    (void)state;
    for (size_t length = 24; length <= 26; length++) {
        unsigned char bytes[SECRET_BYTES_MAX];
        char text[SECRET_TEXT_SIZE] = "whsec_";

        fill(&dice, bytes, length);
        encode(bytes, length, text + strlen(text));
        for (size_t at = strlen("whsec_"); text[at] != '\0'; at++) {
            char original = text[at];

            for (int c = 1; c < 256; c++) {
                struct secret secret;

                if ((char)c == original || is_same_letter(original, (char)c))
                    continue;
                text[at] = (char)c;
                check_case(!secret_parse(text, &secret, &error) || secret.length != length ||
                               memcmp(secret.key, bytes, length) != 0,
                           "%s", text);
            }
            text[at] = original;
        }
    }
}

static void test_new_secrets_can_be_read(void **state)
{
    static const enum secret_kind kinds[] = {SECRET_HMAC, SECRET_ED25519};
    struct dice dice = {1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        for (int round = 0; round < 20; round++) {
            unsigned char bytes[SECRET_NEW_BYTES];
            char text[SECRET_TEXT_SIZE];
            struct secret secret;
            struct error error;

            fill(&dice, bytes, sizeof(bytes));
            assert_true(secret_format(kinds[i], bytes, text, &error));
            assert_true(secret_parse(text, &secret, &error));
            assert_int_equal(secret.kind, kinds[i]);
            assert_int_equal(secret.length, sizeof(bytes));
            assert_memory_equal(secret.key, bytes, sizeof(bytes));
        }
    }
}

/* RFC 8032, 7.1, tests 1 to 3: the seed alone, and with the public key after it. */
static void test_both_forms_of_a_private_key(void **state)
{
    static const struct {
        unsigned char seed[SECRET_ED25519_SEED_SIZE];
        const char *short_form, *public, *long_form;
    } cases[] = {
        {{0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
          0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
          0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60},
         "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
         "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
         "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
         "tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="},
        {{0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
          0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
          0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb},
         "whsk_TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=",
         "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
         "whsk_TM0Imyj/"
         "ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs9QBfD6EOJWpK3CqdNG368nJgszy7ElozAzVXxKvRmDA=="},
        {{0xc5, 0xaa, 0x8d, 0xf4, 0x3f, 0x9f, 0x83, 0x7b, 0xed, 0xb7, 0x44,
          0x2f, 0x31, 0xdc, 0xb7, 0xb1, 0x66, 0xd3, 0x85, 0x35, 0x07, 0x6f,
          0x09, 0x4b, 0x85, 0xce, 0x3a, 0x2e, 0x0b, 0x44, 0x58, 0xf7},
         "whsk_xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc=",
         "whpk_/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=",
         "whsk_xaqN9D+"
         "fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPf8Uc2OYhiho42kftACMPBYCBbtE7ozA6xd65EVSJCAJQ=="},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *forms[] = {cases[i].short_form, cases[i].long_form};
        char text[SECRET_TEXT_SIZE];
        struct error error;

        for (size_t j = 0; j < ARRAY_LENGTH(forms); j++) {
            struct secret secret;

            check_case(secret_parse(forms[j], &secret, &error), "%s", error.message);
            assert_int_equal(secret.length, sizeof(cases[i].seed));
            assert_memory_equal(secret.key, cases[i].seed, sizeof(cases[i].seed));
            assert_true(secret_format_public(&secret, text, &error));
            assert_string_equal(text, cases[i].public);
        }
        assert_true(secret_format(SECRET_ED25519, cases[i].seed, text, &error));
        assert_string_equal(text, cases[i].long_form);
    }
}

static void test_sets(void **state)
{
    struct secret_set set;
    struct error error;

    (void)state;
    assert_true(secret_set_parse(WHSEC, &set, &error));
    assert_int_equal(set.count, 1);
    assert_true(secret_set_parse("# rotated in May\r\n\r\n  \t\n \t" WHSK " \t\r\n#" WHSEC
                                 "\n  # indented, and longer than any secret could ever be: this "
                                 "comment goes on and on and on until it is longer than a line of "
                                 "a secret may be\n" WHSEC "\n",
                                 &set, &error));
    assert_int_equal(set.count, 2);
    assert_int_equal(set.secrets[0].kind, SECRET_ED25519);
    assert_int_equal(set.secrets[1].kind, SECRET_HMAC);
}

static void test_refused_sets_name_the_line(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "it holds no secret"},
        {"\n\n# nothing\n", "it holds no secret"},
        {WHSEC "\n\nwrong\n" WHSEC, "line 3: a secret begins with whsec_ or whsk_"},
        {"#\n" WHPK, "line 2: a whpk_ key is public, it can't sign"},
        {WHSEC " " WHSEC, "line 1: the secret is not base64"},
        {"#\n#\n" WHSEC WHSEC WHSEC WHSEC, "line 3: this is longer than any secret"},
        {WHSEC "\r" WHSEC, "line 1: the secret is not base64"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct secret_set set = {.count = 99};
        struct error error;

        check_case(!secret_set_parse(cases[i].text, &set, &error), "%s", cases[i].text);
        check_case(strncmp(error.message, cases[i].message, strlen(cases[i].message)) == 0,
                   "%s: %s", cases[i].text, error.message);
        check_case(set.count == 99, "%s", cases[i].text);
    }
}

static void test_a_set_has_a_limit(void **state)
{
    struct buffer text;
    struct secret_set set;
    struct error error;

    (void)state;
    buffer_init(&text, 4096);
    for (int i = 0; i < SECRET_SET_MAX; i++)
        buffer_append_string(&text, WHSEC "\n");
    assert_true(secret_set_parse(buffer_string(&text), &set, &error));
    assert_int_equal(set.count, SECRET_SET_MAX);
    buffer_append_string(&text, "\n# and one more\n" WHSEC "\n");
    assert_false(secret_set_parse(buffer_string(&text), &set, &error));
    assert_string_equal(error.message, "line 19: there are more than 16 secrets");
    buffer_free(&text);
}

static void test_wiping(void **state)
{
    static const struct secret_set nothing;
    struct secret_set set;
    struct error error;

    (void)state;
    assert_true(secret_set_parse(WHSEC "\n" WHSK, &set, &error));
    secret_wipe(&set.secrets[0]);
    assert_memory_equal(&set.secrets[0], &nothing.secrets[0], sizeof(set.secrets[0]));
    assert_int_equal(set.secrets[1].length, 32);
    secret_set_wipe(&set);
    assert_memory_equal(&set, &nothing, sizeof(set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_specification_s_examples),
        cmocka_unit_test(test_refusals_say_why_and_never_quote),
        cmocka_unit_test(test_every_length_round_trips),
        cmocka_unit_test(test_both_alphabets_with_and_without_padding),
        cmocka_unit_test(test_one_key_has_one_text),
        cmocka_unit_test(test_new_secrets_can_be_read),
        cmocka_unit_test(test_both_forms_of_a_private_key),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_refused_sets_name_the_line),
        cmocka_unit_test(test_a_set_has_a_limit),
        cmocka_unit_test(test_wiping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
