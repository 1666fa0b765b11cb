/* SPDX-License-Identifier: MIT */
#include "http/answer_reader.h"

#include <stdio.h>

#include "base/units.h"

static struct answer_reader *reader_of(llhttp_t *parser)
{
    return parser->data;
}

static void fail(struct answer_reader *reader, const char *text)
{
    if (reader->error[0] == '\0')
        snprintf(reader->error, sizeof(reader->error), "%s", text);
    reader->progress = ANSWER_FAULTY;
}

/* Callbacks of llhttp: 0 goes on, -1 is a fault, HPE_PAUSED stops behind the byte. */

static bool has_no_body(const struct answer_reader *reader, int status)
{
    return reader->is_of_head || status < 200 || status == 204 || status == 304;
}

/* Nothing is believed of a head that llhttp reads otherwise than we do: its end, or its status. */
static int on_headers_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);
    int status = parser->status_code;

    if (!reader->is_head_measured || status != reader->head.status)
        return -1;
    reader->is_head_parsed = true;
    if (status < 200)
        return 1;
    if ((parser->flags & F_TRANSFER_ENCODING) != 0 && parser->http_minor == 0)
        reader->is_unusual = true;
    if (!has_no_body(reader, status))
        return 0;
    if (reader->is_of_head)
        return 1;
    if ((parser->flags & F_CHUNKED) != 0 || (status == 204 && parser->content_length > 0))
        reader->is_unusual = true;
    return 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct answer_reader *reader = reader_of(parser);
    struct buffer *snippet = reader->snippet;
    int64_t left = reader->max_bytes - reader->body_bytes;
    bool is_too_long = (int64_t)length > left;
    size_t room = snippet->maximum - snippet->length;

    if (is_too_long)
        length = (size_t)left;
    reader->body_bytes += (int64_t)length;
    buffer_append(snippet, at, length < room ? length : room);
    return is_too_long ? -1 : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);

    if (reader->head.status < 200)
        return 0; /* interim */
    reader->is_unusual = reader->is_unusual || reader->head.is_unusual;
    reader->is_reusable = llhttp_should_keep_alive(parser) != 0 && !reader->is_unusual;
    reader->progress = ANSWER_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void start_parser(struct answer_reader *reader)
{
    llhttp_init(&reader->parser, HTTP_RESPONSE, &callbacks);
    llhttp_set_lenient_headers(&reader->parser, 1); /* see the header: control characters */
    reader->parser.data = reader;
}

static void begin_head(struct answer_reader *reader)
{
    reader->is_refused = false;
    reader->is_head_measured = false;
    reader->is_head_parsed = false;
    head_reader_start(&reader->head);
}

void answer_reader_start(struct answer_reader *reader, struct buffer *snippet, int64_t max_bytes,
                         bool is_of_head)
{
    reader->snippet = snippet;
    reader->max_bytes = max_bytes;
    reader->is_of_head = is_of_head;
    reader->progress = ANSWER_UNFINISHED;
    reader->has_head = false;
    reader->error[0] = '\0';
    reader->body_bytes = 0;
    reader->other_bytes = 0;
    reader->is_reusable = false;
    reader->is_unusual = false;
    begin_head(reader);
    start_parser(reader);
}

static void fail_for_size(struct answer_reader *reader)
{
    char limit[UNITS_TEXT_SIZE];

    if (!reader->has_head)
        snprintf(reader->error, sizeof(reader->error),
                 "the headers of the answer are larger than %s (delivery.max_response)",
                 units_format_size_bytes(reader->max_bytes, limit));
    reader->progress = ANSWER_FAULTY;
}

/* False when llhttp finds a fault, or another end than the last byte of a head that ends here. */
static bool parse_head(struct answer_reader *reader, const char *bytes, size_t length, bool is_end)
{
    size_t before = length - (is_end ? 1 : 0);

    if (llhttp_execute(&reader->parser, bytes, before) != HPE_OK)
        return false;
    if (!is_end)
        return true;
    reader->is_head_measured = true;
    llhttp_execute(&reader->parser, bytes + before, 1);
    return reader->is_head_parsed;
}

/* The start of a body whose end nobody knows: what has come by now. */
static void take_rest(struct answer_reader *reader, const char *bytes, size_t length)
{
    struct buffer *snippet = reader->snippet;
    size_t room = snippet->maximum - snippet->length;

    if (has_no_body(reader, reader->head.status)) {
        reader->progress = ANSWER_COMPLETE;
        return;
    }
    buffer_append(snippet, bytes, length < room ? length : room);
    reader->progress = ANSWER_FAULTY;
}

/* Of an interim answer nothing is kept but the doubt. */
static void end_head(struct answer_reader *reader)
{
    reader->is_unusual = reader->is_unusual || reader->is_refused || reader->head.is_unusual;
    if (reader->head.status >= 200) {
        reader->has_head = true;
        return;
    }
    if (reader->is_refused)
        start_parser(reader);
    begin_head(reader);
}

/* One piece of a head, of which left bytes have come with what is behind it. */
static size_t feed_head(struct answer_reader *reader, const char *bytes, size_t length, size_t left)
{
    size_t used = head_reader_feed(&reader->head, bytes, length);
    bool is_end = reader->head.progress == HEAD_COMPLETE;

    reader->other_bytes += (int64_t)used;
    if (reader->head.progress == HEAD_FAULTY) {
        fail(reader, reader->head.error);
        return used;
    }
    if (!reader->is_refused && !parse_head(reader, bytes, used, is_end))
        reader->is_refused = true;
    if (is_end)
        end_head(reader);
    if (reader->has_head && reader->is_refused)
        take_rest(reader, bytes + used, left - used);
    return used;
}

static size_t feed_body(struct answer_reader *reader, const char *bytes, size_t length)
{
    int64_t body_before = reader->body_bytes;
    llhttp_errno_t code = llhttp_execute(&reader->parser, bytes, length);
    size_t used = length;

    if (code == HPE_PAUSED)
        used = (size_t)(llhttp_get_error_pos(&reader->parser) - bytes);
    else if (code != HPE_OK)
        reader->progress = ANSWER_FAULTY;
    reader->other_bytes += (int64_t)used - (reader->body_bytes - body_before);
    if (reader->progress != ANSWER_FAULTY && reader->other_bytes > reader->max_bytes)
        fail_for_size(reader);
    return used;
}

/*
 * As much as may be read before the limit has to be looked at again. In a body one byte is always
 * allowed, since it may be of the body itself.
 */
static size_t piece_length(const struct answer_reader *reader, size_t length)
{
    int64_t left = reader->max_bytes - reader->other_bytes;

    if (reader->has_head && left < 1)
        left = 1;
    return (int64_t)length < left ? length : (size_t)left;
}

enum answer_progress answer_reader_feed(struct answer_reader *reader, const char *bytes,
                                        size_t length, size_t *ret_used, size_t *ret_heads)
{
    size_t used = 0;

    *ret_heads = 0;
    while (used < length && reader->progress == ANSWER_UNFINISHED) {
        size_t piece = piece_length(reader, length - used);

        if (piece == 0) {
            fail_for_size(reader);
        } else if (reader->has_head) {
            used += feed_body(reader, bytes + used, piece);
        } else {
            used += feed_head(reader, bytes + used, piece, length - used);
            *ret_heads = used;
        }
    }
    *ret_used = used;
    return reader->progress;
}

enum answer_progress answer_reader_end(struct answer_reader *reader)
{
    llhttp_finish(&reader->parser); /* calls on_message_complete() for such a body */
    reader->is_reusable = false;
    if (reader->progress != ANSWER_COMPLETE)
        reader->progress = ANSWER_FAULTY;
    return reader->progress;
}
