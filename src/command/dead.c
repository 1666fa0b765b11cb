/* SPDX-License-Identifier: MIT */
#include "command/dead.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hint.h"
#include "base/text.h"
#include "command/moment_option.h"

#define ID_LENGTH   36
#define OPTIONS_MAX 1048576 /* more than a command line can hold */

static const char help_text[] =
    "usage: postrider dead list|show|replay|discard [OPTION]...\n"
    "\n"
    "Works on dead letters: deliveries that have failed and are not tried again.\n"
    "\n"
    "  postrider dead list --since 2h           the newest ones\n"
    "  postrider dead show ID                   one of them, with its payload and attempts\n"
    "  postrider dead replay --endpoint URL     send them again\n"
    "  postrider dead discard --until 30d       delete them\n"
    "\n"
    "\"postrider dead replay --help\" and so on show the options.\n";

int dead_selection_set_ids(const struct command *self, const struct arguments *arguments,
                           struct dead_selection *selection)
{
    struct buffer ids;

    buffer_init(&ids, (ID_LENGTH + 1) * (size_t)(DEAD_IDS_MAX + 1));
    for (int i = 0; i < arguments->count; i++) {
        if (!text_is_uuid(arguments->values[i])) {
            buffer_free(&ids);
            return command_usage_error(self, "\"%s\" is not the id of a delivery (a UUID)",
                                       arguments->values[i]);
        }
        buffer_append_string(&ids, i == 0 ? "{" : ",");
        buffer_append_string(&ids, arguments->values[i]);
    }
    if (arguments->count > 0) {
        buffer_append_string(&ids, "}");
        selection->ids = buffer_take(&ids);
        selection->filter.ids = selection->ids;
    }
    buffer_free(&ids);
    return COMMAND_OK;
}

bool dead_selection_is_empty(const struct dead_selection *selection)
{
    const struct dead_letter_filter *f = &selection->filter;

    return f->endpoint == NULL && f->customer == NULL && f->event_type == NULL &&
           f->since == NULL && f->until == NULL && f->error == NULL && f->ids == NULL;
}

static void add_option(struct buffer *out, const char *name, const char *value)
{
    char *word = value != NULL ? hint_quoted(value) : NULL;

    if (word != NULL)
        buffer_append_format(out, " --%s %s", name, word);
    free(word);
}

char *dead_selection_options(const struct dead_selection *selection)
{
    const struct dead_letter_filter *f = &selection->filter;
    const char *ids = f->ids != NULL ? f->ids : "";
    struct buffer out;

    buffer_init(&out, OPTIONS_MAX);
    buffer_append_string(&out, "");
    add_option(&out, "endpoint", f->endpoint);
    add_option(&out, "customer", f->customer);
    add_option(&out, "event-type", f->event_type);
    add_option(&out, "since", f->since);
    add_option(&out, "until", f->until);
    add_option(&out, "error", f->error);
    for (; *ids != '\0' && *ids != '}'; ids += 1 + ID_LENGTH)
        buffer_append_format(&out, " %.*s", ID_LENGTH, ids + 1);
    return buffer_take(&out);
}

int dead_selection_resolve(const struct command *self, const struct database *database,
                           struct dead_selection *selection)
{
    int status = moment_option(self, database, "since", &selection->filter.since, selection->since);

    if (status != COMMAND_OK)
        return status;
    return moment_option(self, database, "until", &selection->filter.until, selection->until);
}

void dead_selection_free(struct dead_selection *selection)
{
    free(selection->ids);
    selection->ids = NULL;
}

static const struct command *const nested[] = {
    &command_dead_list, &command_dead_show, &command_dead_replay, &command_dead_discard, NULL,
};

const struct command command_dead = {
    .name = "dead",
    .summary = "list, show, replay or discard failed deliveries",
    .help = help_text,
    .nested = nested,
};
