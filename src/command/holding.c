#include "command/holding.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "http/url.h"

static bool is_text(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && expected != NULL && strcmp(text, expected) == 0;
}

static enum holding_reason reason_of(const json_t *held, const char *customer_id, const char *url,
                                     const char *origin)
{
    if (is_text(held, "origin", origin))
        return HOLDING_ORIGIN;
    if (!is_text(held, "customer", customer_id) || !is_text(held, "url", url))
        return HOLDING_NONE;
    if (is_text(held, "state", "secret"))
        return HOLDING_SECRET;
    if (is_text(held, "state", "outcome"))
        return HOLDING_OUTCOME;
    return is_text(held, "state", "held") ? HOLDING_RETRY_AFTER : HOLDING_ENDPOINT;
}

static struct holding find_in(const json_t *list, const char *customer_id, const char *url,
                              const char *origin)
{
    struct holding holding = {.reason = HOLDING_NONE};
    const char *text;
    size_t index;
    json_t *held;

    json_array_foreach(list, index, held)
    {
        holding.reason = reason_of(held, customer_id, url, origin);
        holding.opened_after = json_integer_value(json_object_get(held, "opened_after"));
        holding.since_ms = json_integer_value(json_object_get(held, "since_ms"));
        holding.next_ms = json_integer_value(json_object_get(held, "next_ms"));
        holding.outcomes = json_integer_value(json_object_get(held, "outcomes"));
        text = json_string_value(json_object_get(held, "reason"));
        text_copy(holding.what, sizeof(holding.what), text != NULL ? text : "");
        if (holding.reason != HOLDING_NONE)
            return holding;
    }
    return (struct holding){.reason = HOLDING_NONE};
}

/* What was said was true a while ago. A Retry-After that has ended since holds nothing back. */
static void bring_forward(struct holding *holding, int64_t age_ms)
{
    if (holding->reason == HOLDING_NONE || holding->reason == HOLDING_SECRET)
        return;
    holding->since_ms += age_ms > 0 ? age_ms : 0;
    holding->next_ms -= age_ms > 0 ? age_ms : 0;
    if (holding->next_ms > 0)
        return;
    holding->next_ms = 0;
    if (holding->reason == HOLDING_RETRY_AFTER)
        holding->reason = HOLDING_NONE;
}

struct holding holding_find(const char *problems, int64_t age_ms, const char *customer_id,
                            const char *url)
{
    json_t *list = problems != NULL ? json_loads(problems, 0, NULL) : NULL;
    struct holding holding = {.reason = HOLDING_NONE};
    char *origin = url_origin(url);
    size_t index;
    json_t *problem;

    json_array_foreach(list, index, problem)
    {
        if (holding.reason == HOLDING_NONE)
            holding = find_in(json_object_get(problem, "held"), customer_id, url, origin);
    }
    free(origin);
    json_decref(list);
    bring_forward(&holding, age_ms);
    return holding;
}

char *holding_find_unread(const char *problems, const char *customer_id, const char *url)
{
    json_t *list = problems != NULL ? json_loads(problems, 0, NULL) : NULL;
    const char *reason = NULL;
    char *copy;
    size_t i, k;
    json_t *problem, *one;

    json_array_foreach(list, i, problem)
    {
        json_array_foreach(json_object_get(problem, "endpoints"), k, one)
        {
            if (is_text(one, "customer", customer_id) && is_text(one, "url", url))
                reason = json_string_value(json_object_get(one, "reason"));
        }
    }
    copy = reason != NULL ? memory_copy_string(reason) : NULL;
    json_decref(list);
    return copy;
}
