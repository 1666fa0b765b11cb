/* SPDX-License-Identifier: MIT */
/* test_url.c: which URLs are refused, and with what words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/url.h"

static void test_accepted(void **state)
{
    static const char *const urls[] = {
        "http://example.com",
        "https://example.com/",
        "HTTPS://EXAMPLE.COM:443/Hook?a=b#c",
        "http://example.com:8080/a//b/../c?x=%20y@z",
        "http://127.0.0.1:1/",
        "http://[::1]:65535/",
        "http://[fe80::1%25eth0]/",
        "http://example.com./",
        "http://bücher.example/münchen?größe=1",
        "http://xn--bcher-kva.example/",
        "http://2130706433/",
        "http://example.com:/",
        "http://under_score.example/",
        "http://example.com?query",
        "http://example.com/@user:pass",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct error error = {0};

        if (!url_check(urls[i], false, &error))
            fail_msg("%s: %s", urls[i], error.message);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *url;
        const char *message; /* a part of it */
    } cases[] = {
        {"", "the URL is empty"},
        {"example.com/hook", "\"example.com/hook\" does not begin with http:// or https://"},
        {"/hook", "does not begin with"},
        {"//example.com/hook", "does not begin with"},
        {"localhost:8080", "does not begin with"},
        {"http:example.com", "does not begin with"},
        {"http:/example.com", "does not begin with"},
        {"mailto:a@b.c", "does not begin with"},
        {"://example.com", "scheme \"\" is not supported; use http or https"},
        {"ftp://example.com/", "scheme \"ftp\" is not supported; use http or https"},
        {"file:///etc/passwd", "scheme \"file\" is not supported"},
        {"gopher://example.com/", "scheme \"gopher\" is not supported"},
        {"httpx://example.com/", "scheme \"httpx\" is not supported"},
        {" http://example.com/", "space at byte 1; write it as %20"},
        {"http://example.com/a b", "space at byte 21"},
        {"http://example.com/\n", "control character (0x0a) at byte 20"},
        {"http://example.com/\r\nX-Evil: 1", "control character (0x0d)"},
        {"http://exa\tmple.com/", "control character (0x09)"},
        {"http://example.com/\x7f", "control character (0x7f)"},
        {"http://example.com\\@evil.example/", "backslash at byte 19; write it as %5C"},
        {"http://", "has no host"},
        {"http:///hook", "has no host"},
        {"http://?a", "has no host"},
        {"http://:8080/", "is not valid: "},
        {"http://user@example.com/", "credentials in a URL are not supported: use a header"},
        {"http://user:secret@example.com/", "credentials in a URL are not supported"},
        {"http://@example.com/", "credentials in a URL are not supported"},
        {"http://:@example.com/", "credentials in a URL are not supported"},
        {"http://example.com:0/", "port is 0; it must be 1 to 65535"},
        {"http://example.com:65536/", "is not valid: "},
        {"http://example.com:http/", "is not valid: "},
        {"http://example.com:-1/", "is not valid: "},
        {"http://[::1/", "is not valid: "},
        {"http://[nonsense]/", "is not valid: "},
        {"http://exa<mple.com/", "is not valid: "},
        {"http://exa%00mple.com/", "is not valid: "},
        {"http://-\xc3\xbc.example/", "has no ASCII form (IDNA)"},
        {"http://\xff\xfe.example/", "has no ASCII form (IDNA)"},
        /* Those that become a semicolon, a slash, an @, a question mark, a number sign, a colon. */
        {"http://\xcd\xbe:1", "has no ASCII form (IDNA)"},
        {"http://shop.example\xef\xbc\x8f.evil.example/", "has no ASCII form (IDNA)"},
        {"http://shop.example\xef\xbc\xa0"
         "evil.example/",
         "has no ASCII form (IDNA)"},
        {"http://shop.example\xef\xbc\x9f.evil.example/", "has no ASCII form (IDNA)"},
        {"http://shop.example\xef\xbc\x83.evil.example/", "has no ASCII form (IDNA)"},
        {"http://shop.example\xef\xbc\x9a"
         "81/",
         "has no ASCII form (IDNA)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error error = {0};

        if (url_check(cases[i].url, false, &error))
            fail_msg("%s was accepted", cases[i].url);
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].url, error.message);
        if (strstr(error.message, "secret") != NULL)
            fail_msg("the password is shown: %s", error.message);
    }
}

static void test_https_only(void **state)
{
    struct error error = {0};

    (void)state;
    assert_true(url_check("https://example.com/", true, &error));
    assert_false(url_check("http://example.com/", true, &error));
    assert_non_null(strstr(error.message, "network.https_only allows https alone"));
    assert_false(url_check("ftp://example.com/", true, &error));
    assert_non_null(strstr(error.message, "use https"));
    assert_null(strstr(error.message, "http or"));
}

static void test_length(void **state)
{
    static const char start[] = "http://example.com/";
    struct error error = {0};
    char *url = memory_new(100001, 1);

    (void)state;
    memset(url, 'a', 100000);
    memcpy(url, start, sizeof(start) - 1);
    assert_false(url_check(url, false, &error));
    assert_non_null(strstr(error.message, "the URL has 100000 bytes; at most 8192 are allowed"));
    assert_true(strlen(error.message) < 200);
    url[URL_MAX_BYTES] = '\0';
    assert_true(url_check(url, false, &error));
    free(url);
}

static void test_to_ascii(void **state)
{
    struct error error = {0};
    char *ascii = NULL;

    (void)state;
    assert_true(url_to_ascii("http://example.com/münchen", &ascii, &error));
    assert_null(ascii);
    assert_true(url_to_ascii("https://Bücher.example:81/münchen?a=b", &ascii, &error));
    assert_string_equal(ascii, "https://xn--bcher-kva.example:81/münchen?a=b");
    free(ascii);
}

static void test_literal_address(void **state)
{
    static const struct {
        const char *url;
        int first, last; /* byte; -1: no literal */
        bool is_ipv6;
        int port;
    } cases[] = {
        {"http://127.0.0.1/", 127, 1, false, 80},
        {"https://2130706433/", 127, 1, false, 443},
        {"http://0x7f.1/", 127, 1, false, 80},
        {"http://0177.0.0.1:8080/", 127, 1, false, 8080},
        {"http://127%2e0%2e0%2e1/", 127, 1, false, 80},
        {"http://127%2e0%2e1/", 127, 1, false, 80},
        {"http://127%2e1./", 127, 1, false, 80},
        {"http://%30x7f000001/", 127, 1, false, 80},
        {"http://000000000000000000000000000000000000000000000000000177.0.0.1/", 127, 1, false, 80},
        {"http://[fd00::7]:81/", 0xfd, 7, true, 81},
        {"http://[fe80::9%25eth0]/", 0xfe, 9, true, 80},
        /* As IDNA reads them: ideographic and fullwidth dots, fullwidth and circled digits. */
        {"http://127\xe3\x80\x82"
         "0\xe3\x80\x82"
         "0\xe3\x80\x82"
         "1/",
         127, 1, false, 80},
        {"http://127\xef\xbc\x8e"
         "0.0.1:82/",
         127, 1, false, 82},
        {"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", 127, 1, false, 80},
        {"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", 127, 1, false, 80},
        {"http://localhost/", -1, -1, false, 0},
        {"http://127.0.0.1.example/", -1, -1, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address address;
        int port = 0;
        bool is_literal = url_literal_address(cases[i].url, &address, &port);

        if (is_literal != (cases[i].first >= 0))
            fail_msg("%s", cases[i].url);
        if (is_literal &&
            (address.is_ipv6 != cases[i].is_ipv6 || address.bytes[0] != cases[i].first ||
             address.bytes[address.is_ipv6 ? 15 : 3] != cases[i].last || port != cases[i].port))
            fail_msg("%s: another address or port", cases[i].url);
    }
}

static void test_known_address(void **state)
{
    static const struct {
        const char *url;
        int first, last; /* byte; -1: not known */
    } cases[] = {
        {"http://localhost/", 127, 1},
        {"http://LocalHost.:80/", 127, 1},
        {"http://localhost../", 127, 1},
        {"http://a.b.localhost/", 127, 1},
        {"http://%6cocalhost/", 127, 1},
        {"http://localhost\xe3\x80\x82/", 127, 1},
        {"http://\xef\xbd\x8cocalhost/", 127, 1},
        {"http://localhost.localdomain/", 127, 1},
        {"http://metadata.google.internal/computeMetadata/v1/", 169, 254},
        {"http://METADATA.google.internal./", 169, 254},
        {"http://metadata.tencentyun.com/", 169, 23},
        {"http://notlocalhost/", -1, -1},
        {"http://localhost.example/", -1, -1},
        {"http://xmetadata.google.internal/", -1, -1},
        {"http://127.0.0.1/", -1, -1},
        {"http://", -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        int port = 0;
        bool is_known = url_known_address(cases[i].url, &address, &port);

        if (is_known != (cases[i].first >= 0) ||
            (is_known && (address.bytes[0] != cases[i].first || address.bytes[3] != cases[i].last ||
                          port != 80)))
            fail_msg("%s", cases[i].url);
    }
}

static void test_origin(void **state)
{
    static const struct {
        const char *url;
        const char *origin; /* NULL: none */
    } cases[] = {
        {"https://Shop.Example/hooks?a=B", "https://shop.example:443"},
        {"HTTP://shop.example:80/", "http://shop.example:80"},
        {"http://shop.example:8080", "http://shop.example:8080"},
        {"http://[FD00::7]:81/", "http://[fd00::7]:81"},
        {"http://", NULL},
        {"shop", NULL},
        {"http://user@shop.example/", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *origin = url_origin(cases[i].url);

        if ((origin == NULL) != (cases[i].origin == NULL) ||
            (origin != NULL && strcmp(origin, cases[i].origin) != 0))
            fail_msg("%s: %s", cases[i].url, origin != NULL ? origin : "none");
        free(origin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_https_only),    cmocka_unit_test(test_length),
        cmocka_unit_test(test_to_ascii),      cmocka_unit_test(test_literal_address),
        cmocka_unit_test(test_known_address), cmocka_unit_test(test_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
