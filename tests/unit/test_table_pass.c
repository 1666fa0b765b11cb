/* SPDX-License-Identifier: MIT */
/* That every block of a table has its turn, wherever the first pass begins. */
#include "core/table_pass.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define BLOCKS_MAX 300
#define STEP       32

/* One pass, as who asks for STEP blocks at a time makes it. The number of requests. */
static int make_pass(struct table_pass *pass, int64_t blocks, double start, int seen[BLOCKS_MAX])
{
    bool goes_on = true;
    int requests = 0;

    memset(seen, 0, sizeof(int) * BLOCKS_MAX);
    while (goes_on) {
        for (int64_t block = pass->block; block < pass->block + STEP && block < blocks; block++)
            seen[block]++;
        goes_on = table_pass_go_on(pass, pass->block + STEP, blocks, start);
        assert_true(++requests < 100);
    }
    return requests;
}

static void test_every_block_has_its_turn(void **state)
{
    static const int sizes[] = {0, 1, 31, 32, 33, 64, 100, 255, 300};
    static const double starts[] = {0, 0.001, 0.1, 0.5, 0.9, 0.999999};
    int seen[BLOCKS_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(starts); j++)
            for (int n = 0, passes = 3; n < passes; n++) {
                static struct table_pass pass;
                int requests;

                if (n == 0)
                    pass = (struct table_pass){0};
                requests = make_pass(&pass, sizes[i], starts[j], seen);
                for (int block = 0; block < sizes[i]; block++)
                    check_case(seen[block] > 0, "block %d of %d from %f in pass %d", block,
                               sizes[i], starts[j], n);
                check_case(requests <= sizes[i] / STEP + 3, "%d requests for %d blocks", requests,
                           sizes[i]);
                check_case(pass.block == 0, "the next pass begins at %d", (int)pass.block);
            }
}

static void test_part_that_was_full_goes_on_within(void **state)
{
    struct table_pass pass = {.is_sized = true};

    (void)state;
    assert_true(table_pass_go_on(&pass, 5, 100, 0.5));
    assert_int_equal(pass.block, 5);
}

static void test_table_that_shrinks_or_grows(void **state)
{
    struct table_pass pass = {0};

    (void)state;
    assert_true(table_pass_go_on(&pass, STEP, 1000, 0.5));
    assert_int_equal(pass.block, 500);
    assert_true(table_pass_go_on(&pass, 532, 100, 0.5)); /* truncated by VACUUM: it comes round */
    assert_int_equal(pass.block, 0);
    assert_true(table_pass_go_on(&pass, 499, 5000, 0.5));
    assert_false(table_pass_go_on(&pass, 531, 5000, 0.5));
    assert_true(table_pass_go_on(&pass, 4000, 5000, 0.5));
    assert_false(table_pass_go_on(&pass, 5000, 5000, 0.5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_has_its_turn),
        cmocka_unit_test(test_part_that_was_full_goes_on_within),
        cmocka_unit_test(test_table_that_shrinks_or_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
