/* SPDX-License-Identifier: MIT */
/*
 * command/top_view.h: what "postrider top" shows of a report, and in which order: no screen, no
 * keys, no clock.
 *
 * A report is the JSON of "postrider status --json". Rates are the differences of two reports.
 * Text is for the screen: it is cleaned, and of ASCII alone where the terminal knows no UTF-8, since
 * a URL or an error of a receiver can hold anything.
 */
#ifndef POSTRIDER_COMMAND_TOP_VIEW_H
#define POSTRIDER_COMMAND_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define TOP_ROWS_MAX    64
#define TOP_FILTER_SIZE 64

enum top_sort {
    TOP_BY_TROUBLE,
    TOP_BY_DUE,
    TOP_BY_RETRYING,
    TOP_BY_FAILURES,
    TOP_BY_URL,
    TOP_SORTS
};

const char *top_sort_name(enum top_sort sort);

struct top_row { /* text belongs to the report */
    const char *url, *error, *oldest_delivery;
    int64_t due, retrying, failures;
    bool is_disabled;
};

struct top_rates { /* a second; negative: not known yet */
    double delivered, retried, failed;
};

struct top_view {
    size_t count;
    struct top_row rows[TOP_ROWS_MAX];
    struct top_rates rates;
    int64_t due, retrying, later, dead, dead_last_hour, oldest_due_ms, free_lanes, in_flight;
    size_t workers;
};

/* before may be NULL; after_ms: the time between the two. */
struct top_view top_view_make(const json_t *report, const json_t *before, int64_t after_ms,
                              enum top_sort sort, const char *filter);

/* A member's text, or "". */
const char *top_text(const json_t *object, const char *key);

/* For the screen, at most width columns; the caller's. */
char *top_clean(const char *text, size_t width, bool is_ascii, bool in_middle) MUST_USE;

#endif
