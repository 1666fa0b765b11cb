/* SPDX-License-Identifier: MIT */
/*
 * serve/questions.h: what clients ask of the database, and what they have it change.
 *
 * A few links of their own, so that nothing that is published ever waits for a reader. Each
 * question is one short transaction: 2 s and read-only, or 10 s when it changes something; and for
 * a customer's token in the role http.customers_role, which reaches that customer's rows alone:
 * never in our own. It waits for a free link, for 5 s at most, and a token has one link fewer than
 * there are, so that no client keeps all others out.
 *
 * The answer is what the statement returned, of which PostgreSQL has made JSON (db/queries.h).
 */
#ifndef POSTRIDER_SERVE_QUESTIONS_H
#define POSTRIDER_SERVE_QUESTIONS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "serve/context.h"
#include "serve/tokens.h"

#define QUESTION_LINKS      4
#define QUESTION_VALUES_MAX 16

struct question {
    const char *text;          /* query_text()'s name; static */
    const struct token *token; /* NULL: somebody at the unix socket, who may read all */
    bool is_change;
    bool has_range; /* it reads a time range, for which BRIN is the only index */
    int count;
    const char *values[QUESTION_VALUES_MAX]; /* copied; NULL is SQL's */
};

struct question_result {
    int status;           /* 200, or that of a problem */
    const PGresult *rows; /* with 200 */
    const char *detail;   /* of a problem */
    bool is_passing;      /* it may go well in a second */
};

/* Valid during the callback. */
typedef void question_answered(void *owner, const struct question_result *result);

struct question_work;

void questions_init(struct serve *serve);

/* After the clients: whose answer is outstanding gets none. */
void questions_free(struct serve *serve);

/* Calls on_answered once, now or later. NULL: it has been called. */
struct question_work *questions_ask(struct serve *serve, const struct question *question,
                                    question_answered *on_answered, void *owner);

/* The owner has gone: on_answered will not be called. What waits is not asked, a change that was
 * sent may be made. That a client has hung up is seen when it is answered (serve/clients.h). */
void questions_forget(void *work);

void questions_collect(struct serve *serve);
void questions_step(struct serve *serve);
int64_t questions_next_us(const struct serve *serve);

#endif
