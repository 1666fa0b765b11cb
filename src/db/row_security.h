/* SPDX-License-Identifier: MIT */
/*
 * db/row_security.h: what policies of row security could hide from a role, as SQL.
 *
 * A policy hides rows without a word, and what can't be seen must never be taken for absent. So
 * whatever reads does it with row_security = off, by which the server refuses what a policy could
 * change. It may be on only where all policies are plainly true for the role, or where something is
 * written, since triggers of the application run under the same setting. The guard finds out in the
 * same transaction which it is. It reads the catalog alone, so nothing can be hidden from it.
 *
 * A policy may be made between the guard and what comes behind it. There are two ways to know that
 * none was, and each user of the guard goes one of them:
 *
 * - What only reads (db/pipeline.h) and sessions of commands (db/session.h) send the guard once more
 *   behind a statement that ran with row_security = on. A statement locks what it touches to the
 *   end of its transaction, and no policy of a locked table can be changed; so what the guard sees
 *   then is what was in force for the statement. What hid something makes its answer void.
 * - What a worker writes is committed with its statement, so nobody can look first. It locks its
 *   tables before the guard: ROW_SECURITY_HOLD(), row_security_look(), and then what is meant.
 *
 * db/requirements.h asks more of the same tables. Nothing is sent here, and only running out of
 * memory can go wrong.
 */
#ifndef POSTRIDER_DB_ROW_SECURITY_H
#define POSTRIDER_DB_ROW_SECURITY_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "db/request.h"

/*
 * A statement with two parameters, database.schema and an array of commands: sets row_security for
 * the rest of the transaction, to off where a policy that is not plainly true for one of them is in
 * force, and for what only reads also where there is none at all. The text lasts, and is the same
 * each time, so that it can be prepared.
 */
enum row_security_column {
    ROW_SECURITY_IS_STANDBY, /* as SETTINGS_IS_STANDBY (db/settings.h) */
    ROW_SECURITY_SETTING,    /* "on", "off" */
    ROW_SECURITY_HIDING,     /* the tables whose policies are in the way, or NULL */
};
#define ROW_SECURITY_PARAMETERS 2
#define ROW_SECURITY_READING    "{SELECT}"
#define ROW_SECURITY_WRITING    "{SELECT,INSERT,UPDATE,DELETE}"
const char *row_security_guard(void);

/* Whether the server has refused a statement since a policy could hide rows from it. Its message is in the language of
 * the server; where it comes from is not. */
bool row_security_refused(const PGresult *result);

/* What a result of the guard says of the setting. */
bool row_security_is_on(const PGresult *guard);

/* SQLSTATE of what a policy could change, the server's and ours. */
#define ROW_SECURITY_SQLSTATE "42501"

/*
 * Waits for who is changing the policies of these tables, and keeps everybody from it to the end of
 * the transaction, as each statement does with the tables that it reads. The guard behind it takes
 * a new snapshot.
 */
#define ROW_SECURITY_HOLD(tables) "SELECT FROM " tables " WHERE false"

/* The guard of what is written. schema has to last until it is sent. */
struct db_statement row_security_look(const char *schema);

/*
 * The statement that ends with this SELECT, with what it may read before it: "needed", the
 * privileges that a worker needs, and "policed", the tables with their policies. The caller frees
 * it.
 */
char *row_security_query(const char *end) MUST_USE;

#endif
