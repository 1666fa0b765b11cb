/* SPDX-License-Identifier: MIT */
/*
 * db/erasures.h: what a worker asks of erasures (webhook_erasures, which db/erasure.h writes):
 * whether there was one since it last asked, and which of the deliveries that it has read must not
 * be sent any more.
 */
#ifndef POSTRIDER_DB_ERASURES_H
#define POSTRIDER_DB_ERASURES_H

#include <stdbool.h>

#include "db/array.h"
#include "db/link.h"

#define ERASURES_IDS_MAX   150000 /* that one look takes: more than can wait */
#define ERASURES_MARK_SIZE 64

/* Asks for the mark, another one after each batch of an erasure; "" while there was none. */
bool erasures_send_mark(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;
void erasures_mark(const struct db_answer *answer, char mark[ERASURES_MARK_SIZE]);

/* Which of the ids (an array of db/array.h) are those of deliveries that are erased, or whose events
 * are. erasures_count() gives how many, erasures_id() each of them, which belongs to the answer. */
bool erasures_send_look(struct db_link *link, struct array *ids, db_link_answered *on_answer,
                        void *owner) MUST_USE;
int erasures_count(const struct db_answer *answer);
const char *erasures_id(const struct db_answer *answer, int n);

#endif
