/* SPDX-License-Identifier: MIT */
#include "http/head_reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static bool is_of_form(char c, char form)
{
    if (form == '9')
        return c >= '0' && c <= '9';
    return c == form || (c >= 'A' && c <= 'Z' && c - 'A' + 'a' == form);
}

/* Goes over what is of that form (9: a digit), and returns true when all of it is there. */
static bool skip_form(const char **at, const char *end, const char *form)
{
    for (; *form != '\0' && *at < end && is_of_form(**at, *form); form++)
        ++*at;
    return *form == '\0';
}

static bool is_version_known(const char *line)
{
    return strncmp(line, "HTTP/1.1 ", 9) == 0 || strncmp(line, "HTTP/1.0 ", 9) == 0;
}

/* Returns where a version ends, or NULL; ret_is_short when there may be one with more bytes. */
static const char *skip_version(const char *line, const char *end, bool *ret_is_short)
{
    static const char *const forms[] = {"http/1.9", "http/1", "http/2.0",
                                        "http/2",   "http/3", "http/3.0"};

    *ret_is_short = false;
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        const char *at = line;
        bool is_whole = skip_form(&at, end, forms[i]);

        if (is_whole && at < end && is_blank(*at))
            return at;
        if (at == end)
            *ret_is_short = true;
    }
    return NULL;
}

/* Reads what there is of the first line. False as soon as it can't become a status line, and where
 * its status lies behind what is kept of a line, that is never. */
static bool read_status_line(struct head_reader *reader)
{
    const char *end = reader->line + reader->kept;
    bool is_cut = reader->kept == sizeof(reader->line) - 1;
    bool is_short;
    const char *at = skip_version(reader->line, end, &is_short);
    const char *digits;

    if (at == NULL)
        return is_short;
    digits = at = skip_blanks(at, end);
    if (!skip_form(&at, end, "999"))
        return at == end;
    reader->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (at < end && is_blank(*at))
        return true;
    return !is_cut && (at == end || (*at == '\r' && at + 1 == end));
}

static void fail(struct head_reader *reader, const char *text)
{
    snprintf(reader->error, sizeof(reader->error), "%s", text);
    reader->status = 0;
    reader->progress = HEAD_FAULTY;
}

static void check_status(struct head_reader *reader)
{
    char text[HEAD_ERROR_SIZE];

    if (reader->status == 0)
        fail(reader, "the answer is not HTTP");
    if (reader->status == 101)
        fail(reader, "the answer is 101 Switching Protocols, which was not asked for");
    if (reader->progress == HEAD_FAULTY || (reader->status >= 100 && reader->status <= 599))
        return;
    snprintf(text, sizeof(text), "the answer has the status %03d, which is none", reader->status);
    fail(reader, text);
}

static void end_status_line(struct head_reader *reader)
{
    check_status(reader);
    if (!is_version_known(reader->line))
        reader->is_unusual = true;
    reader->has_status_line = true;
    reader->keeps_line = false;
    reader->kept = 0;
}

/* The value of a header of that name, without blanks around it; NULL when it is another one, or
 * when a NUL byte lets nobody know what was meant. */
static const char *find_value(struct head_reader *reader, const char *name)
{
    char *end = reader->line + reader->kept;
    size_t length = strlen(name);
    const char *at = reader->line + length;

    if (reader->kept <= length || strncasecmp(reader->line, name, length) != 0)
        return NULL;
    at = skip_blanks(at, end);
    if (at == end || *at != ':' || memchr(at, '\0', (size_t)(end - at)) != NULL)
        return NULL;
    at = skip_blanks(at + 1, end);
    while (end > at && (is_blank(end[-1]) || end[-1] == '\r'))
        end--;
    *end = '\0';
    return at;
}

/* Of several, those that have room are kept: the largest that can be read will count. */
static void add_retry_after(struct head_reader *reader, const char *value)
{
    size_t length = strlen(reader->retry_after);
    char *end = reader->retry_after + length;
    size_t room = sizeof(reader->retry_after) - length;

    if (length == 0)
        snprintf(end, room, "%s", value);
    else if (value[0] != '\0' && strlen(value) + 2 < room)
        snprintf(end, room, ", %s", value);
}

/* What does not fit is no date. */
static void add_date(struct head_reader *reader, const char *value)
{
    if (reader->date[0] == '\0' && strlen(value) < sizeof(reader->date))
        snprintf(reader->date, sizeof(reader->date), "%s", value);
}

/* The line that was kept has come to its end, with all that was folded onto it. */
static void take_header(struct head_reader *reader)
{
    const char *value;

    if (reader->kept == 0)
        return;
    if ((value = find_value(reader, "Retry-After")) != NULL)
        add_retry_after(reader, value);
    else if ((value = find_value(reader, "Keep-Alive")) != NULL)
        keep_alive_read(&reader->keep_alive, value);
    else if ((value = find_value(reader, "Date")) != NULL)
        add_date(reader, value);
    else if (find_value(reader, "X-Squid-Error") != NULL)
        reader->has_squid_error = true;
    reader->kept = 0;
}

static bool may_be_wanted(char first)
{
    return first != '\0' && strchr("rRkKxXdD", first) != NULL;
}

static void begin_line(struct head_reader *reader, char first)
{
    if (!reader->has_status_line) {
        reader->keeps_line = true;
        return;
    }
    if (is_blank(first)) {
        reader->is_unusual = true; /* folded onto the line before */
        return;
    }
    take_header(reader);
    reader->keeps_line = may_be_wanted(first);
}

static void keep(struct head_reader *reader, const char *bytes, size_t length)
{
    size_t room = sizeof(reader->line) - 1 - reader->kept;

    if (length > room)
        length = room;
    memcpy(reader->line + reader->kept, bytes, length);
    reader->kept += length;
    reader->line[reader->kept] = '\0';
}

/* A CR that could have been an empty line's has come before. */
static void begin_after_cr(struct head_reader *reader)
{
    begin_line(reader, '\r');
    if (reader->keeps_line)
        keep(reader, "\r", 1);
}

/* Bytes of one line, without its LF. */
static void take_part(struct head_reader *reader, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    if (reader->line_length == 0 && (bytes[0] != '\r' || length > 1))
        begin_line(reader, bytes[0]);
    else if (reader->line_length == 1 && reader->ends_in_cr)
        begin_after_cr(reader);
    if (reader->keeps_line)
        keep(reader, bytes, length);
    reader->line_length += length;
    reader->ends_in_cr = bytes[length - 1] == '\r';
}

static void end_line(struct head_reader *reader)
{
    bool has_cr = reader->line_length > 0 && reader->ends_in_cr;
    bool is_empty = reader->line_length == (has_cr ? 1 : 0);

    if (!has_cr)
        reader->is_unusual = true;
    if (reader->keeps_line && has_cr && reader->kept > 0 && reader->line[reader->kept - 1] == '\r')
        reader->kept--;
    reader->line_length = 0;
    if (is_empty && reader->has_status_line) {
        take_header(reader);
        reader->progress = HEAD_COMPLETE;
    } else if (is_empty) {
        reader->is_unusual = true;
    } else if (!reader->has_status_line) {
        end_status_line(reader);
    }
}

void head_reader_start(struct head_reader *reader)
{
    *reader = (struct head_reader){.keep_alive = KEEP_ALIVE_UNKNOWN};
}

static bool is_status_line_wrong(struct head_reader *reader)
{
    return !reader->has_status_line && reader->kept > 0 && !read_status_line(reader);
}

size_t head_reader_feed(struct head_reader *reader, const char *bytes, size_t length)
{
    const char *at = bytes;
    const char *end = bytes + length;

    while (at < end && reader->progress == HEAD_UNFINISHED) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;

        take_part(reader, at, (size_t)(stop - at));
        if (is_status_line_wrong(reader))
            fail(reader, "the answer is not HTTP");
        else if (newline != NULL)
            end_line(reader);
        at = newline != NULL ? newline + 1 : end;
    }
    /* RFC 9110, section 5.5, forbids it, and the grammar of the body's end would not see it. */
    if (memchr(bytes, '\0', (size_t)(at - bytes)) != NULL)
        reader->is_unusual = true;
    return (size_t)(at - bytes);
}
