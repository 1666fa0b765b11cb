/* SPDX-License-Identifier: MIT */
/*
 * command/dead.h: what the subcommands of "postrider dead" share: their filter options.
 */
#ifndef POSTRIDER_COMMAND_DEAD_H
#define POSTRIDER_COMMAND_DEAD_H

#include "command/arguments.h"
#include "command/database.h"
#include "db/dead_letters.h"

extern const struct command command_dead_list;
extern const struct command command_dead_show;
extern const struct command command_dead_replay;
extern const struct command command_dead_discard;

#define DEAD_IDS_MAX 1000

/* As given on the command line, and where the times stay once they are resolved. */
struct dead_selection {
    struct dead_letter_filter filter;
    char since[MOMENT_SIZE];
    char until[MOMENT_SIZE];
    char *ids;
};

/* The entries of an option table for a struct dead_selection. */
#define DEAD_FILTER_OPTIONS(selection)                                  \
    {.name = "endpoint", .text = &(selection).filter.endpoint},         \
        {.name = "customer", .uuid = &(selection).filter.customer},     \
        {.name = "event-type", .text = &(selection).filter.event_type}, \
        {.name = "since", .text = &(selection).filter.since},           \
        {.name = "until", .text = &(selection).filter.until},           \
    {                                                                   \
        .name = "error", .text = &(selection).filter.error              \
    }

#define DEAD_FILTER_HELP                                                                       \
    "Which ones (all that are given must match):\n"                                            \
    "  ID...                   these deliveries\n"                                             \
    "      --endpoint URL      to this URL; \"https://example.com/*\" for all that begin so\n" \
    "      --customer UUID     of this customer\n"                                             \
    "      --event-type TYPE   of this event type\n"                                           \
    "      --since TIME        that failed in the last 2h, or since \"2031-05-17 12:00\"\n"    \
    "      --until TIME        that failed before this time\n"                                 \
    "      --error TEXT        whose last error contains this, in any case of letters\n"

/* Takes the positional values as ids; COMMAND_OK or a usage error. */
int dead_selection_set_ids(const struct command *self, const struct arguments *arguments,
                           struct dead_selection *selection) MUST_USE;

bool dead_selection_is_empty(const struct dead_selection *selection);

/* The choice as options of the command line, quoted for a shell: "" or " --since 2h --error x". The
 * caller frees it. */
char *dead_selection_options(const struct dead_selection *selection) MUST_USE;

/* Reads the times with the database's clock; COMMAND_OK or an exit status, with the message said.
 */
int dead_selection_resolve(const struct command *self, const struct database *database,
                           struct dead_selection *selection) MUST_USE;

void dead_selection_free(struct dead_selection *selection);

#endif
