/* SPDX-License-Identifier: MIT */
/*
 * worker/event_bodies.h: what is sent of an event, once in memory however many deliveries it has.
 *
 * The one owner of these bodies. A delivery of an event holds one by event_bodies_take() for as
 * long as it may still be sent, and gives it back with event_bodies_release(); with the last one it
 * is freed. A read that brings an event again finds the body that is here: an event's payload does
 * not change, but that it is erased (worker/erasing.h). One that was too large to be fetched is
 * nobody else's, and is measured again with the next read: the limit may be another by then. Not
 * shared between threads, of which there is one.
 */
#ifndef POSTRIDER_WORKER_EVENT_BODIES_H
#define POSTRIDER_WORKER_EVENT_BODIES_H

#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "core/request_headers.h"
#include "db/due.h"

#define EVENT_TRACEPARENT_SIZE 56 /* as the table's check has it */

struct event_body {
    UT_hash_handle by_id; /* unless text is NULL */
    size_t references;
    char *text; /* NULL: too large to be fetched */
    size_t length;
    char id[37];
    char customer_id[37];
    char correlation_id[37]; /* "", as the two below: it has none */
    char causation_id[37];
    char traceparent[EVENT_TRACEPARENT_SIZE];
    char *ordering_key; /* as a header has it; NULL: its deliveries are not ordered */
};

struct event_bodies {
    struct event_body *by_id;
    int64_t bytes; /* of all texts, each counted once */
};

/* The body of the event of a row whose event is there. */
struct event_body *event_bodies_take(struct event_bodies *bodies, const struct due_row *row);

/* What goes into the headers of a request; borrows from the body. */
struct request_event event_body_facts(const struct event_body *body);

void event_bodies_release(struct event_bodies *bodies, struct event_body *body);

#endif
