/* SPDX-License-Identifier: MIT */
#include "command/endpoint_choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/command.h"

#define FOUND_MAX 100

enum { ANSWER_STATUS, ANSWER_BODY };

static size_t keep_customers(struct subscription_list *list, const char *customer)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (customer == NULL || strcasecmp(list->rows[i].customer_id, customer) == 0)
            list->rows[kept++] = list->rows[i];
    return kept;
}

int endpoint_choose(const struct database *database, const char *id_or_url, const char *customer,
                    struct subscription_list *ret_list)
{
    struct error error = {0};

    if (!subscriptions_find(database->session, id_or_url, FOUND_MAX, ret_list, &error))
        return database_fail(database, &error);
    ret_list->count = keep_customers(ret_list, customer);
    if (ret_list->count == 1)
        return COMMAND_OK;
    if (ret_list->count == 0) {
        error_set(&error, "no row of webhook_endpoints is of \"%.200s\"%s", id_or_url,
                  customer != NULL ? " and this customer" : "");
        error_hint(&error,
                   "\"postrider endpoint list%s\" shows those there are, \"postrider endpoint add "
                   "--help\" how one is made",
                   hint_options());
    } else {
        error_set(&error, "%zu endpoints have this URL: %s of customer %s, %s of customer %s%s",
                  ret_list->count, ret_list->rows[0].id, ret_list->rows[0].customer_id,
                  ret_list->rows[1].id, ret_list->rows[1].customer_id,
                  ret_list->count > 2 ? ", …" : "");
        error_hint(&error, "give the id of one, or --customer");
    }
    return command_fail(COMMAND_FAILED, &error);
}

static json_t *read_answer(const PGresult *result, struct error *error)
{
    const char *body;
    json_t *answer;

    if (PQntuples(result) == 0) {
        error_set(error, "the endpoint was removed by somebody else");
        return NULL;
    }
    body = PQgetvalue(result, 0, ANSWER_BODY);
    if (strtol(PQgetvalue(result, 0, ANSWER_STATUS), NULL, 10) >= 400) {
        error_set(error, "%s", body);
        return NULL;
    }
    answer = json_loads(body, 0, NULL);
    if (answer == NULL)
        bug("an endpoint that is no JSON");
    return answer;
}

json_t *endpoint_ask(const struct database *database, const struct asking *asking,
                     struct error *error)
{
    PGresult *result = asking_change(database->session, asking, error);
    json_t *answer = result != NULL ? read_answer(result, error) : NULL;

    PQclear(result);
    return answer;
}

json_t *endpoint_ask_alone(const struct database *database, const struct asking *asking,
                           struct error *error)
{
    json_t *answer;

    if (!db_session_begin(database->session, error))
        return NULL;
    answer = endpoint_ask(database, asking, error);
    if (answer != NULL && db_session_commit(database->session, error))
        return answer;
    json_decref(answer);
    db_session_rollback(database->session);
    return NULL;
}
