/* SPDX-License-Identifier: MIT */
#include "scripted_worker.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "link_timer.h"
#include "unit.h"
#include "worker/finding.h"
#include "worker/own_problems.h"
#include "worker/promises.h"
#include "worker/reporting.h"
#include "worker/requiring.h"

#define ANSWER_TURNS 4 /* nothing arrives in the others */
#define IDLE_TURNS   (3 * ANSWER_TURNS)
#define LINES_MAX    64
#define TURN_US      7000

struct worker worker;

static struct {
    const char *messages[LINES_MAX];
    int counts[LINES_MAX];
    int turns, calls, idle;
} seen;

/* --- the log: instead of base/log.c --- */

void log_configure(enum log_level level, enum log_format format)
{
    (void)level;
    (void)format;
}

bool log_is_enabled(enum log_level level)
{
    (void)level;
    return true;
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields)
{
    int i = 0;

    (void)level;
    assert_non_null(fields);
    while (i < LINES_MAX - 1 && seen.messages[i] != NULL && strcmp(seen.messages[i], message) != 0)
        i++;
    seen.messages[i] = message;
    seen.counts[i]++;
}

int scripted_worker_logged(const char *message)
{
    for (int i = 0; i < LINES_MAX && seen.messages[i] != NULL; i++)
        if (strcmp(seen.messages[i], message) == 0)
            return seen.counts[i];
    return 0;
}

/* --- chance: instead of libc's, so that a worker has the same name each time --- */

uint32_t arc4random(void)
{
    return 4;
}

/* --- what the worker says of itself: instead of own_problems.c, which looks at all parts --- */

char *own_problems_describe(const struct worker *looked_at, const struct lane_leases *leases,
                            int64_t cut_off_us)
{
    (void)looked_at;
    (void)leases;
    (void)cut_off_us;
    return memory_copy_string("[]");
}

/* --- the worker --- */

static void on_up(void *owner)
{
    (void)owner;
    assert_true(worker_is_connected(&worker));
}

static void on_down(void *owner, const char *reason)
{
    (void)owner;
    assert_true(reason[0] != '\0');
    finding_restart(&worker);
}

void scripted_worker_begin(struct config *config, const struct exchange_script *script,
                           const struct pq_server *server)
{
    static const struct db_link_events events = {on_up, on_down, NULL, NULL};

    memset(&seen, 0, sizeof(seen));
    pq_begin(server, script->honest, script->faults, script->fault_count);
    worker = (struct worker){.config = config,
                             .now_us = SCRIPTED_START_US,
                             .loop = {.base = event_base_new()},
                             .is_schema_checked = true};
    deliveries_init(&worker.deliveries);
    endpoints_init(&worker.endpoints);
    reporting_init(&worker);
    promises_init(&worker);
    promises_set_owner(&worker, "scripted");
    finding_init(&worker);
    requiring_init(&worker);
    worker.reading = worker.writing = db_link_new(worker.loop.base, "postgresql:///", "", &events);
}

void scripted_worker_end(const struct exchange_script *script)
{
    db_link_free(worker.writing);
    deliveries_free(&worker.deliveries);
    endpoints_free(&worker.endpoints);
    finding_free(&worker);
    promises_free(&worker);
    requiring_free(&worker);
    reporting_free(&worker);
    assert_int_equal(event_base_get_num_events(worker.loop.base,
                                               EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
                     0);
    event_base_free(worker.loop.base);
    pq_end(script->trace);
}

void scripted_worker_turn(void)
{
    seen.calls = pq_calls();
    worker.now_us += TURN_US;
    if (seen.turns++ % ANSWER_TURNS == 0) {
        pq_arrive();
        assert_true(event_base_loop(worker.loop.base, EVLOOP_NONBLOCK) >= 0);
    }
    db_link_collect(worker.writing);
}

void scripted_worker_pass_time(int64_t next_us)
{
    seen.idle = pq_calls() == seen.calls ? seen.idle + 1 : 0;
    if (seen.idle < IDLE_TURNS)
        return;
    seen.idle = 0;
    if (link_timer_fire(worker.loop.base, worker.writing))
        return;
    if (next_us != WORKER_NEVER)
        worker.now_us = next_us > worker.now_us ? next_us : worker.now_us;
    else if (db_link_outstanding(worker.writing) > 0)
        db_link_reset(worker.writing, "it takes too long"); /* what leasing.c does */
    else
        fail_msg("it stands still");
}
