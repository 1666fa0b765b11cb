/* SPDX-License-Identifier: MIT */
/* Which attempts get a span, and what it says. */
#include "core/span.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "unit.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static const unsigned char bytes[SPAN_RANDOM_BYTES] = {
    0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87, 0x78, 0x69, 0x5a, 0x4b,
    0x3c, 0x2d, 0x1e, 0x0f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void test_choice(void **state)
{
    static const struct {
        const char *traceparent;
        double share, chance;
        const char *trace_id; /* NULL: no span */
        const char *parent_id;
    } cases[] = {
        {"00-" TRACE "-" PARENT "-01", 0, 0.9, TRACE, PARENT},
        {"00-" TRACE "-" PARENT "-03", 1, 0, TRACE, PARENT},
        {"00-" TRACE "-" PARENT "-00", 1, 0, NULL, ""},
        {"00-" TRACE "-" PARENT "-02", 1, 0, NULL, ""},
        {NULL, 1, 0.999999, "f0e1d2c3b4a5968778695a4b3c2d1e0f", ""},
        {"", 0.25, 0.2499, "f0e1d2c3b4a5968778695a4b3c2d1e0f", ""},
        {"", 0.25, 0.25, NULL, ""},
        {NULL, 0, 0, NULL, ""},
        {"00-" TRACE, 1, 0, "f0e1d2c3b4a5968778695a4b3c2d1e0f", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct span_ids ids;
        bool has_span =
            span_choose(cases[i].traceparent, cases[i].share, cases[i].chance, bytes, &ids);

        check_case(has_span == (cases[i].trace_id != NULL), "%zu", i);
        if (!has_span)
            continue;
        assert_string_equal(ids.trace_id, cases[i].trace_id);
        assert_string_equal(ids.parent_id, cases[i].parent_id);
        assert_string_equal(ids.span_id, "0123456789abcdef");
    }
}

static void test_ids_are_never_zeros(void **state)
{
    static const unsigned char zeros[SPAN_RANDOM_BYTES];
    struct span_ids ids;

    (void)state;
    assert_true(span_choose(NULL, 1, 0, zeros, &ids));
    assert_string_equal(ids.trace_id, "00000000000000000000000000000001");
    assert_string_equal(ids.span_id, "0000000000000001");
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://a.example/hook", "https://a.example/hook"},
        {"https://a.example/hook?token=t#f", "https://a.example/hook"},
        {"https://a.example/hook#f?x", "https://a.example/hook"},
        {"https://user:pass@a.example:8443/x@y", "https://a.example:8443/x@y"},
        {"https://user:p@ss@a.example?x", "https://a.example"},
        {"https://a.example", "https://a.example"},
        {"user@a.example/x", "a.example/x"},
        {"a?b=https://c", "a"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *shown = span_url(cases[i].url);

        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

static void test_servers(void **state)
{
    static const struct {
        const char *origin, *server;
        int port;
    } cases[] = {
        {"https://a.example:443", "a.example", 443},
        {"http://127.0.0.1:8080", "127.0.0.1", 8080},
        {"http://[::1]:80", "::1", 80},
        {"https://", NULL, 0},
        {"nothing", NULL, 0},
        {"", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int port = 0;
        char *server = span_server(cases[i].origin, &port);

        if (cases[i].server == NULL) {
            assert_null(server);
        } else {
            assert_string_equal(server, cases[i].server);
            assert_int_equal(port, cases[i].port);
        }
        free(server);
    }
}

static void test_error_types(void **state)
{
    static const struct {
        struct attempt attempt;
        const char *type;
    } cases[] = {
        {{.result = ATTEMPT_ANSWERED, .status = 200}, NULL},
        {{.result = ATTEMPT_ANSWERED, .status = 299}, NULL},
        {{.result = ATTEMPT_ANSWERED, .status = 302}, "302"},
        {{.result = ATTEMPT_ANSWERED, .status = 503}, "503"},
        {{.result = ATTEMPT_TIMEOUT}, "timeout"},
        {{.result = ATTEMPT_DNS}, "dns"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char buffer[SPAN_ERROR_TYPE_SIZE];
        const char *type = span_error_type(&cases[i].attempt, buffer);

        if (cases[i].type == NULL)
            assert_null(type);
        else
            assert_string_equal(type, cases[i].type);
    }
}

static void test_bytes(void **state)
{
    struct span *span = memory_new(1, sizeof(*span));

    (void)state;
    assert_int_equal(span_bytes(span), sizeof(*span));
    span->url = memory_copy_string("12345");
    span->error = memory_copy_string("");
    assert_int_equal(span_bytes(span), sizeof(*span) + 7);
    span_free(span);
    span_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),      cmocka_unit_test(test_ids_are_never_zeros),
        cmocka_unit_test(test_urls),        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_error_types), cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
