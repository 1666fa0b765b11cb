/* SPDX-License-Identifier: MIT */
/*
 * db/outcomes.h: the statements that record what became of a batch of deliveries.
 *
 * One for plain successes, which are nearly all and cost a tenth less like this; one for all
 * others: an UPDATE of the rows and an INSERT into the attempt log; an INSERT for endpoints that
 * are disabled; in one transaction. What is written is decided against the row as it is now:
 *
 *   a success  marks it delivered when it is pending, or another worker has made it failed
 *   a failure  only when it is pending and its attempts are as they were read
 *   neither    when its URL was changed, it was deleted, is delivered, or an operator made it failed
 *
 * When one ends that has an ordering key, the next of its key is made due, in the same transaction
 * (db/ordering.h).
 *
 * A batch may be sent twice: the second time changes nothing. Another worker's failure is told
 * by attempts that are more than were read, or, where it made none, by a last_error that begins
 * with OUTCOME_UNSENT_MARK; any other is an operator's. Times are the database's.
 *
 * What goes with an outcome (the attempt log, the endpoint's row) must not keep it from being
 * written: when a batch is refused it can be sent as the outcomes alone, and the rest after it,
 * each part in a transaction of its own.
 */
#ifndef POSTRIDER_DB_OUTCOMES_H
#define POSTRIDER_DB_OUTCOMES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"
#include "core/phases.h"
#include "core/settlement.h"
#include "db/array.h"
#include "db/link.h"
#include "db/ordering.h"

#define OUTCOMES_BATCH_MAX 1000

/* One delivery's record; the texts are borrowed until db_link_send() has returned. */
struct outcome_record {
    const char *id;
    const char *url_hash; /* as it was read */
    int attempts;         /* as it was read */
    struct outcome outcome;
    int response_status; /* 0: no answer, written as NULL */
    const char *error;   /* NULL with a success */
    int64_t age_ms;      /* since the attempt began */
    int64_t duration_ms;
    struct phases phases;      /* of what is logged */
    bool is_logged;            /* goes to the attempt log too */
    const char *response_body; /* valid UTF-8; NULL = none */
    bool is_ordered;           /* it has an ordering key */
    bool was_promised;         /* its row has no time (db/ordering.h) */
    int bucket, chain;         /* with is_ordered: see ordering_ends_add() */
    const char *customer_id;   /* with outcome.disables_endpoint */
    const char *url;
};

enum success_column {
    SUCCESS_ID,
    SUCCESS_URL_HASH,
    SUCCESS_ATTEMPTS,
    SUCCESS_RESPONSE_STATUS,
    SUCCESS_AGE,
    SUCCESS_COLUMNS,
};

enum outcome_column {
    COLUMN_ID,
    COLUMN_URL_HASH,
    COLUMN_ATTEMPTS,
    COLUMN_STATUS,
    COLUMN_IS_COUNTED,
    COLUMN_DELAY,
    COLUMN_RESPONSE_STATUS,
    COLUMN_ERROR,
    COLUMN_AGE,
    COLUMN_DURATION,
    COLUMN_IS_LOGGED,
    COLUMN_RESPONSE_BODY,
    COLUMN_WAS_PROMISED,
    COLUMN_PHASES, /* four for each record */
    OUTCOME_COLUMNS,
};

/* Those of the look at what was not written. */
#define LOOK_COLUMNS (COLUMN_STATUS + 1)

/* What of a batch is sent. */
enum outcome_part {
    OUTCOMES_WHOLE,     /* all of it, in one transaction */
    OUTCOMES_ALONE,     /* the rows of deliveries */
    OUTCOMES_LOG,       /* the attempt log, of the rows that say what the outcomes say */
    OUTCOMES_ENDPOINTS, /* the endpoints that are disabled */
};

/* The parameters of the statements, one array a column. */
struct outcome_writer {
    int successes, others; /* in the batch */
    int logged, disabled;  /* of the others */
    struct array success_columns[SUCCESS_COLUMNS];
    struct array columns[OUTCOME_COLUMNS];
    struct array disabled_customers;
    struct array disabled_urls;
    struct array disabled_by; /* the deliveries that were answered so */
    struct array looked_at[LOOK_COLUMNS];
    struct ordering_ends ends; /* of the ordered ones */
};

void outcome_writer_init(struct outcome_writer *writer);
void outcome_writer_free(struct outcome_writer *writer);

/* Records are added one by one to a batch that was begun, at most OUTCOMES_BATCH_MAX. owner and kept:
 * see ordering_ends_begin(). */
void outcome_writer_begin(struct outcome_writer *writer, const char *owner, const char *kept);
void outcome_writer_add(struct outcome_writer *writer, const struct outcome_record *record);

/* True when the batch has such a part; OUTCOMES_LOG or OUTCOMES_ENDPOINTS. */
bool outcome_writer_has(const struct outcome_writer *writer, enum outcome_part part);

/*
 * Sends that part of the batch, which stays as it is. The results of OUTCOMES_WHOLE and
 * OUTCOMES_ALONE have a row for each record that was written, which outcome_row_at() reads.
 */
bool outcome_writer_send(struct outcome_writer *writer, enum outcome_part part,
                         struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

/* The id of a row that came back, and the row. *ret_customer_id: of an event's delivery, whose it is
 * now, if the answer says so: its endpoint may have gone to another. NULL: as it was. */
const char *outcome_row_at(const PGresult *result, int n, struct settlement_row *ret_row,
                           const char **ret_customer_id);

/*
 * A look at rows that did not come back, whose records are added one by one. Its result has the id
 * of each that would have to be written, as the rows are now.
 */
void outcome_writer_begin_look(struct outcome_writer *writer);
void outcome_writer_look_at(struct outcome_writer *writer, const struct outcome_record *record);
bool outcome_writer_send_look(struct outcome_writer *writer, struct db_link *link,
                              db_link_answered *on_answer, void *owner) MUST_USE;

#endif
