/* SPDX-License-Identifier: MIT */
/*
 * fuzz_publish.c: what a client of "postrider serve" sends: heads, bodies, keys and tokens.
 *
 * The bytes are a connection's. However they are cut, the same requests come out of them; a body is
 * never larger than it may be; a body that is good gives as many objects as it has, each from its {
 * to its } and none within another; a key has only what it may have.
 */
#include <jansson.h>

#include "base/error.h"
#include "core/idempotency_key.h"
#include "core/token.h"
#include "fuzz.h"
#include "listen/request_reader.h"
#include "serve/event_request.h"

#define BODY_MAX     2048
#define REQUESTS_MAX 64

struct seen {
    size_t count;
    size_t body_bytes;
    int status;
};

static void check_key(struct slice value)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    const char *reason = NULL;

    if (!idempotency_key_read(value.at, value.length, key, &reason)) {
        demand(reason != NULL, "a key is refused without a word");
        return;
    }
    demand(key[0] != '\0' && strlen(key) <= IDEMPOTENCY_KEY_MAX, "a key of a wrong length");
    for (size_t i = 0; key[i] != '\0'; i++)
        demand(key[i] >= ' ' && key[i] <= '~', "a key that is not visible ASCII");
}

static void check_headers(const struct served_head *head)
{
    unsigned char hash[TOKEN_HASH_BYTES];

    for (size_t i = 0; i < head->headers_count; i++) {
        struct slice value = head->headers[i].value;

        check_key(value);
        if (value.length > 7 && token_hash(value.at + 7, value.length - 7, hash))
            demand(value.length == 7 + TOKEN_SIZE - 1, "a token of a wrong length");
    }
}

static void check_object(const struct slice *object, const char *end_before)
{
    json_t *value;

    demand(object->at > end_before || end_before == NULL, "objects overlap");
    demand(object->at[0] == '{' && object->at[object->length - 1] == '}', "not an object");
    value = json_loadb(object->at, object->length, JSON_DECODE_INT_AS_REAL, NULL);
    demand(json_is_object(value) && json_object_size(value) >= 3, "an object that is no event");
    json_decref(value);
}

static void check_body(const struct buffer *body)
{
    struct event_request request;
    struct error error = {.message = ""};
    const char *end = NULL;
    int status = event_request_read(body->data, body->length, NULL, &request, &error);

    demand(status == 0 || status == 400 || status == 422, "a wrong status");
    demand(status == 0 || error.message[0] != '\0', "refused without a word");
    for (size_t i = 0; status == 0 && i < request.count; i++) {
        check_object(&request.events[i], end);
        end = request.events[i].at + request.events[i].length - 1;
    }
    event_request_free(&request);
}

static void note_request(const struct request_reader *reader, struct seen *seen)
{
    seen->count++;
    seen->body_bytes += reader->body.length;
    demand(reader->body.length <= BODY_MAX, "a body that is too large");
    check_headers(&reader->head);
    if (reader->body.length > 0)
        check_body(&reader->body);
}

/* As serve/clients.c does it: step bytes at a time. */
static struct seen read_all(const uint8_t *data, size_t size, size_t step)
{
    static struct request_reader reader;
    struct seen seen = {0, 0, 0};
    size_t at = 0;

    request_reader_init(&reader, BODY_MAX);
    while (at < size && seen.count < REQUESTS_MAX && reader.progress != REQUEST_REFUSED) {
        size_t left = size - at;

        at += request_reader_take(&reader, (const char *)data + at, left < step ? left : step);
        if (reader.progress == REQUEST_HEAD_DONE)
            request_reader_go_on(&reader);
        if (reader.progress == REQUEST_DONE) {
            note_request(&reader, &seen);
            request_reader_start(&reader, BODY_MAX);
        }
    }
    if (reader.progress == REQUEST_REFUSED)
        seen.status = reader.status;
    request_reader_free(&reader);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = read_all(data, size, size + 1);
    struct seen bytes = read_all(data, size, 1);

    demand(whole.count == bytes.count && whole.body_bytes == bytes.body_bytes,
           "it depends on how the bytes come");
    /* Of a head that is doubtful in two ways, either may be found first. */
    demand((whole.status == 0) == (bytes.status == 0), "refused depending on how the bytes come");
    if (size > 0) {
        struct buffer body = {.data = (char *)(uintptr_t)data, .length = size};

        check_body(&body);
    }
    return 0;
}
