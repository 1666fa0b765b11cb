/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/delivery_ids.h"
#include "command/delivery_report.h"
#include "command/report.h"
#include "command/terminal.h"
#include "db/events.h"
#include "db/removals.h"
#include "explain/explanation.h"

#define EVENT_DELIVERIES_MAX 50

static const char help_text[] =
    "usage: postrider explain [OPTION]... ID\n"
    "       postrider explain [OPTION]... --event EVENT_ID\n"
    "\n"
    "Says why a delivery is where it is and what happens next, and lists its attempts.\n"
    "\n"
    "  ID                      the delivery (webhook_deliveries.id)\n"
    "      --event EVENT_ID    all deliveries of an event of webhook_events; where there are "
    "none,\n"
    "                          all rows that were inserted with this event_id: then it reads the\n"
    "                          whole table, which can take long on a large one\n"
    "      --json              for programs: an object; with --event an array of them\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* All that is said of one delivery. */
struct answer {
    struct delivery_record record;
    struct delivery_attempts attempts;
    struct explanation explanation;
};

static void answer_free(struct answer *answer)
{
    explanation_free(&answer->explanation);
    delivery_attempts_free(&answer->attempts);
    delivery_record_free(&answer->record);
}

/* A delivery that is not there. Always false, with what has become of it in error. */
static bool explain_absence(struct db_session *session, const char *id, struct error *error)
{
    struct removal removal;
    bool found;
    char time[DELIVERY_TIME_SIZE];

    if (!removal_read(session, id, &removal, &found, error))
        return false;
    if (found) {
        /* One of before there were rows of discards says no more. */
        error_set(error, "delivery %s was %s at %s by the role \"%s\"%s%s", id,
                  removal.is_discard ? "discarded" : "deleted",
                  delivery_time(removal.removed_at, time), removal.removed_by,
                  removal.requested_by != NULL ? ", as was asked for by "
                  : removal.is_discard         ? ""
                                               : ", with SQL",
                  removal.requested_by != NULL ? removal.requested_by : "");
        error_hint(error, "it was %s then, after %lld attempt%s", removal.status,
                   (long long)removal.attempts, text_plural(removal.attempts, "", "s"));
    } else {
        error_set(error, "there is no delivery %s", id);
        error_hint(error,
                   "it was never committed, or retention has deleted it; for the id of an event: "
                   "postrider explain --event %s%s",
                   id, hint_options());
    }
    removal_free(&removal);
    return false;
}

static bool answer_read(const struct database *database, const char *id, struct answer *answer,
                        struct error *error)
{
    struct retry_policy policy = database->config->retry;
    bool found;

    if (!delivery_record_read(database->session, id, &answer->record, &found, error))
        return false;
    if (!found)
        return explain_absence(database->session, id, error);
    if (!delivery_attempts_read(database->session, id, &answer->attempts, error))
        return false;
    retry_policy_override(&policy, &answer->record.endpoint.retry);
    explanation_make(&answer->record, database->config, &policy, &answer->explanation);
    return true;
}

static void print_sentence(const char *text)
{
    if (text[0] != '\0')
        terminal_print_wrapped(text, 0, stdout);
}

static void print_answer(const struct answer *answer)
{
    const struct explanation *explanation = &answer->explanation;

    print_sentence(buffer_string(&explanation->summary));
    print_sentence(buffer_string(&explanation->next));
    for (size_t i = 0; i < explanation->actions_count; i++)
        printf("→ %s\n", explanation->actions[i]);
    for (size_t i = 0; i < explanation->warnings_count; i++)
        printf("warning: %s\n", explanation->warnings[i]);
    putchar('\n');
    delivery_report_print(&answer->record, stdout);
    if (answer->attempts.count > 0) {
        putchar('\n');
        delivery_attempts_print(&answer->attempts, stdout);
    }
}

static json_t *answer_json(const struct answer *answer)
{
    const struct explanation *explanation = &answer->explanation;
    json_t *object = delivery_report_json(&answer->record);
    json_t *warnings = json_array();
    json_t *actions = json_array();

    for (size_t i = 0; i < explanation->actions_count; i++)
        json_array_append_new(actions, json_string(explanation->actions[i]));
    for (size_t i = 0; i < explanation->warnings_count; i++)
        json_array_append_new(warnings, json_string(explanation->warnings[i]));
    json_object_set_new(object, "state", json_string(explanation->state));
    json_object_set_new(object, "summary", json_string(buffer_string(&explanation->summary)));
    json_object_set_new(object, "next", json_string(buffer_string(&explanation->next)));
    json_object_set_new(object, "actions", actions);
    json_object_set_new(object, "warnings", warnings);
    json_object_set_new(object, "attempt_log", delivery_attempts_json(&answer->attempts));
    return object;
}

static int explain_one(const struct database *database, const char *id, bool json)
{
    struct answer answer = {0};
    struct error error = {0};
    int status = COMMAND_OK;

    if (!answer_read(database, id, &answer, &error))
        status = database_fail(database, &error);
    else if (json)
        report_print_json(answer_json(&answer), stdout);
    else
        print_answer(&answer);
    answer_free(&answer);
    return status;
}

/* Explains the deliveries with these ids; one that was deleted meanwhile is left out. */
static int explain_all(const struct database *database, const PGresult *ids, bool json)
{
    json_t *all = json_array();
    struct error error = {0};
    int status = COMMAND_OK;

    for (int i = 0; i < PQntuples(ids) && i < EVENT_DELIVERIES_MAX; i++) {
        struct answer answer = {0};

        if (answer_read(database, PQgetvalue(ids, i, 0), &answer, &error)) {
            if (!json && i > 0)
                puts("\n--");
            if (json)
                json_array_append_new(all, answer_json(&answer));
            else
                print_answer(&answer);
        } else if (answer.record.result == NULL)
            status = database_fail(database, &error);
        answer_free(&answer);
    }
    if (json && status == COMMAND_OK)
        report_print_json(json_incref(all), stdout);
    json_decref(all);
    return status;
}

static int explain_event(const struct database *database, const char *event_id, bool json)
{
    struct error error = {0};
    PGresult *ids =
        delivery_ids_of_event(database->session, event_id, EVENT_DELIVERIES_MAX + 1, &error);
    int status;

    if (ids == NULL)
        return database_fail(database, &error);
    if (PQntuples(ids) == 0) {
        error_set(&error, "there is no delivery of event %s", event_id);
        error_hint(&error,
                   "it was never committed, or has been deleted; what was published says "
                   "\"postrider event show %s%s\"",
                   event_id, hint_options());
        status = command_fail(COMMAND_FAILED, &error);
    } else
        status = explain_all(database, ids, json);
    if (PQntuples(ids) > EVENT_DELIVERIES_MAX)
        fprintf(stderr, "There are more than %d; these are the first.\n", EVENT_DELIVERIES_MAX);
    PQclear(ids);
    return status;
}

static int check_arguments(const struct command *self, const struct arguments *arguments,
                           const char *event_id)
{
    if (event_id != NULL && arguments->count > 0)
        return command_usage_error(self, "give an ID or --event, not both");
    if (event_id == NULL && arguments->count == 0)
        return command_usage_error(self, "the ID of a delivery is missing");
    if (event_id == NULL && !text_is_uuid(arguments->values[0]))
        return command_usage_error(self, "\"%s\" is not the id of a delivery (a UUID)",
                                   arguments->values[0]);
    return COMMAND_OK;
}

static int run_explain(const struct command *self, int argc, char **argv)
{
    struct database database;
    const char *event_id = NULL;
    bool json = false;
    const struct argument options[] = {
        {.name = "event", .uuid = &event_id}, {.name = "json", .flag = &json}, {0}};
    struct arguments arguments = {.options = options, .values_name = "ID", .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_arguments(self, &arguments, event_id);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = event_id != NULL ? explain_event(&database, event_id, json)
                              : explain_one(&database, arguments.values[0], json);
    database_close(&database);
    return status;
}

const struct command command_explain = {
    .name = "explain",
    .summary = "say why a delivery is where it is, and what happens next",
    .help = help_text,
    .run = run_explain,
};
