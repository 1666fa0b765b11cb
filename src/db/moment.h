/* SPDX-License-Identifier: MIT */
/*
 * db/moment.h: a point in time as an operator writes it, by the database's clock.
 */
#ifndef POSTRIDER_DB_MOMENT_H
#define POSTRIDER_DB_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

#define MOMENT_SIZE 64

/*
 * Turns "2h" (that long ago) or a time as PostgreSQL reads it ("2031-05-17 12:00") into an exact
 * one that can be given back as timestamptz. In a transaction of its own. What PostgreSQL can't
 * read as a time has an SQLSTATE of class 22.
 */
bool moment_resolve(struct db_session *session, const char *text, char ret_moment[MOMENT_SIZE],
                    struct error *error) MUST_USE;

/* The moment that is ms ago. */
bool moment_ago(struct db_session *session, int64_t ms, char ret_moment[MOMENT_SIZE],
                struct error *error) MUST_USE;

#endif
