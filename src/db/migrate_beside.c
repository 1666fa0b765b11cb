/* SPDX-License-Identifier: MIT */
#include "db/migrate_beside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hint.h"
#include "base/memory.h"
#include "db/row.h"

#define LOOK_MS       1000
#define TRIES_MAX     60
#define BEGUN_WAIT_MS 10

/* Columns of a table that was adopted may be text where ours are varchar, which is cast to it. */
#define SQL_PLAIN(definition) "regexp_replace(" definition ", '\\((\\w+)\\)::text', '\\1', 'g')"

/* $1: the file's text. Names are qualified here: a search_path can't be set for a statement that is
 * outside of a transaction and alone in its message. */
/* clang-format off */
static const char indexes_sql[] =
    "WITH wanted AS (SELECT m[1] AS uniqueness, m[2] AS name, m[3] AS relation, m[4] AS rest,"
    " ordinality FROM regexp_matches($1,"
    " '^CREATE( UNIQUE)? INDEX CONCURRENTLY (\\w+) ON (\\w+) ([^;]*);', 'gn')"
    " WITH ORDINALITY AS r (m))"
    " SELECT name, format('CREATE%s INDEX CONCURRENTLY %I ON %I.%I %s', uniqueness, name,"
    " current_schema(), relation, rest) AS creation,"
    " format('DROP INDEX CONCURRENTLY %I.%I', current_schema(), name) AS removal,"
    " c.oid IS NOT NULL AS is_there, " SQL_PLAIN("pg_get_indexdef(c.oid)")
    " IS NOT DISTINCT FROM " SQL_PLAIN("format('CREATE%s INDEX %I ON %I.%I %s', uniqueness, name,"
                                       " current_schema(), relation, rest)") " AS is_ours,"
    " coalesce(i.indisvalid AND i.indisready, false) AS is_valid"
    " FROM wanted LEFT JOIN pg_class c ON c.relname = name"
    " AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    " LEFT JOIN pg_index i ON i.indexrelid = c.oid ORDER BY ordinality";
/* clang-format on */

enum { INDEX_NAME, INDEX_CREATION, INDEX_REMOVAL, INDEX_IS_THERE, INDEX_IS_OURS, INDEX_IS_VALID };

#define SQL_WHO "format('process %s, role \"%s\", \"%s\"', a.pid, a.usename, a.application_name) "

/* Who builds an index, or does something else that doesn't go along with it: not autovacuum, which
 * gives way. Its user is the one thing that everybody may see of it. */
static const char builder_sql[] =
    "SELECT " SQL_WHO "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'relation' AND l.relation = to_regclass('webhook_deliveries') "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid() "
    "AND a.usesysid IS NOT NULL LIMIT 1";

/* Whom the build waits for. While it waits for a prepared transaction the server still names the
 * process that it waited for before, which is in no transaction any more. */
static const char in_the_way_sql[] =
    "WITH build AS (SELECT coalesce(current_locker_pid, 0) AS locker "
    "FROM pg_stat_progress_create_index WHERE relid = to_regclass('webhook_deliveries') "
    "AND datname = current_database() AND phase LIKE 'waiting for%') "
    "(SELECT " SQL_WHO "|| format(', in a transaction for %s', "
    "coalesce(date_trunc('second', clock_timestamp() - a.xact_start)::text, 'an unknown time')) "
    "FROM pg_stat_activity a JOIN build ON a.pid = locker WHERE a.pid <> pg_backend_pid() "
    "AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid')) "
    "UNION ALL (SELECT format('the prepared transaction %L of %s', gid, prepared) "
    "FROM pg_prepared_xacts, build WHERE database = current_database() "
    "ORDER BY prepared LIMIT 1) LIMIT 1";

/* Limits that a role or database may have. Behind a pooler they stay: what would be set there could
 * be another's. */
static const char limits_sql[] =
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE pg_backend_pid() = %d AND setting "
    "<> '0' AND name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')";

bool migrate_beside_is_meant(const struct embedded_text *file)
{
    return strncmp(file->text, MIGRATE_BESIDE_MARK, sizeof(MIGRATE_BESIDE_MARK) - 1) == 0;
}

static PGresult *load_indexes(struct db_session *session, const struct embedded_text *file,
                              struct error *error)
{
    PGresult *indexes = db_session_query(session, indexes_sql, 1, &file->text, error);
    const char *name;

    for (int row = 0; indexes != NULL && row < PQntuples(indexes); row++) {
        if (!row_is_true(indexes, row, INDEX_IS_THERE) || row_is_true(indexes, row, INDEX_IS_OURS))
            continue;
        name = row_text(indexes, row, INDEX_NAME);
        error_set(error, "there is something called %s already, which is not Postrider's", name);
        error_hint(error, "rename it, for an index: ALTER INDEX %s RENAME TO %s_old;", name, name);
        PQclear(indexes);
        return NULL;
    }
    return indexes;
}

/* The first that is not valid; -1: all are. */
static int find_unready(const PGresult *indexes)
{
    for (int row = 0; row < PQntuples(indexes); row++)
        if (!row_is_true(indexes, row, INDEX_IS_VALID))
            return row;
    return -1;
}

static bool open_building(struct db_session *session, struct migrate_beside *beside,
                          struct error *error)
{
    char *limits;
    bool ok;

    if (beside->building != NULL)
        return true;
    beside->building = db_session_open_another(session, error);
    if (beside->building == NULL)
        return false;
    limits = memory_format(limits_sql, PQbackendPID(db_session_connection(beside->building)));
    ok = db_session_send_alone(beside->building, limits, error) &&
         db_session_await(beside->building, -1, error) == DB_SESSION_DONE;
    free(limits);
    return ok;
}

/* Who else is at work on the table: no row or one. A transaction sees pg_stat_activity as it was when
 * it looked first, so that is forgotten. NULL with error. */
static PGresult *find_builder(struct db_session *session, struct error *error)
{
    PGresult *cleared =
        db_session_query(session, "SELECT pg_stat_clear_snapshot()", 0, NULL, error);

    PQclear(cleared);
    if (cleared == NULL)
        return NULL;
    return db_session_query(session, builder_sql, 0, NULL, error);
}

/* Until others can see that it is at work, so that they don't begin the same. */
static bool await_begin(struct db_session *session, struct migrate_beside *beside,
                        struct error *error)
{
    bool is_seen = false;

    while (!is_seen) {
        struct error ignored; /* migrate_beside_wait() asks again, and hears the same */
        PGresult *builder = find_builder(session, error);

        if (builder == NULL)
            return false;
        is_seen = PQntuples(builder) > 0;
        PQclear(builder);
        if (!is_seen &&
            db_session_await(beside->building, BEGUN_WAIT_MS, &ignored) != DB_SESSION_RUNNING)
            is_seen = true;
    }
    return true;
}

static bool begin_building(struct db_session *session, const PGresult *indexes, int row,
                           struct migrate_beside *beside, struct error *error)
{
    int statement = row_is_true(indexes, row, INDEX_IS_THERE) ? INDEX_REMOVAL : INDEX_CREATION;

    if (!open_building(session, beside, error) ||
        !db_session_send_alone(beside->building, row_text(indexes, row, statement), error))
        return false;
    beside->is_running = true;
    return await_begin(session, beside, error);
}

bool migrate_beside_begin(struct db_session *session, const struct embedded_text *file,
                          struct migrate_beside *beside, bool *ret_is_ready, struct error *error)
{
    PGresult *indexes = load_indexes(session, file, error);
    PGresult *builder = NULL;
    bool ok = indexes != NULL;
    int row = ok ? find_unready(indexes) : -1;

    *ret_is_ready = ok && row < 0;
    if (ok && row >= 0)
        builder = find_builder(session, error);
    if (row >= 0)
        ok = builder != NULL;
    if (ok && row >= 0 && PQntuples(builder) == 0)
        ok = begin_building(session, indexes, row, beside, error);
    PQclear(builder);
    PQclear(indexes);
    return ok;
}

/* "process 4711", before what changes of it. */
static bool is_told(const struct migrate_beside *beside, const char *who)
{
    size_t length = strcspn(beside->told, ",");

    return length > 0 && strncmp(beside->told, who, length) == 0;
}

/* Only a word for whoever waits: that it can't be found out changes nothing. */
static void say_who(struct db_session *session, struct migrate_beside *beside, const char *sql,
                    const char *sentence, FILE *out)
{
    struct error error;
    PGresult *result = db_session_read(session, sql, 0, NULL, &error);

    if (result != NULL && PQntuples(result) == 1 && !is_told(beside, row_text(result, 0, 0))) {
        snprintf(beside->told, sizeof(beside->told), "%s", row_text(result, 0, 0));
        fprintf(out, "%s: %s.\n", sentence, beside->told);
        fflush(out);
    }
    PQclear(result);
}

static void pause_ms(int milliseconds)
{
    const struct timespec pause = {.tv_sec = milliseconds / 1000,
                                   .tv_nsec = milliseconds % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

/* A deadlock, or a lock_timeout behind a pooler: what was left invalid is made again. */
static bool may_try_again(struct migrate_beside *beside, struct error *error)
{
    const char *state = db_session_sqlstate(beside->building);

    if (strcmp(state, "40P01") == 0 || strcmp(state, "55P03") == 0) {
        beside->tries++;
        return beside->tries < TRIES_MAX;
    }
    if (strcmp(state, "57014") == 0)
        return error_hint(error,
                          "a statement_timeout has ended it: let database.url lead to PostgreSQL "
                          "itself, or lift the limit for a while, and run \"postrider migrate%s\" "
                          "again",
                          hint_options());
    return error_hint(error, "what is left of it is dropped by the next \"postrider migrate%s\"",
                      hint_options());
}

bool migrate_beside_wait(struct db_session *session, struct migrate_beside *beside, FILE *out,
                         struct error *error)
{
    enum db_session_progress progress;

    if (!beside->is_running) {
        say_who(session, beside, builder_sql,
                "Another session is at work on webhook_deliveries; waiting for", out);
        pause_ms(LOOK_MS);
        return true;
    }
    while ((progress = db_session_await(beside->building, LOOK_MS, error)) == DB_SESSION_RUNNING)
        say_who(session, beside, in_the_way_sql,
                "Building an index beside all others; it waits for an older transaction", out);
    beside->is_running = false;
    if (progress == DB_SESSION_DONE)
        return true;
    if (!may_try_again(beside, error))
        return false;
    pause_ms(LOOK_MS);
    return true;
}

/* The version may be recorded only when all are valid, by psql too. */
static const char check_text[] =
    "DO $$\n"
    "BEGIN\n"
    "    IF EXISTS (SELECT FROM unnest('{%s}'::text[]) AS w (name)\n"
    "               LEFT JOIN pg_index i ON i.indexrelid = to_regclass(w.name)\n"
    "               WHERE i.indisvalid IS NOT TRUE) THEN\n"
    "        RAISE EXCEPTION 'an index is not valid'\n"
    "            USING HINT = 'DROP INDEX CONCURRENTLY it, and begin again where it is made';\n"
    "    END IF;\n"
    "END\n"
    "$$;\n";

static void print_check(const PGresult *indexes, FILE *out)
{
    char *names = memory_copy_string("");

    for (int row = 0; row < PQntuples(indexes); row++) {
        char *before = names;

        names =
            memory_format("%s%s%s", before, row > 0 ? "," : "", row_text(indexes, row, INDEX_NAME));
        free(before);
    }
    fprintf(out, check_text, names);
    free(names);
}

/* "CREATE INDEX CONCURRENTLY name" with IF NOT EXISTS: a table that was small has them already. */
static void print_creation(const char *creation, FILE *out)
{
    const char word[] = "CONCURRENTLY ";
    const char *rest = strstr(creation, word) + sizeof(word) - 1;

    fprintf(out, "%.*sIF NOT EXISTS %s;\n", (int)(rest - creation), creation, rest);
}

bool migrate_beside_print(struct db_session *session, const struct embedded_text *file, FILE *out,
                          struct error *error)
{
    PGresult *path =
        db_session_query(session, "SELECT current_setting('search_path')", 0, NULL, error);
    PGresult *indexes = path != NULL ? load_indexes(session, file, error) : NULL;
    bool ok = indexes != NULL;

    if (ok)
        fprintf(out, "-- migration %s, outside of a transaction: others go on\n", file->name);
    for (int row = 0; ok && row < PQntuples(indexes); row++) {
        if (row_is_true(indexes, row, INDEX_IS_THERE) && !row_is_true(indexes, row, INDEX_IS_VALID))
            fprintf(out, "%s;\n", row_text(indexes, row, INDEX_REMOVAL));
        print_creation(row_text(indexes, row, INDEX_CREATION), out);
    }
    if (ok) {
        fprintf(out, "BEGIN;\nSET LOCAL search_path TO %s;\n", row_text(path, 0, 0));
        print_check(indexes, out);
    }
    PQclear(path);
    PQclear(indexes);
    return ok;
}

void migrate_beside_end(struct migrate_beside *beside)
{
    db_session_close(beside->building);
    beside->building = NULL;
}
