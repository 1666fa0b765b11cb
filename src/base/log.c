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

#define LINE_MAX_BYTES 8192
#define FIELDS_MAX     24

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
    minimum_level = level;
    active_format = format;
    if (format == LOG_FORMAT_AUTO)
        active_format = stderr_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
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

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' ||
            *text == 0x7f)
            return true;
    return false;
}

static void append_quoted(struct buffer *line, const char *text)
{
    if (!needs_quotes(text)) {
        buffer_append_string(line, text);
        return;
    }
    buffer_append(line, "\"", 1);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append_format(line, "\\%c", *text);
        else if (*text == '\n')
            buffer_append_string(line, "\\n");
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            buffer_append_format(line, "\\x%02x", (unsigned)(unsigned char)*text);
        else
            buffer_append(line, text, 1);
    }
    buffer_append(line, "\"", 1);
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
    append_timestamp(&line);
    buffer_append_format(&line, " %s ", level_names[level]);
    append_quoted(&line, message);
    for (; fields->key != NULL; fields++) {
        buffer_append_format(&line, " %s=", fields->key);
        if (fields->text != NULL)
            append_quoted(&line, fields->text);
        else
            buffer_append_format(&line, "%lld", (long long)fields->number);
    }
    write_line(&line);
    buffer_free(&line);
}

static void write_json(enum log_level level, const char *message, const struct log_field *fields)
{
    json_t *object = json_object();
    struct buffer line;
    char *text;

    buffer_init(&line, LINE_MAX_BYTES);
    append_timestamp(&line);
    json_object_set_new(object, "time", json_string(buffer_string(&line)));
    json_object_set_new(object, "level", json_string(level_names[level]));
    json_object_set_new(object, "message", json_string(message));
    for (; fields->key != NULL; fields++)
        json_object_set_new(object, fields->key,
                            fields->text != NULL ? json_string(fields->text)
                                                 : json_integer(fields->number));
    text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (text != NULL) {
        buffer_clear(&line);
        buffer_append_string(&line, text);
        write_line(&line);
    }
    free(text);
    json_decref(object);
    buffer_free(&line);
}

static char *journal_field(const struct log_field *field)
{
    char *text = field->text != NULL
                     ? memory_format("%s=%s", field->key, field->text)
                     : memory_format("%s=%lld", field->key, (long long)field->number);

    for (char *c = text; *c != '='; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return text;
}

/* The human-readable MESSAGE holds the fields too: plain "journalctl -u postrider" shows it. */
static void write_journal(enum log_level level, const char *message, const struct log_field *fields)
{
    struct iovec parts[FIELDS_MAX + 2];
    struct buffer text;
    int count = 0;

    buffer_init(&text, LINE_MAX_BYTES);
    buffer_append_format(&text, "MESSAGE=%s", message);
    for (const struct log_field *field = fields; field->key != NULL; field++) {
        buffer_append_format(&text, " %s=", field->key);
        if (field->text != NULL)
            append_quoted(&text, field->text);
        else
            buffer_append_format(&text, "%lld", (long long)field->number);
    }
    parts[count++] = (struct iovec){text.data, text.length};
    char *priority = memory_format("PRIORITY=%d", syslog_priorities[level]);
    parts[count++] = (struct iovec){priority, strlen(priority)};
    for (; fields->key != NULL && count < FIELDS_MAX + 2; fields++) {
        char *field = journal_field(fields);

        parts[count++] = (struct iovec){field, strlen(field)};
    }
    if (sd_journal_sendv(parts, count) < 0)
        write_logfmt(level, message, fields - (count - 2));
    for (int i = 1; i < count; i++)
        free(parts[i].iov_base);
    buffer_free(&text);
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_is_enabled(level))
        return;
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
