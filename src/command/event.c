/* SPDX-License-Identifier: MIT */
#include "command/event.h"

static const char help_text[] =
    "usage: postrider event publish|list|show|trace|backfill [OPTION]...\n"
    "\n"
    "Works on events: what an application has published in webhook_events, once, and each\n"
    "endpoint that subscribes to it gets as a delivery of its own.\n"
    "\n"
    "  postrider event publish --customer UUID --type order.paid --data '{\"id\": 1}'\n"
    "  postrider event list --type 'order.*'      the newest ones\n"
    "  postrider event show ID                    its payload, and who got it\n"
    "  postrider event trace ID                   what it followed from, and what from it\n"
    "  postrider event backfill --endpoint URL --since 7d\n"
    "                                             for an endpoint that came later\n"
    "\n"
    "\"postrider event publish --help\" and so on show the options.\n";

static const struct command *const nested[] = {
    &command_event_publish, &command_event_list,     &command_event_show,
    &command_event_trace,   &command_event_backfill, NULL,
};

const struct command command_event = {
    .name = "event",
    .summary = "publish, list, show and trace events, and backfill endpoints",
    .help = help_text,
    .nested = nested,
};
