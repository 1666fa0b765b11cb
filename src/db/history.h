/* SPDX-License-Identifier: MIT */
/*
 * db/history.h: a worker's rows of webhook_history, and the database's clock.
 *
 * A period's row is written once, however often it is sent: the owner and its number say which it
 * is. Its minute is told by the database's clock, as that of all workers is. An endpoint that has
 * no row in webhook_endpoints has none here.
 */
#ifndef POSTRIDER_DB_HISTORY_H
#define POSTRIDER_DB_HISTORY_H

#include <stdint.h>

#include "core/history.h"
#include "db/array.h"
#include "db/link.h"

#define HISTORY_COLUMNS 12

struct history_writer {
    struct array columns[HISTORY_COLUMNS];
};

void history_writer_init(struct history_writer *writer);
void history_writer_free(struct history_writer *writer);

/* begin, add each period (at most HISTORY_BATCH), send. age_ms: since the middle of the period. */
#define HISTORY_BATCH 10
void history_writer_begin(struct history_writer *writer);
void history_writer_add(struct history_writer *writer, const struct history_period *period,
                        int64_t number, int64_t age_ms);

/* One statement for the rows, unless there are none, and one for the clock. */
bool history_writer_send(struct history_writer *writer, struct db_link *link, const char *owner,
                         db_link_answered *on_answer, void *request_owner) MUST_USE;

/* Of a DB_ANSWERED answer: the database's clock, in microseconds since 1970. */
int64_t history_clock_us(const struct db_answer *answer);

/* Deletes what is older than keep_ms by the database's clock and by the caller's (db/retention.h). */
bool history_send_expire(struct db_link *link, int64_t keep_ms, int64_t clock_s,
                         db_link_answered *on_answer, void *owner) MUST_USE;
/* There is probably more to delete. */
bool history_has_expired_more(const struct db_answer *answer);

#endif
