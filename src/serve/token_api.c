/* SPDX-License-Identifier: MIT */
#include "serve/token_api.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "serve/api.h"

static json_t *scopes_json(unsigned scopes)
{
    json_t *list = json_array();

    if ((scopes & TOKEN_PUBLISH) != 0)
        json_array_append_new(list, json_string("publish"));
    if ((scopes & TOKEN_READ) != 0)
        json_array_append_new(list, json_string("read"));
    if ((scopes & TOKEN_OPERATE) != 0)
        json_array_append_new(list, json_string("operate"));
    return list;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Without a token: somebody at the unix socket, who may read. */
void token_api_show(struct call *call)
{
    static const struct token nobody = {.scopes = TOKEN_READ};
    const struct token *token = call->token != NULL ? call->token : &nobody;
    json_t *json = json_pack("{s:s?, s:o, s:s?, s:s?}", "name", or_null(token->name), "scopes",
                             scopes_json(token->scopes), "customer_id", or_null(token->customer),
                             "not_after", or_null(token->not_after));
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    if (text == NULL)
        bug("a token is no JSON");
    api_answer(call->client, text);
    json_decref(json);
    free(text);
}
