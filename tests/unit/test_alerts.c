/* SPDX-License-Identifier: MIT */
/* When somebody is told that something is wrong: each decision, and hours of them under a clock of its own. */
#include "core/alerts.h"

#include <string.h>

#include "base/compiler.h"
#include "dice.h"
#include "unit.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

static void test_decisions(void **state)
{
    static const struct alert_rules usual = {4 * HOUR, true}, mute = {4 * HOUR, false},
                                    never = {0, true};
    static const struct alert_state none = {0}, open = {true, true, true, MINUTE, 0, MINUTE},
                                    untold = {true, true, false, 0, 0, MINUTE},
                                    old = {true, true, true, 4 * HOUR, 0, MINUTE},
                                    just_over = {true, false, true, MINUTE, 1, MINUTE},
                                    over = {true, false, true, HOUR, MINUTE, MINUTE},
                                    long_over = {true, false, true, 3 * HOUR, 2 * HOUR, 8 * MINUTE};
    const enum alert_cause dead = ALERT_DEAD_LETTERS, event = ALERT_ENDPOINT_DISABLED;
    const struct {
        const char *what;
        enum alert_cause cause;
        enum alert_sight sight;
        const struct alert_state *state;
        const struct alert_rules *rules;
        struct alert_decision expected;
    } cases[] = {
        {"all is well", dead, ALERT_ABSENT, &none, &usual, {ALERT_LEAVE, false, 0}},
        {"it is seen", dead, ALERT_PRESENT, &none, &usual, {ALERT_RAISE, true, MINUTE}},
        {"nobody can sign", dead, ALERT_PRESENT, &none, &mute, {ALERT_RAISE, false, MINUTE}},
        {"it can be signed", dead, ALERT_PRESENT, &untold, &usual, {ALERT_TELL, true, MINUTE}},
        {"still nobody", dead, ALERT_PRESENT, &untold, &mute, {ALERT_LEAVE, false, MINUTE}},
        {"it lasts", dead, ALERT_PRESENT, &open, &usual, {ALERT_LEAVE, false, MINUTE}},
        {"for long", dead, ALERT_PRESENT, &old, &usual, {ALERT_REMIND, true, MINUTE}},
        {"for long, mute", dead, ALERT_PRESENT, &old, &mute, {ALERT_LEAVE, false, MINUTE}},
        {"no reminders", dead, ALERT_PRESENT, &old, &never, {ALERT_LEAVE, false, MINUTE}},
        {"it was not seen", dead, ALERT_UNSEEN, &old, &usual, {ALERT_LEAVE, false, MINUTE}},
        {"it is over", dead, ALERT_ABSENT, &open, &usual, {ALERT_RESOLVE, true, MINUTE}},
        {"over, never told", dead, ALERT_ABSENT, &untold, &usual, {ALERT_RESOLVE, false, MINUTE}},
        {"over, never told, mute",
         dead,
         ALERT_ABSENT,
         &untold,
         &mute,
         {ALERT_RESOLVE, false, MINUTE}},
        {"over, told, mute", dead, ALERT_ABSENT, &open, &mute, {ALERT_LEAVE, false, MINUTE}},
        {"back at once", dead, ALERT_PRESENT, &just_over, &usual, {ALERT_LEAVE, false, MINUTE}},
        {"back soon", dead, ALERT_PRESENT, &over, &usual, {ALERT_RAISE, true, 2 * MINUTE}},
        {"back later", dead, ALERT_PRESENT, &long_over, &usual, {ALERT_RAISE, true, MINUTE}},
        {"it happened", event, ALERT_PRESENT, &none, &usual, {ALERT_OCCUR, true, MINUTE}},
        {"it happened, mute", event, ALERT_PRESENT, &none, &mute, {ALERT_LEAVE, false, 0}},
        {"nothing happened", event, ALERT_ABSENT, &over, &usual, {ALERT_LEAVE, false, MINUTE}},
        {"again, a minute later",
         event,
         ALERT_PRESENT,
         &just_over,
         &usual,
         {ALERT_OCCUR, true, 2 * MINUTE}},
        {"again, hours later",
         event,
         ALERT_PRESENT,
         &long_over,
         &usual,
         {ALERT_OCCUR, true, MINUTE}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct alert_decision got =
            alert_decide(cases[i].cause, cases[i].sight, cases[i].state, cases[i].rules);

        check_case(got.act == cases[i].expected.act &&
                       got.is_message == cases[i].expected.is_message &&
                       got.pause_ms == cases[i].expected.pause_ms,
                   "%s: act %d, message %d, pause %lld", cases[i].what, (int)got.act,
                   got.is_message, (long long)got.pause_ms);
    }
}

/* What webhook_alerts would hold, and what was told. */
struct history {
    int64_t told_at, ended_at, pause_ms;
    bool is_known, is_open, is_told;
    int raised, reminders, resolved, occurred;
};

static void look(struct history *h, enum alert_cause cause, enum alert_sight sight, int64_t now,
                 bool may_tell)
{
    const struct alert_rules rules = {4 * HOUR, may_tell};
    const struct alert_state at = {h->is_known,      h->is_open,        h->is_told,
                                   now - h->told_at, now - h->ended_at, h->pause_ms};
    struct alert_decision decision = alert_decide(cause, sight, &at, &rules);

    h->pause_ms = decision.pause_ms;
    if (decision.is_message)
        h->told_at = now;
    switch (decision.act) {
    case ALERT_LEAVE:
        break;
    case ALERT_RAISE:
        h->is_known = h->is_open = true;
        h->is_told = decision.is_message;
        h->raised += decision.is_message;
        break;
    case ALERT_TELL:
        h->is_told = true;
        h->raised++;
        break;
    case ALERT_REMIND:
        h->reminders++;
        break;
    case ALERT_RESOLVE:
        h->is_open = false;
        h->ended_at = now;
        h->resolved += decision.is_message;
        break;
    case ALERT_OCCUR:
        h->is_known = h->is_told = true;
        h->ended_at = now;
        h->occurred++;
        break;
    }
}

/* A look every ten seconds for a day: whatever comes and goes, each message that it begins has one that it ends, and
 * there are few. */
static void test_a_day_of_flapping(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct dice dice = {.state = seed};
        struct history h = {0};
        double mostly = dice_fraction(&dice);
        int changes = 0;
        enum alert_sight last = ALERT_ABSENT;
        int64_t now;

        for (now = HOUR; now < 25 * HOUR; now += 10000) {
            enum alert_sight sight = last;

            if (dice_fraction(&dice) < mostly * mostly)
                sight = (enum alert_sight)(int)(dice_fraction(&dice) * 3);
            changes += sight != last;
            last = sight;
            look(&h, ALERT_OLDEST_DUE, sight, now, dice_fraction(&dice) < 0.9);
        }
        check_case(h.raised == h.resolved + (h.is_open && h.is_told), "%u: %d raised, %d resolved",
                   seed, h.raised, h.resolved);
        check_case(h.raised <= 60, "%u: %d raised of %d changes", seed, h.raised, changes);
        for (int i = 0; i < 12; i++, now += 10 * MINUTE)
            look(&h, ALERT_OLDEST_DUE, ALERT_ABSENT, now, true);
        check_case(!h.is_open && h.raised == h.resolved, "%u: it does not end", seed);
        look(&h, ALERT_OLDEST_DUE, ALERT_PRESENT, now, true);
        check_case(h.is_open, "%u: it does not come back", seed);
    }
}

static void test_a_day_of_one_trouble(void **state)
{
    struct history h = {0};

    (void)state;
    for (int64_t now = HOUR; now <= 25 * HOUR; now += 10000)
        look(&h, ALERT_DEAD_LETTERS, ALERT_PRESENT, now, true);
    assert_int_equal(h.raised, 1);
    assert_int_equal(h.reminders, 6);
    look(&h, ALERT_DEAD_LETTERS, ALERT_ABSENT, 26 * HOUR, true);
    assert_int_equal(h.resolved, 1);
}

/* Endpoints are disabled all day long: the messages become rare, and none is forgotten. */
static void test_a_day_of_disabled_endpoints(void **state)
{
    struct history h = {0};

    (void)state;
    for (int64_t now = HOUR; now < 25 * HOUR; now += 10000)
        look(&h, ALERT_ENDPOINT_DISABLED, ALERT_PRESENT, now, true);
    check_case(h.occurred >= 24 && h.occurred <= 24 + 7, "%d messages", h.occurred);
    /* After a quiet time the first is told at once again. */
    look(&h, ALERT_ENDPOINT_DISABLED, ALERT_PRESENT, 40 * HOUR, true);
    assert_int_equal(h.pause_ms, MINUTE);
}

static void test_sentences(void **state)
{
    static const struct alert_finding some = {.count = 3, .age_ms = 5 * MINUTE, .window_ms = HOUR},
                                      one = {.count = 1, .is_more = true, .window_ms = HOUR};
    const struct {
        const struct alert_finding *finding;
        const char *expected;
        enum alert_cause cause;
        bool is_over;
    } cases[] = {
        {&some, "3 deliveries died within 1h, by our own fault", ALERT_DEAD_LETTERS, false},
        {&one, "at least 1 delivery died within 1h, by the receivers' fault",
         ALERT_DEAD_LETTERS_RECEIVER, false},
        {&some, "3 ordering keys wait behind a dead letter", ALERT_KEY_BLOCKED, false},
        {&some, "no worker has 3 of the lanes, for 5 min", ALERT_LANE_UNOWNED, false},
        {&some, "each lane has a worker", ALERT_LANE_UNOWNED, true},
        {&some, "the last audit passed", ALERT_AUDIT, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[ALERT_SUMMARY_SIZE];

        assert_string_equal(alert_summary(cases[i].cause, cases[i].finding, cases[i].is_over, text),
                            cases[i].expected);
    }
}

/* A name finds its cause again; ids are 128 bits in hexadecimal, one for each type. */
static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < ALERT_CAUSES; i++) {
        const struct alert_kind *kind = alert_kind((enum alert_cause)i);

        assert_int_equal(alert_cause_of(kind->name), i);
        assert_int_equal(strspn(kind->message_id, "0123456789abcdef"), 32);
        for (int j = 0; j < i; j++)
            check_case(
                (strcmp(kind->type, alert_kind((enum alert_cause)j)->type) == 0) ==
                    (strcmp(kind->message_id, alert_kind((enum alert_cause)j)->message_id) == 0),
                "%s and %s", kind->name, alert_kind((enum alert_cause)j)->name);
    }
    assert_int_equal(alert_cause_of("of_a_later_version"), ALERT_CAUSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_a_day_of_flapping),
        cmocka_unit_test(test_a_day_of_one_trouble),
        cmocka_unit_test(test_a_day_of_disabled_endpoints),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
