/* SPDX-License-Identifier: MIT */
#include "command/report.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "command/terminal.h"

#define SEPARATOR       "  "
#define SEPARATOR_WIDTH 2
#define CUT_WIDTH_MIN   14 /* a column is not cut below this */
#define CUT_WIDTH_FAIR  24 /* below this, rather leave optional columns out */

struct cell {
    char *text;    /* clean; NULL = empty */
    json_t *value; /* NULL = null */
};

struct report {
    const struct report_column *columns;
    size_t column_count;
    struct cell *cells; /* row after row */
    size_t row_count;
};

struct report *report_new(const struct report_column *columns, size_t count)
{
    struct report *report = memory_new(1, sizeof(*report));

    report->columns = columns;
    report->column_count = count;
    return report;
}

static void free_cell(struct cell *cell)
{
    free(cell->text);
    json_decref(cell->value);
    *cell = (struct cell){NULL, NULL};
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->row_count * report->column_count; i++)
        free_cell(&report->cells[i]);
    free(report->cells);
    free(report);
}

void report_add_row(struct report *report)
{
    size_t used = report->row_count * report->column_count;

    report->row_count++;
    report->cells = memory_resize(report->cells, report->row_count * report->column_count,
                                  sizeof(*report->cells));
    for (size_t i = 0; i < report->column_count; i++)
        report->cells[used + i] = (struct cell){NULL, NULL};
}

size_t report_row_count(const struct report *report)
{
    return report->row_count;
}

static struct cell *cell_at(const struct report *report, size_t row, size_t column)
{
    return &report->cells[row * report->column_count + column];
}

void report_set(struct report *report, size_t column, const char *text, json_t *value)
{
    struct cell *cell;

    if (report->row_count == 0 || column >= report->column_count)
        bug("no cell %zu in a report of %zu columns", column, report->column_count);
    cell = cell_at(report, report->row_count - 1, column);
    free_cell(cell);
    *cell = (struct cell){terminal_clean(text), value};
}

void report_set_text(struct report *report, size_t column, const char *text_or_null)
{
    if (text_or_null != NULL)
        report_set(report, column, text_or_null, json_string(text_or_null));
}

void report_set_ending(struct report *report, size_t column, const char *not_after,
                       int64_t valid_ms)
{
    bool is_valid = valid_ms > 0;
    char about[UNITS_TEXT_SIZE];
    char text[64];

    units_format_about_ms(is_valid ? valid_ms : -valid_ms, about);
    if (not_after == NULL)
        snprintf(text, sizeof(text), "never");
    else
        snprintf(text, sizeof(text), is_valid ? "in %s" : "%s ago", about);
    report_set(report, column, text, NULL);
}

void report_set_number(struct report *report, size_t column, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    report_set(report, column, text, json_integer(number));
}

/* What is shown of each column: 0 is a column that is not shown. */
static size_t *measure(const struct report *report)
{
    size_t *widths = memory_new(report->column_count, sizeof(*widths));

    for (size_t c = 0; c < report->column_count; c++) {
        if (report->columns[c].title == NULL)
            continue;
        widths[c] = terminal_columns(report->columns[c].title);
        widths[c] += widths[c] == 0;
        for (size_t r = 0; r < report->row_count; r++) {
            const char *text = cell_at(report, r, c)->text;
            size_t width = text != NULL ? terminal_columns(text) : 0;

            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    return widths;
}

/* The width of the table when no column that may be cut is wider than cut. */
static size_t total_width(const struct report *report, const size_t *widths, size_t cut)
{
    size_t total = 0;

    for (size_t c = 0; c < report->column_count; c++) {
        bool is_cut = report->columns[c].cut != REPORT_WHOLE && widths[c] > cut;

        if (widths[c] != 0)
            total += (is_cut ? cut : widths[c]) + (total != 0 ? SEPARATOR_WIDTH : 0);
    }
    return total;
}

static void leave_out_optional(const struct report *report, size_t *widths, size_t available)
{
    for (size_t c = report->column_count; c-- > 0;)
        if (report->columns[c].is_optional &&
            total_width(report, widths, CUT_WIDTH_FAIR) > available)
            widths[c] = 0;
}

/* Cuts the wide columns to one width, the widest with which the table fits. */
static void cut_wide(const struct report *report, size_t *widths, size_t available)
{
    size_t cut = CUT_WIDTH_MIN;
    size_t left;

    if (total_width(report, widths, SIZE_MAX) <= available)
        return;
    while (total_width(report, widths, cut + 1) <= available)
        cut++;
    left = total_width(report, widths, cut);
    left = available > left ? available - left : 0;
    for (size_t c = 0; c < report->column_count; c++)
        if (report->columns[c].cut != REPORT_WHOLE && widths[c] > cut) {
            widths[c] = cut + (left > 0);
            left -= left > 0;
        }
}

static void add_columns(struct libscols_table *table, const struct report *report,
                        const size_t *widths)
{
    for (size_t c = 0; c < report->column_count; c++)
        if (widths[c] != 0)
            scols_table_new_column(table, report->columns[c].title, 0,
                                   report->columns[c].is_number ? SCOLS_FL_RIGHT : 0);
}

static char *cut_cell(const char *text, size_t width, enum report_cut cut)
{
    static const char scheme[] = "https://";

    if (cut != REPORT_CUT_URL || terminal_columns(text) <= width)
        return terminal_cut(text, width, false);
    if (text_begins_with(text, scheme))
        text += strlen(scheme);
    return terminal_cut(text, width, true);
}

static void add_line(struct libscols_line *line, const struct report *report, size_t row,
                     const size_t *widths)
{
    size_t shown = 0;

    for (size_t c = 0; c < report->column_count; c++) {
        const char *text = cell_at(report, row, c)->text;

        if (widths[c] == 0)
            continue;
        if (text != NULL)
            scols_line_refer_data(line, shown, cut_cell(text, widths[c], report->columns[c].cut));
        shown++;
    }
}

/* Without the blanks that libsmartcols puts after the last column. */
static void print_trimmed(struct libscols_table *table, FILE *out)
{
    char *text = NULL;
    char *next;

    if (scols_print_table_to_string(table, &text) != 0 || text == NULL)
        bug("libsmartcols cannot print a table");
    for (char *line = text; line != NULL; line = next) {
        size_t length = strcspn(line, "\n");

        next = line[length] == '\n' && line[length + 1] != '\0' ? line + length + 1 : NULL;
        while (length > 0 && line[length - 1] == ' ')
            length--;
        fwrite(line, 1, length, out);
        fputc('\n', out);
    }
    free(text);
}

void report_print_table(const struct report *report, FILE *out)
{
    struct libscols_table *table = scols_new_table();
    size_t *widths = measure(report);
    size_t available = terminal_width(out);

    if (table == NULL)
        bug("out of memory");
    if (available != 0) {
        leave_out_optional(report, widths, available);
        cut_wide(report, widths, available);
    }
    scols_table_set_column_separator(table, SEPARATOR);
    /* What does not fit now is better wrapped by the terminal than cut without a sign. */
    scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    add_columns(table, report, widths);
    for (size_t r = 0; r < report->row_count; r++)
        add_line(scols_table_new_line(table, NULL), report, r, widths);
    print_trimmed(table, out);
    scols_unref_table(table);
    free(widths);
}

json_t *report_json(const struct report *report)
{
    json_t *rows = json_array();

    for (size_t r = 0; r < report->row_count; r++) {
        json_t *row = json_object();

        for (size_t c = 0; c < report->column_count; c++) {
            json_t *value = cell_at(report, r, c)->value;

            if (report->columns[c].key != NULL)
                json_object_set(row, report->columns[c].key, value != NULL ? value : json_null());
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

void report_print_json(json_t *value, FILE *out)
{
    json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputc('\n', out);
    json_decref(value);
}
