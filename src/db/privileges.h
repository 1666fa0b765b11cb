/*
 * db/privileges.h: whether the connection's role may do what the worker does.
 *
 * The list is that of "migrate --grant" (migrations/privileges.sql), so the two can't differ.
 * Asked inside the caller's transaction, on a schema of this binary's version; nothing is changed.
 */
#ifndef POSTRIDER_DB_PRIVILEGES_H
#define POSTRIDER_DB_PRIVILEGES_H

#include "base/error.h"
#include "db/session.h"

/* The columns of a result. */
enum privileges_column {
    PRIVILEGES_OBJECT,  /* "webhook_lanes", "SCHEMA public" */
    PRIVILEGES_NEEDED,  /* "SELECT, UPDATE (status)" */
    PRIVILEGES_MISSING, /* those of them that the role lacks; NULL: none */
    PRIVILEGES_EXISTS,  /* t, or f when there is no such table */
};

/* One row for each object; the caller clears it. NULL with error. */
PGresult *privileges_list(struct db_session *session, struct error *error) MUST_USE;

#endif
