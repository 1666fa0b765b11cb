/* SPDX-License-Identifier: MIT */
/* What is read again, for a sequence of snapshots written by hand. */
#include "unit.h"

#include "core/late_commits.h"

static struct late_commits late;

/* "" = nothing is due after this read. */
static void check_read(const char *snapshot, uint32_t next, const char *bound, const char *due)
{
    char far[32], far_due[32];
    struct late_snapshot read = {.text = snapshot, .next = next, .bounds = {bound, far}};
    struct position from = {.time = ""}, from_far = {.time = ""};

    snprintf(far, sizeof(far), "far %s", bound);
    snprintf(far_due, sizeof(far_due), "%s%s", due[0] == 't' ? "far " : "", due);
    assert_true(late_commits_note(&late, &read));
    late_commits_take(&late, LATE_NEAR, &from);
    late_commits_take(&late, LATE_FAR, &from_far);
    check_case(strcmp(from.time, due) == 0, "%s at %s: due from \"%s\", expected \"%s\"", snapshot,
               bound, from.time, due);
    check_case(strcmp(from_far.time, far_due) == 0, "%s at %s: due from \"%s\", expected \"%s\"",
               snapshot, far, from_far.time, far_due);
}

static int set_up(void **state)
{
    (void)state;
    late_commits_reset(&late);
    return 0;
}

static void test_one_that_runs_over_several_reads(void **state)
{
    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("100:101:100", 101, "t2", "");
    assert_true(late_commits_has_unfinished(&late));
    check_read("100:103:100", 103, "t3", "t2"); /* 101 and 102 began and ended */
    check_read("100:103:100", 103, "t4", "");
    check_read("103:103:", 103, "t5", "t1");
    assert_false(late_commits_has_unfinished(&late));
    check_read("103:103:", 103, "t6", "");
}

/* xmax is one more than the newest that ended: 100 runs, and is in no snapshot until it ends. */
static void test_one_that_no_snapshot_lists(void **state)
{
    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("100:100:", 101, "t2", "");
    assert_true(late_commits_has_unfinished(&late));
    check_read("100:100:", 101, "t3", "");
    check_read("101:101:", 101, "t4", "t1");
    assert_false(late_commits_has_unfinished(&late));
}

static void test_lowest_bound_of_several(void **state)
{
    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("100:100:", 101, "t2", "");
    check_read("100:100:", 103, "t3", "");
    check_read("100:102:100", 103, "t4", "t2"); /* 101 */
    check_read("103:103:", 103, "t5", "t1");    /* 100 and 102 */
}

/* What is not taken stays due, with the lower bound. */
static void test_due_is_merged(void **state)
{
    struct position from;

    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("100:102:100", 102, "t2", "t1"); /* 101 */
    assert_true(late_commits_note(
        &late,
        &(struct late_snapshot){.text = "100:103:100", .next = 103, .bounds = {"t3", "s3"}}));
    assert_true(late_commits_note(
        &late, &(struct late_snapshot){.text = "103:103:", .next = 103, .bounds = {"t4", "s4"}}));
    assert_true(late_commits_take(&late, LATE_NEAR, &from));
    assert_string_equal(from.time, "t1");
    assert_string_equal(from.id, position_head.id);
    assert_false(late_commits_take(&late, LATE_NEAR, &from));
}

static void test_what_runs_at_the_first_read_has_no_bound(void **state)
{
    (void)state;
    check_read("90:100:90,95", 101, "t1", ""); /* and 100, unlisted */
    check_read("90:100:90", 101, "t2", "-infinity");
    check_read("90:101:90", 101, "t3", "-infinity");
    check_read("101:101:", 101, "t4", "-infinity");
    check_read("101:101:", 101, "t5", "");
}

/* A subtransaction's number is below xmax and in no list while its parent runs. */
static void test_subtransactions_cost_a_read_at_most(void **state)
{
    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("100:100:", 103, "t2", "");      /* 100 with 101, 102 */
    check_read("100:104:100", 104, "t3", "t1"); /* 103 has ended: 101 and 102 seem to */
    check_read("100:104:100", 104, "t4", "");
    check_read("104:104:", 104, "t5", "t1");
}

static void test_numbers_beyond_32_bits(void **state)
{
    (void)state;
    check_read("8589934590:8589934590:", 4294967294u, "t1", "");
    check_read("8589934590:8589934590:", 1, "t2", ""); /* four unlisted, over the edge */
    assert_int_equal(late.next, 8589934593u);
    check_read("8589934592:8589934593:8589934592", 1, "t3", "t1");
    check_read("8589934593:8589934593:", 1, "t4", "t1");
}

static void test_numbers_that_go_back_mean_another_server(void **state)
{
    (void)state;
    check_read("100:100:", 100, "t1", "");
    check_read("50:51:50", 51, "t2", "-infinity");
    check_read("51:51:", 51, "t3", "-infinity");
    check_read("51:51:", 51, "t4", "");
}

static void test_many_spans_become_fewer(void **state)
{
    char snapshot[32];

    (void)state;
    check_read("1:1:", 1, "t1", "");
    for (unsigned i = 0; i < LATE_SPANS_MAX * 2; i++) {
        char bound[16];

        snprintf(bound, sizeof(bound), "t2 %04u", i);
        check_read("1:1:", i + 2, bound, "");
    }
    assert_int_equal(late.count, LATE_SPANS_MAX);
    assert_int_equal(late.spans[0].unfinished, LATE_SPANS_MAX + 1);
    snprintf(snapshot, sizeof(snapshot), "1:4:1,2");
    check_read(snapshot, LATE_SPANS_MAX * 2 + 1, "t3", "t1"); /* 3 is one of the merged */
}

static void test_nonsense_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "1", "1:", "1:2", "a:2:", "1:2:x", "1:2:,1", "1:2:1;", "-1:2:", "1:2:1 ,1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct late_snapshot read = {.text = texts[i], .next = 2, .bounds = {"t", "t"}};

        late_commits_reset(&late);
        check_case(late_commits_note(&late, &read) == false, "\"%s\"", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_that_runs_over_several_reads, set_up),
        cmocka_unit_test_setup(test_one_that_no_snapshot_lists, set_up),
        cmocka_unit_test_setup(test_lowest_bound_of_several, set_up),
        cmocka_unit_test_setup(test_due_is_merged, set_up),
        cmocka_unit_test_setup(test_what_runs_at_the_first_read_has_no_bound, set_up),
        cmocka_unit_test_setup(test_subtransactions_cost_a_read_at_most, set_up),
        cmocka_unit_test_setup(test_numbers_beyond_32_bits, set_up),
        cmocka_unit_test_setup(test_numbers_that_go_back_mean_another_server, set_up),
        cmocka_unit_test_setup(test_many_spans_become_fewer, set_up),
        cmocka_unit_test_setup(test_nonsense_is_refused, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
