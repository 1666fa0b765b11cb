/* SPDX-License-Identifier: MIT */
/* The number of lanes stands in SQL too, where no constant of C reaches: it is the same there. */
#include "unit.h"

#include "core/lane.h"
#include "db/fragments.h"
#include "db/migrations.h"

static int count_of(const char *text, const char *piece)
{
    int count = 0;

    for (const char *at = strstr(text, piece); at != NULL; at = strstr(at + 1, piece))
        count++;
    return count;
}

static void test_table_has_as_many(void **state)
{
    const char *sql = embedded_sql_find("0001_deliveries");
    char check[64], rows[64];

    (void)state;
    snprintf(check, sizeof(check), "CHECK (lane BETWEEN 0 AND %d)", LANE_COUNT - 1);
    snprintf(rows, sizeof(rows), "INTO webhook_lanes (lane) SELECT generate_series(0, %d);",
             LANE_COUNT - 1);
    assert_int_equal(count_of(sql, check), 1);
    assert_int_equal(count_of(sql, rows), 1);
}

/* Whatever a migration says of a lane's hash is what the statements say. */
static void test_hash_is_the_index(void **state)
{
    int found = 0;

    (void)state;
    for (const struct embedded_text *file = embedded_sql_files; file->name != NULL; file++) {
        int lanes = count_of(file->text, "hashtext(lower(split_part(webhook_url,");

        check_case(count_of(file->text, SQL_LANE("webhook_url")) == lanes, "%s", file->name);
        found += lanes;
    }
    assert_true(found > 0);
}

static void test_mask_is_the_last_lane(void **state)
{
    char mask[16];

    (void)state;
    snprintf(mask, sizeof(mask), "& %d)", LANE_COUNT - 1);
    assert_int_equal(count_of(SQL_LANE("webhook_url"), mask), 1);
    assert_int_equal(LANE_COUNT & (LANE_COUNT - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_has_as_many),
        cmocka_unit_test(test_hash_is_the_index),
        cmocka_unit_test(test_mask_is_the_last_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
