/* SPDX-License-Identifier: MIT */
#include "db/consumer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/units.h"
#include "db/migrations.h"

#define KEEP_SIZE 48

static const char say_keep_sql[] = "SELECT set_config('postrider.keep', $1, true)";

static const char tell_sql[] =
    "SELECT quote_ident(current_schema()), extract(epoch FROM postrider_processed_keep()) * 1000,"
    " (SELECT count(*) FROM processed_events WHERE processed_at < now() - "
    "postrider_processed_keep())";

/* As an interval, "" for what is there already. */
static void write_keep(int64_t keep_ms, char keep[KEEP_SIZE])
{
    keep[0] = '\0';
    if (keep_ms != CONSUMER_KEEP_AS_IT_IS)
        snprintf(keep, KEEP_SIZE, "%" PRId64 " ms", keep_ms);
}

static void print_sql(const char *keep, FILE *out)
{
    fprintf(out, "BEGIN;\nSET LOCAL postrider.keep = '%s';\n%sCOMMIT;\n", keep,
            embedded_sql_find("consumer"));
}

static bool tell(struct db_session *session, const struct consumer_options *options,
                 struct error *error)
{
    PGresult *result = db_session_query(session, tell_sql, 0, NULL, error);
    char text[UNITS_TEXT_SIZE];

    if (result == NULL)
        return false;
    fprintf(options->out, "postrider_first_time() and processed_events are in the schema %s.\n",
            PQgetvalue(result, 0, 0));
    if (PQgetisnull(result, 0, 1))
        fprintf(options->out,
                "Repeats are recognised for ever: nothing is removed from the table, until"
                " --keep says after which time.\n");
    else
        fprintf(options->out,
                "Repeats are recognised for %s; what is older is removed as new events come: %s "
                "rows now.\n",
                units_format_duration_ms(strtoll(PQgetvalue(result, 0, 1), NULL, 10), text),
                PQgetvalue(result, 0, 2));
    PQclear(result);
    return true;
}

static bool install(struct db_session *session, const char *keep, struct error *error)
{
    PGresult *result = db_session_query(session, say_keep_sql, 1, &keep, error);

    PQclear(result);
    return result != NULL && db_session_execute(session, embedded_sql_find("consumer"), error);
}

bool consumer_install(struct db_session *session, const struct consumer_options *options,
                      struct error *error)
{
    char keep[KEEP_SIZE];

    write_keep(options->keep_ms, keep);
    if (options->dry_run) {
        print_sql(keep, options->out);
        return true;
    }
    if (!db_session_begin(session, error))
        return false;
    if (install(session, keep, error) && tell(session, options, error))
        return db_session_commit(session, error);
    db_session_rollback(session);
    return false;
}
