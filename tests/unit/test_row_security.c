/* SPDX-License-Identifier: MIT */
/* test_row_security.c: the text of the guard (db/row_security.h). What it finds is tested in
 * tests/e2e/test_requirements.py and test_row_security.py. */
#include "unit.h"

#include "db/row_security.h"

/* PgBouncer's pkt_buf, and what a message has besides: its head, a name, and a schema's name. */
#define POOLER_BUFFER 4096
#define BESIDES       128

static void test_fits_into_a_poolers_buffer(void **state)
{
    (void)state;
    assert_in_range(strlen(row_security_guard()), 1000, POOLER_BUFFER - BESIDES);
    assert_null(strstr(row_security_guard(), "FUNCTION webhook"));
}

static void test_lasts(void **state)
{
    (void)state;
    assert_ptr_equal(row_security_guard(), row_security_guard());
    assert_ptr_equal(row_security_look("ours").sql, row_security_guard());
    assert_string_equal(row_security_look("ours").values[0], "ours");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_into_a_poolers_buffer),
        cmocka_unit_test(test_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
