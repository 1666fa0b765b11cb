/* SPDX-License-Identifier: MIT */
/*
 * db/request.h: what is asked of a link, and what it answers.
 *
 * A request is a few statements that run in one transaction: either all of them happen or none
 * does. Each request that was accepted is answered exactly once.
 *
 * db/link.h takes requests, db/pipeline.h carries them.
 */
#ifndef POSTRIDER_DB_REQUEST_H
#define POSTRIDER_DB_REQUEST_H

#include <stdbool.h>

#include <libpq-fe.h>

#define DB_STATEMENTS_MAX 6
#define DB_PARAMETERS_MAX 16

enum db_result {
    DB_ANSWERED, /* the transaction has committed; the results are there */
    DB_REFUSED,  /* the server refused it and nothing has happened; message and SQLSTATE say why */
    DB_LOST,     /* the connection went away; it may have happened or not */
};

/* Valid during the callback. */
struct db_answer {
    enum db_result result;
    int count;                            /* results, one for each statement of the request */
    PGresult *results[DB_STATEMENTS_MAX]; /* with DB_ANSWERED; cleared after the callback */
    PGresult **kept;                      /* where they are until then; db_answer_take() */
    const char *message;                  /* "" with DB_ANSWERED */
    const char *sqlstate;                 /* with DB_REFUSED */
    bool is_hidden; /* with DB_REFUSED: it is row security that was in the way, and no privilege */
};

/* Text parameters; a NULL value is SQL's NULL. Copied when it is sent. */
struct db_statement {
    const char *sql;
    int count;
    const char *values[DB_PARAMETERS_MAX];
};

typedef void db_link_answered(void *request_owner, const struct db_answer *answer);

/* A result that is not cleared after the callback: it is the caller's from now on. */
PGresult *db_answer_take(const struct db_answer *answer, int number);

#endif
