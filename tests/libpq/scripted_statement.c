/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "unit.h"

void statement_copy(struct pq_statement *copy, const char *sql, int count,
                    const char *const *values)
{
    *copy = (struct pq_statement){.sql = sql, .count = count};
    copy->values = memory_new((size_t)count + 1, sizeof(*copy->values));
    for (int i = 0; i < count; i++)
        copy->values[i] = values[i] == NULL ? NULL : memory_copy_string(values[i]);
}

void statement_free(struct pq_statement *statement)
{
    for (int i = 0; i < statement->count; i++)
        free(statement->values[i]);
    free(statement->values);
}

void statement_text(char *out, size_t size, const char *sql, int count, const char *const *values)
{
    int length = snprintf(out, size, "%.40s", sql);

    for (int i = 0; i < count && length < (int)size; i++)
        length += snprintf(out + length, size - (size_t)length, " | %.20s",
                           values[i] == NULL ? "NULL" : values[i]);
}
