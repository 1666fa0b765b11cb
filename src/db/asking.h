/* SPDX-License-Identifier: MIT */
/*
 * db/asking.h: the texts of src/db/queries on the session of a command, so that a command and the
 * JSON API show and change the same.
 */
#ifndef POSTRIDER_DB_ASKING_H
#define POSTRIDER_DB_ASKING_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/error.h"
#include "db/session.h"

struct asking {
    const char *text; /* query_text()'s name */
    bool has_range;   /* it reads a time range, for which BRIN is the only index */
    int count;
    const char *const *values; /* NULL is SQL's */
};

/* The answer of one that only reads, in a transaction of its own: JSON, which the caller frees.
 * NULL with error. */
char *asking_read(struct db_session *session, const struct asking *asking,
                  struct error *error) MUST_USE;

/* The result of one in the caller's transaction, or NULL with error. */
PGresult *asking_change(struct db_session *session, const struct asking *asking,
                        struct error *error) MUST_USE;

#endif
