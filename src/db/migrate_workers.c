/* SPDX-License-Identifier: MIT */
#include "db/migrate_workers.h"

#include "base/text.h"
#include "db/row.h"

#define NAMED_MAX 10

static const char workers_sql[] =
    "SELECT w.host, w.pid, count(*) OVER (), (SELECT m.works_from FROM postrider_migrations m "
    "ORDER BY m.version DESC LIMIT 1) FROM webhook_workers w WHERE w.lease_expires_at > now() "
    "ORDER BY w.host, w.pid LIMIT 11";

_Static_assert(NAMED_MAX == 10, "workers_sql reads one more");

bool migrate_workers_tell(struct db_session *session, const struct migrate_options *options,
                          struct error *error)
{
    PGresult *result = db_session_read(session, workers_sql, 0, NULL, error);
    int count = result != NULL ? PQntuples(result) : 0;
    int64_t total = count > 0 ? row_integer(result, 0, 2, 0) : 0;

    if (result == NULL)
        return false;
    if (total > 0)
        fprintf(options->out,
                "%lld worker%s of before run%s. Restart %s with this version: one that knows no "
                "schema of version %lld or later delivers no events, and stops when it connects "
                "anew.\n",
                (long long)total, text_plural(total, "", "s"), text_plural(total, "s", ""),
                text_plural(total, "it", "them"), (long long)row_integer(result, 0, 3, 0));
    for (int row = 0; row < count && row < NAMED_MAX; row++)
        fprintf(options->out, "  process %s on %s\n", row_text(result, row, 1),
                row_text(result, row, 0));
    if (total > NAMED_MAX)
        fprintf(options->out, "  … and %lld more\n", (long long)total - NAMED_MAX);
    PQclear(result);
    return true;
}
