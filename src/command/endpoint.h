/* SPDX-License-Identifier: MIT */
/*
 * command/endpoint.h: the subcommands of "postrider endpoint", and how they show one.
 */
#ifndef POSTRIDER_COMMAND_ENDPOINT_H
#define POSTRIDER_COMMAND_ENDPOINT_H

#include <jansson.h>

#include "command/command.h"
#include "db/subscriptions.h"

extern const struct command command_endpoint_list;
extern const struct command command_endpoint_show;
extern const struct command command_endpoint_preview;
extern const struct command command_endpoint_add;
extern const struct command command_endpoint_set;
extern const struct command command_endpoint_disable;
extern const struct command command_endpoint_enable;
extern const struct command command_endpoint_pause;
extern const struct command command_endpoint_resume;
extern const struct command command_endpoint_test;
extern const struct command command_endpoint_doctor;
extern const struct command command_endpoint_remove;

/* "enabled", "disabled", "paused" or "failing". */
const char *endpoint_state(const struct subscription *endpoint);

/* "order.*, invoice.paid", "-" for none; the caller frees it. */
char *endpoint_types(const struct subscription *endpoint) MUST_USE;

/* The row's columns as an object; the caller's. */
json_t *endpoint_json(const struct subscription *endpoint) MUST_USE;

#endif
