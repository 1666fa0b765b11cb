/* SPDX-License-Identifier: MIT */
#include "command/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/moment_option.h"
#include "db/alerts.h"

#define GRACE_DEFAULT_MS 60000
#define LIMIT_DEFAULT    100
#define LIMIT_MAX        1000000
#define FINDINGS_SIZE    300
#define LEDGER_MS        (INT64_C(90) * 24 * 3600 * 1000) /* migrations/0007_ledger.sql */

static const char help_text[] =
    "usage: postrider audit [OPTION]...\n"
    "\n"
    "The balance sheet: for each customer and endpoint, how many deliveries were inserted and how\n"
    "many of them are delivered, dead, pending, discarded or deleted; whether all that the audit\n"
    "before had counted are still there; what is overdue, and why; and every row that contradicts\n"
    "itself. Reads the table through: seconds for a million rows, beside the work.\n"
    "\n"
    "Exit status 1 when something does not add up, a row contradicts itself, or a delivery is\n"
    "overdue although nothing holds it back; 0 otherwise. Fit for cron.\n"
    "\n"
    "      --since TIME        deliveries created in the last 2h, or since \"2031-05-17 12:00\";\n"
    "                          without it, all that retention can't have touched\n"
    "      --overdue TIME      how long after its time a pending delivery is overdue (1m)\n"
    "  -n, --limit N           at most so many rows that contradict themselves (100)\n"
    "      --all               every endpoint, not only the 20 with the most that is open\n"
    "      --accept            what is missing is known: the next audit counts from what is there\n"
    "      --dry-run           keep nothing for the next audit, nor for alerts\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct audit_options {
    const char *since;
    int64_t grace_ms;
    int64_t limit;
    bool all;
    bool accept;
    bool dry_run;
    bool json;
};

/* What is younger, retention has not deleted, and the ledger has not forgotten. */
static int64_t certain_ms(const struct config *config)
{
    const int64_t kept[] = {config->retention.delivered_ms, config->retention.failed_ms};
    int64_t ms = LEDGER_MS;

    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        if (kept[i] > 0 && kept[i] < ms)
            ms = kept[i];
    return ms;
}

static enum balances_keep how_to_keep(const struct audit_options *options)
{
    if (options->dry_run)
        return BALANCES_KEEP_NONE;
    return options->accept ? BALANCES_KEEP_ALWAYS : BALANCES_KEEP_IF_WHOLE;
}

static bool read_all(const struct database *database, const struct audit_options *options,
                     struct audit *audit, struct error *error)
{
    struct db_session *session = database->session;
    bool is_logged = database->config->attempt_log != ATTEMPT_LOG_NONE;

    return audit_sheet_read(session, audit->since, &audit->sheet, error) &&
           adoption_read(session, &audit->adoption, error) &&
           balances_compare(session, audit->certain, how_to_keep(options), &audit->balances,
                            error) &&
           audit_waiting_read(session, audit->grace_ms, &audit->waiting, error) &&
           audit_contradictions_read(session, audit->since, is_logged, options->limit,
                                     &audit->contradictions, error) &&
           audit_ledger_is_on(session, &audit->is_ledger_on, error);
}

static bool explain_waiting(const struct database *database, struct audit *audit,
                            struct error *error)
{
    audit->reasons = memory_new(audit->waiting.count + 1, sizeof(*audit->reasons));
    for (size_t i = 0; i < audit->waiting.count; i++)
        if (!audit_waiting_explain(database, &audit->waiting.rows[i], audit->grace_ms,
                                   &audit->reasons[i], error))
            return false;
    return true;
}

static void audit_free(struct audit *audit)
{
    if (audit->reasons != NULL)
        for (size_t i = 0; i < audit->waiting.count; i++)
            free(audit->reasons[i].why);
    free(audit->reasons);
    audit_contradictions_free(&audit->contradictions);
    audit_waiting_free(&audit->waiting);
    balances_free(&audit->balances);
    audit_sheet_free(&audit->sheet);
}

/* What it says, in a few words, for who is told that it failed (docs/alerts.md). */
static void write_findings(const struct audit *audit, char text[FINDINGS_SIZE])
{
    int64_t stuck = 0;

    for (size_t i = 0; i < audit->waiting.count; i++)
        stuck += audit->reasons[i].is_problem ? audit->waiting.rows[i].deliveries : 0;
    snprintf(text, FINDINGS_SIZE,
             "%zu row%s, %lld overdue without a "
             "reason; see postrider audit%s",
             audit->contradictions.count,
             text_plural((int64_t)audit->contradictions.count, " contradicts itself",
                         "s contradict themselves"),
             (long long)stuck, hint_options());
}

/* The audit itself is no worse where that can't be written: on a standby, or with few privileges. */
static void note_result(const struct database *database, const struct audit *audit)
{
    struct error error = {0};
    char text[FINDINGS_SIZE];

    write_findings(audit, text);
    if (!alerts_note_audit(database->session, audit_is_clean(audit), text, &error))
        fprintf(stderr, "postrider: warning: alerts will not tell of this audit: %s\n",
                error.message);
}

static int make_audit(const struct database *database, const struct audit_options *options,
                      struct audit *audit)
{
    struct error error = {0};
    int status = COMMAND_FAILED;

    if (!read_all(database, options, audit, &error) || !explain_waiting(database, audit, &error))
        database_fail(database, &error);
    else {
        if (options->json)
            audit_report_print_json(audit, stdout);
        else
            audit_report_print(audit, options->all, stdout);
        if (!options->dry_run)
            note_result(database, audit);
        status = audit_is_clean(audit) ? COMMAND_OK : COMMAND_FAILED;
    }
    audit_free(audit);
    return status;
}

static int audit_database(const struct command *self, const struct database *database,
                          struct audit_options *options)
{
    struct audit audit = {.grace_ms = options->grace_ms};
    struct error error = {0};
    char since[MOMENT_SIZE];
    int status;

    if (!moment_ago(database->session, certain_ms(database->config), audit.certain, &error))
        return database_fail(database, &error);
    status = moment_option(self, database, "since", &options->since, since);
    if (status != COMMAND_OK)
        return status;
    audit.since = options->since != NULL ? options->since : audit.certain;
    audit.is_older = strcmp(audit.since, audit.certain) < 0; /* both "2031-05-17T12:00:00…Z" */
    return make_audit(database, options, &audit);
}

static int run_audit(const struct command *self, int argc, char **argv)
{
    struct database database;
    struct audit_options o = {.grace_ms = GRACE_DEFAULT_MS, .limit = LIMIT_DEFAULT};
    const struct argument options[] = {
        {.name = "since", .text = &o.since},
        {.name = "overdue", .duration_ms = &o.grace_ms, .minimum = 1000},
        {.name = "limit", .letter = 'n', .integer = &o.limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "all", .flag = &o.all},
        {.name = "accept", .flag = &o.accept},
        {.name = "dry-run", .flag = &o.dry_run},
        {.name = "json", .flag = &o.json},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (o.accept && o.dry_run)
        return command_usage_error(self, "--accept keeps what --dry-run must not: give one");
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = audit_database(self, &database, &o);
    database_close(&database);
    return status;
}

const struct command command_audit = {
    .name = "audit",
    .summary = "prove that what was inserted is accounted for, and find what is stuck",
    .help = help_text,
    .run = run_audit,
};
