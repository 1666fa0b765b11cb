/* SPDX-License-Identifier: MIT */
/*
 * db/grant.h: giving a role exactly the privileges that the worker needs
 * (migrations/privileges.sql).
 *
 * Called by db/migrate.c, inside its transaction. Takes nothing away from the role, and never
 * makes one: how it logs in is the operator's matter.
 */
#ifndef POSTRIDER_DB_GRANT_H
#define POSTRIDER_DB_GRANT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "db/session.h"

bool grant_check_role(struct db_session *session, const char *role, struct error *error) MUST_USE;

/* The same for a role that publishes: it may insert events, and no more. */
PGresult *grant_list_producer(struct db_session *session, const char *role,
                              struct error *error) MUST_USE;

/* The same for the role of "postrider serve" (migrations/privileges_serve.sql). */
PGresult *grant_list_serve(struct db_session *session, const char *role,
                           struct error *error) MUST_USE;

/* The GRANT statements, one in each row; the caller clears them. NULL with error. */
PGresult *grant_list(struct db_session *session, const char *role, struct error *error) MUST_USE;

/* A grant that had no effect, which PostgreSQL only warns of, is an error here. */
bool grant_apply(struct db_session *session, const PGresult *statements,
                 struct error *error) MUST_USE;

#endif
