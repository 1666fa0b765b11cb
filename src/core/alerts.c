/* SPDX-License-Identifier: MIT */
#include "core/alerts.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

#define ID_DEAD_LETTERS "da337e7bfbca48c586d226afcb2b5f44"
#define ID_OLDEST_DUE   "3226acc7a423417f86a1a51e6795ea4d"

static const struct alert_kind kinds[] = {
    [ALERT_DEAD_LETTERS] = {"dead_letters", "dead_letters", false, false, ID_DEAD_LETTERS},
    [ALERT_DEAD_LETTERS_RECEIVER] = {"dead_letters.receiver", "dead_letters", false, true,
                                     ID_DEAD_LETTERS},
    [ALERT_OLDEST_DUE] = {"oldest_due", "oldest_due", false, false, ID_OLDEST_DUE},
    [ALERT_OLDEST_DUE_RECEIVER] = {"oldest_due.receiver", "oldest_due", false, true, ID_OLDEST_DUE},
    [ALERT_KEY_BLOCKED] = {"key_blocked", "key_blocked", false, true,
                           "00116d68a0dd4b948daf93e79e8eb124"},
    [ALERT_LANE_UNOWNED] = {"lane_unowned", "lane_unowned", false, false,
                            "2ae1572bd25949c7bf1137292e2c35c8"},
    [ALERT_AUDIT] = {"audit", "audit", false, false, "efd38872fbed4b4aaa9073cee65f34e7"},
    [ALERT_DATABASE] = {"database", "database", true, false, "d93f3f34eb08424d8340a8c3840c1365"},
    [ALERT_ENDPOINT_DISABLED] = {"endpoint_disabled", "endpoint_disabled", true, true,
                                 "97abf8aa34874b7a9e19fd848486f6cb"},
    [ALERT_ENDPOINT_RECOVERED] = {"endpoint_recovered", "endpoint_recovered", true, true,
                                  "8e66a5ba707f42cdbf152ae8f17efbf9"},
};

_Static_assert(ARRAY_LENGTH(kinds) == ALERT_CAUSES, "each cause has its kind");

const struct alert_kind *alert_kind(enum alert_cause cause)
{
    return &kinds[cause];
}

enum alert_cause alert_cause_of(const char *name)
{
    for (int i = 0; i < ALERT_CAUSES; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (enum alert_cause)i;
    return ALERT_CAUSES;
}

/* The pause behind the time that begins now, when the last one has ended for ended_ms. */
static int64_t next_pause_ms(const struct alert_state *state, int64_t ended_ms)
{
    if (state->pause_ms < ALERT_PAUSE_MIN_MS || ended_ms >= ALERT_QUIET_MS)
        return ALERT_PAUSE_MIN_MS;
    return state->pause_ms < ALERT_PAUSE_MAX_MS / 2 ? 2 * state->pause_ms : ALERT_PAUSE_MAX_MS;
}

/* What nobody can be told now stays to be told: it is read again. */
static struct alert_decision decide_occurrence(enum alert_sight sight,
                                               const struct alert_state *state,
                                               const struct alert_rules *rules)
{
    if (sight != ALERT_PRESENT || !rules->may_tell ||
        (state->is_known && state->is_told && state->told_ms < state->pause_ms))
        return (struct alert_decision){ALERT_LEAVE, false, state->pause_ms};
    return (struct alert_decision){ALERT_OCCUR, true, next_pause_ms(state, state->told_ms)};
}

static struct alert_decision decide_open(enum alert_sight sight, const struct alert_state *state,
                                         const struct alert_rules *rules)
{
    struct alert_decision decision = {ALERT_LEAVE, false, state->pause_ms};

    if (sight == ALERT_ABSENT && (rules->may_tell || !state->is_told)) {
        /* Who has not heard of it need not hear that it is over. */
        decision.act = ALERT_RESOLVE;
        decision.is_message = state->is_told;
    } else if (sight == ALERT_PRESENT && rules->may_tell && !state->is_told) {
        decision.act = ALERT_TELL;
        decision.is_message = true;
    } else if (sight == ALERT_PRESENT && rules->may_tell && rules->remind_ms > 0 &&
               state->told_ms >= rules->remind_ms) {
        decision.act = ALERT_REMIND;
        decision.is_message = true;
    }
    return decision;
}

struct alert_decision alert_decide(enum alert_cause cause, enum alert_sight sight,
                                   const struct alert_state *state, const struct alert_rules *rules)
{
    if (kinds[cause].is_occurrence)
        return decide_occurrence(sight, state, rules);
    if (state->is_known && state->is_open)
        return decide_open(sight, state, rules);
    if (sight != ALERT_PRESENT || (state->is_known && state->ended_ms < state->pause_ms))
        return (struct alert_decision){ALERT_LEAVE, false, state->pause_ms};
    return (struct alert_decision){ALERT_RAISE, rules->may_tell,
                                   next_pause_ms(state, state->ended_ms)};
}

static const char *of_whom(enum alert_cause cause)
{
    return kinds[cause].is_receivers ? "endpoints that fail" : "endpoints that answer";
}

static void write_dead_letters(enum alert_cause cause, const struct alert_finding *finding,
                               char text[ALERT_SUMMARY_SIZE])
{
    char window[UNITS_TEXT_SIZE];

    snprintf(text, ALERT_SUMMARY_SIZE, "%s%lld deliver%s died within %s, by %s fault",
             finding->is_more ? "at least " : "", (long long)finding->count,
             text_plural(finding->count, "y", "ies"),
             units_format_duration_ms(finding->window_ms, window),
             kinds[cause].is_receivers ? "the receivers'" : "our own");
}

static void write_present(enum alert_cause cause, const struct alert_finding *finding,
                          char text[ALERT_SUMMARY_SIZE])
{
    char about[UNITS_TEXT_SIZE];
    const char *more = finding->is_more ? "at least " : "";
    long long count = (long long)finding->count;

    units_format_about_ms(finding->age_ms > 0 ? finding->age_ms : 0, about);
    switch (cause) {
    case ALERT_DEAD_LETTERS:
    case ALERT_DEAD_LETTERS_RECEIVER:
        write_dead_letters(cause, finding, text);
        break;
    case ALERT_OLDEST_DUE:
    case ALERT_OLDEST_DUE_RECEIVER:
        snprintf(text, ALERT_SUMMARY_SIZE, "a delivery is due for %s, the oldest of %s", about,
                 of_whom(cause));
        break;
    case ALERT_KEY_BLOCKED:
        snprintf(text, ALERT_SUMMARY_SIZE, "%s%lld ordering key%s behind a dead letter", more,
                 count, text_plural(finding->count, " waits", "s wait"));
        break;
    case ALERT_LANE_UNOWNED:
        snprintf(text, ALERT_SUMMARY_SIZE, "no worker has %lld of the lanes, for %s", count, about);
        break;
    case ALERT_AUDIT:
        snprintf(text, ALERT_SUMMARY_SIZE, "the audit of %s ago failed", about);
        break;
    case ALERT_DATABASE:
        snprintf(text, ALERT_SUMMARY_SIZE,
                 "the database was away, or refused what is needed, for %s", about);
        break;
    case ALERT_ENDPOINT_DISABLED:
    case ALERT_ENDPOINT_RECOVERED:
    case ALERT_CAUSES:
        bug("no sentence for the cause %d", (int)cause);
    }
}

const char *alert_summary(enum alert_cause cause, const struct alert_finding *finding, bool is_over,
                          char text[ALERT_SUMMARY_SIZE])
{
    static const char *const overs[ALERT_CAUSES] = {
        [ALERT_DEAD_LETTERS] = "fewer deliveries die by our own fault",
        [ALERT_DEAD_LETTERS_RECEIVER] = "fewer deliveries die by the receivers' fault",
        [ALERT_OLDEST_DUE] = "what is due to endpoints that answer is sent in time",
        [ALERT_OLDEST_DUE_RECEIVER] = "what is due to endpoints that fail waits no longer",
        [ALERT_KEY_BLOCKED] = "no ordering key waits behind a dead letter",
        [ALERT_LANE_UNOWNED] = "each lane has a worker",
        [ALERT_AUDIT] = "the last audit passed",
    };

    if (!is_over)
        write_present(cause, finding, text);
    else if (overs[cause] == NULL)
        bug("the cause %d is never over", (int)cause);
    else
        snprintf(text, ALERT_SUMMARY_SIZE, "%s", overs[cause]);
    return text;
}
