/* SPDX-License-Identifier: MIT */
/*
 * db/backfill.h: deliveries of events that were published before an endpoint subscribed to them.
 *
 * Which events an endpoint gets is what the table's own trigger goes by: the functions
 * webhook_event_patterns() and webhook_event_subscribers() (migrations/0014_events.sql). A delivery
 * that is there, of whatever status, is not made again. The events are gone through once, in the
 * order of (created_at, id), in pages with a transaction each: what is done stays done when the
 * command is stopped. Each event that gets a delivery is locked FOR KEY SHARE, so that retention,
 * which locks it FOR UPDATE, does not take it away meanwhile.
 *
 * What a page sees is complete only when nobody can publish any more who does not see the
 * subscription: db/older_transactions.h.
 */
#ifndef POSTRIDER_DB_BACKFILL_H
#define POSTRIDER_DB_BACKFILL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/moment.h"
#include "db/session.h"

/* An endpoint as it was read; text belongs to the list. */
struct backfill_target {
    const char *id;
    const char *customer_id;
    const char *url;
    const char *subscription; /* all that decides what it gets; NULL: it subscribes to nothing */
    bool all_customers;
    bool is_disabled;
    bool is_paused;
};

struct backfill_targets {
    PGresult *result;
    size_t count;
    struct backfill_target *rows;
};

#define BACKFILL_TARGETS_MAX 10

/* endpoint: the id of one, or a URL, which several customers may have; customer: NULL, or whose.
 * At most BACKFILL_TARGETS_MAX and one. */
bool backfill_find(struct db_session *session, const char *endpoint, const char *customer,
                   struct backfill_targets *ret_targets, struct error *error) MUST_USE;
void backfill_targets_free(struct backfill_targets *targets);

/* Which events are looked at. */
struct backfill_scope {
    const struct backfill_target *target;
    const char *customer; /* whose events; NULL: every customer's */
    const char *since;
    const char *until; /* NULL: no end */
    /*
     * Of events that are older than this and younger than the endpoint a delivery may have been
     * made, and been removed by retention since. They are counted, and get none. NULL: they are
     * like others.
     */
    const char *kept_since;
};

/* How far it has come; starts as {0}. */
struct backfill_progress {
    char created_at[MOMENT_SIZE];
    char id[40];
    int64_t events;  /* that were looked at */
    int64_t missing; /* counting: deliveries that are to be made; making: that were made */
    int64_t unsure;  /* left out by kept_since */
    bool is_done;
};

/* Counts in the next limit events, or makes what is missing there. False with error also when the
 * endpoint's subscription is no longer that of the target. */
bool backfill_count(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                    struct backfill_progress *progress, struct error *error) MUST_USE;
bool backfill_make(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                   struct backfill_progress *progress, struct error *error) MUST_USE;

/* Of the newest limit events how many are missing, and when the oldest of those was published
 * (empty: there is none). */
bool backfill_look(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                   int64_t *ret_missing, char ret_since[MOMENT_SIZE], struct error *error) MUST_USE;

#endif
