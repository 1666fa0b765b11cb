/* SPDX-License-Identifier: MIT */
/*
 * config/options.h: the one table of options.
 *
 * It drives everything that knows a key: the loader, the defaults, the checks of type and range,
 * "postrider config show" and the reference in docs/configuration.md. A key is "name" or
 * "section.name".
 */
#ifndef POSTRIDER_CONFIG_OPTIONS_H
#define POSTRIDER_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct config;

enum option_kind {
    OPTION_TEXT,     /* char * */
    OPTION_CHOICE,   /* an enum that counts up from 0 in the order of choices */
    OPTION_BOOLEAN,  /* bool */
    OPTION_INTEGER,  /* int or int64_t */
    OPTION_NUMBER,   /* double */
    OPTION_DURATION, /* int64_t, milliseconds */
    OPTION_SIZE,     /* int64_t, bytes */
    OPTION_HEADERS,  /* struct config_headers */
    OPTION_RANGES,   /* network.allow */
    OPTION_NAMES,    /* http.hosts */
    OPTION_STATUSES, /* retry.retry_statuses */
    OPTION_SCHEDULE, /* retry.schedule */
};

struct config_option {
    const char *key;
    enum option_kind kind;
    bool is_private; /* may hold a password or a secret: never quoted in a mistake */
    bool is_url;     /* its password is masked when it is shown */
    size_t offset;   /* of the field in struct config */
    size_t size;
    int64_t minimum; /* of the value, or of each entry of a list; of texts in bytes */
    int64_t maximum;
    size_t entries_max;         /* of a list or mapping */
    const char *default_text;   /* as YAML */
    const char *const *choices; /* NULL ends them */
    /* For texts other than "", and for names: what is wrong with it. The message must not quote a private one. */
    bool (*check)(const char *text, struct error *error);
    const char *allowed;     /* for texts: what they may be; else "" or NULL */
    const char *description; /* one sentence, no full stop; Markdown */
};

extern const struct config_option option_table[];
extern const size_t option_count;

/* NULL when there is no such key. */
const struct config_option *option_find(const char *key);

/* The option whose key has these first bytes, followed by a dot; NULL: there is no such section. */
const struct config_option *option_find_section(const char *section);

/* Its place in the table. */
size_t option_index(const struct config_option *option);

/* The length of "delivery" in "delivery.timeout", 0 for "attempt_log". */
size_t option_section_length(const struct config_option *option);
/* "timeout" of "delivery.timeout" */
const char *option_name(const struct config_option *option);

/* The option's field, which has the type that its kind says. */
void *option_field(struct config *config, const struct config_option *option);
const void *option_field_const(const struct config *config, const struct config_option *option);

/* Appends what the value may be, as in "a duration from 10ms to 1m". */
void option_append_allowed(const struct config_option *option, struct buffer *out);

/* Appends a limit in the option's unit: "1MiB", "10ms", "32". */
void option_append_limit(const struct config_option *option, int64_t limit, struct buffer *out);

#endif
