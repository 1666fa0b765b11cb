/* SPDX-License-Identifier: MIT */
/*
 * db/session.h: a blocking connection for the commands (not for the worker, see db/link.h).
 *
 * Everything runs in a transaction that begins with SET LOCAL search_path, so a session leaves
 * nothing behind and works through PgBouncer in transaction mode: no prepared statements by name,
 * no session state, no advisory locks that outlive a transaction. What a policy of row security
 * could hide is refused with SQLSTATE 42501, never taken for absent (db/row_security.h). Parameters
 * are text, never put into a statement's text. Only files in src/db/ and migrations/ hold SQL.
 */
#ifndef POSTRIDER_DB_SESSION_H
#define POSTRIDER_DB_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/error.h"

struct db_session;

/* url: what check_database_url() in config/ has accepted, so that libpq's messages do not quote a
 * password. schema "" leaves the connection's search_path. Waits at most 10 s for the server
 * (connect_timeout in url overrides). */
struct db_session *db_session_open(const char *url, const char *schema,
                                   struct error *error) MUST_USE;
void db_session_close(struct db_session *session);

/* A further connection, to where this one leads. Nothing is set on it. */
struct db_session *db_session_open_another(const struct db_session *session,
                                           struct error *error) MUST_USE;

/*
 * For what can't be in a transaction (db/migrate_beside.h): sends one statement, and waits for its
 * end. wait_ms < 0: as long as it takes. The result is dropped.
 */
enum db_session_progress { DB_SESSION_RUNNING, DB_SESSION_DONE, DB_SESSION_FAILED };
bool db_session_send_alone(struct db_session *session, const char *sql,
                           struct error *error) MUST_USE;
enum db_session_progress db_session_await(struct db_session *session, int wait_ms,
                                          struct error *error) MUST_USE;

/* When the answer to a commit is lost, the error says that it is not known whether it was made. */
bool db_session_begin(struct db_session *session, struct error *error) MUST_USE;

/* One that only reads: it needs no policies that let it write. */
bool db_session_begin_reading(struct db_session *session, struct error *error) MUST_USE;

/* For who has something to do before the first statement that takes a snapshot; db_session_guard()
 * then makes up for what is missing. */
bool db_session_begin_unguarded(struct db_session *session, struct error *error) MUST_USE;
bool db_session_guard(struct db_session *session, struct error *error) MUST_USE;

bool db_session_commit(struct db_session *session, struct error *error) MUST_USE;
void db_session_rollback(struct db_session *session);

/*
 * One statement inside the transaction. Returns a result with PGRES_TUPLES_OK or PGRES_COMMAND_OK
 * that the caller clears, or NULL with the server's message, detail and SQLSTATE in error.
 */
PGresult *db_session_query(struct db_session *session, const char *sql, int count,
                           const char *const *values, struct error *error) MUST_USE;

/* A statement that only reads, in a transaction of its own. */
PGresult *db_session_read(struct db_session *session, const char *sql, int count,
                          const char *const *values, struct error *error) MUST_USE;

/* One that changes something, in a transaction of its own, and again after a deadlock with a worker, a few times: the
 * result of the one that was committed. first: what is executed before it in that transaction, or NULL. */
PGresult *db_session_change(struct db_session *session, const char *first, const char *sql,
                            int count, const char *const *values, struct error *error) MUST_USE;

/* Several statements without parameters, as a migration file has. */
bool db_session_execute(struct db_session *session, const char *sql, struct error *error) MUST_USE;

/* The SQLSTATE of the last failed statement ("42P01"), "" when there was none. */
const char *db_session_sqlstate(const struct db_session *session);

/* It failed since a policy of row security could have hidden rows, which has the SQLSTATE of a
 * privilege that is missing. */
bool db_session_is_hidden(const struct db_session *session);

/* As given to db_session_open(). */
const char *db_session_schema(const struct db_session *session);

/* The server's last WARNING since db_session_begin(), NULL when there was none. */
const char *db_session_warning(const struct db_session *session);

PGconn *db_session_connection(struct db_session *session);

#endif
