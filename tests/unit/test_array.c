/* SPDX-License-Identifier: MIT */
/* test_array.c: what PostgreSQL gets to read as an array. */
#include "unit.h"

#include "db/array.h"

static void test_values(void **state)
{
    struct array array;

    (void)state;
    array_init(&array, 1000);
    array_begin(&array);
    assert_string_equal(array_end(&array), "{}");
    array_begin(&array);
    array_add_int(&array, 0);
    array_add_int(&array, -12);
    array_add_int(&array, INT64_MAX);
    array_add_null(&array);
    array_add_bool(&array, true);
    array_add_bool(&array, false);
    array_add_plain(&array, "2026-01-01");
    assert_string_equal(array_end(&array), "{0,-12,9223372036854775807,NULL,t,f,2026-01-01}");
    array_free(&array);
}

static void test_seconds(void **state)
{
    struct array array;

    (void)state;
    array_init(&array, 1000);
    array_begin(&array);
    array_add_seconds(&array, 0);
    array_add_seconds(&array, 7);
    array_add_seconds(&array, 89);
    array_add_seconds(&array, 120);
    array_add_seconds(&array, 1005);
    array_add_seconds(&array, 86400999);
    assert_string_equal(array_end(&array), "{0.000,0.007,0.089,0.120,1.005,86400.999}");
    array_free(&array);
}

static void test_texts_are_quoted(void **state)
{
    struct array array;

    (void)state;
    array_init(&array, 1000);
    array_begin(&array);
    array_add_text(&array, "");
    array_add_text(&array, "NULL");
    array_add_text(&array, NULL);
    array_add_text(&array, "a \"b\" \\ {c},d");
    assert_string_equal(array_end(&array), "{\"\",\"NULL\",NULL,\"a \\\"b\\\" \\\\ {c},d\"}");
    array_free(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_texts_are_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
