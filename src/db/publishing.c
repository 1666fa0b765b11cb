/* SPDX-License-Identifier: MIT */
#include "db/publishing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/row.h"

static const char publish_sql[] =
    "SELECT request, verdict, status, body FROM webhook_publish_requests($1::json, $2::json)";

/* Oldest first, so that what is left is found where it begins. */
static const char expiry_sql[] = "DELETE FROM idempotency_keys WHERE (scope, key) IN ("
                                 "SELECT scope, key FROM idempotency_keys"
                                 " WHERE created_at < now() - $1::float8 * interval '1 millisecond'"
                                 " ORDER BY created_at LIMIT $2::int)";

void publishing_batch_init(struct publishing_batch *batch)
{
    batch->count = 0;
    buffer_init(&batch->requests, PUBLISHING_BYTES_MAX);
    buffer_init(&batch->events, PUBLISHING_BYTES_MAX);
}

void publishing_batch_free(struct publishing_batch *batch)
{
    buffer_free(&batch->requests);
    buffer_free(&batch->events);
}

void publishing_batch_begin(struct publishing_batch *batch)
{
    batch->count = 0;
    buffer_clear(&batch->requests);
    buffer_clear(&batch->events);
}

/* The beginning of an array, or what stands between two entries. */
static void separate(struct buffer *array)
{
    buffer_append_string(array, array->length == 0 ? "[" : ",");
}

void publishing_batch_add(struct publishing_batch *batch, const struct publishing_request *request)
{
    json_t *object = json_pack("{s:i, s:s, s:s, s:s, s:b}", "request", batch->count, "scope",
                               request->scope, "key", request->key, "fingerprint",
                               request->fingerprint, "is_array", (int)request->is_array);
    char *text = json_dumps(object, JSON_COMPACT);

    if (text == NULL)
        bug("a request of a batch is no JSON");
    separate(&batch->requests);
    buffer_append_string(&batch->requests, text);
    batch->count++;
    free(text);
    json_decref(object);
}

void publishing_batch_add_event(struct publishing_batch *batch, const char *object, size_t length)
{
    /* Its own first member, before those that are there. */
    separate(&batch->events);
    buffer_append_format(&batch->events, "{\"request\":%d,", batch->count - 1);
    buffer_append(&batch->events, object + 1, length - 1);
}

bool publishing_send(struct db_link *link, struct publishing_batch *batch,
                     db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {publish_sql, 2, {NULL}};

    buffer_append_string(&batch->requests, "]");
    buffer_append_string(&batch->events, "]");
    if (batch->requests.overflowed || batch->events.overflowed)
        bug("a batch of events is too large");
    statement.values[0] = buffer_string(&batch->requests);
    statement.values[1] = buffer_string(&batch->events);
    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

static enum publishing_verdict verdict_of(const char *text)
{
    static const char *const texts[] = {
        [PUBLISHING_PUBLISHED] = "published",
        [PUBLISHING_STORED] = "stored",
        [PUBLISHING_OTHER_CONTENT] = "other content",
        [PUBLISHING_IN_PROGRESS] = "in progress",
        [PUBLISHING_UNKNOWN_CUSTOMER] = "unknown customer",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (strcmp(texts[i], text) == 0)
            return (enum publishing_verdict)i;
    bug("a verdict that is not known: %s", text);
}

int publishing_count(const struct db_answer *answer)
{
    return PQntuples(answer->results[0]);
}

struct publishing_row publishing_row_at(const struct db_answer *answer, int row)
{
    const PGresult *result = answer->results[0];

    return (struct publishing_row){
        .request = (int)row_integer(result, row, 0, -1),
        .verdict = verdict_of(row_text(result, row, 1)),
        .status = (int)row_integer(result, row, 2, 0),
        .body = row_text(result, row, 3),
    };
}

bool publishing_send_expiry(struct db_link *link, int64_t older_than_ms,
                            db_link_answered *on_answer, void *owner)
{
    char age[32], limit[16];
    struct db_statement statement = {expiry_sql, 2, {age, limit}};

    snprintf(age, sizeof(age), "%lld", (long long)older_than_ms);
    snprintf(limit, sizeof(limit), "%d", PUBLISHING_KEYS_BATCH);
    return db_link_send_often(link, &statement, 1, on_answer, owner);
}
