/* SPDX-License-Identifier: MIT */
/*
 * serve/api.h: what most routes do: ask the database one question, and answer with what it says.
 */
#ifndef POSTRIDER_SERVE_API_H
#define POSTRIDER_SERVE_API_H

#include "serve/route.h"

/* Asks the route's text with the call's values. A row's first column is the answer, and there is
 * nothing at this path when there is no row, or NULL in it. */
void api_ask(struct call *call);

/* The question of a call; to be asked with api_question_ask() by who has more to say in it. */
struct question api_question(const struct call *call, const char *text);
void api_question_ask(struct call *call, const struct question *question,
                      question_answered *on_answered, void *owner);

/* The answer of api_ask(); owner is the client. */
void api_on_answered(void *owner, const struct question_result *result);

/* Answers with JSON and its ETag, or with 304 when the client has the same already. */
void api_answer(struct client *client, const char *body);

/* The same with headers of its own, as in struct answer. */
void api_answer_with(struct client *client, const char *body, const char *headers);

/* Whether the client has what an ETag, of at most 34 bytes with its quotes, is of. */
bool api_client_has(const struct client *client, const char *etag);

/* Answers with the problem of a result whose status is not 200. */
void api_refuse(struct client *client, const struct question_result *result);

#endif
