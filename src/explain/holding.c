/* SPDX-License-Identifier: MIT */
#include "explain/holding.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/worker_problems.h"
#include "http/url.h"

static bool is_same(const char *text, const char *expected)
{
    return text != NULL && expected != NULL && strcmp(text, expected) == 0;
}

static bool is_endpoint(const struct worker_named *named, const char *customer_id, const char *url)
{
    return is_same(named->customer, customer_id) && is_same(named->url, url);
}

static enum holding_reason reason_of(const struct worker_named *held, const char *customer_id,
                                     const char *url, const char *origin)
{
    if (is_same(held->origin, origin))
        return HOLDING_ORIGIN;
    if (!is_endpoint(held, customer_id, url))
        return HOLDING_NONE;
    switch (held->state) {
    case WORKER_NAMED_SECRET:
        return HOLDING_SECRET;
    case WORKER_NAMED_OUTCOME:
        return HOLDING_OUTCOME;
    case WORKER_NAMED_RETRY_AFTER:
        return HOLDING_RETRY_AFTER;
    case WORKER_NAMED_OTHER:
    case WORKER_NAMED_OPEN:
    case WORKER_NAMED_PROBING:
        break;
    }
    return HOLDING_ENDPOINT;
}

static struct holding find_in(const struct worker_named_list *list, const char *customer_id,
                              const char *url, const char *origin)
{
    struct holding holding = {.reason = HOLDING_NONE};

    for (size_t i = 0; i < list->count && holding.reason == HOLDING_NONE; i++) {
        const struct worker_named *held = &list->entries[i];

        holding.reason = reason_of(held, customer_id, url, origin);
        if (holding.reason == HOLDING_NONE)
            continue;
        holding.opened_after = held->opened_after;
        holding.since_ms = held->since_ms;
        holding.next_ms = held->next_ms;
        holding.outcomes = held->outcomes;
        text_copy(holding.what, sizeof(holding.what), held->reason != NULL ? held->reason : "");
    }
    return holding;
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

struct holding holding_find(const char *json, int64_t age_ms, const char *customer_id,
                            const char *url)
{
    struct worker_problems problems = worker_problems_read(json);
    struct holding holding = {.reason = HOLDING_NONE};
    char *origin = url_origin(url);

    for (size_t i = 0; i < problems.count && holding.reason == HOLDING_NONE; i++)
        holding = find_in(&problems.list[i].held, customer_id, url, origin);
    free(origin);
    worker_problems_free(&problems);
    bring_forward(&holding, age_ms);
    return holding;
}

char *holding_find_unread(const char *json, const char *customer_id, const char *url)
{
    struct worker_problems problems = worker_problems_read(json);
    const char *reason = NULL;
    char *copy;

    for (size_t i = 0; i < problems.count; i++) {
        const struct worker_named_list *list = &problems.list[i].endpoints;

        for (size_t k = 0; k < list->count; k++)
            if (is_endpoint(&list->entries[k], customer_id, url))
                reason = list->entries[k].reason;
    }
    copy = reason != NULL ? memory_copy_string(reason) : NULL;
    worker_problems_free(&problems);
    return copy;
}
