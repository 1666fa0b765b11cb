/* SPDX-License-Identifier: MIT */
/*
 * serve/publishing.h: requests to publish, which share transactions (group commit).
 *
 * What has come while a transaction is on its way goes into the next one, up to some limits. Those
 * with an ordering key go one by one, over a link of their own, since their transactions may wait
 * for locks. A group that the database refuses for what is in it is cut in two, until the request
 * that is to blame stands alone, so that no other one suffers.
 *
 * A key that is in progress here is refused before the database hears of it (409). Other processes
 * are told by a lock (db/publishing.h). When the answer to a transaction is lost, nobody knows
 * whether it was made: its clients get 503, and find out by asking again.
 */
#ifndef POSTRIDER_SERVE_PUBLISHING_H
#define POSTRIDER_SERVE_PUBLISHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "serve/context.h"
#include "serve/event_request.h"

struct publication;

struct publishing_result {
    int status;
    const char *body;   /* with 201, else NULL */
    const char *detail; /* of a problem */
    bool is_replayed;
    bool is_passing; /* it may go well in a second */
};

/* Valid during the callback. */
typedef void publishing_done(void *owner, const struct publishing_result *result);

struct submission {
    const char *scope; /* the token's name */
    const char *key;
    const char *fingerprint; /* hexadecimal */
    struct event_request *request;
    struct buffer *body; /* which the request's events point into */
};

void publishing_init(struct serve *serve);

/* Whose answer is outstanding gets none. After the links. */
void publishing_free(struct serve *serve);

/*
 * Calls on_done once, now or later. Takes the events and the body over when it returns a
 * publication, which is there until on_done; NULL: it has been called.
 */
struct publication *publishing_submit(struct serve *serve, struct submission *submission,
                                      publishing_done *on_done, void *owner);

/* The owner has gone: on_done will not be called. It is published all the same. */
void publishing_forget(void *publication);

/* Requests without an answer. */
size_t publishing_unanswered(const struct serve *serve);

/* For people: events and requests since the start. */
struct publishing_totals {
    uint64_t requests, events, replayed, refused;
};
struct publishing_totals publishing_totals(const struct serve *serve);

void publishing_step(struct serve *serve);
int64_t publishing_next_us(const struct serve *serve);

#endif
