/* SPDX-License-Identifier: MIT */
/*
 * db/prepared.h: which statements the server has prepared for one connection.
 *
 * Of a small read the server spends four fifths on parsing and planning, which a prepared statement
 * with a generic plan saves. A statement is known by its text's address, so the text must be
 * static. When it is first seen it is to be prepared beside its ordinary use, and is used once the
 * server has said that it is there: whatever becomes of a request, none depends on a Parse that was
 * skipped. A table can change under a prepared statement so that it can't be used any more; then
 * nothing is prepared until the connection is made anew.
 *
 * Only db/pipeline.h uses it. It sends nothing itself.
 */
#ifndef POSTRIDER_DB_PREPARED_H
#define POSTRIDER_DB_PREPARED_H

#include <stdbool.h>

#include "base/compiler.h"

#define PREPARED_MAX 16 /* more are not prepared */

struct prepared_statement {
    const char *sql;
    char name[24];
    bool is_ready;
};

struct prepared {
    struct prepared_statement statements[PREPARED_MAX];
    int count;
    bool is_off;
};

/* For a new connection. */
void prepared_reset(struct prepared *prepared);

/* The name to use a statement by; NULL = it is not prepared. */
const char *prepared_name(const struct prepared *prepared, const char *sql);

/* The entry of a statement that is to be prepared now; NULL when there is nothing to do. */
struct prepared_statement *prepared_begin(struct prepared *prepared, const char *sql) MUST_USE;

/* A request was refused: a statement may be unusable, or gone. */
void prepared_note_refusal(struct prepared *prepared, const char *sqlstate);

#endif
