/* SPDX-License-Identifier: MIT */
#include "core/served_head.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 15 /* more would not fit, and is nothing that anybody sends */

static const char token_letters[] = "!#$%&'*+-.^_`|~0123456789"
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool slice_is(struct slice slice, const char *text)
{
    return slice.at != NULL && strlen(text) == slice.length &&
           memcmp(slice.at, text, slice.length) == 0;
}

bool slice_is_caseless(struct slice slice, const char *text)
{
    return slice.at != NULL && strlen(text) == slice.length &&
           strncasecmp(slice.at, text, slice.length) == 0;
}

enum served_end served_head_find_end(const char *text, size_t length, size_t from,
                                     size_t *ret_length)
{
    const char *at = text + from;
    const char *end = text + length;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at == text || at[-1] != '\r')
            return SERVED_BARE;
        if (at - text >= 3 && at[-2] == '\n') {
            *ret_length = (size_t)(at + 1 - text);
            return SERVED_FINISHED;
        }
        at++;
    }
    return SERVED_UNFINISHED;
}

static bool is_token(struct slice slice)
{
    for (size_t i = 0; i < slice.length; i++)
        if (slice.at[i] == '\0' || strchr(token_letters, slice.at[i]) == NULL)
            return false;
    return slice.length > 0;
}

static bool is_visible(struct slice slice)
{
    for (size_t i = 0; i < slice.length; i++)
        if (slice.at[i] <= ' ' || slice.at[i] > '~')
            return false;
    return true;
}

/* Field values: visible ASCII, blanks, tabs, and what is above ASCII. */
static bool is_field_text(struct slice slice)
{
    for (size_t i = 0; i < slice.length; i++) {
        unsigned char byte = (unsigned char)slice.at[i];

        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

/* The next line without its CR LF; the text has one for certain. */
static struct slice take_line(const char **at, const char *end)
{
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    struct slice line = {*at, (size_t)(feed - *at) - 1};

    *at = feed + 1;
    return line;
}

/* What stands before the blank; the rest stays in the line. A line without one is all of it. */
static struct slice take_word(struct slice *line)
{
    const char *blank = memchr(line->at, ' ', line->length);
    size_t length = blank == NULL ? line->length : (size_t)(blank - line->at);
    struct slice word = {line->at, length};
    size_t taken = blank == NULL ? length : length + 1;

    line->at += taken;
    line->length -= taken;
    return word;
}

static int refuse(int status, const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return status;
}

static void split_target(struct slice target, struct served_head *head)
{
    const char *mark = memchr(target.at, '?', target.length);

    head->path = target;
    if (mark == NULL)
        return;
    head->path.length = (size_t)(mark - target.at);
    head->query = (struct slice){mark + 1, target.length - head->path.length - 1};
}

static int read_request_line(struct slice line, struct served_head *head, const char **ret_reason)
{
    struct slice target;

    head->method = take_word(&line);
    target = take_word(&line);
    if (!is_token(head->method) || target.length == 0 || !is_visible(target))
        return refuse(400, "the first line is no request line", ret_reason);
    if (!slice_is(line, "HTTP/1.1") && !slice_is(line, "HTTP/1.0")) {
        if (line.length > 5 && memcmp(line.at, "HTTP/", 5) == 0)
            return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here", ret_reason);
        return refuse(400, "the first line is no request line", ret_reason);
    }
    head->is_http10 = slice_is(line, "HTTP/1.0");
    if (target.at[0] != '/')
        return refuse(400, "the target of the request is not a path", ret_reason);
    split_target(target, head);
    return 0;
}

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.length > 0 && is_blank(text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && is_blank(text.at[text.length - 1]))
        text.length--;
    return text;
}

static int read_header(struct slice line, struct served_head *head, const char **ret_reason)
{
    const char *colon = memchr(line.at, ':', line.length);
    struct served_header header;

    if (is_blank(line.at[0]))
        return refuse(400, "a header goes on in a second line", ret_reason);
    if (colon == NULL)
        return refuse(400, "a header has no colon", ret_reason);
    header.name = (struct slice){line.at, (size_t)(colon - line.at)};
    header.value = trim((struct slice){colon + 1, line.length - header.name.length - 1});
    if (!is_token(header.name))
        return refuse(400, "a header's name has characters that no name has", ret_reason);
    if (!is_field_text(header.value))
        return refuse(400, "a header has control characters", ret_reason);
    if (head->headers_count == SERVED_HEADERS_MAX)
        return refuse(431, "there are more than 64 headers", ret_reason);
    head->headers[head->headers_count++] = header;
    return 0;
}

bool served_head_find(const struct served_head *head, const char *name, struct slice *ret_value)
{
    *ret_value = (struct slice){NULL, 0};
    for (size_t i = 0; i < head->headers_count; i++) {
        if (!slice_is_caseless(head->headers[i].name, name))
            continue;
        if (ret_value->at != NULL)
            return false;
        *ret_value = head->headers[i].value;
    }
    return true;
}

static bool list_has_word(struct slice list, const char *word)
{
    while (list.length > 0) {
        const char *comma = memchr(list.at, ',', list.length);
        size_t length = comma == NULL ? list.length : (size_t)(comma - list.at);

        if (slice_is_caseless(trim((struct slice){list.at, length}), word))
            return true;
        length += comma == NULL ? 0 : 1;
        list.at += length;
        list.length -= length;
    }
    return false;
}

bool served_head_has_word(const struct served_head *head, const char *name, const char *word)
{
    for (size_t i = 0; i < head->headers_count; i++)
        if (slice_is_caseless(head->headers[i].name, name) &&
            list_has_word(head->headers[i].value, word))
            return true;
    return false;
}

/* Digits alone: no sign, no blank, no list. */
static bool read_length(struct slice text, int64_t *ret_length)
{
    int64_t length = 0;

    if (text.length == 0 || text.length > LENGTH_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        length = 10 * length + (text.at[i] - '0');
    }
    *ret_length = length;
    return true;
}

/* Where the body ends: by one rule, or not at all. */
static int read_framing(struct served_head *head, const char **ret_reason)
{
    struct slice length, encoding;

    head->content_length = -1;
    if (!served_head_find(head, "content-length", &length))
        return refuse(400, "there is more than one Content-Length", ret_reason);
    if (!served_head_find(head, "transfer-encoding", &encoding))
        return refuse(400, "there is more than one Transfer-Encoding", ret_reason);
    if (encoding.at != NULL && length.at != NULL)
        return refuse(400, "there are both Content-Length and Transfer-Encoding", ret_reason);
    if (encoding.at != NULL && head->is_http10)
        return refuse(400, "HTTP/1.0 has no Transfer-Encoding", ret_reason);
    if (encoding.at != NULL && !slice_is_caseless(encoding, "chunked"))
        return refuse(501, "no Transfer-Encoding but chunked is known here", ret_reason);
    if (length.at != NULL && !read_length(length, &head->content_length))
        return refuse(400, "Content-Length is not a number", ret_reason);
    head->is_chunked = encoding.at != NULL;
    return 0;
}

static int check_host(const struct served_head *head, const char **ret_reason)
{
    struct slice host;

    if (!served_head_find(head, "host", &host))
        return refuse(400, "there is more than one Host", ret_reason);
    if (host.at == NULL && !head->is_http10)
        return refuse(400, "there is no Host", ret_reason);
    return 0;
}

int served_head_read(const char *text, size_t length, struct served_head *ret_head,
                     const char **ret_reason)
{
    const char *at = text;
    const char *end = text + length;
    int status;

    memset(ret_head, 0, offsetof(struct served_head, headers));
    status = read_request_line(take_line(&at, end), ret_head, ret_reason);
    while (status == 0 && end - at > 2)
        status = read_header(take_line(&at, end), ret_head, ret_reason);
    if (status == 0)
        status = read_framing(ret_head, ret_reason);
    return status == 0 ? check_host(ret_head, ret_reason) : status;
}
