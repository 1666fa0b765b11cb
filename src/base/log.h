/* SPDX-License-Identifier: MIT */
/*
 * log.h: one line for each thing worth saying, with fields.
 *
 * A line has a level, a fixed message and key/value fields, and is written as logfmt (time=…
 * level=… msg=… and the fields), as one JSON object (time, level, message and the fields), or to
 * the systemd journal with the fields as journal fields (DELIVERY=…, ENDPOINT=…). A key stands once
 * in a line and is none of those that each line has, which log_fields() checks.
 * Only worker/, command/ and main.c log; base, core, config, db and http return their errors.
 * Lines go to standard error (or the journal socket), are never buffered, and are valid UTF-8 with
 * control characters escaped. A text is cut after 1,024 bytes ("…"); fields that do not fit into a
 * line of 8 KiB are left out, and the line says cut=yes. Values never hold a secret or a payload.
 */
#ifndef POSTRIDER_BASE_LOG_H
#define POSTRIDER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_format {
    LOG_FORMAT_AUTO,    /* the journal when standard error is connected to it, else logfmt */
    LOG_FORMAT_JOURNAL, /* logfmt where there is no journal */
    LOG_FORMAT_LOGFMT,
    LOG_FORMAT_JSON,
};

struct log_field {
    const char *key;  /* a-z and _, not _ first; NULL ends the list */
    const char *text; /* NULL: the value is number */
    int64_t number;
};

#define LOG_TEXT(key, value)   ((struct log_field){(key), (value) != NULL ? (value) : "", 0})
#define LOG_NUMBER(key, value) ((struct log_field){(key), NULL, (value)})
/* A text that can't be NULL, as an array in a struct. */
#define LOG_STRING(key, value) ((struct log_field){(key), (value), 0})
/* The field, or nothing where the condition is false: an empty key is left out. */
#define LOG_IF(condition, field) ((condition) ? (field) : (struct log_field){"", "", 0})

void log_configure(enum log_level level, enum log_format format);
bool log_is_enabled(enum log_level level);

/* log_event(LOG_LEVEL_INFO, "delivery failed", LOG_TEXT("delivery", id), LOG_NUMBER("attempt", 3));
 */
#define log_event(level, message, ...) \
    log_fields((level), (message),     \
               (const struct log_field[]){{"", "", 0}, ##__VA_ARGS__, {NULL, NULL, 0}})

void log_fields(enum log_level level, const char *message, const struct log_field *fields);

#endif
