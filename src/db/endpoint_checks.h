/* SPDX-License-Identifier: MIT */
/*
 * db/endpoint_checks.h: tests and doctors of endpoints, rows of webhook_replays, for the worker that
 * carries them out.
 *
 * A row is taken by whoever owns the lane of the endpoint's URL, for a time: when that is over and
 * there is no result, its worker has died, and another one may take it. Each time is a pass, and
 * nothing is written but for the pass that was taken. It ends with an error after
 * ENDPOINT_CHECK_PASSES of them, when nobody has taken it in ENDPOINT_CHECK_WAIT_S, and when there
 * is no such endpoint; one that was stopped ends too. So none is left for ever.
 *
 * A customer's row (customer_id) is about endpoints that the customer can see, and no others: what
 * webhook_replays_endpoint() refuses is not carried out either.
 */
#ifndef POSTRIDER_DB_ENDPOINT_CHECKS_H
#define POSTRIDER_DB_ENDPOINT_CHECKS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/endpoints.h"
#include "db/link.h"
#include "db/session.h"

#define ENDPOINT_CHECK_PASSES 3
#define ENDPOINT_CHECK_WAIT_S 120

/* One that was taken. Texts belong to the answer. */
struct endpoint_check_taken {
    const char *id;
    const char *kind;
    const char *customer_id; /* who asks; NULL: an operator */
    const char *requested_by;
    int pass;
    int64_t database_ms; /* the database's clock, since the epoch */
    const char *endpoint_id;
    const char *endpoint_customer_id;
    const char *url;
    const char *ordering;
    const char *disabled_at, *paused_at, *failing_since; /* NULL: it is not */
    int64_t types_count; /* patterns that it subscribes to; -1: it has no subscription */
    int64_t
        events_looked_at; /* of the newest of its customer's (or of all), with a subscription … */
    int64_t events_matching; /* … those of a type that it subscribes to */
    int64_t expired_secrets; /* that could be its own, or its customer's */
    int64_t secrets_end_ms;  /* until the last of those that sign is over; -1: never, or none */
    int64_t pending;         /* deliveries, up to ENDPOINT_CHECK_PENDING_MAX */
    struct endpoint_found found;
};

#define ENDPOINT_CHECK_PENDING_MAX 1000

/* Takes at most limit of those that are due, of these lanes (bits), for lease_ms. ends_others: also
 * ends those that nobody will carry out. schema: database.schema. */
bool endpoint_checks_send_take(struct db_link *link, const char *schema, uint64_t lanes, int limit,
                               int64_t lease_ms, bool ends_others, db_link_answered *on_answer,
                               void *owner) MUST_USE;

/* How many were taken; each is to be read before the callback ends, and wiped then. */
int endpoint_checks_taken_count(const struct db_answer *answer);
struct endpoint_check_taken endpoint_checks_taken(const struct db_answer *answer, int row);
void endpoint_checks_wipe(const struct db_answer *answer);

/* Those that were ended. */
struct endpoint_check_ended {
    const char *id;
    const char *error;
};

int endpoint_checks_ended_count(const struct db_answer *answer);
struct endpoint_check_ended endpoint_checks_ended(const struct db_answer *answer, int row);

/* What came of a pass: result is JSON, or NULL with error. */
bool endpoint_checks_send_result(struct db_link *link, const char *schema, const char *id, int pass,
                                 const char *result, const char *error, db_link_answered *on_answer,
                                 void *owner) MUST_USE;

/* False: the row is somebody else's by now, or gone. */
bool endpoint_checks_was_written(const struct db_answer *answer);

/* Another one may take it at once. */
bool endpoint_checks_send_return(struct db_link *link, const char *schema, const char *id, int pass,
                                 db_link_answered *on_answer, void *owner) MUST_USE;

/* --- for commands --- */

/* What there is to say of who could carry out a check of the endpoint. */
struct endpoint_check_outlook {
    bool has_workers;   /* some worker lives */
    bool is_lane_owned; /* the endpoint's */
    int lane;
};

bool endpoint_checks_outlook(struct db_session *session, const char *endpoint_id,
                             struct endpoint_check_outlook *ret_outlook,
                             struct error *error) MUST_USE;

#endif
