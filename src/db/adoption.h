/* SPDX-License-Identifier: MIT */
/*
 * db/adoption.h: what is remembered of a webhook_deliveries table that was there before Postrider
 * (migrations/0011_adoption.sql), and the agreement that retention may delete rows of before.
 *
 * Of before is a row that was created until the adoption, by its created_at; one whose created_at
 * was later even then, for its clock or time zone was another one, is listed in webhook_adopted. An
 * application that dates back what it inserts makes rows of before, too: that keeps them.
 */
#ifndef POSTRIDER_DB_ADOPTION_H
#define POSTRIDER_DB_ADOPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/moment.h"
#include "db/session.h"

/* True of a row d of webhook_deliveries. */
#define SQL_OF_BEFORE                                                    \
    "(d.created_at <= (SELECT max(adopted_at) FROM postrider_adoptions)" \
    " OR EXISTS (SELECT FROM webhook_adopted o WHERE o.delivery_id = d.id))"

/* The same, and nothing has been sent of it since, so that whoever was here before has left it so.
 * A listed one's last attempt can't be told from those of before. */
#define SQL_UNTOUCHED                                                       \
    "(GREATEST(d.created_at, d.last_attempt_at) <= (SELECT max(adopted_at)" \
    " FROM postrider_adoptions)"                                            \
    " OR EXISTS (SELECT FROM webhook_adopted o WHERE o.delivery_id = d.id))"

struct adoption {
    bool is_known;                /* false: no table was adopted, and the rest says nothing */
    char adopted_at[MOMENT_SIZE]; /* UTC */
    int64_t deliveries;           /* that were there */
    int64_t left;                 /* of them */
    bool is_agreed;               /* retention may delete them */
};

/* In a transaction of its own; reads the table through. */
bool adoption_read(struct db_session *session, struct adoption *ret_adoption,
                   struct error *error) MUST_USE;

/* Rows of before that retention leaves alone, by what it would do to them. */
struct adoption_spared {
    int64_t all;
    int64_t delivered; /* would be deleted at once */
    int64_t failed;
};

/* Ages as in db/retention.h: milliseconds, 0 = never. In the caller's transaction. */
bool adoption_count_spared(struct db_session *session, int64_t delivered_ms, int64_t failed_ms,
                           struct adoption_spared *ret_spared, struct error *error) MUST_USE;

/* Agrees that retention deletes rows of before as any others. In the caller's transaction. */
bool adoption_agree(struct db_session *session, struct error *error) MUST_USE;

/* The statement that adoption_agree() runs, for people. */
const char *adoption_agree_sql(void);

#endif
