/* SPDX-License-Identifier: MIT */
#include "serve/changes_api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "serve/api.h"
#include "serve/endpoint_request.h"
#include "serve/gate.h"
#include "serve/json_body.h"
#include "serve/replay_request.h"

enum { CHANGE_STATUS, CHANGE_BODY, CHANGE_LOCATION };

static void answer_row(struct client *client, const PGresult *rows)
{
    int status = (int)strtol(PQgetvalue(rows, 0, CHANGE_STATUS), NULL, 10);
    const char *body = PQgetvalue(rows, 0, CHANGE_BODY);
    char location[128] = "";
    struct answer answer = {.status = status, .headers = location, .body = body};

    if (status >= 400) {
        client_refuse(client, status, status == 429 ? "Retry-After: 10\r\n" : "", body);
        return;
    }
    if (status == 201 || status == 202)
        snprintf(location, sizeof(location), "Location: %s\r\n",
                 PQgetvalue(rows, 0, CHANGE_LOCATION));
    client_answer(client, &answer);
}

static void on_changed(void *owner, const struct question_result *result)
{
    if (result->status != 200)
        api_refuse(owner, result);
    else if (PQntuples(result->rows) == 0)
        client_refuse(owner, 404, "", "there is nothing of this id");
    else
        answer_row(owner, result->rows);
}

/* A token's name has no letter that would have to be told from others. */
void changes_api_ask(struct call *call)
{
    const struct token *token = call->token;
    struct question question;
    char who[80];

    snprintf(who, sizeof(who), "token %s", token->name);
    if (call->route->tells_who)
        parameter_values_add(&call->values, who);
    if (call->route->tells_customer)
        parameter_values_add(&call->values, token->customer[0] != '\0' ? token->customer : NULL);
    question = api_question(call, call->route->text);
    api_question_ask(call, &question, on_changed, call->client);
}

/* --- with a body --- */

typedef int body_check(const struct call *call, const json_t *body, struct error *error);

static void ask_with_body(struct call *call, body_check *check)
{
    const struct buffer *body = client_body(call->client);
    struct error error;
    json_t *root = NULL;
    int status;

    if (body->length == 0) {
        client_refuse(call->client, 400, "", "the body is empty");
        return;
    }
    status = json_body_read(body->data, body->length, &root, &error);
    if (status == 0)
        status = check(call, root, &error);
    json_decref(root);
    if (status != 0) {
        client_refuse(call->client, status, "", error.message);
        return;
    }
    parameter_values_add(&call->values, buffer_string(body));
    changes_api_ask(call);
}

static int check_endpoint(const struct call *call, const json_t *body, struct error *error)
{
    return endpoint_request_check(body, true, call->serve->config->network.https_only, error);
}

static int check_endpoint_patch(const struct call *call, const json_t *body, struct error *error)
{
    return endpoint_request_check(body, false, call->serve->config->network.https_only, error);
}

static int check_replay(const struct call *call, const json_t *body, struct error *error)
{
    int status = replay_request_check(body, error);

    if (status == 0 && replay_request_is_discard(body) && call->token->customer[0] != '\0') {
        error_set(
            error,
            "a customer's token discards nothing: what was not delivered is kept by the operator");
        return 403;
    }
    return status;
}

static int check_enable(const struct call *call, const json_t *body, struct error *error)
{
    (void)call;
    return endpoint_request_check_enable(body, error);
}

void changes_api_enable_endpoint(struct call *call)
{
    if (client_body(call->client)->length > 0) {
        if (gate_check_body(call->serve, call->client))
            ask_with_body(call, check_enable);
        return;
    }
    parameter_values_add(&call->values, NULL);
    changes_api_ask(call);
}

void changes_api_write_endpoint(struct call *call)
{
    ask_with_body(call, check_endpoint);
}

void changes_api_patch_endpoint(struct call *call)
{
    ask_with_body(call, check_endpoint_patch);
}

void changes_api_make_replay(struct call *call)
{
    ask_with_body(call, check_replay);
}
