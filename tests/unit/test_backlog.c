/* SPDX-License-Identifier: MIT */
/* How the read-ahead is shared: each rule of core/backlog.h by itself. */
#include "unit.h"

#include "core/backlog.h"

#define AHEAD 1000
#define HASH  "-123"

static const char customers[4][37] = {
    "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002",
    "00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000004"};

static struct backlogs set;
static struct backlog entries[4];

static int set_up(void **state)
{
    (void)state;
    backlogs_init(&set);
    backlogs_set_rows_ahead(&set, AHEAD);
    backlogs_set_time(&set, 1000000);
    memset(entries, 0, sizeof(entries));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        backlog_remove(&set, &entries[i]);
    backlogs_free(&set);
    return 0;
}

static void pass_time(int64_t us)
{
    backlogs_set_time(&set, set.now_us + us);
}

/* A row of the entry is found at a time; true when it is put into the queue. */
static bool find_row(int entry, const char *time)
{
    struct position position;

    position_set(&position, time, customers[0]);
    if (!backlog_admits(&set, &entries[entry], customers[entry], HASH, 3, &position, INT32_MAX))
        return false;
    backlog_note_queued(&set, &entries[entry]);
    return true;
}

static void take_rows(int entry, int count)
{
    for (int i = 0; i < count; i++)
        backlog_note_taken(&set, &entries[entry]);
}

static void open_with(int entry, int queued)
{
    int rows = 0;

    while (find_row(entry, "t2"))
        rows++;
    take_rows(entry, rows - queued);
}

/* A refill that brings all it asks for. */
static int refill(int entry, const char *last)
{
    struct position position;
    int rows;

    assert_ptr_equal(backlogs_next_hungry(&set), &entries[entry]);
    rows = backlog_begin_refill(&set, &entries[entry], INT32_MAX, AHEAD);
    for (int i = 0; i < rows; i++)
        backlog_note_queued(&set, &entries[entry]);
    position_set(&position, last, customers[3]);
    backlog_end_refill(&set, &entries[entry], rows, &position);
    return rows;
}

static void test_alone_it_may_have_everything(void **state)
{
    (void)state;
    for (int i = 0; i < AHEAD; i++)
        assert_true(find_row(0, "t1"));
    assert_false(find_row(0, "t2"));
    assert_int_equal(entries[0].state, BACKLOG_FED);
    assert_string_equal(entries[0].cursor.time, "t2");
    assert_true(position_compare(&entries[0].cursor, &(struct position){"t2", "0"}) < 0 ||
                strcmp(entries[0].cursor.id, position_head.id) == 0);
}

static void test_several_share(void **state)
{
    (void)state;
    for (int entry = 0; entry < 4; entry++)
        assert_true(find_row(entry, "t1"));
    for (int i = 1; i < AHEAD / 4; i++)
        assert_true(find_row(2, "t1"));
    assert_false(find_row(2, "t1"));
    assert_true(find_row(1, "t1"));
}

static void test_many_have_a_few_rows_each(void **state)
{
    (void)state;
    backlogs_set_rows_ahead(&set, 3);
    for (int i = 0; i < BACKLOG_ROWS_MIN; i++)
        assert_true(find_row(0, "t1"));
    assert_false(find_row(0, "t1"));
}

/* Room in the queue is for the rows of the backlog, which come first. */
static void test_order_is_kept(void **state)
{
    (void)state;
    open_with(0, 600);
    assert_int_equal(entries[0].state, BACKLOG_FED);
    assert_false(find_row(0, "t3"));
    assert_string_equal(entries[0].cursor.time, "t2");
    assert_ptr_equal(backlogs_find(&set, customers[0], HASH), &entries[0]);
    assert_null(backlogs_find(&set, customers[1], HASH));
}

static void test_hungry_below_half(void **state)
{
    (void)state;
    open_with(0, 500);
    assert_null(backlogs_next_hungry(&set));
    assert_int_equal(backlogs_next_us(&set), INT64_MAX);
    take_rows(0, 1);
    assert_int_equal(backlogs_next_us(&set), set.now_us);
    assert_int_equal(refill(0, "t5"), AHEAD - 499);
    assert_string_equal(entries[0].cursor.time, "t5");
    assert_null(backlogs_next_hungry(&set));
}

static void test_backlog_ends_with_a_short_refill(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], INT32_MAX, 20), 20);
    backlog_end_refill(&set, &entries[0], 19, NULL);
    assert_int_equal(entries[0].state, BACKLOG_NONE);
    assert_false(backlog_is_used(&entries[0]));
    assert_true(find_row(0, "t3"));
}

static void test_limit_grows_and_shrinks_with_what_is_taken(void **state)
{
    (void)state;
    backlogs_set_rows_ahead(&set, 16);
    open_with(0, 0);
    backlogs_set_rows_ahead(&set, AHEAD);
    assert_int_equal(refill(0, "t3"), 32); /* at once */
    pass_time(BACKLOG_QUICK_US - 1);
    take_rows(0, 32);
    assert_int_equal(refill(0, "t4"), 64);
    pass_time(BACKLOG_QUICK_US);
    take_rows(0, 64);
    assert_int_equal(refill(0, "t5"), 64);
    pass_time(BACKLOG_SLOW_US + 1);
    take_rows(0, 64);
    assert_int_equal(refill(0, "t6"), 32);
    for (int i = 0; i < 10; i++) {
        take_rows(0, entries[0].queued);
        refill(0, "t7");
    }
    assert_int_equal(entries[0].limit, AHEAD);
    for (int i = 0; i < 10; i++) {
        pass_time(BACKLOG_SLOW_US + 1);
        take_rows(0, entries[0].queued);
        refill(0, "t8");
    }
    assert_int_equal(entries[0].limit, BACKLOG_ROWS_MIN);
}

static void test_no_more_than_the_endpoint_wants(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], 7, AHEAD), 7);
    for (int i = 0; i < 7; i++)
        backlog_note_queued(&set, &entries[0]);
    backlog_end_refill(&set, &entries[0], 7, NULL);
    assert_null(backlogs_next_hungry(&set)); /* seven of seven */
    take_rows(0, 3);
    assert_null(backlogs_next_hungry(&set));
    take_rows(0, 1);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
}

static void test_one_that_has_enough_rests_longer_each_time(void **state)
{
    int64_t rest_us = BACKLOG_REST_US;

    (void)state;
    open_with(0, 4);
    for (int i = 0; i < 20; i++) {
        assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
        assert_int_equal(backlog_begin_refill(&set, &entries[0], 4, AHEAD), 0);
        assert_null(backlogs_next_hungry(&set));
        assert_int_equal(backlogs_next_us(&set), set.now_us + rest_us);
        pass_time(rest_us);
        rest_us = rest_us * 2 > BACKLOG_REST_LONG_US ? BACKLOG_REST_LONG_US : rest_us * 2;
    }
}

/* There is no time at which anybody would look in vain. */
static void test_one_that_may_not_send_is_left_alone_until_it_is_woken(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], 0, AHEAD), 0);
    assert_int_equal(entries[0].state, BACKLOG_BLOCKED);
    assert_int_equal(backlogs_next_us(&set), INT64_MAX);
    pass_time(INT64_C(14400) * 1000000);
    assert_null(backlogs_next_hungry(&set));
    backlog_wake(&set, &entries[0]);
    assert_int_equal(backlogs_next_us(&set), set.now_us);
    assert_true(refill(0, "t3") > 0);
    backlog_wake(&set, &entries[0]);
    assert_int_equal(entries[0].state, BACKLOG_FED);
}

static void test_woken_while_it_rests(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], 8, AHEAD), 8);
    backlog_fail_refill(&set, &entries[0]);
    assert_null(backlogs_next_hungry(&set));
    backlog_wake(&set, &entries[0]);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
}

/* What was in its queue is sent when it may: what comes behind is read meanwhile. */
static void test_a_row_that_was_sent_ends_every_rest(void **state)
{
    static const struct {
        int wanted;
        enum backlog_state state;
    } cases[] = {{0, BACKLOG_BLOCKED}, {2, BACKLOG_RESTING}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        open_with(0, 2);
        assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
        assert_int_equal(backlog_begin_refill(&set, &entries[0], cases[i].wanted, AHEAD), 0);
        assert_int_equal(entries[0].state, cases[i].state);
        take_rows(0, 2);
        assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
        backlog_forget(&set, &entries[0]);
    }
}

/* A late commit, or a row that an operator made due again. */
static void test_rows_before_the_position_set_it_back(void **state)
{
    (void)state;
    open_with(0, 0);
    refill(0, "t5");
    assert_false(find_row(0, "t6"));
    assert_string_equal(entries[0].cursor.time, "t5");
    assert_false(find_row(0, "t4"));
    assert_string_equal(entries[0].cursor.time, "t4");
    assert_string_equal(entries[0].cursor.id, position_head.id);
}

static void empty(int entry, const char *first)
{
    struct position position;

    position_set(&position, first, customers[0]);
    backlog_begin_empty(&entries[entry]);
    take_rows(entry, entries[entry].queued);
    backlog_end_empty(&set, &entries[entry], customers[entry], HASH, 3, &position);
}

static void test_stalled_queue_is_found_and_emptied(void **state)
{
    (void)state;
    find_row(0, "t1");
    pass_time(BACKLOG_STALL_US / 2);
    find_row(1, "t1");
    find_row(1, "t1");
    assert_null(backlogs_stalled(&set, true));
    pass_time(BACKLOG_STALL_US / 2);
    assert_ptr_equal(backlogs_stalled(&set, true), &entries[0]);
    empty(0, "t1");
    assert_int_equal(entries[0].state, BACKLOG_RESTING);
    assert_string_equal(entries[0].cursor.time, "t1");
    assert_null(backlogs_stalled(&set, true));
    take_rows(1, 1); /* a move */
    pass_time(BACKLOG_STALL_US - 1);
    assert_null(backlogs_stalled(&set, true));
    assert_int_equal(backlogs_stall_us(&set, true), set.now_us + 1);
}

/* Also when its backlog has ended in between; sending a row ends it. */
static void test_emptied_again_it_rests_longer(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        find_row(0, "t1");
        empty(0, "t1");
        assert_int_equal(entries[0].rest_us, BACKLOG_REST_US << i);
        pass_time(entries[0].rest_us);
        assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
        assert_int_equal(backlog_begin_refill(&set, &entries[0], INT32_MAX, AHEAD),
                         BACKLOG_ROWS_MIN);
        backlog_end_refill(&set, &entries[0], 0, NULL);
        assert_int_equal(entries[0].state, BACKLOG_NONE);
    }
    find_row(0, "t1");
    take_rows(0, 1);
    find_row(0, "t1");
    empty(0, "t1");
    assert_int_equal(entries[0].rest_us, BACKLOG_REST_US);
}

/* Its lane is lost while rows are on the way: the answer finds it as it has become. */
static void test_forgotten_while_a_refill_is_out(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_true(backlog_begin_refill(&set, &entries[0], INT32_MAX, 10) > 0);
    backlog_forget(&set, &entries[0]);
    assert_null(backlogs_find(&set, customers[0], HASH));
    assert_true(backlog_is_used(&entries[0])); /* it must stay until the answer */
    backlog_end_refill(&set, &entries[0], 10, NULL);
    assert_int_equal(entries[0].state, BACKLOG_NONE);
    assert_false(backlog_is_used(&entries[0]));
}

/* A lane that is lost and taken again starts with nothing of what was before. */
static void test_forgotten_after_it_was_emptied(void **state)
{
    (void)state;
    find_row(0, "t1");
    empty(0, "t1");
    backlog_forget(&set, &entries[0]);
    open_with(0, 600);
    assert_int_equal(entries[0].state, BACKLOG_FED);
    take_rows(0, 200);
    assert_int_equal(entries[0].state, BACKLOG_HUNGRY);
}

static void test_failed_refill_is_asked_again(void **state)
{
    (void)state;
    open_with(0, 0);
    assert_true(backlog_begin_refill(&set, &entries[0], INT32_MAX, 10) > 0);
    backlog_fail_refill(&set, &entries[0]);
    assert_string_equal(entries[0].cursor.time, "t2");
    assert_null(backlogs_next_hungry(&set));
    pass_time(BACKLOG_REST_US);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
}

/* Two URLs of one customer, one hash: the rows of both are in the backlog of one. */
static void test_equal_hashes_share_a_backlog(void **state)
{
    struct position position;

    (void)state;
    open_with(0, 0);
    position_set(&position, "t1", customers[0]);
    assert_false(backlog_admits(&set, &entries[1], customers[0], HASH, 3, &position, INT32_MAX));
    assert_int_equal(entries[1].state, BACKLOG_NONE);
    assert_string_equal(entries[0].cursor.time, "t1");
}

static void set_standing(int entry, enum standing standing)
{
    backlog_set_standing(&set, &entries[entry], standing);
}

/* However many rows there are of the dead: those of the others are put into their queues. */
static void test_the_dead_fill_their_part_alone(void **state)
{
    (void)state;
    for (int entry = 0; entry < 2; entry++)
        set_standing(entry, STANDING_DEAD);
    open_with(0, AHEAD / 16);
    assert_false(find_row(1, "t1"));
    assert_null(backlogs_next_hungry(&set)); /* there is no room for any of them */
    assert_int_equal(backlogs_next_us(&set), INT64_MAX);
    assert_true(find_row(2, "t1"));
    set_standing(0, STANDING_PROVEN);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[1]);
}

/* One that is held back by its breaker has nothing to do with rows. */
static void test_unwanted_rows_are_passed(void **state)
{
    struct position position;

    (void)state;
    position_set(&position, "t1", customers[0]);
    assert_false(backlog_admits(&set, &entries[0], customers[0], HASH, 3, &position, 0));
    assert_int_equal(entries[0].state, BACKLOG_HUNGRY);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], 0, AHEAD), 0);
    assert_int_equal(entries[0].state, BACKLOG_BLOCKED);
}

static void test_refills_go_round(void **state)
{
    int counts[STANDINGS] = {0};

    (void)state;
    for (int entry = 0; entry < STANDINGS; entry++) {
        set_standing(entry, (enum standing)entry);
        open_with(entry, 0);
    }
    for (int i = 0; i < 32; i++)
        counts[backlogs_next_hungry(&set)->standing]++;
    assert_int_equal(counts[STANDING_PROVEN], 18);
    assert_int_equal(counts[STANDING_UNKNOWN], 8);
    assert_int_equal(counts[STANDING_FALTERING], 4);
    assert_int_equal(counts[STANDING_DEAD], 2);
    set_standing(STANDING_PROVEN, STANDING_DEAD);
    for (int i = 0; i < 32; i++)
        counts[backlogs_next_hungry(&set)->standing]++;
    assert_int_equal(counts[STANDING_PROVEN], 18);
}

/* A refill of the dead that took a while is followed by seven such times without another. */
static void test_others_have_a_part_of_the_time(void **state)
{
    (void)state;
    set_standing(0, STANDING_UNKNOWN);
    open_with(0, 0);
    assert_int_equal(backlog_begin_refill(&set, &entries[0], INT32_MAX, 1), 1);
    pass_time(1000);
    backlog_end_refill(&set, &entries[0], 1, NULL);
    backlogs_end_refills(&set);
    assert_null(backlogs_next_hungry(&set));
    assert_int_equal(backlogs_next_us(&set), set.now_us + 7000);
    open_with(1, 0);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[1]);
    refill(1, "t5");
    backlogs_end_refills(&set);
    pass_time(7000);
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[0]);
}

/* Where the unknown stall and take the room of others, they have to do with less for a while. */
static void test_stalled_unknown_are_limited(void **state)
{
    (void)state;
    for (int entry = 0; entry < 4; entry++)
        set_standing(entry, entry == 2 ? STANDING_PROVEN : STANDING_UNKNOWN);
    for (int i = 0; i < AHEAD / 8; i++)
        assert_true(find_row(0, "t1"));
    find_row(2, "t1");
    pass_time(BACKLOG_STALL_US);
    assert_null(backlogs_stalled(&set, false));
    assert_int_equal(backlogs_stall_us(&set, false), INT64_MAX);
    assert_ptr_equal(backlogs_stalled(&set, true), &entries[0]);
    assert_false(find_row(1, "t1"));
    take_rows(0, 1);
    assert_true(find_row(3, "t1"));
    assert_false(find_row(3, "t1"));
    pass_time(CROWD_TIGHT_US);
    assert_int_equal(crowds_room(&set.crowds, STANDING_UNKNOWN, 0, set.now_us), INT32_MAX);
}

/* Those of the lowest standing first. */
static void test_who_makes_room_first(void **state)
{
    (void)state;
    set_standing(1, STANDING_DEAD);
    find_row(0, "t1");
    find_row(1, "t1");
    pass_time(BACKLOG_STALL_US);
    assert_null(backlogs_stalled(&set, false));
    assert_ptr_equal(backlogs_stalled(&set, true), &entries[1]);
    empty(1, "t1");
    assert_ptr_equal(backlogs_stalled(&set, true), &entries[0]);
    set_standing(1, STANDING_PROVEN); /* it works after all */
    assert_ptr_equal(backlogs_next_hungry(&set), &entries[1]);
}

static void test_key_tells_customer_and_hash(void **state)
{
    char customer[37];

    (void)state;
    open_with(1, 0);
    backlog_customer_id(&entries[1], customer);
    assert_string_equal(customer, customers[1]);
    assert_string_equal(backlog_url_hash(&entries[1]), HASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_alone_it_may_have_everything),
        TEST(test_several_share),
        TEST(test_many_have_a_few_rows_each),
        TEST(test_order_is_kept),
        TEST(test_hungry_below_half),
        TEST(test_backlog_ends_with_a_short_refill),
        TEST(test_limit_grows_and_shrinks_with_what_is_taken),
        TEST(test_no_more_than_the_endpoint_wants),
        TEST(test_one_that_has_enough_rests_longer_each_time),
        TEST(test_one_that_may_not_send_is_left_alone_until_it_is_woken),
        TEST(test_woken_while_it_rests),
        TEST(test_a_row_that_was_sent_ends_every_rest),
        TEST(test_rows_before_the_position_set_it_back),
        TEST(test_stalled_queue_is_found_and_emptied),
        TEST(test_emptied_again_it_rests_longer),
        TEST(test_forgotten_while_a_refill_is_out),
        TEST(test_forgotten_after_it_was_emptied),
        TEST(test_failed_refill_is_asked_again),
        TEST(test_equal_hashes_share_a_backlog),
        TEST(test_the_dead_fill_their_part_alone),
        TEST(test_unwanted_rows_are_passed),
        TEST(test_refills_go_round),
        TEST(test_others_have_a_part_of_the_time),
        TEST(test_stalled_unknown_are_limited),
        TEST(test_who_makes_room_first),
        TEST(test_key_tells_customer_and_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
