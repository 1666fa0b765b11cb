/* SPDX-License-Identifier: MIT */
#include "db/migrate_retention.h"

#include "base/hint.h"
#include "base/units.h"
#include "db/adoption.h"
#include "db/migrate_lock.h"

static bool count_spared(struct db_session *session, const struct migrate_options *options,
                         struct adoption_spared *ret_spared, struct error *error)
{
    return adoption_count_spared(session, options->delivered_ms, options->failed_ms, ret_spared,
                                 error);
}

/* In a dry run all of it is a comment, for psql. */
static void say_counts(const struct migrate_options *options, const struct adoption_spared *spared)
{
    const char *start = options->dry_run ? "-- " : "";
    char delivered[UNITS_TEXT_SIZE], failed[UNITS_TEXT_SIZE];

    fprintf(options->out,
            "%sRows of before Postrider that retention has left alone: %lld.\n"
            "%sOf them it would delete at once: %lld delivered (retention.delivered is %s),"
            " %lld failed (retention.failed is %s).\n",
            start, (long long)spared->all, start, (long long)spared->delivered,
            units_format_duration_ms(options->delivered_ms, delivered), (long long)spared->failed,
            units_format_duration_ms(options->failed_ms, failed));
}

/* In a transaction. */
static bool agree(struct db_session *session, const struct migrate_options *options,
                  struct error *error)
{
    struct adoption_spared spared;

    if (!count_spared(session, options, &spared, error))
        return false;
    if (spared.all == 0)
        fprintf(options->out, "%sThere are no rows of before Postrider that retention spares.\n",
                options->dry_run ? "-- " : "");
    else
        say_counts(options, &spared);
    return options->dry_run || adoption_agree(session, error);
}

bool migrate_retention_agree(struct db_session *session, const struct migrate_options *options,
                             struct error *error)
{
    if (!migrate_lock_run(session, options, agree, error))
        return false;
    if (!options->dry_run)
        fprintf(options->out, "Retention goes for all rows from now on.\n");
    return true;
}

bool migrate_retention_tell(struct db_session *session, const struct migrate_options *options,
                            struct error *error)
{
    struct adoption_spared spared;
    bool ok = db_session_begin(session, error) &&
              db_session_execute(session, "SET LOCAL statement_timeout = 0", error) &&
              count_spared(session, options, &spared, error);

    db_session_rollback(session);
    if (!ok || spared.all == 0)
        return ok;
    say_counts(options, &spared);
    fprintf(options->out, "To let it: postrider migrate --retention%s\n", hint_options());
    return true;
}
