/* SPDX-License-Identifier: MIT */
#include "http/request_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define LINE_END_SIZE 2

void request_writer_free(struct request_writer *writer)
{
    free(writer->head);
    *writer = (struct request_writer){0};
}

static void reserve(struct request_writer *writer, size_t bytes)
{
    if (writer->capacity >= bytes)
        return;
    writer->capacity = bytes + bytes / 2;
    writer->head = memory_resize(writer->head, writer->capacity, 1);
}

/* The line without blanks at its end (an empty value is sent as "Name:"). */
static size_t line_length(const char *line)
{
    size_t length = strlen(line);

    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    return length;
}

static size_t append(struct request_writer *writer, size_t at, const char *bytes, size_t length)
{
    /* With room for the end of the line, which the caller puts there without asking. */
    reserve(writer, at + length + LINE_END_SIZE);
    memcpy(writer->head + at, bytes, length);
    return at + length;
}

static size_t append_text(struct request_writer *writer, size_t at, const char *text)
{
    return append(writer, at, text, strlen(text));
}

void request_writer_begin(struct request_writer *writer, const char *start, size_t start_length,
                          const struct http_request *request, bool joins_body)
{
    char digits[TEXT_INTEGER_SIZE];
    size_t method = request->is_head ? strlen("POST") : 0;
    size_t at = append_text(writer, 0, request->is_head ? "HEAD" : "");

    at = append(writer, at, start + method, start_length - method);

    for (size_t i = 0; i < request->headers_count; i++) {
        at = append(writer, at, request->headers[i], line_length(request->headers[i]));
        writer->head[at++] = '\r';
        writer->head[at++] = '\n';
    }
    if (!request->is_head) {
        at = append_text(writer, at, "Content-Length: ");
        at = append_text(writer, at, text_integer((int64_t)request->body_length, digits));
        at = append_text(writer, at, "\r\n");
    }
    at = append_text(writer, at, "\r\n");
    writer->head_length = at;
    writer->joined = 0;
    if (joins_body && request->body_length > 0 && request->body_length <= WRITER_JOIN_BYTES) {
        append(writer, at, request->body, request->body_length);
        writer->joined = request->body_length;
    }
    writer->body = request->body;
    writer->body_length = request->body_length;
    writer->sent = 0;
}

void request_writer_rewind(struct request_writer *writer)
{
    writer->sent = 0;
}

int request_writer_parts(const struct request_writer *writer, struct iovec parts[2])
{
    size_t in_head = writer->head_length + writer->joined;
    size_t all = writer->head_length + writer->body_length;
    size_t from_body = writer->sent > in_head ? writer->sent - writer->head_length : writer->joined;
    int count = 0;

    if (writer->sent < in_head)
        parts[count++] = (struct iovec){writer->head + writer->sent, in_head - writer->sent};
    if (writer->sent < all && from_body < writer->body_length)
        parts[count++] =
            (struct iovec){(char *)writer->body + from_body, writer->body_length - from_body};
    return count;
}

void request_writer_note_sent(struct request_writer *writer, size_t bytes)
{
    writer->sent += bytes;
}

bool request_writer_is_done(const struct request_writer *writer)
{
    return writer->sent == writer->head_length + writer->body_length;
}
