/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "base/text.h"

#define BAD "\xEF\xBF\xBD"

static void check_clean(const char *name, const void *bytes, size_t length, const char *expected)
{
    struct buffer out;

    buffer_init(&out, 1000);
    text_append_clean(&out, bytes, length);
    check_case(strcmp(buffer_string(&out), expected) == 0, "%s: %s", name, buffer_string(&out));
    check_case(!out.overflowed, "%s", name);
    buffer_free(&out);
}

static void test_sequences(void **state)
{
    static const struct {
        const char *name, *bytes, *expected;
    } cases[] = {
        {"empty", "", ""},
        {"ASCII", "plain \t\r\n\x01\x7f", "plain \t\r\n\x01\x7f"},
        {"two bytes, least", "\xC2\x80", "\xC2\x80"},
        {"two bytes, most", "\xDF\xBF", "\xDF\xBF"},
        {"three bytes, least", "\xE0\xA0\x80", "\xE0\xA0\x80"},
        {"before the surrogates", "\xED\x9F\xBF", "\xED\x9F\xBF"},
        {"after the surrogates", "\xEE\x80\x80", "\xEE\x80\x80"},
        {"three bytes, most", "\xEF\xBF\xBF", "\xEF\xBF\xBF"},
        {"four bytes, least", "\xF0\x90\x80\x80", "\xF0\x90\x80\x80"},
        {"the last code point", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        {"lone continuation",
         "a\x80"
         "b",
         "a" BAD "b"},
        {"continuations", "\x80\xBF", BAD BAD},
        {"overlong NUL", "\xC0\x80", BAD BAD},
        {"overlong slash", "\xC1\xAF", BAD BAD},
        {"overlong, three bytes", "\xE0\x9F\xBF", BAD BAD BAD},
        {"overlong, four bytes", "\xF0\x8F\xBF\xBF", BAD BAD BAD BAD},
        {"first surrogate", "\xED\xA0\x80", BAD BAD BAD},
        {"last surrogate", "\xED\xBF\xBF", BAD BAD BAD},
        {"above the last code point", "\xF4\x90\x80\x80", BAD BAD BAD BAD},
        {"F5", "\xF5\x80\x80\x80", BAD BAD BAD BAD},
        {"FE FF", "\xFE\xFF", BAD BAD},
        {"second byte missing", "\xC3(", BAD "("},
        {"second byte too high", "\xC3\xC0", BAD BAD},
        {"third byte missing", "\xE2\x82(", BAD BAD "("},
        {"fourth byte missing", "\xF0\x9F\x98(", BAD BAD BAD "("},
        {"too low after the second", "\xE2\x82\x7F", BAD BAD "\x7f"},
        {"too high after the second", "\xE2\x82\xC0", BAD BAD BAD},
        {"Latin-1", "caf\xE9 au lait", "caf" BAD " au lait"},
        {"cut after one of two", "ab\xC3", "ab"},
        {"cut after two of three", "ab\xE2\x82", "ab"},
        {"cut after three of four", "ab\xF0\x9F\x98", "ab"},
        {"cut, but wrong already", "ab\xE0\x80", "ab" BAD BAD},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_clean(cases[i].name, cases[i].bytes, strlen(cases[i].bytes), cases[i].expected);
    check_clean("NUL", "a\0b\0", 4, "a" BAD "b" BAD);
    check_clean("NULL", NULL, 0, "");
}

static void test_every_code_point_passes(void **state)
{
    (void)state;
    for (unsigned code = 1; code <= 0x10ffff; code += code < 0x3000 ? 1 : 61) {
        char bytes[5] = {0};

        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        if (code < 0x80) {
            bytes[0] = (char)code;
        } else if (code < 0x800) {
            bytes[0] = (char)(0xc0 | code >> 6);
            bytes[1] = (char)(0x80 | (code & 63));
        } else if (code < 0x10000) {
            bytes[0] = (char)(0xe0 | code >> 12);
            bytes[1] = (char)(0x80 | (code >> 6 & 63));
            bytes[2] = (char)(0x80 | (code & 63));
        } else {
            bytes[0] = (char)(0xf0 | code >> 18);
            bytes[1] = (char)(0x80 | (code >> 12 & 63));
            bytes[2] = (char)(0x80 | (code >> 6 & 63));
            bytes[3] = (char)(0x80 | (code & 63));
        }
        check_clean(bytes, bytes, strlen(bytes), bytes);
    }
}

/* Whatever comes in, a second pass finds nothing to do. */
static void test_random_bytes_become_clean(void **state)
{
    struct dice dice = {11};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        unsigned char bytes[64];
        size_t length = (size_t)dice_below(&dice, sizeof(bytes));
        struct buffer once, twice;

        for (size_t j = 0; j < length; j++)
            bytes[j] = (unsigned char)(dice_next(&dice) | (i % 2 ? 0x80 : 0));
        buffer_init(&once, 1000);
        buffer_init(&twice, 1000);
        text_append_clean(&once, bytes, length);
        text_append_clean(&twice, buffer_string(&once), once.length);
        assert_string_equal(buffer_string(&once), buffer_string(&twice));
        assert_int_equal(strlen(buffer_string(&once)), once.length);
        buffer_free(&once);
        buffer_free(&twice);
    }
}

static void test_a_full_buffer_ends_at_a_character(void **state)
{
    static const struct {
        size_t maximum;
        const char *expected;
    } cases[] = {{0, ""},    {1, "a"},   {2, "a"},   {3, "aé"},    {4, "aé"},    {5, "aé"},
                 {6, "aé€"}, {7, "aé€"}, {9, "aé€"}, {10, "aé€😀"}, {12, "aé€😀"}, {13, "aé€😀" BAD}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        static const char text[] = "aé€😀\xff";
        struct buffer out;

        buffer_init(&out, cases[i].maximum);
        text_append_clean(&out, text, sizeof(text) - 1);
        check_case(strcmp(buffer_string(&out), cases[i].expected) == 0, "%zu: %s", cases[i].maximum,
                   buffer_string(&out));
        check_case(!out.overflowed, "%zu", cases[i].maximum);
        buffer_free(&out);
    }
}

static void test_uuids(void **state)
{
    static const char *const refused[] = {
        "",
        "0f8fad5b",
        "0f8fad5b-d9cd-469f-a165-70867728950",
        "0f8fad5b-d9cd-469f-a165-70867728950ee",
        "0f8fad5b-d9cd-469f-a165-70867728950g",
        "0f8fad5bd9cd469fa16570867728950e",
        "{0f8fad5b-d9cd-469f-a165-70867728950e}",
        " 0f8fad5b-d9cd-469f-a165-70867728950e",
        "0f8fad5b-d9cd-469f-a165-70867728950e ",
        "gf8fad5b-d9cd-469f-a165-70867728950e",
        "0f8fad5-bd9cd-469f-a165-70867728950e",
        "0f8fad5b_d9cd_469f_a165_70867728950e",
        "------------------------------------",
        "0f8fad5b-d9cd-469f-a165-7086772895\xc3\xa9",
        "0f8fad5b-d9cd-469f-a165-70867728950`",
        "0f8fad5b-d9cd-469f-a165-70867728950@",
        "0f8fad5b-d9cd-469f-a165-70867728950/",
        "0f8fad5b-d9cd-469f-a165-70867728950:",
    };

    (void)state;
    assert_true(text_is_uuid("0f8fad5b-d9cd-469f-a165-70867728950e"));
    assert_true(text_is_uuid("0F8FAD5B-D9CD-469F-A165-70867728950E"));
    assert_true(text_is_uuid("00000000-0000-0000-0000-000000000000"));
    assert_true(text_is_uuid("ffffffff-FFFF-ffff-FFFF-ffffffffffff"));
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
        check_case(!text_is_uuid(refused[i]), "%s", refused[i]);
}

static void test_copy_ends_where_the_room_does(void **state)
{
    char to[5] = "....";

    (void)state;
    assert_int_equal(text_copy(to, sizeof(to), "abc"), 3);
    assert_string_equal(to, "abc");
    assert_int_equal(text_copy(to, sizeof(to), "abcd"), 4);
    assert_string_equal(to, "abcd");
    assert_int_equal(text_copy(to, sizeof(to), "vwxyz"), 4);
    assert_string_equal(to, "vwxy");
    assert_int_equal(text_copy(to, sizeof(to), ""), 0);
    assert_string_equal(to, "");
    to[1] = 'b';
    assert_int_equal(text_copy(to, 1, "a"), 0);
    assert_memory_equal(to, "\0b", 2);
}

static void test_beginnings(void **state)
{
    (void)state;
    assert_true(text_begins_with("whsec_abc", "whsec_"));
    assert_true(text_begins_with("whsec_", "whsec_"));
    assert_true(text_begins_with("anything", ""));
    assert_false(text_begins_with("whsec", "whsec_"));
    assert_false(text_begins_with("", "whsec_"));
    assert_false(text_begins_with("WHSEC_abc", "whsec_"));
    assert_false(text_begins_with("a whsec_", "whsec_"));
}

static void test_integers(void **state)
{
    static const int64_t numbers[] = {
        0, 1, -1, 9, 10, -10, 99, 100, 1234567890, INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        char text[TEXT_INTEGER_SIZE], expected[TEXT_INTEGER_SIZE];

        snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
        assert_string_equal(text_integer(numbers[i], text), expected);
    }
}

static void test_plurals(void **state)
{
    static const int64_t many[] = {0, 2, -1, 11, 21, INT64_MAX, INT64_MIN};

    (void)state;
    assert_string_equal(text_plural(1, "y", "ies"), "y");
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        assert_string_equal(text_plural(many[i], "y", "ies"), "ies");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_every_code_point_passes),
        cmocka_unit_test(test_random_bytes_become_clean),
        cmocka_unit_test(test_a_full_buffer_ends_at_a_character),
        cmocka_unit_test(test_copy_ends_where_the_room_does),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_plurals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
