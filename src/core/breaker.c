/* SPDX-License-Identifier: MIT */
#include "core/breaker.h"

#include <limits.h>

#include "base/compiler.h"

#define MOVE(state) (1u << (state))

/* legal_moves[from] has the bit of each state that may follow. */
static const unsigned legal_moves[BREAKER_STATES] = {
    [BREAKER_CLOSED] = MOVE(BREAKER_OPEN),
    [BREAKER_OPEN] = MOVE(BREAKER_PROBING) | MOVE(BREAKER_CLOSED),
    [BREAKER_PROBING] = MOVE(BREAKER_OPEN) | MOVE(BREAKER_CLOSED),
};

const char *breaker_state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED:
        return "closed";
    case BREAKER_OPEN:
        return "open";
    case BREAKER_PROBING:
        return "probing";
    }
    bug("breaker state %d", (int)state);
}

static void set_state(struct breaker *breaker, enum breaker_state state)
{
    if ((legal_moves[breaker->state] & MOVE(state)) == 0)
        bug("breaker: %s to %s", breaker_state_name(breaker->state), breaker_state_name(state));
    breaker->state = state;
}

static void set_pause(struct breaker *breaker, const struct breaker_policy *policy,
                      int64_t pause_us, int64_t now_us, double random01)
{
    breaker->pause_us = pause_us < policy->max_interval_us ? pause_us : policy->max_interval_us;
    breaker->next_probe_us =
        now_us + (int64_t)((double)breaker->pause_us * (1 - BREAKER_JITTER * random01));
}

bool breaker_note_failure(struct breaker *breaker, const struct breaker_policy *policy,
                          bool is_probe, int64_t now_us, double random01)
{
    if (breaker->failures < INT_MAX)
        breaker->failures++;
    if (breaker->state == BREAKER_PROBING && is_probe) {
        set_state(breaker, BREAKER_OPEN);
        set_pause(breaker, policy, breaker->pause_us * 2, now_us, random01);
        return false;
    }
    if (breaker->state != BREAKER_CLOSED || policy->failures == 0 ||
        breaker->failures < policy->failures)
        return false;
    set_state(breaker, BREAKER_OPEN);
    breaker->opened_us = now_us;
    breaker->opened_after = breaker->failures;
    set_pause(breaker, policy, BREAKER_FIRST_US, now_us, random01);
    return true;
}

bool breaker_note_success(struct breaker *breaker)
{
    breaker->failures = 0;
    if (breaker->state == BREAKER_CLOSED)
        return false;
    set_state(breaker, BREAKER_CLOSED);
    return true;
}

/* Pauses that double are about half of the time since the first one began. */
void breaker_resume(struct breaker *breaker, const struct breaker_policy *policy,
                    int64_t failing_us, int64_t now_us, double random01)
{
    int64_t pause_us = failing_us / 2 > BREAKER_FIRST_US ? failing_us / 2 : BREAKER_FIRST_US;
    int64_t within_us;

    set_state(breaker, BREAKER_OPEN);
    breaker->opened_us = now_us;
    breaker->opened_after = 0;
    set_pause(breaker, policy, pause_us, now_us, 0);
    within_us = breaker->pause_us < BREAKER_RESUME_US ? breaker->pause_us : BREAKER_RESUME_US;
    breaker->next_probe_us = now_us + (int64_t)((double)within_us * random01);
}

bool breaker_is_probe_due(const struct breaker *breaker, int64_t now_us)
{
    return breaker->state == BREAKER_OPEN && now_us >= breaker->next_probe_us;
}

void breaker_begin_probe(struct breaker *breaker)
{
    set_state(breaker, BREAKER_PROBING);
}

void breaker_void_probe(struct breaker *breaker, int64_t now_us)
{
    set_state(breaker, BREAKER_OPEN);
    breaker->next_probe_us = now_us + breaker->pause_us;
}
