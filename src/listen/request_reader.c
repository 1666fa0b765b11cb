/* SPDX-License-Identifier: MIT */
#include "listen/request_reader.h"

#include <string.h>

#include "base/compiler.h"

static struct request_reader *reader_of(llhttp_t *parser)
{
    return parser->data;
}

static void refuse(struct request_reader *reader, int status, const char *reason)
{
    if (reader->progress == REQUEST_REFUSED)
        return;
    reader->progress = REQUEST_REFUSED;
    reader->status = status;
    reader->reason = reason;
}

/* Callbacks of llhttp: 0 goes on, -1 is a fault, HPE_PAUSED stops behind the byte. */

static bool is_same_framing(const struct served_head *head, llhttp_t *parser)
{
    bool is_chunked = (parser->flags & F_CHUNKED) != 0;
    bool has_length = (parser->flags & F_CONTENT_LENGTH) != 0;

    return is_chunked == head->is_chunked && has_length == (head->content_length >= 0) &&
           (!has_length || parser->content_length == (uint64_t)head->content_length) &&
           (parser->http_minor == 0) == head->is_http10;
}

/* Nothing is believed of a head that llhttp reads otherwise than we do. */
static int on_headers_complete(llhttp_t *parser)
{
    struct request_reader *reader = reader_of(parser);

    if (!is_same_framing(&reader->head, parser))
        return -1;
    reader->is_parsed = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct request_reader *reader = reader_of(parser);

    if (buffer_append(&reader->body, at, length))
        return 0;
    refuse(reader, 413, "the body is larger than http.max_body allows");
    return -1;
}

static int on_message_complete(llhttp_t *parser)
{
    reader_of(parser)->progress = REQUEST_DONE;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void request_reader_init(struct request_reader *reader, size_t max_body)
{
    buffer_init(&reader->body, max_body);
    request_reader_start(reader, max_body);
}

void request_reader_free(struct request_reader *reader)
{
    buffer_free(&reader->body);
}

void request_reader_start(struct request_reader *reader, size_t max_body)
{
    reader->progress = REQUEST_HEAD;
    reader->head_length = 0;
    reader->has_skipped_line = false;
    reader->is_parsed = false;
    /* A large body is not kept for those that come after it. */
    buffer_free(&reader->body);
    buffer_init(&reader->body, max_body);
    llhttp_init(&reader->parser, HTTP_REQUEST, &callbacks);
    reader->parser.data = reader;
}

bool request_reader_has_begun(const struct request_reader *reader)
{
    return reader->head_length > 0 || reader->progress != REQUEST_HEAD;
}

/* Some clients send an empty line behind a body (RFC 9112, 2.2). */
static void skip_line(struct request_reader *reader)
{
    if (reader->has_skipped_line || reader->head_length < 2 ||
        memcmp(reader->head_text, "\r\n", 2) != 0)
        return;
    reader->has_skipped_line = true;
    reader->head_length -= 2;
    memmove(reader->head_text, reader->head_text + 2, reader->head_length);
}

static void finish_head(struct request_reader *reader)
{
    const char *reason = "";
    int status = served_head_read(reader->head_text, reader->head_length, &reader->head, &reason);

    if (status != 0) {
        refuse(reader, status, reason);
        return;
    }
    llhttp_execute(&reader->parser, reader->head_text, reader->head_length);
    if (reader->is_parsed)
        reader->progress = REQUEST_HEAD_DONE;
    else
        refuse(reader, 400, "the head of the request is not clear");
}

static bool has_whole_line(const struct request_reader *reader)
{
    return memchr(reader->head_text, '\n', reader->head_length) != NULL;
}

static size_t take_head(struct request_reader *reader, const char *bytes, size_t length)
{
    size_t before = reader->head_length;
    size_t room = SERVED_HEAD_MAX - before;
    size_t copied = length < room ? length : room;
    size_t skipped, head_length = 0;

    memcpy(reader->head_text + before, bytes, copied);
    reader->head_length += copied;
    skip_line(reader);
    skipped = before + copied - reader->head_length;
    switch (served_head_find_end(reader->head_text, reader->head_length, skipped > 0 ? 0 : before,
                                 &head_length)) {
    case SERVED_FINISHED:
        reader->head_length = head_length;
        finish_head(reader);
        return head_length + skipped - before;
    case SERVED_BARE:
        refuse(reader, 400, "a line of the head does not end in CR LF");
        return copied;
    case SERVED_UNFINISHED:
        break;
    }
    if (reader->head_length == SERVED_HEAD_MAX && !has_whole_line(reader))
        refuse(reader, 414, "the first line is longer than 8 KiB");
    else if (reader->head_length == SERVED_HEAD_MAX)
        refuse(reader, 431, "the head of the request is larger than 8 KiB");
    return copied;
}

/* How much of the bytes llhttp has taken. */
static size_t run_parser(struct request_reader *reader, const char *bytes, size_t length)
{
    llhttp_errno_t result = llhttp_execute(&reader->parser, bytes, length);

    if (result == HPE_OK)
        return length;
    if (result == HPE_PAUSED && reader->progress == REQUEST_DONE)
        return (size_t)(llhttp_get_error_pos(&reader->parser) - bytes);
    refuse(reader, 400, "the body is not what the head says of it");
    return length;
}

size_t request_reader_take(struct request_reader *reader, const char *bytes, size_t length)
{
    switch (reader->progress) {
    case REQUEST_HEAD:
        return take_head(reader, bytes, length);
    case REQUEST_BODY:
        return run_parser(reader, bytes, length);
    case REQUEST_HEAD_DONE:
    case REQUEST_DONE:
    case REQUEST_REFUSED:
        break;
    }
    bug("bytes are given to a request that takes none");
}

void request_reader_go_on(struct request_reader *reader)
{
    if (reader->progress != REQUEST_HEAD_DONE)
        bug("a request goes on that does not wait for it");
    reader->progress = REQUEST_BODY;
    if (!reader->head.is_chunked && reader->head.content_length <= 0) {
        reader->progress = REQUEST_DONE;
        return;
    }
    llhttp_resume(&reader->parser);
}
