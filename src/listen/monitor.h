/* SPDX-License-Identifier: MIT */
/*
 * listen/monitor.h: a small HTTP server for whoever watches over us (metrics.listen).
 *
 * It answers GET and HEAD of paths without a query, and closes each connection behind its answer.
 * Tight limits, for nobody has shown who they are: MONITOR_CLIENTS connections at one time (a
 * further one waits in the queue of the system), a head of 8 KiB, no body, MONITOR_SECONDS for all
 * of it. One client is read or written to at a time, in the loop of its owner.
 */
#ifndef POSTRIDER_LISTEN_MONITOR_H
#define POSTRIDER_LISTEN_MONITOR_H

#include "base/buffer.h"
#include "base/error.h"
#include "core/served_head.h"

#define MONITOR_CLIENTS 8
#define MONITOR_SECONDS 5

struct event_base;
struct monitor;

/* Appends the answer to body, which is plain text; returns its status: 200, 404 or 503. */
typedef int monitor_answer(void *owner, struct slice path, struct buffer *body);

/* NULL with error: it can't listen there. key: as in listen/socket.h. */
struct monitor *monitor_new(struct event_base *base, const char *listen, const char *key,
                            monitor_answer *answer, void *owner, struct error *error) MUST_USE;

/* Also NULL. Ends all connections. */
void monitor_free(struct monitor *monitor);

const char *monitor_address(const struct monitor *monitor);

#endif
