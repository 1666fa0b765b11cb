/* SPDX-License-Identifier: MIT */
#include "db/endpoint_row.h"

#include <stddef.h>
#include <stdlib.h>

#include "db/row.h"

enum cell_kind { CELL_TEXT, CELL_BOOLEAN, CELL_INTEGER, CELL_LONG, CELL_REAL, CELL_SCHEDULE };

struct column {
    enum cell_kind kind;
    size_t offset; /* of its field in struct endpoint_row */
};

/* clang-format off */
#define KIND_OF(field)                                                                             \
    _Generic(((struct endpoint_row *)NULL)->field,                                                 \
             const char *: CELL_TEXT, bool: CELL_BOOLEAN, int: CELL_INTEGER, int64_t: CELL_LONG,   \
             double: CELL_REAL, int64_t *: CELL_SCHEDULE)
#define COLUMN(name, field, sql) {KIND_OF(field), offsetof(struct endpoint_row, field)},

static const struct column columns[ENDPOINT_ROW_COUNT] = {ENDPOINT_ROW_COLUMNS(COLUMN)};
/* clang-format on */

/* The length goes beside the delays. What there is no room for is left out, as the check of the
 * column does not let it in. */
static void read_schedule(const char *text, struct retry_overrides *retry)
{
    retry->schedule_length = 0;
    while (text != NULL && *text != '\0' && retry->schedule_length < RETRY_SCHEDULE_MAX) {
        char *end;

        retry->schedule_ms[retry->schedule_length++] = strtoll(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
}

static void read_cell(const PGresult *result, int row, int cell, const struct column *column,
                      struct endpoint_row *found)
{
    void *field = (char *)found + column->offset;

    switch (column->kind) {
    case CELL_TEXT:
        *(const char **)field = row_text(result, row, cell);
        break;
    case CELL_BOOLEAN:
        *(bool *)field = row_is_true(result, row, cell);
        break;
    case CELL_INTEGER:
        *(int *)field = (int)row_integer(result, row, cell, -1);
        break;
    case CELL_LONG:
        *(int64_t *)field = row_integer(result, row, cell, -1);
        break;
    case CELL_REAL:
        *(double *)field = row_number(result, row, cell, -1);
        break;
    case CELL_SCHEDULE:
        read_schedule(row_text(result, row, cell), &found->retry);
        break;
    }
}

struct endpoint_row endpoint_row_at(const PGresult *result, int row, int first)
{
    struct endpoint_row found = {.headers = NULL};

    for (int i = 0; i < ENDPOINT_ROW_COUNT; i++)
        read_cell(result, row, first + i, &columns[i], &found);
    return found;
}
