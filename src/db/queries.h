/* SPDX-License-Identifier: MIT */
/*
 * db/queries.h: the texts by which the JSON API reads and changes, files of src/db/queries.
 *
 * PostgreSQL builds the answer, so that nothing of it is read and written once more. A text begins
 * with comments that say what its parameters are. In it stands, in braces:
 *
 *     {events} {deliveries} {endpoints} {attempts} {replays} {history}
 *                        the table, or for a customer's token the view that shows its rows alone
 *     {NAME}             the file piece_NAME.sql, without its comment
 *     {ramp_again}       what begins the ramp of a replay anew, where who asks may write it
 *     {url_hash}         what pending rows d of a URL are found by
 *     {utc TIME}         a time for JSON: RFC 3339 in UTC, null when it is infinite
 *     {interval LENGTH}  milliseconds
 *     {text TIME}        as text, or infinity or -infinity; {ms TIME} the milliseconds until then
 *     {body EVENT}       the body that is sent for a row of events
 *     {cursor TIME, ID}  the position of a row in a list (core/cursor.h reads it)
 *
 * Other braces are SQL's. Expressions in them have no brace, and TIME of a cursor has no comma.
 */
#ifndef POSTRIDER_DB_QUERIES_H
#define POSTRIDER_DB_QUERIES_H

#include <stdbool.h>

#include "base/embedded.h"

extern const struct embedded_text embedded_queries[];

/* The text of a file by its name without .sql, filled in once and kept. One that is not there is a
 * bug. */
const char *query_text(const char *name, bool is_of_customer);

#endif
