/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/percent.h"

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        const char *encoded;
    } cases[] = {
        {"", ""},
        {"/", "/"},
        {"/hooks/1?a=b&c=d,e;f", "/hooks/1?a=b&c=d,e;f"},
        {"-._~!$&'()*+,;=:@/?", "-._~!$&'()*+,;=:@/?"},
        {"/k\xc3\xa4se", "/k%C3%A4se"},
        {"\xe2\x82\xac\xf0\x9f\xa7\x80", "%E2%82%AC%F0%9F%A7%80"},
        {"\"<>[\\]^`{|} #", "%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D%20%23"},
        {"filter[a]=1", "filter%5Ba%5D=1"},
        {"%20%c3%A4%2F", "%20%c3%A4%2F"},
        {"50%", "50%25"},
        {"%%", "%25%25"},
        {"%4", "%254"},
        {"%zz%4g%g4", "%25zz%254g%25g4"},
        {"%%41", "%25%41"},
        {"%\xc3\xa4", "%25%C3%A4"},
        {"\x01\x7f\xff", "%01%7F%FF"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out;

        buffer_init(&out, 1000);
        percent_append(&out, cases[i].text);
        check_case(strcmp(buffer_string(&out), cases[i].encoded) == 0, "\"%s\": \"%s\"",
                   cases[i].text, buffer_string(&out));
        buffer_free(&out);
    }
}

/* Each byte, alone: what may stand in a path or a query by RFC 3986, and all else as %XX. */
static void test_bytes(void **state)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~!$&'()*+,;=:@/?";

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[2] = {(char)byte, '\0'};
        char encoded[4];
        struct buffer out;

        snprintf(encoded, sizeof(encoded), "%%%02X", (unsigned)byte);
        buffer_init(&out, 10);
        percent_append(&out, text);
        check_case(strcmp(buffer_string(&out), strchr(allowed, byte) != NULL ? text : encoded) == 0,
                   "byte 0x%02x: \"%s\"", (unsigned)byte, buffer_string(&out));
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
