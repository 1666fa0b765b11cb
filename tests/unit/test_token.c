/* SPDX-License-Identifier: MIT */
#include "core/token.h"

#include <string.h>

#include "unit.h"

static void test_format(void **state)
{
    unsigned char random[TOKEN_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES], other[TOKEN_HASH_BYTES];
    char text[TOKEN_SIZE];

    (void)state;
    memset(random, 0xff, sizeof(random));
    token_format(random, text);
    assert_string_equal(text, "prt___________________________________________8");
    assert_true(token_hash(text, strlen(text), hash));
    assert_true(token_hash(text, strlen(text), other));
    assert_true(token_hash_is_same(hash, other));
    random[31] = 0;
    token_format(random, text);
    assert_true(token_hash(text, strlen(text), other));
    assert_false(token_hash_is_same(hash, other));
}

static void test_no_tokens(void **state)
{
    static const char *const texts[] = {
        "",
        "prt_",
        "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",   /* 42 */
        "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 44 */
        "prT_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
        "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ",
    };
    unsigned char hash[TOKEN_HASH_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        check_case(!token_hash(texts[i], strlen(texts[i]), hash), "%s", texts[i]);
}

static void test_scopes(void **state)
{
    static const struct {
        const char *text;
        unsigned scopes;
    } cases[] = {
        {"publish", TOKEN_PUBLISH},
        {"read,operate", TOKEN_READ | TOKEN_OPERATE},
        {"operate,read,publish", TOKEN_READ | TOKEN_OPERATE | TOKEN_PUBLISH},
        {"read,read", TOKEN_READ},
        {"", 0},
        {",", 0},
        {"read,", 0},
        {",read", 0},
        {"Read", 0},
        {"read publish", 0},
        {"reads", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(token_scopes(cases[i].text) == cases[i].scopes, "\"%s\"", cases[i].text);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(token_name_is_good("billing-2.eu_west"));
    assert_true(token_name_is_good("_"));
    assert_false(token_name_is_good(""));
    assert_false(token_name_is_good("-a"));
    assert_false(token_name_is_good(".a"));
    assert_false(token_name_is_good("a b"));
    assert_false(token_name_is_good("a\n"));
    assert_true(
        token_name_is_good("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_false(
        token_name_is_good("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_no_tokens),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
