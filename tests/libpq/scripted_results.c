/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/memory.h"
#include "scripted_libpq.h"
#include "unit.h"

#define COLUMNS_MAX 24

struct row {
    char *values[COLUMNS_MAX]; /* NULL = SQL's NULL */
};

struct pg_result {
    ExecStatusType status;
    char sqlstate[6];
    char *message; /* NULL: none */
    char command[32];
    struct row *rows;
    int row_count, column_count;
};

static int alive;

int pq_results_alive(void)
{
    return alive;
}

void pq_results_forget(void)
{
    alive = 0;
}

PGresult *pq_result_new(ExecStatusType status)
{
    PGresult *result = memory_new(1, sizeof(*result));

    result->status = status;
    alive++;
    return result;
}

void pq_result_set_status(PGresult *result, ExecStatusType status)
{
    result->status = status;
}

void pq_result_set_error(PGresult *result, const char *sqlstate, const char *message)
{
    result->status = PGRES_FATAL_ERROR;
    snprintf(result->sqlstate, sizeof(result->sqlstate), "%s", sqlstate);
    free(result->message);
    result->message = memory_copy_string(message);
}

void pq_result_set_command(PGresult *result, const char *command)
{
    result->status = PGRES_COMMAND_OK;
    snprintf(result->command, sizeof(result->command), "%s", command);
}

void pq_result_add_row(PGresult *result, int count, const char *const *values)
{
    struct row *row;

    assert_true(count <= COLUMNS_MAX);
    result->rows =
        memory_resize(result->rows, (size_t)result->row_count + 1, sizeof(*result->rows));
    row = &result->rows[result->row_count++];
    result->column_count = count;
    for (int i = 0; i < count; i++)
        row->values[i] = values[i] == NULL ? NULL : memory_copy_string(values[i]);
}

PGresult *pq_result_copy(const PGresult *result)
{
    PGresult *copy = pq_result_new(result->status);

    memcpy(copy->sqlstate, result->sqlstate, sizeof(copy->sqlstate));
    memcpy(copy->command, result->command, sizeof(copy->command));
    copy->message = result->message == NULL ? NULL : memory_copy_string(result->message);
    for (int i = 0; i < result->row_count; i++)
        pq_result_add_row(copy, result->column_count, (const char *const *)result->rows[i].values);
    return copy;
}

void PQclear(PGresult *result)
{
    if (result == NULL)
        return;
    for (int i = 0; i < result->row_count; i++)
        for (int k = 0; k < result->column_count; k++)
            free(result->rows[i].values[k]);
    free(result->rows);
    free(result->message);
    free(result);
    alive--;
}

/* libpq takes NULL for a result that it had no memory for. */
ExecStatusType PQresultStatus(const PGresult *result)
{
    return result == NULL ? PGRES_FATAL_ERROR : result->status;
}

char *PQresultErrorMessage(const PGresult *result)
{
    static char none[1];

    return result == NULL || result->message == NULL ? none : result->message;
}

/* What libpq itself reports has no fields. */
char *PQresultErrorField(const PGresult *result, int field)
{
    if (result == NULL || result->sqlstate[0] == '\0')
        return NULL;
    if (field == PG_DIAG_SQLSTATE)
        return (char *)result->sqlstate;
    return field == PG_DIAG_MESSAGE_PRIMARY ? result->message : NULL;
}

int PQnfields(const PGresult *result)
{
    return result->column_count;
}

int PQntuples(const PGresult *result)
{
    return result == NULL ? 0 : result->row_count;
}

static char *cell(const PGresult *result, int row, int column)
{
    if (result == NULL)
        fail_msg("a value of a result that is not there");
    if (row < 0 || row >= result->row_count || column < 0 || column >= result->column_count)
        fail_msg("row %d, column %d of a result of %d rows with %d columns", row, column,
                 result->row_count, result->column_count);
    return result->rows[row].values[column];
}

char *PQgetvalue(const PGresult *result, int row, int column)
{
    static char none[1];
    char *value = cell(result, row, column);

    return value == NULL ? none : value;
}

int PQgetisnull(const PGresult *result, int row, int column)
{
    return cell(result, row, column) == NULL;
}

int PQgetlength(const PGresult *result, int row, int column)
{
    return (int)strlen(PQgetvalue(result, row, column));
}

char *PQfname(const PGresult *result, int column)
{
    static char name[] = "column";

    (void)result;
    (void)column;
    return name;
}

char *PQcmdStatus(PGresult *result)
{
    return result->command;
}

char *PQcmdTuples(PGresult *result)
{
    static char count[] = "0";

    (void)result;
    return count;
}
