/* SPDX-License-Identifier: MIT */
/*
 * db/event_trace.h: the events that belong together with one: what it followed from, what followed
 * from it, and what has the same correlation_id, with their causes and consequences.
 *
 * Applications write correlation_id and causation_id, so they may say anything: the id of no event,
 * or of each other in a circle. The search ends in any case, and reads no more than it shows.
 */
#ifndef POSTRIDER_DB_EVENT_TRACE_H
#define POSTRIDER_DB_EVENT_TRACE_H

#include "base/error.h"
#include "db/events.h"

#define EVENT_TRACE_MAX     500 /* events */
#define EVENT_TRACE_UPWARDS 100 /* causes of causes of the one that was asked for */

/*
 * The oldest first, at most EVENT_TRACE_MAX; none when the event is not there. When there are more,
 * the event and its causes are among them, then what followed from it, and *ret_is_cut is true.
 */
bool event_trace_read(struct db_session *session, const char *id, struct event_list *ret_list,
                      bool *ret_is_cut, struct error *error) MUST_USE;

#endif
