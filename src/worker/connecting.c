/* SPDX-License-Identifier: MIT */
#include "worker/connecting.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/outages.h"
#include "db/migrate.h"
#include "db/schema_version.h"
#include "worker/finding.h"
#include "worker/reporting.h"
#include "worker/requiring.h"
#include "worker/waking.h"

#define CHECK_FIRST_US   250000 /* the schema's version, after it was refused */
#define CHECK_LONGEST_US 30000000

struct connecting {
    bool is_checking_schema;
    int64_t check_us, check_pause_us; /* the next check of its version, after a refusal */
    struct outages outages;
};

static void on_link_up(void *owner)
{
    struct worker *worker = owner;

    /* It takes both links, and the other one may have been lost at the same time. */
    if (!worker_is_connected(worker))
        return;
    worker->is_schema_checked = false;
    worker->connecting->check_us = worker->now_us;
    requiring_restart(worker);
    if (outages_note_up(&worker->connecting->outages))
        log_event(LOG_LEVEL_INFO, "connected to the database");
}

static void on_link_down(void *owner, const char *reason)
{
    struct worker *worker = owner;
    int untold;

    /* Whichever link it was: nothing can be sent without both, so everything begins anew when both
     * are up. */
    worker->connecting->is_checking_schema = false;
    requiring_restart(worker);
    waking_restart(worker);
    finding_restart(worker);
    if (worker->phase == WORKER_DONE ||
        !outages_note_down(&worker->connecting->outages, reason, worker->now_us, &untold))
        return;
    log_event(LOG_LEVEL_ERROR, "the database is away; waiting for it", LOG_TEXT("error", reason),
              LOG_NUMBER("outages_not_logged", untold),
              LOG_NUMBER("unwritten", (int64_t)(worker->deliveries.counts[DELIVERY_FINISHED] +
                                                worker->deliveries.counts[DELIVERY_RECORDING])));
}

static void on_link_notified(void *owner)
{
    waking_note_notified(owner);
}

void connecting_init(struct worker *worker)
{
    const struct config *config = worker->config;
    struct db_link_events events = {.on_up = on_link_up,
                                    .on_down = on_link_down,
                                    .on_notified = on_link_notified,
                                    .owner = worker};

    worker->connecting = memory_new(1, sizeof(*worker->connecting));
    worker->writing =
        db_link_new(worker->loop.base, config->database.url, config->database.schema, &events);
    worker->reading =
        db_link_new(worker->loop.base, config->database.url, config->database.schema, &events);
    db_link_refuse_hidden(worker->reading);
}

void connecting_free(struct worker *worker)
{
    db_link_free(worker->reading);
    db_link_free(worker->writing);
    free(worker->connecting);
}

void connecting_collect(struct worker *worker)
{
    db_link_collect(worker->writing);
    db_link_collect(worker->reading);
}

static void give_up_on_version(struct worker *worker, enum schema_fit fit, int version)
{
    char message[160];
    struct error advice;

    snprintf(message, sizeof(message),
             "the database's schema has version %d, this binary needs version %d", version,
             migrate_binary_version());
    if (fit == SCHEMA_IS_OLD)
        error_hint(&advice, "run \"postrider migrate%s\" with this binary", hint_options());
    else
        error_hint(&advice, "install the version of postrider that migrated the database");
    worker_give_up(worker, message, advice.hint);
}

static void note_version(struct worker *worker, struct schema_version schema)
{
    int binary_version = migrate_binary_version();
    enum schema_fit fit = schema_fit(&schema, binary_version);

    worker->is_schema_checked = fit == SCHEMA_FITS;
    if (fit != SCHEMA_FITS)
        give_up_on_version(worker, fit, schema.version);
    else if (schema.version > binary_version)
        log_event(LOG_LEVEL_WARNING,
                  "the database's schema is newer than this binary, which works; upgrade it",
                  LOG_NUMBER("schema", schema.version), LOG_NUMBER("binary", binary_version));
}

/* What privilege is missing, the requirements say; here it is something else, and may pass. */
static void note_version_refused(struct worker *worker, const struct db_answer *answer)
{
    struct connecting *connecting = worker->connecting;
    int64_t pause_us = connecting->check_pause_us * 2;

    if (pause_us < CHECK_FIRST_US)
        pause_us = CHECK_FIRST_US;
    connecting->check_pause_us = pause_us < CHECK_LONGEST_US ? pause_us : CHECK_LONGEST_US;
    connecting->check_us = worker->now_us + connecting->check_pause_us;
    reporting_refusal("the schema's version can't be read; nothing is sent until it is", answer);
}

static void on_version_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct error advice;

    worker->connecting->is_checking_schema = false;
    if (answer->result == DB_ANSWERED) {
        /* A lost answer needs no word here: the link is down, and its return asks again. */
        worker->connecting->check_pause_us = 0;
        note_version(worker, schema_version_of(answer));
    } else if (answer->result == DB_REFUSED && schema_version_is_missing(answer)) {
        error_hint(&advice, "run \"postrider migrate%s\", and look at database.schema",
                   hint_options());
        worker_give_up(worker, "the database has no Postrider tables in this schema", advice.hint);
    } else if (answer->result == DB_REFUSED) {
        note_version_refused(worker, answer);
    }
}

static bool may_check(const struct worker *worker)
{
    return !worker->is_schema_checked && !worker->connecting->is_checking_schema &&
           worker_is_connected(worker) && requiring_lets_read_version(worker);
}

int64_t connecting_next_us(const struct worker *worker)
{
    return may_check(worker) ? worker->connecting->check_us : WORKER_NEVER;
}

void connecting_step(struct worker *worker)
{
    if (!may_check(worker) || worker->now_us < worker->connecting->check_us)
        return;
    worker->connecting->is_checking_schema =
        schema_version_send(worker->reading, on_version_answered, worker);
}

const char *connecting_outage(const struct worker *worker)
{
    const struct outages *outages = &worker->connecting->outages;

    return outages->is_down && outages->has_told ? outages->reason : NULL;
}
