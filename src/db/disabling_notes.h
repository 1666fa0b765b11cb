/* SPDX-License-Identifier: MIT */
/*
 * db/disabling_notes.h: which endpoints do nothing but fail, in webhook_endpoints.failing_since.
 *
 * Written when a breaker opens and when an endpoint works again, not for each attempt. The database
 * decides by its own clock whether one has failed for long enough to be disabled; that survives any
 * restart of a worker. When it is disabled failing_since is cleared, so that who enables it again
 * starts anew.
 *
 * An endpoint without a row gets one when it begins to fail, or answers 410 (db/outcomes.h), and a
 * customer chooses how many there are. noted_at tells such a row from those that others have made:
 * its last note, NULL as soon as anybody else changes the row (a trigger sees to that). It goes
 * when the endpoint works again, and by retention (db/retention.h) when nothing was noted for
 * ENDPOINT_ROW_KEEP_DAYS. So long as it says something and deliveries come, it is noted again every
 * ENDPOINT_NOTE_AGAIN_MS, and what a worker holds in memory is never deleted from under it while it
 * matters. Limit: an endpoint with more than ENDPOINT_ROW_KEEP_DAYS between two events starts anew
 * with each: it isn't disabled by endpoint.disable_after, and one that a worker has disabled is
 * tried again.
 */
#ifndef POSTRIDER_DB_DISABLING_NOTES_H
#define POSTRIDER_DB_DISABLING_NOTES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/array.h"
#include "db/link.h"

#define DISABLING_NOTES_MAX    500 /* endpoints in one batch */
#define ENDPOINT_NOTE_AGAIN_MS INT64_C(86400000)
#define ENDPOINT_ROW_KEEP_DAYS 30

/* What is to be written down of an endpoint. */
enum endpoint_note {
    ENDPOINT_NOTE_NOTHING,
    ENDPOINT_NOTE_FAILING, /* it begins to do nothing but fail, or it may be time to disable it */
    ENDPOINT_NOTE_WORKING, /* it answers again */
    ENDPOINT_NOTE_USED,    /* what its row says is still true, and was needed */
    ENDPOINT_NOTES
};

struct disabling_notes_writer {
    struct array customers[ENDPOINT_NOTES], urls[ENDPOINT_NOTES]; /* by note */
};

void disabling_notes_init(struct disabling_notes_writer *writer);
void disabling_notes_free(struct disabling_notes_writer *writer);

/* Each endpoint once, at most DISABLING_NOTES_MAX. */
void disabling_notes_begin(struct disabling_notes_writer *writer);
void disabling_notes_add(struct disabling_notes_writer *writer, const char *customer_id,
                         const char *url, enum endpoint_note note);

/* disable_after_ms 0: none is disabled. */
bool disabling_notes_send(struct disabling_notes_writer *writer, struct db_link *link,
                          const char *schema, int64_t disable_after_ms, db_link_answered *on_answer,
                          void *owner) MUST_USE;

/* The endpoints that were written as failing. One is disabled by this when its customer is not
 * NULL. */
int disabling_notes_count(const struct db_answer *answer);
const char *disabling_notes_customer_at(const struct db_answer *answer, int row);
const char *disabling_notes_url_at(const struct db_answer *answer, int row);

#endif
