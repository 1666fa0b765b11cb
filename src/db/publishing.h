/* SPDX-License-Identifier: MIT */
/*
 * db/publishing.h: publishing the events of many requests in one transaction
 * (webhook_publish_requests() in migrations/0020_serve.sql).
 *
 * A batch is begun, gets its requests, each followed by its events, and is sent. It is copied when
 * it is sent. Each request is answered on its own: by its number, which counts from 0.
 */
#ifndef POSTRIDER_DB_PUBLISHING_H
#define POSTRIDER_DB_PUBLISHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "db/link.h"

/* What all texts of a batch may come to: more is a bug of the caller. */
#define PUBLISHING_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct publishing_batch {
    int count;
    struct buffer requests, events;
};

struct publishing_request {
    const char *scope;       /* the token's name */
    const char *key;         /* ASCII */
    const char *fingerprint; /* hexadecimal */
    bool is_array;           /* its answer is one */
};

void publishing_batch_init(struct publishing_batch *batch);
void publishing_batch_free(struct publishing_batch *batch);

void publishing_batch_begin(struct publishing_batch *batch);
void publishing_batch_add(struct publishing_batch *batch, const struct publishing_request *request);

/* An event of the request that was added last: an object that serve/event_request.h has found good,
 * as the client wrote it, so that its numbers stay what they are. */
void publishing_batch_add_event(struct publishing_batch *batch, const char *object, size_t length);

bool publishing_send(struct db_link *link, struct publishing_batch *batch,
                     db_link_answered *on_answer, void *owner) MUST_USE;

enum publishing_verdict {
    PUBLISHING_PUBLISHED,
    PUBLISHING_STORED,           /* as it was answered the first time */
    PUBLISHING_OTHER_CONTENT,    /* the key was used for something else */
    PUBLISHING_IN_PROGRESS,      /* by somebody else */
    PUBLISHING_UNKNOWN_CUSTOMER, /* body names it */
};

/* Of a row of a DB_ANSWERED answer, which has one for each request. Texts belong to the answer. */
struct publishing_row {
    int request;
    enum publishing_verdict verdict;
    int status; /* with PUBLISHED and STORED */
    const char *body;
};

int publishing_count(const struct db_answer *answer);
struct publishing_row publishing_row_at(const struct db_answer *answer, int row);

/* Deletes some of the keys that are so old; the answer's affected rows say how many. */
#define PUBLISHING_KEYS_BATCH 1000
bool publishing_send_expiry(struct db_link *link, int64_t older_than_ms,
                            db_link_answered *on_answer, void *owner) MUST_USE;

#endif
