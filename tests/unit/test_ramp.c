/* SPDX-License-Identifier: MIT */
/* How fast a replay goes, under a clock that follows its waits. */
#include "core/ramp.h"

#include "base/compiler.h"
#include "unit.h"

#define LONG INT64_C(1000000000000)

/* What is done of total after so many ms. */
static int64_t done_after(int64_t ms, int64_t rate, int64_t total)
{
    int64_t done = 0, clock_ms = 0;

    while (clock_ms < ms && done < total) {
        struct ramp_batch batch = ramp_next(done, rate);

        assert_true(batch.rows >= 1 && batch.rows <= RAMP_ROWS_MAX && batch.wait_ms >= 1);
        done += batch.rows;
        clock_ms += batch.wait_ms;
    }
    return done < total ? done : total;
}

static void test_few_at_first(void **state)
{
    (void)state;
    assert_int_equal(ramp_next(0, 0).rows, RAMP_FIRST_RATE / 10);
    assert_in_range(done_after(1000, 0, LONG), 100, 200);
}

static void test_each_second_has_twice_as_many(void **state)
{
    int64_t before = done_after(1000, 0, LONG);

    (void)state;
    for (int second = 2; second <= 6; second++) {
        int64_t done = done_after(second * 1000, 0, LONG);
        int64_t earlier = done_after((second - 1) * 1000, 0, LONG);

        assert_in_range(done - earlier, before * 17 / 10, before * 23 / 10);
        before = done - earlier;
    }
}

static void test_in_the_end_full_batches(void **state)
{
    struct ramp_batch batch = ramp_next(100000, 0);

    (void)state;
    assert_int_equal(batch.rows, RAMP_ROWS_MAX);
    assert_int_equal(batch.rows * 1000 / batch.wait_ms, RAMP_LAST_RATE);
    batch = ramp_next(LONG, 0);
    assert_int_equal(batch.rows, RAMP_ROWS_MAX);
}

static void test_never_faster_than_the_rate(void **state)
{
    static const int64_t rates[] = {1, 2, 3, 7, 10, 50, 99, 100, 101, 999, 5000, 20000, 1000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        int64_t rate = rates[i];

        for (int64_t done = 0; done < 20 * rate; done += rate) {
            struct ramp_batch batch = ramp_next(done, rate);

            /* A wait of whole milliseconds is a little too short. */
            assert_true(batch.rows * 1000 <= (rate + rate / 100) * batch.wait_ms + 1000);
        }
        assert_in_range(done_after(100000, rate, LONG), rate * 60, rate * 102);
    }
}

static void test_how_long_it_takes(void **state)
{
    static const struct {
        int64_t left, rate;
    } cases[] = {{10, 0}, {500, 0}, {5000, 0}, {100000, 0}, {1000, 10}, {1000, 100}, {50000, 2000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = ramp_left_ms(0, cases[i].left, cases[i].rate);

        assert_true(done_after(ms * 3 / 4, cases[i].rate, LONG) <= cases[i].left);
        assert_true(done_after(ms * 3 / 2 + 200, cases[i].rate, LONG) >= cases[i].left);
    }
    assert_int_equal(ramp_left_ms(0, 0, 5), 0);
    assert_int_equal(ramp_left_ms(LONG, 100000, 0), 10000);
}

static void test_further_passes(void **state)
{
    int64_t sum = 0;

    (void)state;
    assert_int_equal(ramp_pass_pause_ms(1), 2000);
    for (int pass = 1; pass < RAMP_PASSES; pass++) {
        assert_true(pass == 1 || ramp_pass_pause_ms(pass) >= ramp_pass_pause_ms(pass - 1));
        sum += ramp_pass_pause_ms(pass);
    }
    assert_in_range(sum, 60000, 180000);
    assert_int_equal(ramp_pass_pause_ms(RAMP_PASSES), RAMP_NO_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_at_first),
        cmocka_unit_test(test_each_second_has_twice_as_many),
        cmocka_unit_test(test_in_the_end_full_batches),
        cmocka_unit_test(test_never_faster_than_the_rate),
        cmocka_unit_test(test_how_long_it_takes),
        cmocka_unit_test(test_further_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
