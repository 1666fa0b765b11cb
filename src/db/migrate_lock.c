/* SPDX-License-Identifier: MIT */
#include "db/migrate_lock.h"

#include <string.h>
#include <time.h>

#include "base/compiler.h"

static const char limit_sql[] = "SELECT set_config('lock_timeout', '" TEXT_OF(
    MIGRATE_LOCK_MS) "', true)"
                     " WHERE current_setting('lock_timeout') = '0'";

/* The oldest transaction that has locked the queue. */
static const char in_the_way_sql[] =
    "SELECT a.pid, a.usename, a.application_name, date_trunc('second', now() - a.xact_start)::text"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'relation' AND l.relation = to_regclass('webhook_deliveries') AND "
    "l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL ORDER BY a.xact_start LIMIT 1";

bool migrate_lock_begin(struct db_session *session, struct migrate_lock *lock, struct error *error)
{
    PGresult *result;

    lock->tries++;
    if (!db_session_begin(session, error) ||
        !db_session_execute(session,
                            "SET LOCAL statement_timeout = 0;"
                            "SELECT pg_advisory_xact_lock(7094162890527240302)",
                            error))
        return false;
    result = db_session_query(session, limit_sql, 0, NULL, error);
    if (result == NULL)
        return false;
    /* No row: somebody has set a limit for this role or database, which stays in force. */
    lock->is_patient = PQntuples(result) == 1;
    PQclear(result);
    return true;
}

/* lock_not_available, deadlock_detected */
static bool is_in_use(const struct db_session *session)
{
    const char *state = db_session_sqlstate(session);

    return strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0;
}

void migrate_lock_explain(struct db_session *session, struct error *error)
{
    if (is_in_use(session))
        error_hint(error, "its tables are in use, nothing was changed: try again in a quieter "
                          "moment, or stop what uses them for a minute");
}

bool migrate_lock_run(struct db_session *session, const struct migrate_options *options,
                      migrate_part *part, struct error *error)
{
    struct migrate_lock lock = {.tries = 0};

    if (!migrate_lock_begin(session, &lock, error) || !part(session, options, error)) {
        db_session_rollback(session);
        return false;
    }
    if (options->dry_run) {
        db_session_rollback(session);
        return true;
    }
    return db_session_commit(session, error);
}

/* Only a word for whoever waits: that it can't be found out changes nothing. */
static void say_who(struct db_session *session, FILE *out)
{
    struct error error;
    PGresult *result = NULL;

    fprintf(out, "The tables are in use; waiting, without holding others up.\n");
    if (db_session_begin(session, &error))
        result = db_session_query(session, in_the_way_sql, 0, NULL, &error);
    db_session_rollback(session);
    if (result != NULL && PQntuples(result) == 1)
        fprintf(out, "In the way: process %s, role \"%s\", \"%s\", in a transaction for %s.\n",
                PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2),
                PQgetvalue(result, 0, 3));
    fflush(out);
    PQclear(result);
}

bool migrate_lock_wait(struct db_session *session, struct migrate_lock *lock, FILE *out)
{
    const struct timespec pause = {.tv_sec = MIGRATE_LOCK_PAUSE_MS / 1000,
                                   .tv_nsec = MIGRATE_LOCK_PAUSE_MS % 1000 * 1000000L};

    if (!lock->is_patient || !is_in_use(session) || lock->tries >= MIGRATE_LOCK_TRIES)
        return false;
    if (lock->tries == 1)
        say_who(session, out);
    nanosleep(&pause, NULL);
    return true;
}
