/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/hint.h"
#include "base/text.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/delivery_ids.h"
#include "command/report.h"
#include "db/asking.h"
#include "db/delivery_record.h"
#include "explain/delivery_time.h"

#define LIMIT_DEFAULT  50
#define LIMIT_MAX      10000
#define PARTS_BYTES    256
#define DELIVERIES_MAX 1000
#define IDS_BYTES      ((size_t)DELIVERIES_MAX * 40)

static const char help_text[] =
    "usage: postrider attempts [OPTION]... ID\n"
    "\n"
    "Lists the attempts of a delivery, or of all deliveries of an event, the newest first, each "
    "with\n"
    "its URL, what came back, and how long each part took: finding the address (dns), connecting\n"
    "(tcp), TLS, and waiting for the answer; a connection that was kept has the last one alone.\n"
    "Which attempts are kept says attempt_log; what the last one has\n"
    "come to stands in the delivery's row in any case.\n"
    "\n"
    "  -n, --limit N           at most so many (50)\n"
    "      --json              for programs: {\"data\": […], \"has_more\": …}, with whole answers\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum attempts_column { AT_STARTED, AT_ATTEMPT, AT_TOOK, AT_PARTS, AT_STATUS, AT_SAYS, AT_URL };

static const struct report_column columns[] = {
    [AT_STARTED] = {.title = "STARTED"},
    [AT_ATTEMPT] = {.title = "ATTEMPT", .is_number = true},
    [AT_TOOK] = {.title = "TOOK", .is_number = true, .is_optional = true},
    [AT_PARTS] = {.title = "OF THAT, MS", .is_optional = true},
    [AT_STATUS] = {.title = "STATUS", .is_number = true},
    [AT_SAYS] = {.title = "ERROR OR ANSWER", .cut = REPORT_CUT_END},
    [AT_URL] = {.title = "URL", .cut = REPORT_CUT_URL},
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* "dns 0.3, tcp 1.2, wait 20.1" */
static void set_parts(struct report *report, const json_t *phases)
{
    static const struct {
        const char *key, *name;
    } parts[] = {{"dns_ms", "dns"}, {"connect_ms", "tcp"}, {"tls_ms", "tls"}, {"wait_ms", "wait"}};
    struct buffer text;

    buffer_init(&text, PARTS_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        const json_t *took = json_object_get(phases, parts[i].key);

        if (json_is_number(took))
            buffer_append_format(&text, "%s%s %.1f", text.length > 0 ? ", " : "", parts[i].name,
                                 json_number_value(took));
    }
    if (text.length > 0)
        report_set_text(report, AT_PARTS, buffer_string(&text));
    buffer_free(&text);
}

static void add_row(struct report *report, const json_t *attempt)
{
    const char *body = text_of(attempt, "response_body");
    const char *error = text_of(attempt, "error");
    const json_t *took = json_object_get(attempt, "duration_ms");
    const json_t *status = json_object_get(attempt, "status_code");
    char started[DELIVERY_TIME_SIZE];
    char about[UNITS_TEXT_SIZE];

    report_add_row(report);
    report_set_text(report, AT_STARTED, delivery_time(text_of(attempt, "started_at"), started));
    report_set_number(report, AT_ATTEMPT, json_integer_value(json_object_get(attempt, "attempt")));
    if (json_is_integer(took))
        report_set_text(report, AT_TOOK, units_format_about_ms(json_integer_value(took), about));
    set_parts(report, json_object_get(attempt, "phases"));
    if (json_is_integer(status))
        report_set_number(report, AT_STATUS, json_integer_value(status));
    report_set_text(report, AT_SAYS, error != NULL ? error : body);
    report_set_text(report, AT_URL, text_of(attempt, "url"));
}

static void print_table(const json_t *answer)
{
    const json_t *data = json_object_get(answer, "data");
    struct report *report;

    if (json_array_size(data) == 0) {
        puts("No attempt was made yet.");
        return;
    }
    report = report_new(columns, ARRAY_LENGTH(columns));
    for (size_t i = 0; i < json_array_size(data); i++)
        add_row(report, json_array_get(data, i));
    report_print_table(report, stdout);
    report_free(report);
}

static void print(json_t *answer, const char *id, int64_t limit, bool json)
{
    bool has_more = json_is_true(json_object_get(answer, "has_more"));

    if (json)
        report_print_json(json_incref(answer), stdout);
    else
        print_table(answer);
    fflush(stdout);
    if (has_more && limit < LIMIT_MAX)
        fprintf(stderr, "There are more: postrider attempts --limit %lld %s%s\n",
                (long long)(limit * 10 < LIMIT_MAX ? limit * 10 : LIMIT_MAX), id, hint_options());
    else if (has_more)
        fprintf(stderr, "There are more than %d; these are the newest.\n", LIMIT_MAX);
}

static int list(const struct database *database, const char *ids, const char *id, int64_t limit,
                bool json)
{
    char limit_text[24];
    const char *values[] = {ids, limit_text};
    struct asking asking = {.text = "attempts", .count = 2, .values = values};
    struct error error = {0};
    json_t *answer;
    char *text;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    text = asking_read(database->session, &asking, &error);
    if (text == NULL)
        return database_fail(database, &error);
    answer = json_loads(text, 0, NULL);
    free(text);
    if (answer == NULL)
        bug("attempts that are no JSON");
    print(answer, id, limit, json);
    json_decref(answer);
    return COMMAND_OK;
}

/* "{uuid,…}" */
static void append_ids(const PGresult *found, struct buffer *ids)
{
    buffer_append_string(ids, "{");
    for (int i = 0; i < PQntuples(found) && i < DELIVERIES_MAX; i++)
        buffer_append_format(ids, "%s%s", i > 0 ? "," : "", PQgetvalue(found, i, 0));
    buffer_append_string(ids, "}");
}

static int fail_unknown(const char *id)
{
    struct error error = {0};

    error_set(&error, "there is no delivery %s, and no event of this id has one", id);
    error_hint(&error,
               "it was never committed, or has been deleted; what was published says "
               "\"postrider event show %s%s\"",
               id, hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

static int list_of_event(const struct database *database, const char *id, int64_t limit, bool json)
{
    struct error error = {0};
    PGresult *found = delivery_ids_of_event(database->session, id, DELIVERIES_MAX + 1, &error);
    struct buffer ids;
    int status;

    if (found == NULL)
        return database_fail(database, &error);
    buffer_init(&ids, IDS_BYTES);
    append_ids(found, &ids);
    status = PQntuples(found) > 0 ? list(database, buffer_string(&ids), id, limit, json)
                                  : fail_unknown(id);
    if (PQntuples(found) > DELIVERIES_MAX)
        fprintf(stderr, "The event has more than %d deliveries; these are attempts of some.\n",
                DELIVERIES_MAX);
    buffer_free(&ids);
    PQclear(found);
    return status;
}

static int list_of(const struct database *database, const char *id, int64_t limit, bool json)
{
    struct delivery_record record;
    struct error error = {0};
    char ids[40];
    bool is_found;

    if (!delivery_record_read(database->session, id, &record, &is_found, &error))
        return database_fail(database, &error);
    delivery_record_free(&record);
    if (!is_found)
        return list_of_event(database, id, limit, json);
    snprintf(ids, sizeof(ids), "{%s}", id);
    return list(database, ids, id, limit, json);
}

static int run_attempts(const struct command *self, int argc, char **argv)
{
    struct database database;
    int64_t limit = LIMIT_DEFAULT;
    bool json = false;
    const struct argument options[] = {
        {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &json},
        {0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (!text_is_uuid(arguments.values[0]))
        return command_usage_error(self,
                                   "\"%s\" is not the id of a delivery or of an event (a UUID)",
                                   arguments.values[0]);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = list_of(&database, arguments.values[0], limit, json);
    database_close(&database);
    return status;
}

const struct command command_attempts = {
    .name = "attempts",
    .summary = "list the attempts of a delivery or an event, with their answers",
    .help = help_text,
    .run = run_attempts,
};
