/* SPDX-License-Identifier: MIT */
#include "db/prepared.h"

#include <stdio.h>
#include <string.h>

void prepared_reset(struct prepared *prepared)
{
    *prepared = (struct prepared){.count = 0};
}

static const struct prepared_statement *find(const struct prepared *prepared, const char *sql)
{
    for (int i = 0; i < prepared->count; i++)
        /* Statements are constants of this program, so the address is enough. */
        if (prepared->statements[i].sql == sql)
            return &prepared->statements[i];
    return NULL;
}

const char *prepared_name(const struct prepared *prepared, const char *sql)
{
    const struct prepared_statement *statement = find(prepared, sql);

    return statement != NULL && statement->is_ready && !prepared->is_off ? statement->name : NULL;
}

struct prepared_statement *prepared_begin(struct prepared *prepared, const char *sql)
{
    struct prepared_statement *statement = &prepared->statements[prepared->count];

    if (prepared->is_off || prepared->count == PREPARED_MAX || find(prepared, sql) != NULL)
        return NULL;
    statement->sql = sql;
    snprintf(statement->name, sizeof(statement->name), "postrider_%d", prepared->count++);
    return statement;
}

/*
 * 0A000: "cached plan must not change result type", when a column's type was changed.
 * 26000: there is no such statement, when somebody has discarded them.
 */
void prepared_note_refusal(struct prepared *prepared, const char *sqlstate)
{
    if (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0)
        prepared->is_off = true;
}
