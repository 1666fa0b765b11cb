/* SPDX-License-Identifier: MIT */
/*
 * db/requirements.h: all that a worker needs of its database, as one list.
 *
 * One statement (migrations/requirements.sql) gives a row for each thing that is needed, with what
 * is wrong with it and what to do. "check --database" and "status" ask it on their session, the
 * worker on its link when it has connected and every few seconds. It reads the catalog alone, so no
 * missing privilege can refuse it and no policy can hide anything from it.
 *
 * Between two looks nothing hidden is taken for absent either: db/row_security.h sees to that.
 */
#ifndef POSTRIDER_DB_REQUIREMENTS_H
#define POSTRIDER_DB_REQUIREMENTS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/error.h"
#include "db/link.h"
#include "db/session.h"

/* Texts belong to the result. */
struct requirement {
    const char *kind;    /* "schema", "table", "privileges", "row_security", "setting" */
    const char *object;  /* "webhook_lanes", "SCHEMA public" */
    const char *needed;  /* "SELECT, UPDATE (status)" */
    const char *problem; /* a sentence without its full stop; NULL: it is met */
    const char *action;  /* what to do, with a command that can be pasted */
    bool is_essential;   /* a worker sends nothing without it */
};

/*
 * On a database without Postrider's tables each of them is
 * missing; whether there is a schema at all, and which version, is for db/schema_version.h to say.
 */
bool requirements_send(struct db_link *link, const char *schema, db_link_answered *on_answer,
                       void *owner) MUST_USE;

/* In the caller's transaction; the caller clears it. NULL with error. */
PGresult *requirements_list(struct db_session *session, struct error *error) MUST_USE;

struct requirement requirement_at(const PGresult *result, int row);

#endif
