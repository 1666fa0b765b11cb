/* SPDX-License-Identifier: MIT */
#include "serve/api.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

#define ETAG_BYTES 16
#define ETAG_SIZE  (2 * ETAG_BYTES + 3) /* with its quotes */

static void make_etag(const char *body, char etag[ETAG_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(body, strlen(body), digest, NULL, EVP_sha256(), NULL) != 1)
        bug("SHA-256 failed");
    etag[0] = '"';
    for (size_t i = 0; i < ETAG_BYTES; i++)
        snprintf(etag + 1 + 2 * i, 3, "%02x", digest[i]);
    memcpy(etag + ETAG_SIZE - 2, "\"", 2);
}

/* If-None-Match: *, or a list of tags, of which a weak one is as good (RFC 9110, 13.1.2). */
bool api_client_has(const struct client *client, const char *etag)
{
    const struct served_head *head = &client_request(client)->head;
    char weak[ETAG_SIZE + 2];

    snprintf(weak, sizeof(weak), "W/%s", etag);
    return served_head_has_word(head, "if-none-match", etag) ||
           served_head_has_word(head, "if-none-match", weak) ||
           served_head_has_word(head, "if-none-match", "*");
}

void api_answer_with(struct client *client, const char *body, const char *headers)
{
    char etag[ETAG_SIZE];
    struct answer answer = {.status = 200, .headers = headers, .body = body, .etag = etag};

    make_etag(body, etag);
    if (api_client_has(client, etag)) {
        answer.status = 304;
        answer.body = "";
    }
    client_answer(client, &answer);
}

void api_answer(struct client *client, const char *body)
{
    api_answer_with(client, body, "");
}

void api_refuse(struct client *client, const struct question_result *result)
{
    client_refuse(client, result->status, result->is_passing ? "Retry-After: 1\r\n" : "",
                  result->detail);
}

void api_on_answered(void *owner, const struct question_result *result)
{
    struct client *client = owner;

    if (result->status != 200)
        api_refuse(client, result);
    else if (PQntuples(result->rows) == 0 || PQgetisnull(result->rows, 0, 0))
        client_refuse(client, 404, "", "there is nothing of this id");
    else
        api_answer(client, PQgetvalue(result->rows, 0, 0));
}

struct question api_question(const struct call *call, const char *text)
{
    struct question question = {.text = text,
                                .token = call->token,
                                .is_change = call->route->access == ROUTE_OPERATE,
                                .has_range = call->route->has_range,
                                .count = call->values.count};

    for (int i = 0; i < call->values.count; i++)
        question.values[i] = call->values.values[i];
    return question;
}

void api_question_ask(struct call *call, const struct question *question,
                      question_answered *answered, void *owner)
{
    struct question_work *work = questions_ask(call->serve, question, answered, owner);

    if (work != NULL)
        client_set_work(call->client, work, questions_forget);
}

void api_ask(struct call *call)
{
    struct question question = api_question(call, call->route->text);

    api_question_ask(call, &question, api_on_answered, call->client);
}
