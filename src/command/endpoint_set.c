/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/endpoint_body.h"
#include "command/endpoint_choice.h"
#include "command/report.h"
#include "db/endpoint_pending.h"

static const char help_text[] =
    "usage: postrider endpoint set ID|URL [OPTION]...\n"
    "\n"
    "Changes what is named of an endpoint, and shows what it was and what it is. Pending "
    "deliveries\n"
    "of events follow it to another URL.\n"
    "\n"
    "      --customer UUID     whose, where more than one have the URL\n" ENDPOINT_BODY_HELP
    "      --unset OPTION      the configuration's again: 'timeout'; may be repeated\n"
    "      --json              for programs: {\"before\": …, \"after\": …, …}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct setting {
    const char *customer;
    struct endpoint_body body;
    bool json;
    struct endpoint_pending pending; /* before it */
    json_t *before, *after;
};

enum set_column { SET_NAME, SET_BEFORE, SET_AFTER };

static const struct report_column columns[] = {
    [SET_NAME] = {.title = "SETTING"},
    [SET_BEFORE] = {.title = "BEFORE", .cut = REPORT_CUT_END},
    [SET_AFTER] = {.title = "AFTER", .cut = REPORT_CUT_END},
};

/* NULL with error. */
static json_t *read_whole(const struct database *database, const char *id, struct error *error)
{
    struct asking asking = {.text = "endpoint_whole", .count = 1, .values = &id};
    PGresult *result = asking_change(database->session, &asking, error);
    json_t *whole = NULL;

    if (result != NULL && PQntuples(result) == 0)
        error_set(error, "the endpoint was removed by somebody else");
    else if (result != NULL)
        whole = json_loads(PQgetvalue(result, 0, 0), 0, NULL);
    PQclear(result);
    return whole;
}

static bool apply(const struct database *database, const char *text, const char *id,
                  const json_t *body, struct error *error)
{
    char *json = json_dumps(body, JSON_COMPACT);
    const char *values[] = {id, json};
    struct asking asking = {.text = text, .count = 2, .values = values};
    PGresult *result = asking_change(database->session, &asking, error);

    free(json);
    PQclear(result);
    return result != NULL;
}

static bool change(const struct database *database, const char *id, struct setting *setting,
                   struct error *error)
{
    struct endpoint_body *body = &setting->body;

    if (!endpoint_pending_count(database->session, id, &setting->pending, error) ||
        !db_session_begin(database->session, error))
        return false;
    setting->before = read_whole(database, id, error);
    if (setting->before != NULL &&
        (json_object_size(body->body) == 0 ||
         apply(database, "endpoint_change", id, body->body, error)) &&
        (json_object_size(body->operators) == 0 ||
         apply(database, "endpoint_operators", id, body->operators, error)))
        setting->after = read_whole(database, id, error);
    if (setting->after != NULL)
        return db_session_commit(database->session, error);
    if (strcmp(db_session_sqlstate(database->session), "23505") == 0)
        error_set(error, "there is an endpoint of this customer with this URL already");
    db_session_rollback(database->session);
    return false;
}

static void add_cell(struct report *report, size_t column, const json_t *value)
{
    char *text = json_is_string(value) || json_is_null(value)
                     ? NULL
                     : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    report_set(report, column,
               json_is_null(value) ? "-"
               : text != NULL      ? text
                                   : json_string_value(value),
               NULL);
    free(text);
}

/* Names of headers stay what they are when a value changes. */
static bool is_changed(const struct setting *setting, const char *name, const json_t *value)
{
    return !json_equal(json_object_get(setting->before, name), value) ||
           (strcmp(name, "headers") == 0 &&
            json_object_get(setting->body.operators, "headers") != NULL);
}

static bool print_changes(const struct setting *setting)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));
    const char *name;
    json_t *value;
    bool is_any;

    json_object_foreach(setting->after, name, value)
    {
        if (!is_changed(setting, name, value))
            continue;
        report_add_row(report);
        report_set(report, SET_NAME, name, NULL);
        add_cell(report, SET_BEFORE, json_object_get(setting->before, name));
        add_cell(report, SET_AFTER, value);
    }
    is_any = report_row_count(report) > 0;
    if (is_any)
        report_print_table(report, stdout);
    else
        puts("Nothing was changed: it is so already.");
    report_free(report);
    return is_any;
}

static bool differs(const struct setting *setting, const char *name)
{
    return !json_equal(json_object_get(setting->before, name),
                       json_object_get(setting->after, name));
}

static int64_t followed(const struct setting *setting)
{
    return differs(setting, "url") ? setting->pending.made_for_it : 0;
}

static void print_consequences(const struct setting *setting, const char *id)
{
    const struct endpoint_pending *pending = &setting->pending;

    if (differs(setting, "url"))
        printf("%s%lld pending deliver%s of events follow%s it to the new URL.\n",
               pending->is_cut ? "At least " : "", (long long)pending->made_for_it,
               text_plural(pending->made_for_it, "y", "ies"),
               text_plural(pending->made_for_it, "s", ""));
    if (differs(setting, "url") && pending->others > 0)
        printf("%s%lld that %s inserted for the old URL stay%s there.\n",
               pending->is_cut ? "At least " : "", (long long)pending->others,
               text_plural(pending->others, "was", "were"), text_plural(pending->others, "s", ""));
    if (differs(setting, "event_types") || differs(setting, "filter"))
        printf("It counts for what is published from now on; \"postrider event backfill --endpoint "
               "%s --since 7d --dry-run%s\" counts what it has missed.\n",
               id, hint_options());
}

static int set(const struct command *self, const struct database *database, const char *id_or_url,
               struct setting *setting)
{
    struct subscription_list list = {0};
    struct error error = {0};
    int status =
        endpoint_body_make(self, &setting->body, false, database->config->network.https_only);

    if (status == COMMAND_OK &&
        json_object_size(setting->body.body) + json_object_size(setting->body.operators) == 0)
        status = command_usage_error(self, "say what is to be changed");
    if (status == COMMAND_OK)
        status = endpoint_choose(database, id_or_url, setting->customer, &list);
    if (status == COMMAND_OK && !change(database, list.rows[0].id, setting, &error))
        status = database_fail(database, &error);
    if (status == COMMAND_OK && setting->json)
        report_print_json(json_pack("{s:O, s:O, s:I, s:b}", "before", setting->before, "after",
                                    setting->after, "followed", (json_int_t)followed(setting),
                                    "is_at_least", (int)setting->pending.is_cut),
                          stdout);
    else if (status == COMMAND_OK && print_changes(setting))
        print_consequences(setting, list.rows[0].id);
    subscription_list_free(&list);
    return status;
}

static int run_set(const struct command *self, int argc, char **argv)
{
    struct setting setting = {.customer = NULL};
    struct argument options[ENDPOINT_BODY_OPTIONS + 3] = {{0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    size_t count = endpoint_body_options(&setting.body, true, options);
    struct database database;
    int status;

    options[count++] = (struct argument){.name = "customer", .uuid = &setting.customer};
    options[count] = (struct argument){.name = "json", .flag = &setting.json};
    status = arguments_parse(self, argc, argv, &arguments);
    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = set(self, &database, arguments.values[0], &setting);
    endpoint_body_free(&setting.body);
    json_decref(setting.before);
    json_decref(setting.after);
    database_close(&database);
    return status;
}

const struct command command_endpoint_set = {
    .name = "endpoint set",
    .summary = "change an endpoint",
    .help = help_text,
    .run = run_set,
};
