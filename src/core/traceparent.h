/* SPDX-License-Identifier: MIT */
/*
 * core/traceparent.h: the traceparent of an event, as W3C Trace Context (section 3.2) wants it.
 *
 * 55 characters in lower case: version, trace id, parent id, flags. Version ff and ids of zeros are
 * nobody's. What is not one is not sent on: a receiver would have to begin a trace of its own, and
 * some refuse the request. A later version may have more behind these; the column of webhook_events
 * takes none.
 */
#ifndef POSTRIDER_CORE_TRACEPARENT_H
#define POSTRIDER_CORE_TRACEPARENT_H

#include <stdbool.h>

#define TRACE_ID_SIZE    33
#define SPAN_ID_SIZE     17
#define TRACEPARENT_SIZE 56

/* text may be NULL. ret_trace_id is untouched when it is none. */
bool traceparent_read(const char *text, char ret_trace_id[TRACE_ID_SIZE]);

/* Both of one that traceparent_read() takes. */
void traceparent_read_parent(const char *text, char ret_span_id[SPAN_ID_SIZE]);
bool traceparent_is_sampled(const char *text);

/* Version 00, sampled. */
void traceparent_write(const char *trace_id, const char *span_id, char text[TRACEPARENT_SIZE]);

#endif
