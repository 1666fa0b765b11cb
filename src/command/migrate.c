/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/units.h"
#include "command/arguments.h"
#include "command/command.h"
#include "config/load.h"
#include "db/consumer.h"
#include "db/migrate.h"
#include "db/session.h"

static const char help_text[] =
    "usage: postrider migrate [--adopt] [--timezone ZONE] [--retention] [--customers TABLE]\n"
    "                         [--grant ROLE] [--grant-producer ROLE] [--grant-serve ROLE]\n"
    "                         [--grant-customers ROLE] [--dry-run]\n"
    "   or: postrider migrate --consumer [--keep DURATION] [--dry-run]\n"
    "\n"
    "Brings the database's schema to the version that this postrider knows. Connects as\n"
    "database.url says, so as a role that may create tables; the worker's own role needs less.\n"
    "A second run does nothing, two at once do no harm. Where a table is in use it waits, up to\n"
    "some minutes, without keeping inserts and workers waiting behind it.\n"
    "\n"
    "A webhook_deliveries table that was there before is adopted in place, no row is lost. "
    "Without\n"
    "--adopt the steps are only listed, nothing is changed, and the exit status is 1. Retention\n"
    "leaves the rows alone that were there before, until --retention is given, then or later.\n"
    "\n"
    "      --adopt           take over the webhook_deliveries table that is there\n"
    "      --timezone ZONE   of its times without a zone, as Europe/Berlin\n"
    "                        (default: the database's TimeZone)\n"
    "      --customers TABLE whom customer_id refers to, as app.tenants, by a foreign key to its "
    "id;\n"
    "                        none: nobody. Default: as it is; at first customers, if there is one\n"
    "      --retention       let retention.* delete rows of before; says how many it would be\n"
    "      --dry-run         print the SQL, change nothing\n"
    "      --grant ROLE      give a role exactly the privileges that the worker needs\n"
    "      --grant-producer ROLE  give a role exactly what an application needs that publishes "
    "events\n"
    "      --grant-serve ROLE     the same for \"postrider serve\", which is to have a role of its "
    "own\n"
    "      --grant-customers ROLE give a role what customers may see and do, and let the role of\n"
    "                        \"postrider serve\" ask as it (http.customers_role)\n"
    "\n"
    "For a receiver, in its own database (database.url), and nothing else of the above:\n"
    "      --consumer        make processed_events and postrider_first_time(), by which it "
    "applies\n"
    "                        each event once\n"
    "      --keep DURATION   recognise a repeat for so long, at least as long as "
    "retention.failed,\n"
    "                        since a dead letter may be sent again; 0: for ever (the default)\n"
    "  -c, --config FILE     default " COMMAND_DEFAULT_CONFIG "\n";

static int migrate(const struct config *config, const struct migrate_options *options)
{
    struct error error;
    enum migrate_result result;
    struct db_session *session =
        db_session_open(config->database.url, config->database.schema, &error);

    if (session == NULL)
        return command_fail(COMMAND_FAILED, &error);
    result = migrate_run(session, options, &error);
    db_session_close(session);
    switch (result) {
    case MIGRATE_DONE:
        return COMMAND_OK;
    case MIGRATE_NEEDS_ADOPTION:
    case MIGRATE_FAILED:
        break;
    }
    return command_fail(COMMAND_FAILED, &error);
}

/* Both can be sent again as long as they are kept. */
static bool check_keep(const struct config *config, int64_t keep_ms, struct error *error)
{
    char text[UNITS_TEXT_SIZE];

    if (keep_ms <= 0 || keep_ms >= config->retention.failed_ms)
        return true;
    error_set(
        error,
        "--keep is shorter than retention.failed (%s): a dead letter that is sent again would be"
        " applied a second time",
        units_format_duration_ms(config->retention.failed_ms, text));
    return error_hint(error, "say --keep %s or more, or 0 to keep all", text);
}

static bool install_consumer(const struct config *config, const struct consumer_options *options,
                             struct error *error)
{
    struct db_session *session;
    bool ok;

    if (!check_keep(config, options->keep_ms, error))
        return false;
    session = db_session_open(config->database.url, config->database.schema, error);
    if (session == NULL)
        return false;
    ok = consumer_install(session, options, error);
    db_session_close(session);
    return ok;
}

/* Whether something else is asked for than a consumer's part. */
static bool is_for_tables(const struct migrate_options *options)
{
    return options->adopt || options->timezone != NULL || options->customers != NULL ||
           options->retention || options->grant_to != NULL || options->grant_serve_to != NULL ||
           options->grant_customers_to != NULL || options->grant_producer_to != NULL;
}

static int run_consumer(const struct config *config, struct consumer_options *options, bool dry_run)
{
    struct error error;

    options->dry_run = dry_run;
    return install_consumer(config, options, &error) ? COMMAND_OK
                                                     : command_fail(COMMAND_FAILED, &error);
}

static int run_tables(const struct config *config, struct migrate_options *options)
{
    options->delivered_ms = config->retention.delivered_ms;
    options->failed_ms = config->retention.failed_ms;
    return migrate(config, options);
}

static int run_migrate(const struct command *self, int argc, char **argv)
{
    struct migrate_options migrate_options = {.out = stdout};
    struct consumer_options consumer = {.keep_ms = CONSUMER_KEEP_AS_IT_IS, .out = stdout};
    bool is_consumer = false;
    const struct argument options[] = {
        {.name = "adopt", .flag = &migrate_options.adopt},
        {.name = "timezone", .text = &migrate_options.timezone},
        {.name = "customers", .text = &migrate_options.customers},
        {.name = "retention", .flag = &migrate_options.retention},
        {.name = "dry-run", .flag = &migrate_options.dry_run},
        {.name = "grant", .text = &migrate_options.grant_to},
        {.name = "grant-serve", .text = &migrate_options.grant_serve_to},
        {.name = "grant-customers", .text = &migrate_options.grant_customers_to},
        {.name = "grant-producer", .text = &migrate_options.grant_producer_to},
        {.name = "consumer", .flag = &is_consumer},
        {.name = "keep", .duration_ms = &consumer.keep_ms},
        {0},
    };
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct config *config;

    if (status != ARGUMENTS_OK)
        return status;
    if (is_consumer && is_for_tables(&migrate_options))
        return command_usage_error(self, "--consumer stands alone, or with --keep and --dry-run");
    if (!is_consumer && consumer.keep_ms != CONSUMER_KEEP_AS_IT_IS)
        return command_usage_error(self, "--keep is for --consumer");
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    status = is_consumer ? run_consumer(config, &consumer, migrate_options.dry_run)
                         : run_tables(config, &migrate_options);
    config_free(config);
    return status;
}

const struct command command_migrate = {
    .name = "migrate",
    .summary = "create or upgrade the schema, adopt a table that is there",
    .help = help_text,
    .run = run_migrate,
};
