/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/report.h"
#include "command/terminal.h"
#include "db/backfill.h"

#define FOUND_MAX   10
#define LOOK_EVENTS 1000 /* the newest ones, for what is missing */

static const char help_text[] =
    "usage: postrider endpoint show [OPTION]... ID|URL\n"
    "\n"
    "Shows the row of an endpoint in webhook_endpoints, or of all with this URL (10 at most), and\n"
    "whether some of the last 1,000 events that it subscribes to have no delivery to it: a change\n"
    "of a subscription sends nothing of before by itself.\n"
    "\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* What an endpoint lacks of the newest events. */
struct lack {
    int64_t events;
    char since[MOMENT_SIZE];
};

static void print_line(const char *name, const char *text)
{
    char *clean;

    if (text == NULL)
        return;
    clean = terminal_clean(text);
    printf("%-12s %s\n", name, clean);
    free(clean);
}

static void print_endpoint(const struct subscription *endpoint, const struct lack *lack)
{
    char *types = endpoint_types(endpoint);

    print_line("endpoint", endpoint->id);
    print_line("customer", endpoint->customer_id);
    print_line("url", endpoint->url);
    print_line("state", endpoint_state(endpoint));
    print_line("event types", types);
    print_line("filter", endpoint->filter);
    if (endpoint->all_customers)
        print_line("events of", "all customers");
    print_line("created", endpoint->created_at);
    print_line("disabled", endpoint->disabled_at);
    print_line("reason", endpoint->disabled_reason);
    print_line("paused", endpoint->paused_at);
    print_line("failing", endpoint->failing_since);
    if (lack->events > 0)
        printf("\n%lld of the last %d events would go to it and %s no delivery: \"postrider event "
               "backfill --endpoint %s --since %s%s\" makes %s.\n",
               (long long)lack->events, LOOK_EVENTS, text_plural(lack->events, "has", "have"),
               endpoint->id, lack->since, hint_options(), text_plural(lack->events, "it", "them"));
    free(types);
}

static bool look(const struct database *database, const struct subscription *endpoint,
                 struct lack *lack, struct error *error)
{
    int64_t delivered = database->config->retention.delivered_ms;
    int64_t failed = database->config->retention.failed_ms;
    int64_t kept = failed == 0 || (delivered > 0 && delivered < failed) ? delivered : failed;
    struct backfill_targets targets;
    char since[MOMENT_SIZE] = "-infinity";
    bool ok = true;

    *lack = (struct lack){0};
    if (endpoint->event_types == NULL)
        return true;
    if (kept > 0 && !moment_ago(database->session, kept, since, error))
        return false;
    if (!backfill_find(database->session, endpoint->id, NULL, &targets, error))
        return false;
    if (targets.count == 1 && targets.rows[0].subscription != NULL) {
        const struct backfill_scope scope = {
            .target = &targets.rows[0],
            .customer = targets.rows[0].all_customers ? NULL : targets.rows[0].customer_id,
            .since = since};

        ok = backfill_look(database->session, &scope, LOOK_EVENTS, &lack->events, lack->since,
                           error);
    }
    backfill_targets_free(&targets);
    return ok;
}

static json_t *shown_json(const struct subscription *endpoint, const struct lack *lack)
{
    json_t *object = endpoint_json(endpoint);

    json_object_set_new(object, "missing", json_integer(lack->events));
    json_object_set_new(object, "missing_since",
                        lack->events > 0 ? json_string(lack->since) : json_null());
    return object;
}

static bool show_each(const struct database *database, const struct subscription_list *list,
                      json_t *array, struct error *error)
{
    for (size_t i = 0; i < list->count && i < FOUND_MAX; i++) {
        struct lack lack;

        if (!look(database, &list->rows[i], &lack, error))
            return false;
        if (array != NULL)
            json_array_append_new(array, shown_json(&list->rows[i], &lack));
        else {
            fputs(i > 0 ? "\n" : "", stdout);
            print_endpoint(&list->rows[i], &lack);
        }
    }
    return true;
}

static int show(const struct database *database, const char *id_or_url, bool json)
{
    json_t *array = json ? json_array() : NULL;
    struct subscription_list found = {0};
    struct error error = {0};
    int status = COMMAND_OK;
    bool is_read = subscriptions_find(database->session, id_or_url, FOUND_MAX + 1, &found, &error);

    if (is_read && found.count == 0) {
        error_set(&error, "no row of webhook_endpoints is of \"%.200s\"", id_or_url);
        error_hint(&error,
                   "an endpoint without a row has the configuration's settings and subscribes to "
                   "nothing; \"postrider endpoint list%s\" shows those there are",
                   hint_options());
        status = command_fail(COMMAND_FAILED, &error);
    } else if (!is_read || !show_each(database, &found, array, &error))
        status = database_fail(database, &error);
    if (json && status == COMMAND_OK)
        report_print_json(json_incref(array), stdout);
    if (found.count > FOUND_MAX) {
        fflush(stdout);
        fprintf(stderr, "There are more than %d; these are the first.\n", FOUND_MAX);
    }
    json_decref(array);
    subscription_list_free(&found);
    return status;
}

static int run_show(const struct command *self, int argc, char **argv)
{
    struct database database;
    bool json = false;
    const struct argument options[] = {{.name = "json", .flag = &json}, {0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = show(&database, arguments.values[0], json);
    database_close(&database);
    return status;
}

const struct command command_endpoint_show = {
    .name = "endpoint show",
    .summary = "show one endpoint",
    .help = help_text,
    .run = run_show,
};
