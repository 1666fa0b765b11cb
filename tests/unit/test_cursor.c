/* SPDX-License-Identifier: MIT */
#include "core/cursor.h"

#include <string.h>

#include "core/rfc3339.h"
#include "unit.h"

static void test_read(void **state)
{
    struct cursor cursor;

    (void)state;
    /* 2031-05-17T12:03:04.123456Z 0ae58721-843e-40a6-ad70-e485e34a17ca */
    assert_true(cursor_read("MjAzMS0wNS0xN1QxMjowMzowNC4xMjM0NTZaIDBhZTU4NzIxLTg0M2UtNDBhNi1hZDcw"
                            "LWU0ODVlMzRhMTdjYQ",
                            &cursor));
    assert_string_equal(cursor.time, "2031-05-17T12:03:04.123456Z");
    assert_string_equal(cursor.id, "0ae58721-843e-40a6-ad70-e485e34a17ca");
    /* -infinity 0ae58721-843e-40a6-ad70-e485e34a17ca */
    assert_true(
        cursor_read("LWluZmluaXR5IDBhZTU4NzIxLTg0M2UtNDBhNi1hZDcwLWU0ODVlMzRhMTdjYQ", &cursor));
    assert_string_equal(cursor.time, "-infinity");
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "a",
        "ab",
        "abc",
        "abcde",
        "MQ==",
        "a+b/",
        "MSAy",
        "\xc3\xa9\xc3\xa9",
        /* tomorrow 0ae58721-…; infinity 0ae58721; infinity */
        "dG9tb3Jyb3cgMGFlNTg3MjEtODQzZS00MGE2LWFkNzAtZTQ4NWUzNGExN2Nh",
        "aW5maW5pdHkgMGFlNTg3MjE",
        "aW5maW5pdHk",
        /* 2031-02-29T00:00:00Z 0ae58721-… */
        "MjAzMS0wMi0yOVQwMDowMDowMFogMGFlNTg3MjEtODQzZS00MGE2LWFkNzAtZTQ4NWUzNGExN2Nh",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    struct cursor cursor;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(!cursor_read(cases[i], &cursor), "%s", cases[i]);
}

static void test_read_feed(void **state)
{
    struct feed_cursor cursor;

    (void)state;
    /* 0123456789abcdef 18446744073709551615 0ae58721-843e-40a6-ad70-e485e34a17ca */
    assert_true(cursor_read_feed(
        "MDEyMzQ1Njc4OWFiY2RlZiAxODQ0Njc0NDA3MzcwOTU1MTYxNSAwYWU1ODcyMS04NDNlLTQwYTYtYWQ3"
        "MC1lNDg1ZTM0YTE3Y2E",
        &cursor));
    assert_string_equal(cursor.epoch, "0123456789abcdef");
    assert_string_equal(cursor.transaction_id, "18446744073709551615");
    assert_string_equal(cursor.id, "0ae58721-843e-40a6-ad70-e485e34a17ca");
}

static void test_refused_feed(void **state)
{
    static const char *const cases[] = {
        "",
        "a",
        "a+b/",
        /* 0123456789abcdef 18446744073709551616 0ae58721-843e-40a6-ad70-e485e34a17ca */
        ("MDEyMzQ1Njc4OWFiY2RlZiAxODQ0Njc0NDA3MzcwOTU1MTYxNiAwYWU1ODcyMS04NDNlLTQwYTYtYWQ3"
         "MC1lNDg1ZTM0YTE3Y2E"),
        /* 0123456789abcde 1 0ae58721-843e-40a6-ad70-e485e34a17ca */
        "MDEyMzQ1Njc4OWFiY2RlIDEgMGFlNTg3MjEtODQzZS00MGE2LWFkNzAtZTQ4NWUzNGExN2Nh",
        /* 0123456789ABCDEF 1 0ae58721-843e-40a6-ad70-e485e34a17ca */
        "MDEyMzQ1Njc4OUFCQ0RFRiAxIDBhZTU4NzIxLTg0M2UtNDBhNi1hZDcwLWU0ODVlMzRhMTdjYQ",
        /* 0123456789abcdef -1 0ae58721-843e-40a6-ad70-e485e34a17ca */
        "MDEyMzQ1Njc4OWFiY2RlZiAtMSAwYWU1ODcyMS04NDNlLTQwYTYtYWQ3MC1lNDg1ZTM0YTE3Y2E",
        /* 0123456789abcdef  0ae58721-843e-40a6-ad70-e485e34a17ca */
        "MDEyMzQ1Njc4OWFiY2RlZiAgMGFlNTg3MjEtODQzZS00MGE2LWFkNzAtZTQ4NWUzNGExN2Nh",
        /* 0123456789abcdef 1 0ae58721 */
        "MDEyMzQ1Njc4OWFiY2RlZiAxIDBhZTU4NzIx",
        /* 0123456789abcdef 1 */
        "MDEyMzQ1Njc4OWFiY2RlZiAx",
        /* 0123456789abcdef */
        "MDEyMzQ1Njc4OWFiY2RlZg",
        /* infinity 0ae58721-843e-40a6-ad70-e485e34a17ca */
        "aW5maW5pdHkgMGFlNTg3MjEtODQzZS00MGE2LWFkNzAtZTQ4NWUzNGExN2Nh",
    };
    struct feed_cursor cursor;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(!cursor_read_feed(cases[i], &cursor), "%s", cases[i]);
}

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        bool is_moment;
    } cases[] = {
        {"2031-05-17T12:03:04Z", true},
        {"2031-05-17T12:03:04.1Z", true},
        {"2031-05-17T12:03:04+14:59", true},
        {"2028-02-29T23:59:59.123456789-05:30", true},
        {"2000-02-29T00:00:00Z", true},
        {"1900-02-29T00:00:00Z", false},
        {"2031-04-31T00:00:00Z", false},
        {"2031-00-10T00:00:00Z", false},
        {"2031-13-10T00:00:00Z", false},
        {"2031-01-00T00:00:00Z", false},
        {"0000-01-01T00:00:00Z", false},
        {"2031-01-01T24:00:00Z", false},
        {"2031-01-01T00:60:00Z", false},
        {"2031-01-01T00:00:60Z", false},
        {"2031-01-01T00:00:00+15:00", false},
        {"2031-01-01T00:00:00+00:60", false},
        {"2031-01-01T00:00:00", false},
        {"2031-01-01 00:00:00Z", false},
        {"2031-01-01T00:00:00.Z", false},
        {"2031-01-01T00:00:00.1234567890Z", false},
        {"2031-01-01T00:00:00z", false},
        {"2031-01-01T00:00:00ZZ", false},
        {"infinity", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(rfc3339_is_moment(cases[i].text) == cases[i].is_moment, "%s", cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_read_feed), cmocka_unit_test(test_refused_feed),
        cmocka_unit_test(test_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
