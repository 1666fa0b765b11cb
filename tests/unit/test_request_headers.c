/* SPDX-License-Identifier: MIT */
/* test_request_headers.c: what a request says about its delivery, and which extra header wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/request_headers.h"

static const struct request_facts facts = {
    .event_id = "7b1c6a52-6d1e-4b51-9a8f-0d6a4a3f2e10",
    .attempt = 3,
    .timestamp_s = 1700000000,
    .signature = "v1,abc= v1,def=",
};

static void test_own_headers(void **state)
{
    static const char *const expected[] = {
        "Content-Type: application/json",
        ("User-Agent: Postrider/" POSTRIDER_VERSION),
        "X-Event-ID: 7b1c6a52-6d1e-4b51-9a8f-0d6a4a3f2e10",
        "X-Delivery-Attempt: 3",
        "webhook-id: 7b1c6a52-6d1e-4b51-9a8f-0d6a4a3f2e10",
        "webhook-timestamp: 1700000000",
        "webhook-signature: v1,abc= v1,def=",
    };
    struct request_headers headers;
    size_t count;

    (void)state;
    request_headers_init(&headers);
    for (int round = 0; round < 2; round++) {
        const char *const *lines = request_headers_build(&headers, &facts, &count);

        assert_int_equal(count, ARRAY_LENGTH(expected));
        for (size_t i = 0; i < count; i++)
            assert_string_equal(lines[i], expected[i]);
        request_headers_clear(&headers);
    }
    request_headers_free(&headers);
}

static void test_later_extra_header_wins(void **state)
{
    struct request_headers headers;
    const char *const *lines;
    size_t count;

    (void)state;
    request_headers_init(&headers);
    assert_true(request_headers_add(&headers, "X-Tenant", "from the configuration"));
    assert_true(request_headers_add(&headers, "X-Tenant-2", ""));
    assert_true(request_headers_add(&headers, "x-tenant", "from the endpoint"));
    lines = request_headers_build(&headers, &facts, &count);
    assert_int_equal(count, REQUEST_HEADERS_OWN + 2);
    assert_string_equal(lines[0], "x-tenant: from the endpoint");
    assert_string_equal(lines[1], "X-Tenant-2: ");
    assert_string_equal(lines[2], "Content-Type: application/json");
    request_headers_free(&headers);
}

/* What an event can say, nobody else says; without one an endpoint's own go out as ever. */
static void test_event_says_its_own(void **state)
{
    const struct request_event event = {.correlation_id = "c1", .traceparent = "00-1-2-03"};
    struct request_facts with_event = facts;
    struct request_headers headers;
    const char *const *lines;
    size_t count;

    (void)state;
    with_event.event = &event;
    request_headers_init(&headers);
    for (int round = 0; round < 2; round++) {
        request_headers_clear(&headers);
        assert_true(request_headers_add(&headers, "X-CUSTOMER-ID", "own"));
        assert_true(request_headers_add(&headers, "X-Tenant", "own"));
        assert_true(request_headers_add(&headers, "traceparent", "own"));
        lines = request_headers_build(&headers, round == 0 ? &facts : &with_event, &count);
        if (round == 0) {
            assert_int_equal(count, REQUEST_HEADERS_OWN + 3);
            assert_string_equal(lines[0], "X-CUSTOMER-ID: own");
            assert_string_equal(lines[2], "traceparent: own");
        }
    }
    assert_int_equal(count, REQUEST_HEADERS_OWN + 3);
    assert_string_equal(lines[0], "X-Tenant: own");
    assert_string_equal(lines[1], "Content-Type: application/json");
    assert_string_equal(lines[count - 2], "X-Correlation-ID: c1");
    assert_string_equal(lines[count - 1], "traceparent: 00-1-2-03");
    request_headers_free(&headers);
}

/* Of the attempt, over the event's and over any other. */
static void test_attempts_traceparent(void **state)
{
    const struct request_event event = {.traceparent = "00-1-2-03"};
    struct request_facts with_span = facts;
    struct request_headers headers;

    (void)state;
    request_headers_init(&headers);
    with_span.traceparent = "00-1-9-01";
    for (int round = 0; round < 2; round++) {
        const char *const *lines;
        size_t count;

        with_span.event = round == 0 ? NULL : &event;
        request_headers_clear(&headers);
        assert_true(request_headers_add(&headers, "Traceparent", "own"));
        assert_true(request_headers_add(&headers, "X-Tenant", "own"));
        lines = request_headers_build(&headers, &with_span, &count);
        assert_int_equal(count, REQUEST_HEADERS_OWN + 2);
        assert_string_equal(lines[0], "X-Tenant: own");
        assert_string_equal(lines[count - 1], "traceparent: 00-1-9-01");
    }
    request_headers_free(&headers);
}

static void test_largest_request_fits(void **state)
{
    static char value[HEADER_VALUE_MAX_BYTES + 1];
    struct request_headers headers;
    const char *const *lines;
    size_t count;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    request_headers_init(&headers);
    for (int i = 0; i < HEADERS_MAX; i++) {
        char name[HEADER_NAME_MAX_BYTES + 1];

        snprintf(name, sizeof(name), "%0*d", HEADER_NAME_MAX_BYTES, i);
        assert_true(request_headers_add(&headers, name, value));
        assert_true(request_headers_add(&headers, name, value)); /* replaces it */
    }
    assert_false(request_headers_add(&headers, "X-One-More", ""));
    lines = request_headers_build(&headers, &facts, &count);
    assert_int_equal(count, REQUEST_HEADERS_OWN + HEADERS_MAX);
    assert_int_equal(strlen(lines[HEADERS_MAX - 1]),
                     HEADER_NAME_MAX_BYTES + 2 + HEADER_VALUE_MAX_BYTES);
    assert_string_equal(lines[count - 1], "webhook-signature: v1,abc= v1,def=");
    request_headers_free(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_headers),          cmocka_unit_test(test_later_extra_header_wins),
        cmocka_unit_test(test_event_says_its_own),   cmocka_unit_test(test_attempts_traceparent),
        cmocka_unit_test(test_largest_request_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
