/*
 * db/outcomes.h: the statements that record what became of a batch of deliveries.
 *
 * One for plain successes, which are nearly all and cost a tenth less like this; one for all
 * others: an UPDATE of the rows and an INSERT into the attempt log; an INSERT for endpoints that
 * are disabled; in one transaction. What is written is decided against the row as it is now:
 *
 *   a success  marks it delivered when it is pending, or failed by another worker's attempt
 *   a failure  only when it is pending and its attempts are as they were read
 *   neither    when its URL was changed, it was deleted, or an operator marked it failed
 *
 * so a batch may be sent twice: the second time changes nothing. Times are the database's.
 */
#ifndef POSTRIDER_DB_OUTCOMES_H
#define POSTRIDER_DB_OUTCOMES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"
#include "db/array.h"
#include "db/link.h"

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
    bool is_logged;            /* goes to the attempt log too */
    const char *response_body; /* valid UTF-8; NULL = none */
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
    OUTCOME_COLUMNS,
};

/* The parameters of the statements, one array a column. */
struct outcome_writer {
    int successes, others; /* in the batch */
    struct array success_columns[SUCCESS_COLUMNS];
    struct array columns[OUTCOME_COLUMNS];
    struct array disabled_customers;
    struct array disabled_urls;
};

void outcome_writer_init(struct outcome_writer *writer);
void outcome_writer_free(struct outcome_writer *writer);

/* Records are added one by one to a batch that was begun, at most OUTCOMES_BATCH_MAX. */
void outcome_writer_begin(struct outcome_writer *writer);
void outcome_writer_add(struct outcome_writer *writer, const struct outcome_record *record);

/* The answer's results have a row, the id, for each record that was written. */
bool outcome_writer_send(struct outcome_writer *writer, struct db_link *link,
                         db_link_answered *on_answer, void *owner) MUST_USE;

#endif
