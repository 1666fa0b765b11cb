/* SPDX-License-Identifier: MIT */
/*
 * db/row.h: reading the cells of a text-format result.
 *
 * The text belongs to the result. A cell that is no number where a number is asked for is a bug:
 * the statements cast what they return.
 */
#ifndef POSTRIDER_DB_ROW_H
#define POSTRIDER_DB_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL for NULL. */
const char *row_text(const PGresult *result, int row, int column);

/* if_null for NULL. */
int64_t row_integer(const PGresult *result, int row, int column, int64_t if_null);
double row_number(const PGresult *result, int row, int column, double if_null);

/* False for NULL. */
bool row_is_true(const PGresult *result, int row, int column);

#endif
