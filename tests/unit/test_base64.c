/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <openssl/evp.h>
#include <stdbool.h>

#include "core/base64.h"

static void test_decoded(void **state)
{
    static const struct {
        const char *text, *bytes;
    } cases[] = {{"YQ==", "a"},
                 {"YWI=", "ab"},
                 {"YWJj", "abc"},
                 {"YWJjZA==", "abcd"},
                 {"+/+/", "\xfb\xff\xbf"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char decoded[BASE64_DECODED_SIZE(8)];

        check_case(base64_decode(cases[i].text, decoded, sizeof(decoded)) == strlen(cases[i].bytes),
                   "%s", cases[i].text);
        assert_memory_equal(decoded, cases[i].bytes, strlen(cases[i].bytes));
    }
}

static void test_refused(void **state)
{
    static const char *const cases[] = {"",       "=",     "YQ",      "YQ=",      "YWJ",
                                        "YR==",   "YWK=",  "Y===",    "====",     "YW J",
                                        " YQ==",  "YQ== ", "YQ==\n",  "YQ==YQ==", "-_-_",
                                        "YW\tJj", "YWJjZ", "YWJjZGU", "YWJjZA=",  "YWJjZA==A"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char decoded[BASE64_DECODED_SIZE(16)];

        check_case(base64_decode(cases[i], decoded, sizeof(decoded)) == 0, "\"%s\"", cases[i]);
    }
}

static void test_any(void **state)
{
    static const struct {
        const char *text, *standard; /* NULL: refused */
    } cases[] = {{"YQ", "YQ=="},     {"YQ=", "YQ=="},   {"YQ==", "YQ=="}, {"YWI", "YWI="},
                 {"-_-_", "+/+/"},   {"+_-/", "+/+/"},  {"YWJj", "YWJj"}, {"", NULL},
                 {"Y", NULL},        {"YWJjZ", NULL},   {"YQ===", NULL},  {"YWJj=", NULL},
                 {"YR", NULL},       {"Y=Q=", NULL},    {"=", NULL},      {"YQ= ", NULL},
                 {"YQ==YQ==", NULL}, {"YWJj====", NULL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char decoded[BASE64_DECODED_SIZE(16)], expected[BASE64_DECODED_SIZE(16)];
        size_t length = base64_decode_any(cases[i].text, decoded, sizeof(decoded));

        check_case((length > 0) == (cases[i].standard != NULL), "\"%s\"", cases[i].text);
        if (length == 0)
            continue;
        assert_int_equal(base64_decode(cases[i].standard, expected, sizeof(expected)), length);
        assert_memory_equal(decoded, expected, length);
    }
}

static void test_any_has_the_same_limits(void **state)
{
    unsigned char decoded[BASE64_DECODED_SIZE(BASE64_TEXT_MAX + 4)];
    char text[BASE64_TEXT_MAX + 8];

    (void)state;
    memset(text, 'A', sizeof(text));
    for (size_t length = BASE64_TEXT_MAX - 5; length < sizeof(text); length++) {
        size_t bytes = length * 3 / 4;
        bool is_read = length <= BASE64_TEXT_MAX && length % 4 != 1;

        text[length] = '\0';
        check_case(base64_decode_any(text, decoded, sizeof(decoded)) == (is_read ? bytes : 0),
                   "%zu", length);
        text[length] = 'A';
    }
    assert_int_equal(base64_decode_any("YWJjZA", decoded, 5), 0);
}

/* Neither more than there is room for, padding included, nor a text that is too long. */
static void test_sizes(void **state)
{
    unsigned char decoded[BASE64_DECODED_SIZE(BASE64_TEXT_MAX + 4)];
    char text[BASE64_TEXT_MAX + 5];

    (void)state;
    assert_int_equal(base64_decode("YWJj", decoded, 3), 3);
    assert_int_equal(base64_decode("YWJj", decoded, 2), 0);
    assert_int_equal(base64_decode("YWJjZA==", decoded, 5), 0);
    memset(text, 'A', sizeof(text));
    text[BASE64_TEXT_MAX] = '\0';
    assert_int_equal(base64_decode(text, decoded, sizeof(decoded)),
                     BASE64_DECODED_SIZE(BASE64_TEXT_MAX));
    text[BASE64_TEXT_MAX] = 'A';
    text[BASE64_TEXT_MAX + 4] = '\0';
    assert_int_equal(base64_decode(text, decoded, sizeof(decoded)), 0);
}

/* What is encoded comes back, at every length there is. */
static void test_all_lengths(void **state)
{
    unsigned char bytes[BASE64_DECODED_SIZE(BASE64_TEXT_MAX)];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t length = 1; length <= sizeof(bytes); length++) {
        unsigned char decoded[sizeof(bytes)];
        char text[BASE64_TEXT_MAX + 1];

        EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
        assert_int_equal(strlen(text), BASE64_LENGTH(length));
        assert_int_equal(base64_decode(text, decoded, sizeof(decoded)), length);
        assert_memory_equal(decoded, bytes, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoded), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_any),     cmocka_unit_test(test_any_has_the_same_limits),
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_all_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
