/* SPDX-License-Identifier: MIT */
#include "serve/history_api.h"

#include <stdlib.h>

#include "serve/api.h"

enum { HISTORY_STATUS, HISTORY_BODY };

static void on_answered(void *owner, const struct question_result *result)
{
    struct client *client = owner;
    int status;

    if (result->status != 200) {
        api_refuse(client, result);
        return;
    }
    if (PQntuples(result->rows) == 0) {
        client_refuse(client, 404, "", "there is nothing of this id");
        return;
    }
    status = (int)strtol(PQgetvalue(result->rows, 0, HISTORY_STATUS), NULL, 10);
    if (status == 200)
        api_answer(client, PQgetvalue(result->rows, 0, HISTORY_BODY));
    else
        client_refuse(
            client, status, "",
            status == 400
                ? "since is not before until (which is now, where it is not said)"
                : "these are more than 1,500 points: say a longer step, or a shorter time");
}

static void ask(struct call *call, const char *text)
{
    struct question question = api_question(call, text);

    api_question_ask(call, &question, on_answered, call->client);
}

void history_api_ask(struct call *call)
{
    ask(call, "history");
}

void history_api_ask_endpoint(struct call *call)
{
    bool is_of_customer = call->token != NULL && call->token->customer[0] != '\0';

    ask(call, is_of_customer ? "history_customer" : "history_endpoint");
}
