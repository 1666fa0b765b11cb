/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/dead.h"
#include "command/delivery_report.h"
#include "command/report.h"
#include "command/terminal.h"

static const char help_text[] =
    "usage: postrider dead show [OPTION]... ID\n"
    "\n"
    "Shows all of one failed delivery: its row, the log of its attempts, and its payload.\n"
    "\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct letter {
    struct delivery_record record;
    struct delivery_attempts attempts;
    char *payload; /* NULL: its event is not there, or it is erased */
};

static bool read_letter(struct db_session *session, const char *id, struct letter *letter,
                        struct error *error)
{
    bool found;

    if (!delivery_record_read(session, id, &letter->record, &found, error))
        return false;
    if (!found) {
        error_set(error, "there is no delivery %s", id);
        return error_hint(error,
                          "it may have been deleted, by retention or by hand; "
                          "\"postrider dead list%s\" shows the dead letters",
                          hint_options());
    }
    if (strcmp(letter->record.status, "failed") != 0) {
        error_set(error, "delivery %s is no dead letter: it is %s", id, letter->record.status);
        return error_hint(error, "\"postrider explain %s%s\" says more", id, hint_options());
    }
    if (!delivery_attempts_read(session, id, &letter->attempts, error))
        return false;
    if (letter->record.erased_at != NULL)
        return true;
    return dead_letter_payload(session, id, &letter->payload, error);
}

static void print_json(const struct letter *letter)
{
    json_t *object = delivery_report_json(&letter->record);
    const char *text = letter->payload;
    json_t *payload =
        text != NULL ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

    /* A number that C can't hold makes no JSON here, but the text is what is sent. */
    if (payload == NULL)
        payload = text != NULL ? json_string(text) : json_null();
    json_object_set_new(object, "payload", payload);
    json_object_set_new(object, "is_payload_there", json_boolean(text != NULL));
    json_object_set_new(object, "attempt_log", delivery_attempts_json(&letter->attempts));
    report_print_json(object, stdout);
}

static void print_text(const struct letter *letter)
{
    char *clean;

    delivery_report_print(&letter->record, stdout);
    putchar('\n');
    if (letter->attempts.count > 0) {
        delivery_attempts_print(&letter->attempts, stdout);
        putchar('\n');
    }
    if (letter->record.erased_at != NULL) {
        puts("Its payload, error text and answers are erased: it can't be sent again.");
        return;
    }
    if (letter->payload == NULL) {
        puts("Its payload is not there: its event is not in webhook_events.");
        return;
    }
    if (terminal_width(stdout) == 0) {
        puts(letter->payload);
        return;
    }
    clean = terminal_clean(letter->payload);
    puts(clean);
    free(clean);
}

static int show(const struct database *database, const char *id, bool json)
{
    struct letter letter = {0};
    struct error error = {0};
    int status = COMMAND_OK;

    if (!read_letter(database->session, id, &letter, &error))
        status = database_fail(database, &error);
    else if (json)
        print_json(&letter);
    else
        print_text(&letter);
    free(letter.payload);
    delivery_attempts_free(&letter.attempts);
    delivery_record_free(&letter.record);
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
    if (!text_is_uuid(arguments.values[0]))
        return command_usage_error(self, "\"%s\" is not the id of a delivery (a UUID)",
                                   arguments.values[0]);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = show(&database, arguments.values[0], json);
    database_close(&database);
    return status;
}

const struct command command_dead_show = {
    .name = "dead show",
    .summary = "show one failed delivery",
    .help = help_text,
    .run = run_show,
};
