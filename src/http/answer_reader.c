#include "http/answer_reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

enum { NAME_RETRY_AFTER, NAME_SQUID_ERROR };

static const struct {
    const char *text;
    size_t length;
} header_names[ANSWER_NAMES] = {
    [NAME_RETRY_AFTER] = {"retry-after", sizeof("retry-after") - 1},
    [NAME_SQUID_ERROR] = {"x-squid-error", sizeof("x-squid-error") - 1},
};

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

/* Called for a reason phrase's end, and once more with the headers: a status line may lack it. */
static int on_status_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);
    int status = parser->status_code;

    reader->has_status_line = true;
    if (parser->http_major != 1 || parser->http_minor > 1)
        snprintf(reader->error, sizeof(reader->error), "the answer is not HTTP/1.1 but HTTP/%d.%d",
                 parser->http_major, parser->http_minor);
    else if (status == 101)
        snprintf(reader->error, sizeof(reader->error),
                 "the answer is 101 Switching Protocols, which was not asked for");
    else if (status < 100 || status > 599)
        snprintf(reader->error, sizeof(reader->error),
                 "the answer has the status %d, which is none", status);
    else
        return 0;
    return -1;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct answer_reader *reader = reader_of(parser);

    for (int i = 0; i < ANSWER_NAMES; i++) {
        size_t matched = reader->names_matched[i];

        if (matched == reader->name_length && matched + length <= header_names[i].length &&
            strncasecmp(at, header_names[i].text + matched, length) == 0)
            reader->names_matched[i] += length;
    }
    reader->name_length += length;
    return 0;
}

static bool is_named(const struct answer_reader *reader, int name)
{
    return reader->name_length == header_names[name].length &&
           reader->names_matched[name] == reader->name_length;
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);

    reader->is_retry_after =
        !reader->has_head && !reader->has_retry_after && is_named(reader, NAME_RETRY_AFTER);
    if (!reader->has_head && is_named(reader, NAME_SQUID_ERROR))
        reader->has_squid_error = true;
    memset(reader->names_matched, 0, sizeof(reader->names_matched));
    reader->name_length = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct answer_reader *reader = reader_of(parser);
    size_t room = sizeof(reader->retry_after) - 1 - reader->value_length;

    if (!reader->is_retry_after)
        return 0;
    if (length > room)
        length = room;
    memcpy(reader->retry_after + reader->value_length, at, length);
    reader->value_length += length;
    reader->retry_after[reader->value_length] = '\0';
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);
    size_t length = reader->value_length;

    if (!reader->is_retry_after)
        return 0;
    while (length > 0 && strchr(" \t", reader->retry_after[length - 1]) != NULL)
        length--;
    reader->retry_after[length] = '\0';
    reader->has_retry_after = true;
    reader->is_retry_after = false;
    return 0;
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct answer_reader *reader = reader_of(parser);
    int status = parser->status_code;

    if (on_status_complete(parser) != 0)
        return -1;
    if (!reader->is_head_measured) {
        fail(reader, "the answer's headers are not valid: it is not clear where they end");
        return -1;
    }
    reader->is_head_parsed = true;
    if (status < 200)
        return 1;
    reader->has_head = true;
    reader->status = status;
    if ((parser->flags & F_TRANSFER_ENCODING) != 0 && parser->http_minor == 0)
        reader->is_unusual = true;
    if (!has_no_body(status))
        return 0;
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

    if (!reader->has_head)
        return 0; /* interim */
    reader->is_reusable = llhttp_should_keep_alive(parser) != 0 && !reader->is_unusual;
    reader->progress = ANSWER_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_status_complete = on_status_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* A head begins: the first, or one after an interim answer, of which nothing is kept. */
static void begin_head(struct answer_reader *reader)
{
    reader->has_status_line = false;
    reader->is_head_measured = false;
    reader->is_head_parsed = false;
    reader->has_retry_after = false;
    reader->has_squid_error = false;
    reader->is_retry_after = false;
    reader->retry_after[0] = '\0';
    reader->value_length = 0;
    reader->line_length = 0;
    reader->is_first_line = true;
    reader->ends_in_cr = false;
}

void answer_reader_start(struct answer_reader *reader, struct buffer *snippet, int64_t max_bytes)
{
    reader->snippet = snippet;
    reader->max_bytes = max_bytes;
    reader->progress = ANSWER_UNFINISHED;
    reader->has_head = false;
    reader->status = 0;
    reader->error[0] = '\0';
    reader->body_bytes = 0;
    reader->other_bytes = 0;
    reader->is_reusable = false;
    reader->is_unusual = false;
    memset(reader->names_matched, 0, sizeof(reader->names_matched));
    reader->name_length = 0;
    begin_head(reader);
    llhttp_init(&reader->parser, HTTP_RESPONSE, &callbacks);
    llhttp_set_lenient_headers(&reader->parser, 1); /* see the header: control characters */
    reader->parser.data = reader;
}

/* A line of the head has ended with an LF behind at, where bytes have begun. */
static bool end_line(struct answer_reader *reader, const char *bytes, const char *at)
{
    bool has_cr = at > bytes ? at[-1] == '\r' : reader->ends_in_cr;
    size_t length = reader->line_length - (has_cr ? 1 : 0);
    bool is_end = length == 0 && !reader->is_first_line;

    if (!has_cr)
        reader->is_unusual = true;
    reader->line_length = 0;
    reader->is_first_line = false;
    return is_end;
}

/* Returns how many bytes are of the head, its empty line included when ret_is_end is set. */
static size_t measure_head(struct answer_reader *reader, const char *bytes, size_t length,
                           bool *ret_is_end)
{
    const char *at = bytes;
    const char *end = bytes + length;

    *ret_is_end = false;
    while (at < end && !*ret_is_end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;

        if (reader->line_length == 0 && stop > at && (*at == ' ' || *at == '\t'))
            reader->is_unusual = true; /* a folded line */
        reader->line_length += (size_t)(stop - at);
        if (newline != NULL)
            *ret_is_end = end_line(reader, bytes, stop);
        at = newline != NULL ? newline + 1 : end;
    }
    reader->ends_in_cr = at > bytes && at[-1] == '\r';
    return (size_t)(at - bytes);
}

static void explain_head(struct answer_reader *reader)
{
    const char *reason = llhttp_get_error_reason(&reader->parser);

    if (reader->error[0] != '\0')
        return;
    if (!reader->has_status_line)
        fail(reader, "the answer is not HTTP");
    else
        snprintf(reader->error, sizeof(reader->error), "the answer's headers are not valid: %s",
                 reason != NULL ? reason : "it is not clear where they end");
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

static bool is_first_byte_wrong(const struct answer_reader *reader, const char *bytes)
{
    return reader->is_first_line && reader->line_length == 0 && bytes[0] != 'H';
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

/* One piece of a head. Both readings must see its end at the same byte. */
static size_t feed_head(struct answer_reader *reader, const char *bytes, size_t length)
{
    bool is_end;
    size_t used;

    if (is_first_byte_wrong(reader, bytes)) {
        fail(reader, "the answer is not HTTP");
        return 0;
    }
    /* RFC 9110, section 5.5: the one control character that must be refused, and llhttp would not;
     * but not before what stands in front of it was read. */
    length = strnlen(bytes, length);
    if (length == 0) {
        fail(reader, "the answer's headers are not valid: they hold a NUL byte");
        return 0;
    }
    used = measure_head(reader, bytes, length, &is_end);
    reader->other_bytes += (int64_t)used;
    if (!parse_head(reader, bytes, used, is_end)) {
        explain_head(reader);
        reader->progress = ANSWER_FAULTY;
    } else if (is_end && !reader->has_head) {
        begin_head(reader);
    }
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
            used += feed_head(reader, bytes + used, piece);
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
