/* SPDX-License-Identifier: MIT */
/*
 * db/alerts.h: what there is to be told of (a look), what was told of it (webhook_alerts), and the
 * messages, which are events of webhook_alert_publish().
 *
 * A look reads what indexes give, in bounded pieces, and ends after ALERTS_LOOK_MS: it must not hold
 * up who looks for due rows over the same link. What it doesn't find out is an error of the look, and
 * nothing is known then. Deliveries of alerts and the endpoint that hears of them are left out
 * everywhere: what becomes of an alert is no alert. Each change is written in one statement with its
 * message, if the row is still as it was read, so that two workers, or one that was cut off, tell
 * of nothing twice.
 */
#ifndef POSTRIDER_DB_ALERTS_H
#define POSTRIDER_DB_ALERTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/alerts.h"
#include "db/link.h"
#include "db/session.h"

#define ALERTS_LOOK_MS 1000

/* What is looked at; 0 or false: it is not. */
struct alerts_question {
    const char *customer, *url; /* who hears of it; "" = nobody */
    int64_t window_ms;          /* of dead letters; 0: they are not counted */
    int64_t oldest_due_ms;
    int64_t oldest_due_receiver_ms;
    bool blocked_keys, lanes, audit, endpoints;
};

bool alerts_send_look(struct db_link *link, const struct alerts_question *question,
                      db_link_answered *on_answer, void *owner) MUST_USE;

/* What a look has found of a cause. Text belongs to the result. */
struct alerts_found {
    bool is_there;   /* the look was for it */
    bool is_partial; /* there may be more that it didn't get to see */
    struct alert_finding finding;
    const char *detail; /* JSON */
};

struct alerts_look {
    struct alerts_found found[ALERT_CAUSES];
    struct alert_state states[ALERT_CAUSES];
    int64_t versions[ALERT_CAUSES]; /* 0: no row */
    bool has_secret;                /* a secret of the customer's for this URL */
    bool is_disabled, is_paused;    /* the endpoint that hears of it */
    PGresult *results[2];           /* what the texts are in; alerts_look_free() */
};

/* Of an answer that is DB_ANSWERED; takes its results. */
struct alerts_look alerts_read_look(const struct db_answer *answer);
void alerts_look_free(struct alerts_look *look);

/* What is to be written down, and told. */
struct alerts_change {
    enum alert_cause cause;
    struct alert_decision decision;
    int64_t version;            /* as it was read */
    int64_t age_ms;             /* since when it has lasted */
    const char *summary;        /* NULL: the notes of endpoints say */
    const char *detail;         /* JSON; may be NULL */
    const char *customer, *url; /* "" = no message, but in the log */
};

/* schema: database.schema. */
bool alerts_send_change(struct db_link *link, const char *schema,
                        const struct alerts_change *change, db_link_answered *on_answer,
                        void *owner) MUST_USE;

/* NULL when somebody else was first, and nothing was written; else the sentence, which belongs to
 * the answer. */
const char *alerts_changed(const struct db_answer *answer);

/* --- commands --- */

/* Whether the customer has a valid secret for this URL. */
bool alerts_have_secret(struct db_session *session, const char *customer, const char *url,
                        bool *ret_have, struct error *error) MUST_USE;

/* Notes what an audit has said, for who watches. */
bool alerts_note_audit(struct db_session *session, bool is_clean, const char *detail,
                       struct error *error) MUST_USE;

/* For db/overview.h: those that are open, and what a row says. */
struct alert_record {
    const char *cause, *fault, *summary, *raised_at;
    int64_t open_ms;
    int64_t told_ms; /* ago; -1: nobody was told */
};
extern const char alerts_open_sql[];
struct alert_record alert_record_at(const PGresult *result, int row);

#endif
