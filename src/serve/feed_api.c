/* SPDX-License-Identifier: MIT */
#include "serve/feed_api.h"

#include <stdlib.h>

#include "serve/api.h"

enum { FEED_STATUS, FEED_BODY };

static const char is_restored[] =
    "events came from another installation, and have no place in feeds until the operator has "
    "migrated the database again (docs/feed.md)";

static const char is_of_before[] =
    "this cursor is of before a restore, a fail-over or an upgrade of the database, since when "
    "places in feeds are others: begin without after; events that you have already are told by "
    "their ids";

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
    status = (int)strtol(PQgetvalue(result->rows, 0, FEED_STATUS), NULL, 10);
    if (status == 200)
        api_answer(client, PQgetvalue(result->rows, 0, FEED_BODY));
    else
        client_refuse(client, status, "", status == 503 ? is_restored : is_of_before);
}

void feed_api_ask(struct call *call)
{
    struct question question = api_question(call, call->route->text);

    api_question_ask(call, &question, on_answered, call->client);
}
