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

/* login: "" for a role as which nobody logs in, else " LOGIN"; what the hint says of it. */
bool grant_check_role(struct db_session *session, const char *role, const char *login,
                      struct error *error) MUST_USE;

/* False when the role reaches anything of ours but the views of customers: given to customers, it
 * would show them that. */
bool grant_check_customers(struct db_session *session, const char *role,
                           struct error *error) MUST_USE;

/* The same for a role that publishes: it may insert events, and no more. */
PGresult *grant_list_producer(struct db_session *session, const char *role,
                              struct error *error) MUST_USE;

/* The same for the role of "postrider serve" (migrations/privileges_serve.sql). */
PGresult *grant_list_serve(struct db_session *session, const char *role,
                           struct error *error) MUST_USE;

/* The same for the role as which "postrider serve" asks for customers
 * (migrations/privileges_customers.sql), and what makes the roles of "postrider serve" members of
 * it; serve: one that is to be given its privileges in the same run, or NULL. */
PGresult *grant_list_customers(struct db_session *session, const char *role, const char *serve,
                               struct error *error) MUST_USE;

/* The GRANT statements, one in each row; the caller clears them. NULL with error. */
PGresult *grant_list(struct db_session *session, const char *role, struct error *error) MUST_USE;

/* Also puts into *ret_roles how many roles of "postrider serve" there are. */
bool grant_count_serve(struct db_session *session, int *ret_roles, struct error *error) MUST_USE;

/* A grant that had no effect, which PostgreSQL only warns of, is an error here. */
bool grant_apply(struct db_session *session, const PGresult *statements,
                 struct error *error) MUST_USE;

#endif
