/* SPDX-License-Identifier: MIT */
#include "db/row.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/units.h"

const char *row_text(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

int64_t row_integer(const PGresult *result, int row, int column, int64_t if_null)
{
    const char *text = row_text(result, row, column);
    struct error error;
    int64_t value;

    if (text == NULL)
        return if_null;
    if (!units_parse_integer(text, &value, &error))
        bug("column %d, %s: %s", column, PQfname(result, column), error.message);
    return value;
}

double row_number(const PGresult *result, int row, int column, double if_null)
{
    const char *text = row_text(result, row, column);

    return text == NULL ? if_null : strtod(text, NULL);
}

bool row_is_true(const PGresult *result, int row, int column)
{
    const char *text = row_text(result, row, column);

    return text != NULL && text[0] == 't';
}
