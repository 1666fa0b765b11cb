/* SPDX-License-Identifier: MIT */
/*
 * core/event_type.h: what a type of events may be called, as the table webhook_events checks it
 * (migrations/0014_events.sql) and Standard Webhooks recommends: parts of letters, digits, _ and -,
 * joined by full stops. Said here once more so that the mistake can be named before a database is
 * asked.
 */
#ifndef POSTRIDER_CORE_EVENT_TYPE_H
#define POSTRIDER_CORE_EVENT_TYPE_H

#include <stdbool.h>

#include "base/error.h"

#define EVENT_TYPE_MAX 255 /* bytes */

bool event_type_check(const char *type, struct error *error) MUST_USE;

/* What subscriptions and filters may say besides: "*" and "order.*". */
bool event_type_check_pattern(const char *pattern, struct error *error) MUST_USE;

#endif
