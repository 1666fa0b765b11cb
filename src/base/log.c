/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

#define LINE_MAX_BYTES 8192
#define VALUE_MAX_BYTES \
    1024 /* of one text that are shown: escaped sixfold, one still fits a line */
#define CLEAN_MAX_BYTES (3 * VALUE_MAX_BYTES + 8) /* each byte replaced by U+FFFD, and the mark */
#define MARK_MAX_BYTES  16                        /* room for the end of a line and its mark */
#define FIELDS_MAX      24                        /* that become journal fields of their own */

static enum log_level minimum_level = LOG_LEVEL_INFO;
static enum log_format active_format = LOG_FORMAT_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const int syslog_priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

/* systemd sets JOURNAL_STREAM to the device and inode of the standard error that it connected. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char expected[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return strcmp(stream, expected) == 0;
}

void log_configure(enum log_level level, enum log_format format)
{
    bool has_journal =
        format == LOG_FORMAT_AUTO ? stderr_is_journal() : access(JOURNAL_SOCKET, F_OK) == 0;

    minimum_level = level;
    active_format = format;
    /* sd_journal_sendv() says nothing when there is no journal: every line would be lost. */
    if (format == LOG_FORMAT_AUTO || format == LOG_FORMAT_JOURNAL)
        active_format = has_journal ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
}

bool log_is_enabled(enum log_level level)
{
    return level >= minimum_level;
}

static void append_timestamp(struct buffer *line)
{
    struct timeval now;
    struct tm parts;
    char text[32];

    gettimeofday(&now, NULL);
    gmtime_r(&now.tv_sec, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_append_format(line, "%s.%03ldZ", text, (long)(now.tv_usec / 1000));
}

/* Appends text as valid UTF-8, cut where it is too long. */
static void append_clean(struct buffer *out, const char *text)
{
    size_t length = strnlen(text, VALUE_MAX_BYTES);

    text_append_clean(out, text, length);
    if (text[length] != '\0')
        buffer_append_string(out, "…");
}

/* The length of the control character at text (C0, DEL or C1 in UTF-8); 0 when there is none. */
static int control_length(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2;
    return (c[0] < ' ' && c[0] != '\0') || c[0] == 0x7f ? 1 : 0;
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (; *text != '\0'; text++)
        if (strchr(" \"=\\", *text) != NULL || control_length(text) > 0)
            return true;
    return false;
}

/* As in JSON strings, which is what readers of logfmt undo. */
static void append_escaped(struct buffer *out, const char *text)
{
    while (*text != '\0') {
        int control = control_length(text);

        if (*text == '"' || *text == '\\')
            buffer_append_format(out, "\\%c", *text);
        else if (*text == '\n')
            buffer_append_string(out, "\\n");
        else if (control > 0)
            buffer_append_format(out, "\\u%04x", (unsigned)(unsigned char)text[control - 1]);
        else
            buffer_append(out, text, 1);
        text += control > 0 ? control : 1;
    }
}

static void append_logfmt_text(struct buffer *out, const char *text)
{
    struct buffer clean;

    buffer_init(&clean, CLEAN_MAX_BYTES);
    append_clean(&clean, text);
    if (needs_quotes(buffer_string(&clean))) {
        buffer_append(out, "\"", 1);
        append_escaped(out, buffer_string(&clean));
        buffer_append(out, "\"", 1);
    } else {
        buffer_append_string(out, buffer_string(&clean));
    }
    buffer_free(&clean);
}

static void append_logfmt_field(struct buffer *out, const struct log_field *field)
{
    buffer_append_format(out, " %s=", field->key);
    if (field->text != NULL)
        append_logfmt_text(out, field->text);
    else
        buffer_append_format(out, "%lld", (long long)field->number);
}

static void append_json_text(struct buffer *out, const char *text)
{
    struct buffer clean;
    json_t *value;
    char *quoted;

    buffer_init(&clean, CLEAN_MAX_BYTES);
    append_clean(&clean, text);
    value = json_string(buffer_string(&clean));
    quoted = json_dumps(value, JSON_ENCODE_ANY);
    if (quoted == NULL)
        bug("clean text is no JSON string");
    buffer_append_string(out, quoted);
    free(quoted);
    json_decref(value);
    buffer_free(&clean);
}

static void append_json_field(struct buffer *out, const struct log_field *field)
{
    buffer_append_format(out, ",\"%s\":", field->key);
    if (field->text != NULL)
        append_json_text(out, field->text);
    else
        buffer_append_format(out, "%lld", (long long)field->number);
}

/* Appends those fields that fit as a whole, so that a long line stays well-formed; the mark says
 * that some did not. */
static void append_fields(struct buffer *line, const struct log_field *fields,
                          void (*append_field)(struct buffer *, const struct log_field *),
                          const char *mark)
{
    struct buffer piece;
    bool is_cut = false;

    buffer_init(&piece, LINE_MAX_BYTES);
    for (; fields->key != NULL; fields++) {
        buffer_clear(&piece);
        append_field(&piece, fields);
        if (!piece.overflowed && line->length + piece.length + MARK_MAX_BYTES <= LINE_MAX_BYTES)
            buffer_append(line, piece.data, piece.length);
        else
            is_cut = true;
    }
    if (is_cut)
        buffer_append_string(line, mark);
    buffer_free(&piece);
}

static void write_line(const struct buffer *line)
{
    struct iovec parts[2] = {{line->data, line->length}, {(void *)(uintptr_t) "\n", 1}};

    /* Nothing can be done about a standard error that is closed or full. */
    if (writev(STDERR_FILENO, parts, 2) < 0)
        return;
}

static void write_logfmt(enum log_level level, const char *message, const struct log_field *fields)
{
    struct buffer line;

    buffer_init(&line, LINE_MAX_BYTES);
    buffer_append_string(&line, "time=");
    append_timestamp(&line);
    buffer_append_format(&line, " level=%s msg=", level_names[level]);
    append_logfmt_text(&line, message);
    append_fields(&line, fields, append_logfmt_field, " cut=yes");
    write_line(&line);
    buffer_free(&line);
}

static void write_json(enum log_level level, const char *message, const struct log_field *fields)
{
    struct buffer line;

    buffer_init(&line, LINE_MAX_BYTES);
    buffer_append_string(&line, "{\"time\":\"");
    append_timestamp(&line);
    buffer_append_format(&line, "\",\"level\":\"%s\",\"message\":", level_names[level]);
    append_json_text(&line, message);
    append_fields(&line, fields, append_json_field, ",\"cut\":true");
    buffer_append(&line, "}", 1);
    write_line(&line);
    buffer_free(&line);
}

/* KEY=value, as the journal wants it. */
static char *journal_field(const struct log_field *field)
{
    struct buffer text;

    buffer_init(&text, LINE_MAX_BYTES);
    for (const char *c = field->key; *c != '\0'; c++)
        buffer_append_format(&text, "%c", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    buffer_append(&text, "=", 1);
    if (field->text != NULL)
        append_clean(&text, field->text);
    else
        buffer_append_format(&text, "%lld", (long long)field->number);
    return buffer_take(&text);
}

/* The human-readable MESSAGE holds the fields too: plain "journalctl -u postrider" shows it. */
static char *journal_message(const char *message, const struct log_field *fields)
{
    struct buffer text;

    buffer_init(&text, LINE_MAX_BYTES);
    buffer_append_string(&text, "MESSAGE=");
    append_clean(&text, message);
    append_fields(&text, fields, append_logfmt_field, " cut=yes");
    return buffer_take(&text);
}

static void write_journal(enum log_level level, const char *message, const struct log_field *fields)
{
    char *texts[FIELDS_MAX + 2];
    struct iovec parts[FIELDS_MAX + 2];
    int count = 0;

    texts[count++] = journal_message(message, fields);
    texts[count++] = memory_format("PRIORITY=%d", syslog_priorities[level]);
    for (int i = 0; i < FIELDS_MAX && fields[i].key != NULL; i++)
        texts[count++] = journal_field(&fields[i]);
    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){texts[i], strlen(texts[i])};
    if (sd_journal_sendv(parts, count) < 0)
        write_logfmt(level, message, fields);
    for (int i = 0; i < count; i++)
        free(texts[i]);
}

static bool is_among(const struct log_field *fields, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return true;
    return false;
}

/* A reader of any format finds each value under its own key, and what is ours under ours. */
static void check_key(const char *key, const struct log_field *before, int count)
{
    static const char *const reserved[] = {"time", "level", "msg", "message", "priority", "cut"};

    if (key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] != '\0' || key[0] == '_')
        bug("a log field has a key that the journal refuses");
    for (size_t i = 0; i < ARRAY_LENGTH(reserved); i++)
        if (strcmp(key, reserved[i]) == 0)
            bug("a log field has a key that each line has");
    if (is_among(before, count, key))
        bug("two log fields have the same key");
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields)
{
    struct log_field present[FIELDS_MAX + 1];
    int count = 0;

    if (!log_is_enabled(level))
        return;
    for (; fields->key != NULL && count < FIELDS_MAX; fields++) {
        if (fields->key[0] == '\0')
            continue;
        check_key(fields->key, present, count);
        present[count++] = *fields;
    }
    present[count] = (struct log_field){NULL, NULL, 0};
    fields = present;
    switch (active_format) {
    case LOG_FORMAT_JOURNAL:
        write_journal(level, message, fields);
        break;
    case LOG_FORMAT_JSON:
        write_json(level, message, fields);
        break;
    case LOG_FORMAT_AUTO:
    case LOG_FORMAT_LOGFMT:
        write_logfmt(level, message, fields);
        break;
    }
}
