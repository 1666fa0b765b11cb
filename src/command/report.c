#include "command/report.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

#include "base/memory.h"
#include "command/terminal.h"

#define SEPARATOR       "  "
#define SEPARATOR_WIDTH 2
#define CUT_WIDTH_MIN   12 /* a column is not cut below this */

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

void report_set_number(struct report *report, size_t column, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    report_set(report, column, text, json_integer(number));
}

/* The width of every shown column with nothing cut. */
static void measure(const struct report *report, size_t *widths)
{
    for (size_t c = 0; c < report->column_count; c++) {
        widths[c] =
            report->columns[c].title != NULL ? terminal_columns(report->columns[c].title) : 0;
        for (size_t r = 0; r < report->row_count && widths[c] != 0; r++) {
            const char *text = cell_at(report, r, c)->text;
            size_t width = text != NULL ? terminal_columns(text) : 0;

            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
}

static size_t total_width(const struct report *report, const size_t *widths)
{
    size_t total = 0;

    for (size_t c = 0; c < report->column_count; c++)
        if (report->columns[c].title != NULL)
            total += widths[c] + (total != 0 ? SEPARATOR_WIDTH : 0);
    return total;
}

/* Takes one column after the other from the widest that may be cut. */
static void shrink(const struct report *report, size_t *widths, size_t available)
{
    size_t total = total_width(report, widths);

    while (total > available) {
        size_t widest = report->column_count;

        for (size_t c = 0; c < report->column_count; c++)
            if (report->columns[c].cut != REPORT_WHOLE && widths[c] > CUT_WIDTH_MIN &&
                (widest == report->column_count || widths[c] >= widths[widest]))
                widest = c;
        if (widest == report->column_count)
            return;
        widths[widest]--;
        total--;
    }
}

static void add_columns(struct libscols_table *table, const struct report *report)
{
    for (size_t c = 0; c < report->column_count; c++)
        if (report->columns[c].title != NULL)
            scols_table_new_column(table, report->columns[c].title, 0,
                                   report->columns[c].is_number ? SCOLS_FL_RIGHT : 0);
}

static void add_lines(struct libscols_table *table, const struct report *report,
                      const size_t *widths)
{
    for (size_t r = 0; r < report->row_count; r++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t shown = 0;

        for (size_t c = 0; c < report->column_count; c++) {
            const char *text = cell_at(report, r, c)->text;

            if (report->columns[c].title == NULL)
                continue;
            if (text != NULL)
                scols_line_refer_data(
                    line, shown,
                    terminal_cut(text, widths[c], report->columns[c].cut == REPORT_CUT_MIDDLE));
            shown++;
        }
    }
}

void report_print_table(const struct report *report, FILE *out)
{
    struct libscols_table *table = scols_new_table();
    size_t *widths = memory_new(report->column_count, sizeof(*widths));
    size_t available = terminal_width(out);

    if (table == NULL)
        bug("out of memory");
    measure(report, widths);
    if (available != 0)
        shrink(report, widths, available);
    scols_table_set_stream(table, out);
    scols_table_set_column_separator(table, SEPARATOR);
    /* What does not fit now is better wrapped by the terminal than cut without a sign. */
    scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    add_columns(table, report);
    add_lines(table, report, widths);
    scols_print_table(table);
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
