/* SPDX-License-Identifier: MIT */
/*
 * fuzz_changes.c: bodies of what is changed over HTTP: endpoints, and replays. What is refused says
 * why; what is let through is an object that has a member of each name once.
 */
#include <jansson.h>

#include "base/error.h"
#include "fuzz.h"
#include "serve/endpoint_request.h"
#include "serve/json_body.h"
#include "serve/replay_request.h"

static void check(int status, const struct error *error, const json_t *body)
{
    demand(status == 0 || status == 400 || status == 403 || status == 422, "a wrong status");
    demand(status == 0 || error->message[0] != '\0', "refused without a word");
    demand(status != 0 || json_is_object(body), "let through, and no object");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {.message = ""};
    json_t *body = NULL;
    int status = json_body_read((const char *)data, size, &body, &error);

    demand(status == 0 || status == 400 || status == 422, "a wrong status");
    demand((status == 0) == (body != NULL), "a body that is refused");
    if (status != 0)
        return 0;
    for (int way = 0; way < 4; way++) {
        error.message[0] = '\0';
        check(endpoint_request_check(body, (way & 1) != 0, (way & 2) != 0, &error), &error, body);
    }
    error.message[0] = '\0';
    check(replay_request_check(body, &error), &error, body);
    error.message[0] = '\0';
    status = endpoint_request_check_enable(body, &error);
    demand(status == 0 || error.message[0] != '\0', "refused without a word");
    json_decref(body);
    return 0;
}
