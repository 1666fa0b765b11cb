/* SPDX-License-Identifier: MIT */
/*
 * command/event_report.h: an event and its deliveries, as the subcommands of "postrider event" show
 * them.
 */
#ifndef POSTRIDER_COMMAND_EVENT_REPORT_H
#define POSTRIDER_COMMAND_EVENT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "db/events.h"

/* "2 delivered, 1 pending", with "…" behind it when not all were counted; "nobody" for none. */
#define EVENT_COUNTS_SIZE 128
const char *event_report_counts(const struct event *event, char text[EVENT_COUNTS_SIZE]);

/* The row's columns and the counts as an object; the caller's. */
json_t *event_report_json(const struct event *event) MUST_USE;

/* A table of the deliveries from first on, count of them. */
void event_report_print_deliveries(const struct event_delivery_list *list, size_t first,
                                   size_t count, FILE *out);

/* The same as an array; the caller's. */
json_t *event_report_deliveries_json(const struct event_delivery_list *list, size_t first,
                                     size_t count) MUST_USE;

/* How many deliveries from first on belong to the same event as the first of them. */
size_t event_report_same_event(const struct event_delivery_list *list, size_t first);

#endif
