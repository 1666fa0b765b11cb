#include "worker/own_problems.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/text.h"
#include "core/leases.h"
#include "worker/leasing.h"
#include "worker/recording.h"
#include "worker/requiring.h"
#include "worker/sending.h"

#define TEXT_SIZE         512
#define NAMED_MAX         3       /* in a sentence */
#define NAME_BYTES        80      /* of each */
#define UNWRITTEN_US      5000000 /* an outcome that waits for longer is a problem */
#define CUT_OFF_SHOWN_US  1000000
#define RETURNED_SHOWN_US 180000000

static void add(json_t *list, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void add(json_t *list, const char *name, const char *format, ...)
{
    char what[TEXT_SIZE];
    struct buffer clean;
    va_list args;

    if (json_array_size(list) == PROBLEMS_LIST_MAX)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    /* What was cut may end within a character. */
    buffer_init(&clean, (size_t)TEXT_SIZE * 4);
    text_append_clean(&clean, what, strlen(what));
    json_array_append_new(list,
                          json_pack("{s:s, s:s}", "name", name, "what", buffer_string(&clean)));
    buffer_free(&clean);
}

static void add_open_files(json_t *list, const struct worker *worker)
{
    size_t slots = sending_slots(worker);

    if (slots < (size_t)worker->config->worker.max_in_flight)
        add(list, "open_files",
            "open files (LimitNOFILE) allow %zu request%s at a time, not worker.max_in_flight",
            slots, text_plural((int64_t)slots, "", "s"));
}

static void add_unwritten(json_t *list, const struct worker *worker)
{
    const struct delivery *oldest = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_FINISHED]);
    size_t count = worker->deliveries.counts[DELIVERY_FINISHED];
    const char *reason;

    /* Those are told by themselves. */
    if (count <= recording_held(worker, &reason))
        return;
    if (oldest != NULL && worker->now_us - oldest->finished_us > UNWRITTEN_US)
        add(list, "unwritten", "%zu outcome%s not written yet, the oldest for %lld s", count,
            text_plural((int64_t)count, " is", "s are"),
            (long long)((worker->now_us - oldest->finished_us) / 1000000));
}

/* Outcomes that are refused or do not stay, by their endpoints. */
static void add_unsettled(json_t *list, const struct worker *worker)
{
    const char *reason;
    size_t count = recording_held(worker, &reason);
    const struct endpoint *endpoint;
    size_t before = json_array_size(list);
    json_t *held = json_array();

    TAILQ_FOREACH(endpoint, &worker->endpoints.unsettled, in_unsettled) {
        if (json_array_size(held) == PROBLEMS_HELD_MAX)
            break;
        if (strlen(endpoint->url) <= PROBLEMS_HELD_URL_MAX)
            json_array_append_new(held,
                                  json_pack("{s:s, s:s, s:s, s:i, s:s}", "state", "outcome",
                                            "customer", endpoint->customer_id, "url", endpoint->url,
                                            "outcomes", endpoint->unsettled, "reason", reason));
    }
    if (count > 0)
        add(list, "unsettled", "the database does not take %zu outcome%s, of %.80s: %.100s", count,
            text_plural((int64_t)count, "", "s"), TAILQ_FIRST(&worker->endpoints.unsettled)->url,
            reason);
    if (json_array_size(list) > before)
        json_object_set(json_array_get(list, before), "held", held);
    json_decref(held);
}

static void add_returned(json_t *list, const struct worker *worker)
{
    int64_t at_us;
    const char *delivery = recording_returned(worker, &at_us);

    if (at_us != 0 && worker->now_us - at_us < RETURNED_SHOWN_US)
        add(list, "returned",
            "deliveries are due again as they were, although their outcomes were written, "
            "the last one %s",
            delivery);
}

/* With what to do, which "status" shows in place of a general advice. */
static void add_unmet(json_t *list, const struct worker *worker)
{
    size_t before = json_array_size(list);

    if (requiring_problem(worker) != NULL)
        add(list, "requirements", "nothing is sent: %s", requiring_problem(worker));
    if (json_array_size(list) > before)
        json_object_set_new(json_array_get(list, before), "action",
                            json_string(requiring_action(worker)));
}

static void add_cut_off(json_t *list, const struct worker *worker)
{
    int64_t since_us = leasing_cut_off_since_us(worker);

    if (since_us != 0 && worker->now_us - since_us > CUT_OFF_SHOWN_US)
        add(list, "cut_off", "it can write to the database but not read from it, for %lld s",
            (long long)((worker->now_us - since_us) / 1000000));
}

/* Until when a lane that has waited longest is held, and for what. */
static void add_hand_over(json_t *list, const struct worker *worker)
{
    const struct leases *leases = leasing_leases(worker);
    uint64_t lanes = leases_waiting(leases, worker->now_us);
    const struct delivery *first = leasing_first_busy(worker, lanes);
    int64_t since_us;

    if (first == NULL)
        return;
    since_us = leases->since_us[first->lane];
    add(list, "hand_over",
        "%d lane%s to go to other workers and wait%s for what is under way: lane %d since %lld s, "
        "for at most %lld s more, for delivery %s, %s for %lld s",
        shares_count(lanes), text_plural(shares_count(lanes), " is", "s are"),
        text_plural(shares_count(lanes), "s", ""), first->lane,
        (long long)((worker->now_us - since_us) / 1000000),
        (long long)((since_us + leases->patience_us - worker->now_us) / 1000000), first->id,
        delivery_state_name(first->state),
        (long long)((worker->now_us - first->started_us) / 1000000));
}

static int64_t ms_until(const struct worker *worker, int64_t at_us)
{
    return at_us > worker->now_us ? (at_us - worker->now_us) / 1000 : 0;
}

static json_t *describe_breaker(const struct worker *worker, const struct breaker *breaker)
{
    return json_pack("{s:s, s:i, s:i, s:I, s:I}", "state", breaker_state_name(breaker->state),
                     "failures", breaker->failures, "opened_after", breaker->opened_after,
                     "since_ms", (json_int_t)((worker->now_us - breaker->opened_us) / 1000),
                     "next_ms", (json_int_t)ms_until(worker, breaker->next_probe_us));
}

static json_t *describe_entry(const struct worker *worker, const struct endpoint *endpoint)
{
    const struct scheduler_entry *entry = &endpoint->queue.entry;
    json_t *held;

    if (entry->breaker.state != BREAKER_CLOSED)
        held = describe_breaker(worker, &entry->breaker);
    else
        held = json_pack("{s:s, s:I}", "state", "held", "next_ms",
                         (json_int_t)ms_until(worker, entry->held_until_us));
    json_object_set_new(held, "customer", json_string(endpoint->customer_id));
    json_object_set_new(held, "url", json_string(endpoint->url));
    return held;
}

static size_t list_origins(json_t *held, const struct worker *worker)
{
    const struct scheduler_origin *at;
    size_t count = 0;

    TAILQ_FOREACH(at, &worker->endpoints.queues.scheduler.troubled_origins, in_troubled) {
        const struct origin *origin = CONTAINER_OF(at, const struct origin, scheduled);

        count++;
        if (json_array_size(held) < PROBLEMS_HELD_MAX) {
            json_t *one = describe_breaker(worker, &at->breaker);

            json_object_set_new(one, "origin", json_string(origin->name));
            json_array_append_new(held, one);
        }
    }
    return count;
}

static size_t list_endpoints(json_t *held, const struct worker *worker)
{
    const struct scheduler_entry *at;
    size_t count = 0;

    TAILQ_FOREACH(at, &worker->endpoints.queues.scheduler.troubled, in_troubled) {
        const struct endpoint *endpoint = CONTAINER_OF(at, const struct endpoint, queue.entry);

        if (at->breaker.state == BREAKER_CLOSED && at->held_until_us <= worker->now_us)
            continue;
        count++;
        if (json_array_size(held) < PROBLEMS_HELD_MAX &&
            strlen(endpoint->url) <= PROBLEMS_HELD_URL_MAX)
            json_array_append_new(held, describe_entry(worker, endpoint));
    }
    return count;
}

/* Deliveries that wait for a key: with its reason, so that "explain" can say it. */
static void add_held(json_t *list, const struct worker *worker)
{
    const struct endpoint *first = TAILQ_FIRST(&worker->endpoints.held);
    size_t before = json_array_size(list);
    const struct endpoint *endpoint;
    json_t *held = json_array();
    size_t count = 0;

    TAILQ_FOREACH(endpoint, &worker->endpoints.held, in_held) {
        count++;
        if (json_array_size(held) < PROBLEMS_HELD_MAX &&
            strlen(endpoint->url) <= PROBLEMS_HELD_URL_MAX)
            json_array_append_new(held,
                                  json_pack("{s:s, s:s, s:s, s:s}", "state", "secret", "customer",
                                            endpoint->customer_id, "url", endpoint->url, "reason",
                                            endpoint->settings.hold));
    }
    if (count > 0)
        add(list, "secrets", "the deliveries of %zu endpoint%s are held: %.160s", count,
            text_plural((int64_t)count, "", "s"), first->settings.hold);
    if (json_array_size(list) > before)
        json_object_set(json_array_get(list, before), "held", held);
    json_decref(held);
}

/* "endpoints" names them, so that "explain" can say it. */
static void add_unread(json_t *list, const struct worker *worker)
{
    const struct endpoint *first = TAILQ_FIRST(&worker->endpoints.unread);
    size_t before = json_array_size(list);
    const struct endpoint *endpoint;
    json_t *endpoints = json_array();
    size_t count = 0;

    TAILQ_FOREACH(endpoint, &worker->endpoints.unread, in_unread) {
        count++;
        if (json_array_size(endpoints) < PROBLEMS_HELD_MAX &&
            strlen(endpoint->url) <= PROBLEMS_HELD_URL_MAX)
            json_array_append_new(endpoints, json_pack("{s:s, s:s, s:s}", "customer",
                                                       endpoint->customer_id, "url", endpoint->url,
                                                       "reason", endpoint->settings.unread));
    }
    if (count > 0)
        add(list, "unread_secrets", "for %.150s of customer %s, %.250s", first->url,
            first->customer_id, first->settings.unread);
    if (json_array_size(list) > before)
        json_object_set(json_array_get(list, before), "endpoints", endpoints);
    json_decref(endpoints);
}

/* "https://a.example, https://b.example/hook and 3 more" */
static char *name_held(const json_t *held, size_t count)
{
    struct buffer names;
    size_t shown = json_array_size(held) < NAMED_MAX ? json_array_size(held) : NAMED_MAX;

    buffer_init(&names, (size_t)NAMED_MAX * (NAME_BYTES + 8) + 64);
    for (size_t i = 0; i < shown; i++) {
        const json_t *one = json_array_get(held, i);
        const json_t *name = json_object_get(one, "origin");

        if (name == NULL)
            name = json_object_get(one, "url");
        buffer_append_format(&names, "%s%.*s%s",
                             i == 0           ? ""
                             : i + 1 == count ? " and "
                                              : ", ",
                             NAME_BYTES, json_string_value(name),
                             json_string_length(name) > NAME_BYTES ? "…" : "");
    }
    if (shown == 0)
        buffer_append_format(&names, "%zu endpoint%s with a long URL", count,
                             text_plural((int64_t)count, "", "s"));
    else if (count > shown)
        buffer_append_format(&names, " and %zu more", count - shown);
    return buffer_take(&names);
}

static void add_breakers(json_t *list, const struct worker *worker)
{
    json_t *held = json_array();
    size_t origins = list_origins(held, worker);
    size_t endpoints = list_endpoints(held, worker);
    size_t before = json_array_size(list);

    if (origins + endpoints > 0) {
        char *names = name_held(held, origins + endpoints);

        add(list, "breakers", "%s fail%s or asked to be left alone, and %s only probed", names,
            origins + endpoints == 1 ? "s" : "",
            text_plural((int64_t)(origins + endpoints), "is", "are"));
        free(names);
    }
    if (json_array_size(list) > before)
        json_object_set(json_array_get(list, before), "held", held);
    json_decref(held);
}

char *own_problems_describe(const struct worker *worker)
{
    json_t *list = json_array();
    char *text;

    add_unmet(list, worker);
    add_cut_off(list, worker);
    add_unwritten(list, worker);
    add_unsettled(list, worker);
    add_returned(list, worker);
    add_hand_over(list, worker);
    add_open_files(list, worker);
    add_held(list, worker);
    add_unread(list, worker);
    add_breakers(list, worker);
    text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    if (text == NULL)
        bug("problems can't be written as JSON");
    return text;
}
