/* SPDX-License-Identifier: MIT */
#include "serve/deliveries_api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "explain/explanation.h"
#include "serve/api.h"

#define ANSWER_MAX     ((size_t)64 * 1024 * 1024)
#define COUNT_VALUES   9 /* without the status, by which the text is chosen */
#define RECORD_COLUMNS 1 /* of delivery.sql, before those of delivery_record_at() */

/* In the order of the values of src/db/queries/deliveries_failed.sql. */
const struct parameter deliveries_api_parameters[] = {
    {.name = "customer", .read = parameter_uuid},
    {.name = "endpoint", .read = parameter_endpoint, .width = 2},
    {.name = "event_type", .read = parameter_text},
    {.name = "error", .read = parameter_text},
    {.name = "status_code", .read = parameter_status_code},
    {.name = "since", .read = parameter_time},
    {.name = "until", .read = parameter_time},
    {.name = "q", .read = parameter_text},
    PARAMETER_CURSOR,
    PARAMETER_LIMIT,
    {.name = "status", .read = parameter_delivery_status},
    {0},
};

/* Those of a dialog that asks before something is done to all of them. */
const struct parameter deliveries_api_count_parameters[] = {
    {.name = "customer", .read = parameter_uuid},
    {.name = "endpoint", .read = parameter_endpoint, .width = 2},
    {.name = "event_type", .read = parameter_text},
    {.name = "error", .read = parameter_text},
    {.name = "status_code", .read = parameter_status_code},
    {.name = "since", .read = parameter_time},
    {.name = "until", .read = parameter_time},
    {.name = "failed_since", .read = parameter_time},
    {.name = "status", .read = parameter_delivery_status},
    {0},
};

static bool is_of_customer(const struct call *call)
{
    return call->token != NULL && call->token->customer[0] != '\0';
}

/* What a customer's view shows has no index by lane. */
const char *deliveries_api_text(const char *status, bool is_of_customer)
{
    if (status != NULL && strcmp(status, "failed") == 0)
        return "deliveries_failed";
    if (status != NULL && strcmp(status, "pending") == 0 && !is_of_customer)
        return "deliveries_pending";
    return DELIVERIES_API_RANGE;
}

void deliveries_api_list(struct call *call)
{
    const char *text =
        deliveries_api_text(query_string_find(&call->query, "status"), is_of_customer(call));
    struct question question = api_question(call, text);

    question.has_range = strcmp(text, DELIVERIES_API_RANGE) == 0;
    if (!question.has_range) {
        question.count = DELIVERIES_API_VALUES;
    } else if (query_string_find(&call->query, "since") == NULL) {
        client_refuse(call->client, 422, "",
                      is_of_customer(call)
                          ? "these are found by their time alone: say since, and until where there "
                            "are many; status=failed needs neither"
                          : "these are found by their time alone: say since, and until where there "
                            "are many; status=failed and status=pending need neither");
        return;
    }
    api_question_ask(call, &question, api_on_answered, call->client);
}

void deliveries_api_count(struct call *call)
{
    const char *status = query_string_find(&call->query, "status");
    bool is_pending = status != NULL && strcmp(status, "pending") == 0;
    struct question question =
        api_question(call, is_pending ? "deliveries_count_pending" : "deliveries_count_failed");

    if (status == NULL || strcmp(status, "delivered") == 0) {
        client_refuse(call->client, 422, "", "only status=failed and status=pending are counted");
        return;
    }
    if (is_pending && query_string_find(&call->query, "endpoint") == NULL) {
        client_refuse(call->client, 422, "", "pending ones are counted by endpoint: say which");
        return;
    }
    question.count = COUNT_VALUES;
    api_question_ask(call, &question, api_on_answered, call->client);
}

/* --- one --- */

static json_t *explanation_json(const struct explanation *explanation)
{
    json_t *warnings = json_array();
    json_t *json;

    for (size_t i = 0; i < explanation->warnings_count; i++)
        json_array_append_new(warnings, json_string(explanation->warnings[i]));
    /* Where there are commands behind it, it ends with a colon: they are not for who asks here. */
    json = json_pack("{s:s, s:s, s:s, s:o}", "state", explanation->state, "summary",
                     buffer_string(&explanation->summary), "next",
                     explanation->actions_count > 0 ? "" : buffer_string(&explanation->next),
                     "warnings", warnings);
    if (json == NULL)
        bug("an explanation is no JSON");
    return json;
}

static char *explain(const struct config *config, const PGresult *rows, bool hides_workers)
{
    struct delivery_record record = delivery_record_at(rows, RECORD_COLUMNS);
    struct retry_policy policy = config->retry;
    struct explanation explanation;
    json_t *json;
    char *text;

    record.hides_workers = hides_workers;
    retry_policy_override(&policy, &record.endpoint.retry);
    explanation_make(&record, config, &policy, &explanation);
    json = explanation_json(&explanation);
    text = json_dumps(json, JSON_COMPACT);
    if (text == NULL)
        bug("an explanation is no JSON");
    json_decref(json);
    explanation_free(&explanation);
    return text;
}

/* A further member of the object that PostgreSQL has made. */
static void answer_explained(struct client *client, const char *object, const char *explanation)
{
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    buffer_append(&body, object, strlen(object) - 1);
    buffer_append_string(&body, ",\"explanation\":");
    buffer_append_string(&body, explanation);
    buffer_append_string(&body, "}");
    api_answer(client, buffer_string(&body));
    buffer_free(&body);
}

static void answer_one(struct client *client, const struct question_result *result,
                       bool hides_workers)
{
    char *explanation;

    if (result->status != 200 || PQntuples(result->rows) == 0) {
        api_on_answered(client, result);
        return;
    }
    explanation = explain(client_serve(client)->config, result->rows, hides_workers);
    answer_explained(client, PQgetvalue(result->rows, 0, 0), explanation);
    free(explanation);
}

static void on_shown(void *owner, const struct question_result *result)
{
    answer_one(owner, result, false);
}

static void on_shown_to_customer(void *owner, const struct question_result *result)
{
    answer_one(owner, result, true);
}

void deliveries_api_show(struct call *call)
{
    bool hides_workers = is_of_customer(call);
    struct question question = api_question(call, hides_workers ? "delivery_customer" : "delivery");

    api_question_ask(call, &question, hides_workers ? on_shown_to_customer : on_shown,
                     call->client);
}
