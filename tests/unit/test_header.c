/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/header.h"

static void test_accepted(void **state)
{
    static const char *const cases[][2] = {
        {"X-Api-Key", "abc"},
        {"Authorization", "Bearer a.b.c"},
        {"accept", "*/*"},
        {"!#$%&'*+-.^_`|~09azAZ", "every kind of token character"},
        {"X-Empty", ""},
        {"X-Tab", "a\tb"},
        {"X-Latin1", "caf\xe9"},
        {"X-Utf8", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
        {"X", " blanks around "},
        /* Near misses of reserved names. */
        {"Hosts", ""},
        {"X-Host", ""},
        {"Webhook", ""},
        {"Proxy", ""},
        {"Cookie2", ""},
        {"Tea", ""},
        {"X-Event-IDs", ""},
        {"Content-Language", ""},
    };
    struct error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(header_check(cases[i][0], cases[i][1], &error), "%s: %s", cases[i][0],
                   error.message);
}

static void test_reserved_in_any_case(void **state)
{
    static const char *const names[] = {
        "Content-Type",
        "content-length",
        "TRANSFER-ENCODING",
        "Connection",
        "HOST",
        "Expect",
        "User-Agent",
        "X-Event-ID",
        "x-event-id",
        "X-Delivery-Attempt",
        "Webhook-Id",
        "webhook-timestamp",
        "webhook-whatever",
        "webhook-",
        "WEBHOOK-SIGNATURE",
        "Cookie",
        "Proxy-Connection",
        "proxy-authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
    };
    struct error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        check_case(!header_check(names[i], "x", &error), "%s", names[i]);
        assert_non_null(strstr(error.message, names[i]));
        assert_non_null(strstr(error.message, "Postrider's own"));
    }
}

static void test_no_byte_but_a_token_gets_into_a_name(void **state)
{
    struct error error;

    (void)state;
    for (int c = 1; c <= 255; c++) {
        char name[] = {'X', (char)c, 'Y', '\0'};
        bool is_token = strchr("!#$%&'*+-.^_`|~", c) != NULL || (c >= '0' && c <= '9') ||
                        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        check_case(header_check(name, "x", &error) == is_token, "0x%02x", (unsigned)c);
    }
    assert_false(header_check("X-A\r\nHost", "x", &error));
    assert_string_equal(error.message, "the header name \"X-A…\" has the byte 0x0d at position 4");
    assert_non_null(strstr(error.hint, "letters, digits"));
    assert_false(header_check("", "x", &error));
    assert_string_equal(error.message, "a header needs a name");
}

static void test_no_control_character_gets_into_a_value(void **state)
{
    struct error error;

    (void)state;
    for (int c = 1; c <= 255; c++) {
        char value[] = {'a', (char)c, 'b', '\0'};
        bool is_allowed = c == '\t' || (c >= ' ' && c != 0x7f);

        check_case(header_check("X-A", value, &error) == is_allowed, "0x%02x", (unsigned)c);
    }
    assert_false(header_check("X-A", "\nHost: y", &error));
    assert_false(header_check("X-A", "x\n", &error));
    assert_false(header_check("X-A", "x\r\nHost: y", &error));
    assert_string_equal(error.message, "the value of the header \"X-A\" has the control character "
                                       "0x0d at position 2");
}

static void test_limits(void **state)
{
    static char name[HEADER_NAME_MAX_BYTES + 2];
    static char value[HEADER_VALUE_MAX_BYTES + 2];
    struct error error;

    (void)state;
    memset(name, 'n', HEADER_NAME_MAX_BYTES);
    memset(value, 'v', HEADER_VALUE_MAX_BYTES);
    assert_true(header_check(name, value, &error));
    value[HEADER_VALUE_MAX_BYTES] = 'v';
    assert_false(header_check("X-Long", value, &error));
    assert_string_equal(error.message,
                        "the value of the header \"X-Long\" has 4097 bytes, more than 4096");
    name[HEADER_NAME_MAX_BYTES] = 'n';
    assert_false(header_check(name, "x", &error));
    assert_non_null(strstr(error.message, "has 257 bytes, more than 256"));
    /* What is too long is quoted in part, and only when it is printable. */
    name[0] = '\n';
    assert_false(header_check(name, "x", &error));
    assert_null(strchr(error.message, '\n'));
}

static void test_credentials_by_their_names(void **state)
{
    static const char *const secret[] = {
        "Authorization", "proxy-authorization", "X-Auth",     "X-API-KEY",
        "x-token-2",     "Client-Secret",       "set-cookie", "PASSWORD"};
    static const char *const open[] = {"",           "X-Sender", "webhook-id",  "webhook-signature",
                                       "user-agent", "X-Tok",    "content-type"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(secret); i++)
        check_case(header_is_credential(secret[i], strlen(secret[i])), "%s", secret[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(open); i++)
        check_case(!header_is_credential(open[i], strlen(open[i])), "%s", open[i]);
    assert_false(header_is_credential("X-Tokens", 5)); /* not beyond its length */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_reserved_in_any_case),
        cmocka_unit_test(test_no_byte_but_a_token_gets_into_a_name),
        cmocka_unit_test(test_no_control_character_gets_into_a_value),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_credentials_by_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
