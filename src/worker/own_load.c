/* SPDX-License-Identifier: MIT */
#include "worker/own_load.h"

#include <jansson.h>
#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/text.h"

#define URL_MAX 500 /* those with a longer one are left out, as in db/worker_problems.h */

struct busiest {
    size_t count;
    const struct endpoint *endpoints[OWN_LOAD_ENDPOINTS];
};

static int in_flight_of(const struct endpoint *endpoint)
{
    return endpoint->queue.entry.in_flight;
}

static bool has(const struct busiest *busiest, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < busiest->count; i++)
        if (busiest->endpoints[i] == endpoint)
            return true;
    return false;
}

/* Behind those with as many; the last one falls out. */
static void offer(struct busiest *busiest, const struct endpoint *endpoint)
{
    size_t place = busiest->count;

    if (strlen(endpoint->url) > URL_MAX || has(busiest, endpoint))
        return;
    while (place > 0 && in_flight_of(busiest->endpoints[place - 1]) < in_flight_of(endpoint))
        place--;
    if (place == OWN_LOAD_ENDPOINTS)
        return;
    if (busiest->count < OWN_LOAD_ENDPOINTS)
        busiest->count++;
    for (size_t i = busiest->count - 1; i > place; i--)
        busiest->endpoints[i] = busiest->endpoints[i - 1];
    busiest->endpoints[place] = endpoint;
}

static void find_busiest(const struct worker *worker, struct busiest *busiest)
{
    const struct delivery *delivery;
    const struct endpoint *endpoint;
    int looked = 0;

    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_IN_FLIGHT], in_state) {
        if (++looked > OWN_LOAD_LOOKED)
            break;
        offer(busiest, delivery->endpoint);
    }
    looked = 0;
    TAILQ_FOREACH(endpoint, &worker->endpoints.lists[ENDPOINT_READY], in_state) {
        if (++looked > OWN_LOAD_LOOKED)
            break;
        offer(busiest, endpoint);
    }
}

/* NULL: it isn't, or by what its breaker or its receiver says, which is a problem's to tell. */
static const char *limited_by(const struct worker *worker, const struct endpoint *endpoint)
{
    const struct scheduler_entry *entry = &endpoint->queue.entry;

    if (entry->breaker.state != BREAKER_CLOSED || entry->held_until_us > worker->now_us)
        return NULL;
    switch (entry->state) {
    case SCHEDULER_TIMED:
        return rate_limit_next_us(&entry->rate) > worker->now_us ? "rate" : NULL;
    case SCHEDULER_BUSY:
        return entry->in_flight >= window_size(&entry->window) ? "slots" : NULL;
    case SCHEDULER_ORIGIN:
        return "origin";
    case SCHEDULER_IDLE:
    case SCHEDULER_READY:
    case SCHEDULER_AWAITING:
    case SCHEDULER_STATES:
        return NULL;
    }
    bug("an entry in state %d", (int)entry->state);
}

/* jansson takes UTF-8 alone. */
static json_t *clean_text(const char *text)
{
    struct buffer clean;
    json_t *string;

    buffer_init(&clean, strlen(text) * 3 + 1);
    text_append_clean(&clean, text, strlen(text));
    string = json_string(buffer_string(&clean));
    buffer_free(&clean);
    return string;
}

static json_t *describe(const struct worker *worker, const struct endpoint *endpoint)
{
    const struct scheduler_entry *entry = &endpoint->queue.entry;
    const char *limited = limited_by(worker, endpoint);
    json_t *object = json_pack("{s:s, s:o, s:i, s:i}", "customer", endpoint->customer_id, "url",
                               clean_text(endpoint->url), "in_flight", entry->in_flight, "slots",
                               window_size(&entry->window));

    if (limited != NULL)
        json_object_set_new(object, "limited", json_string(limited));
    return object;
}

static char *take_text(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    if (text == NULL)
        bug("a worker's load is no JSON");
    json_decref(json);
    return text;
}

char *own_load_busy(const struct worker *worker)
{
    struct busiest busiest = {.count = 0};
    json_t *array = json_array();

    find_busiest(worker, &busiest);
    for (size_t i = 0; i < busiest.count; i++)
        json_array_append_new(array, describe(worker, busiest.endpoints[i]));
    return take_text(array);
}

char *own_load_defaults(const struct config *config)
{
    const struct retry_policy *retry = &config->retry;
    json_t *schedule = retry->schedule_length > 0 ? json_array() : json_null();

    for (int i = 0; i < retry->schedule_length; i++)
        json_array_append_new(schedule, json_integer(retry->schedule_ms[i]));
    return take_text(json_pack(
        "{s:I, s:f, s:I, s:i, s:I, s:f, s:I, s:f, s:o}", "max_in_flight",
        (json_int_t)config->endpoint.max_in_flight, "rate_limit", config->endpoint.rate_limit,
        "timeout_ms", (json_int_t)config->delivery.timeout_ms, "retry_max_attempts",
        retry->max_attempts, "retry_initial_delay_ms", (json_int_t)retry->initial_delay_ms,
        "retry_multiplier", retry->multiplier, "retry_max_delay_ms",
        (json_int_t)retry->max_delay_ms, "retry_jitter", retry->jitter, "retry_schedule_ms",
        schedule));
}
