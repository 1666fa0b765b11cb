/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "db/schema_version.h"

static void test_fit(void **state)
{
    static const struct {
        int version, works_from; /* of the schema */
        int binary;
        enum schema_fit fit;
    } cases[] = {
        {9, 8, 9, SCHEMA_FITS},     {9, 0, 9, SCHEMA_FITS},     {0, 0, 9, SCHEMA_IS_OLD},
        {8, 8, 9, SCHEMA_IS_OLD},   {8, 0, 9, SCHEMA_IS_OLD},   {10, 8, 9, SCHEMA_FITS},
        {10, 9, 9, SCHEMA_FITS},    {10, 10, 9, SCHEMA_IS_NEW}, {99, 9, 9, SCHEMA_FITS},
        {99, 10, 9, SCHEMA_IS_NEW}, {10, 0, 9, SCHEMA_IS_NEW}, /* it does not say */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schema_version schema = {.version = cases[i].version,
                                        .works_from = cases[i].works_from};

        check_case(schema_fit(&schema, cases[i].binary) == cases[i].fit,
                   "schema %d, from %d, binary %d", cases[i].version, cases[i].works_from,
                   cases[i].binary);
    }
}

static void test_missing(void **state)
{
    static const struct {
        const char *sqlstate;
        bool is_missing;
    } cases[] = {{"42P01", true}, {"3F000", true}, {"42501", false}, {"42703", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct db_answer answer = {.result = DB_REFUSED, .sqlstate = cases[i].sqlstate};

        check_case(schema_version_is_missing(&answer) == cases[i].is_missing, "%s",
                   cases[i].sqlstate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
