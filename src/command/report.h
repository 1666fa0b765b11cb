/* SPDX-License-Identifier: MIT */
/*
 * report.h: rows and columns, described once, shown as a table or as JSON.
 *
 * The table is libsmartcols': no frame, numbers to the right. On a terminal it is made to fit:
 * optional columns are left out, the last first, and others cut, the widest first, with "…" where
 * something is missing; into a file or a pipe everything is written. JSON has every value whole,
 * with numbers as numbers and times as ISO 8601. A report owns copies of everything that it is
 * given.
 */
#ifndef POSTRIDER_COMMAND_REPORT_H
#define POSTRIDER_COMMAND_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"

enum report_cut {
    REPORT_WHOLE,   /* never cut */
    REPORT_CUT_END, /* for sentences */
    REPORT_CUT_URL, /* without its scheme, then in the middle: host and path both matter */
};

struct report_column {
    const char *key;   /* in JSON; NULL: only in the table */
    const char *title; /* in the table; NULL: only in JSON */
    bool is_number;    /* aligned to the right */
    bool is_optional;  /* left out of the table on a narrow terminal */
    enum report_cut cut;
};

struct report;

/* columns must outlive the report. */
struct report *report_new(const struct report_column *columns, size_t count) MUST_USE;
void report_free(struct report *report);

void report_add_row(struct report *report);
size_t report_row_count(const struct report *report);

/* These set a cell of the last row; one that was never set is empty, and null. */
void report_set_text(struct report *report, size_t column, const char *text_or_null);
void report_set_number(struct report *report, size_t column, int64_t number);

/* When something ends that is valid for valid_ms more, for people: "never" (not_after NULL), "in 3d", "2h ago". */
void report_set_ending(struct report *report, size_t column, const char *not_after,
                       int64_t valid_ms);

/* text for people, value for programs; takes value over. */
void report_set(struct report *report, size_t column, const char *text, json_t *value);

void report_print_table(const struct report *report, FILE *out);

/* An array of objects; the caller's. */
json_t *report_json(const struct report *report) MUST_USE;

/* Prints value with a line end and frees it. */
void report_print_json(json_t *value, FILE *out);

#endif
