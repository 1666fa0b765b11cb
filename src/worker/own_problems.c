/* SPDX-License-Identifier: MIT */
#include "worker/own_problems.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/absences.h"
#include "core/lane_leases.h"
#include "db/worker_problems.h"
#include "worker/alerting.h"
#include "worker/finding.h"
#include "worker/recording.h"
#include "worker/requiring.h"

#define NAMED_MAX         3       /* in a sentence */
#define NAME_BYTES        80      /* of each */
#define UNWRITTEN_US      5000000 /* an outcome that waits for longer is a problem */
#define CUT_OFF_SHOWN_US  1000000
#define RETURNED_SHOWN_US 180000000

static void add_open_files(struct worker_problems *list, const struct worker *worker)
{
    size_t slots = endpoints_slots(&worker->endpoints);

    if (slots < (size_t)worker->config->worker.max_in_flight)
        worker_problems_add(
            list, "open_files",
            "open files (LimitNOFILE) allow %zu request%s at a time, not worker.max_in_flight",
            slots, text_plural((int64_t)slots, "", "s"));
}

static void add_refused(struct worker_problems *list, const struct worker *worker)
{
    if (finding_refusal(worker) != NULL)
        worker_problems_add(list, "refused",
                            "nothing new is sent: the database refuses to read what is due: %.200s",
                            finding_refusal(worker));
}

static void add_unwritten(struct worker_problems *list, const struct worker *worker)
{
    const struct delivery *oldest = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_FINISHED]);
    size_t count = worker->deliveries.counts[DELIVERY_FINISHED];
    const char *reason;

    /* Those are told by themselves. */
    if (count <= recording_unsettled(worker, &reason))
        return;
    if (oldest != NULL && worker->now_us - oldest->finished_us > UNWRITTEN_US)
        worker_problems_add(list, "unwritten",
                            "%zu outcome%s not written yet, the oldest for %lld s", count,
                            text_plural((int64_t)count, " is", "s are"),
                            (long long)((worker->now_us - oldest->finished_us) / 1000000));
}

static void name_endpoint(struct worker_named_list *list, const struct endpoint *endpoint,
                          enum worker_named_state state, const char *reason)
{
    const struct worker_named named = {.state = state,
                                       .customer = endpoint->customer_id,
                                       .url = endpoint->url,
                                       .reason = reason,
                                       .outcomes = endpoint->unsettled};

    worker_problems_name(list, &named);
}

/* Outcomes that are refused or do not stay, by their endpoints. */
static void add_unsettled(struct worker_problems *list, const struct worker *worker)
{
    const char *reason;
    size_t count = recording_unsettled(worker, &reason);
    const struct endpoint *endpoint;
    struct worker_problem *problem = NULL;

    if (count > 0)
        problem = worker_problems_add(list, "unsettled",
                                      "the database does not take %zu outcome%s, of %.80s: %.100s",
                                      count, text_plural((int64_t)count, "", "s"),
                                      TAILQ_FIRST(&worker->endpoints.unsettled)->url, reason);
    if (problem == NULL)
        return;
    TAILQ_FOREACH(endpoint, &worker->endpoints.unsettled, in_unsettled)
        name_endpoint(&problem->held, endpoint, WORKER_NAMED_OUTCOME, reason);
}

static void add_returned(struct worker_problems *list, const struct worker *worker)
{
    int64_t at_us;
    const char *delivery = recording_returned(worker, &at_us);

    if (at_us != 0 && worker->now_us - at_us < RETURNED_SHOWN_US)
        worker_problems_add(
            list, "returned",
            "deliveries are due again as they were, although their outcomes were written, "
            "the last one %s",
            delivery);
}

/* With what to do, which "status" shows in place of a general advice. */
static void add_unmet(struct worker_problems *list, const struct worker *worker)
{
    struct worker_problem *problem = NULL;

    if (requiring_problem(worker) != NULL)
        problem = worker_problems_add(list, "requirements", "nothing is sent: %s",
                                      requiring_problem(worker));
    if (problem != NULL)
        problem->action = requiring_action(worker);
}

static void add_cut_off(struct worker_problems *list, const struct worker *worker, int64_t since_us)
{
    if (since_us != 0 && worker->now_us - since_us > CUT_OFF_SHOWN_US)
        worker_problems_add(list, "cut_off",
                            "it can write to the database but not read from it, for %lld s",
                            (long long)((worker->now_us - since_us) / 1000000));
}

/* Until when the lane that has waited longest does so, and for what. */
static void add_hand_over(struct worker_problems *list, const struct worker *worker,
                          const struct lane_leases *leases)
{
    uint64_t lanes = lane_leases_waiting(leases, worker->now_us);
    const struct delivery *first = deliveries_first_under_way(&worker->deliveries, lanes);
    int64_t since_us;

    if (first == NULL)
        return;
    since_us = leases->since_us[first->lane];
    worker_problems_add(
        list, "hand_over",
        "%d lane%s to go to other workers and wait%s for what is under way: lane %d since %lld s, "
        "for at most %lld s more, for delivery %s, %s for %lld s",
        lane_shares_count(lanes), text_plural(lane_shares_count(lanes), " is", "s are"),
        text_plural(lane_shares_count(lanes), "s", ""), first->lane,
        (long long)((worker->now_us - since_us) / 1000000),
        (long long)((since_us + leases->patience_us - worker->now_us) / 1000000), first->id,
        delivery_state_name(first->state),
        (long long)((worker->now_us - first->started_us) / 1000000));
}

static int64_t ms_until(const struct worker *worker, int64_t at_us)
{
    return at_us > worker->now_us ? (at_us - worker->now_us) / 1000 : 0;
}

static struct worker_named describe_breaker(const struct worker *worker,
                                            const struct breaker *breaker)
{
    return (struct worker_named){
        .state = breaker->state == BREAKER_PROBING ? WORKER_NAMED_PROBING : WORKER_NAMED_OPEN,
        .failures = breaker->failures,
        .opened_after = breaker->opened_after,
        .since_ms = (worker->now_us - breaker->opened_us) / 1000,
        .next_ms = ms_until(worker, breaker->next_probe_us),
    };
}

static struct worker_named describe_entry(const struct worker *worker,
                                          const struct scheduler_entry *entry)
{
    if (entry->breaker.state != BREAKER_CLOSED)
        return describe_breaker(worker, &entry->breaker);
    return (struct worker_named){.state = WORKER_NAMED_RETRY_AFTER,
                                 .next_ms = ms_until(worker, entry->held_until_us)};
}

static size_t name_origins(struct worker_named_list *list, const struct worker *worker)
{
    const struct scheduler_origin *at;
    size_t count = 0;

    TAILQ_FOREACH(at, &worker->endpoints.queues.scheduler.troubled_origins, in_troubled) {
        struct worker_named named = describe_breaker(worker, &at->breaker);

        named.origin = CONTAINER_OF(at, const struct origin, scheduled)->name;
        worker_problems_name(list, &named);
        count++;
    }
    return count;
}

static size_t name_endpoints(struct worker_named_list *list, const struct worker *worker)
{
    const struct scheduler_entry *at;
    size_t count = 0;

    TAILQ_FOREACH(at, &worker->endpoints.queues.scheduler.troubled, in_troubled) {
        const struct endpoint *endpoint = CONTAINER_OF(at, const struct endpoint, queue.entry);
        struct worker_named named;

        /* A Retry-After may have ended since its entry was last looked at. */
        if (at->breaker.state == BREAKER_CLOSED && at->held_until_us <= worker->now_us)
            continue;
        named = describe_entry(worker, at);
        named.customer = endpoint->customer_id;
        named.url = endpoint->url;
        worker_problems_name(list, &named);
        count++;
    }
    return count;
}

static size_t count_unopened(const struct worker *worker)
{
    const struct endpoint *endpoint;
    size_t count = 0;

    TAILQ_FOREACH(endpoint, &worker->endpoints.unopened, in_unopened)
        count++;
    return count;
}

/* Deliveries that wait for a key: with its reason, so that "explain" can say it. */
static void add_unopened(struct worker_problems *list, const struct worker *worker)
{
    const struct endpoint *endpoint = TAILQ_FIRST(&worker->endpoints.unopened);
    size_t count = count_unopened(worker);
    struct worker_problem *problem = NULL;

    if (count > 0)
        problem = worker_problems_add(
            list, "secrets", "the deliveries of %zu endpoint%s are held: %.160s", count,
            text_plural((int64_t)count, "", "s"), endpoint->settings.unopened);
    if (problem == NULL)
        return;
    TAILQ_FOREACH(endpoint, &worker->endpoints.unopened, in_unopened)
        name_endpoint(&problem->held, endpoint, WORKER_NAMED_SECRET, endpoint->settings.unopened);
}

/* Deliveries whose event is not there. */
static void add_absent(struct worker_problems *list, const struct worker *worker, char **ret_action)
{
    const struct absences *absences = finding_absences(worker);
    const struct absence *first = absences_first(absences);
    unsigned count = absences_count(absences);
    struct worker_problem *problem = NULL;

    if (first != NULL)
        problem = worker_problems_add(
            list, "absent_events",
            "%s%u deliver%s held: %s not in webhook_events; delivery %s is of event %s",
            absences_is_full(absences) ? "at least " : "", count,
            text_plural(count, "y is", "ies are"),
            text_plural(count, "its event is", "their events are"), first->id, first->event_id);
    if (problem == NULL)
        return;
    *ret_action =
        memory_format("put the events back, or give the deliveries up; what is known of one: "
                      "postrider explain %s%s",
                      first->id, hint_options());
    problem->action = *ret_action;
}

/* They are sent to all the same. */
static void add_unread(struct worker_problems *list, const struct worker *worker)
{
    const struct endpoint *endpoint = TAILQ_FIRST(&worker->endpoints.unread);
    struct worker_problem *problem = NULL;

    if (endpoint != NULL)
        problem =
            worker_problems_add(list, "unread_secrets", "for %.150s of customer %s, %.250s",
                                endpoint->url, endpoint->customer_id, endpoint->settings.unread);
    if (problem == NULL)
        return;
    TAILQ_FOREACH(endpoint, &worker->endpoints.unread, in_unread)
        name_endpoint(&problem->endpoints, endpoint, WORKER_NAMED_OTHER, endpoint->settings.unread);
}

/* "https://a.example, https://b.example/hook and 3 more" */
static char *names_of(const struct worker_named_list *list, size_t count)
{
    struct buffer names;
    size_t shown = list->count < NAMED_MAX ? list->count : NAMED_MAX;

    buffer_init(&names, (size_t)NAMED_MAX * (NAME_BYTES + 8) + 64);
    for (size_t i = 0; i < shown; i++) {
        const struct worker_named *one = &list->entries[i];
        const char *name = one->origin != NULL ? one->origin : one->url;

        buffer_append_format(&names, "%s%.*s%s",
                             i == 0           ? ""
                             : i + 1 == count ? " and "
                                              : ", ",
                             NAME_BYTES, name, strlen(name) > NAME_BYTES ? "…" : "");
    }
    if (shown == 0)
        buffer_append_format(&names, "%zu endpoint%s with a long URL", count,
                             text_plural((int64_t)count, "", "s"));
    else if (count > shown)
        buffer_append_format(&names, " and %zu more", count - shown);
    return buffer_take(&names);
}

static void add_alerts(struct worker_problems *list, const struct worker *worker, char **ret_action)
{
    const char *what = alerting_problem(worker);
    struct worker_problem *problem = NULL;

    if (what != NULL)
        problem = worker_problems_add(list, "alerts", "%s", what);
    if (problem == NULL)
        return;
    *ret_action = alerting_action(worker);
    problem->action = *ret_action;
}

static void add_breakers(struct worker_problems *list, const struct worker *worker)
{
    struct worker_named_list named = {.count = 0};
    size_t count = name_origins(&named, worker) + name_endpoints(&named, worker);
    struct worker_problem *problem = NULL;

    if (count > 0) {
        char *names = names_of(&named, count);

        problem = worker_problems_add(
            list, "breakers", "%s fail%s or asked to be left alone, and %s only probed", names,
            count == 1 ? "s" : "", text_plural((int64_t)count, "is", "are"));
        free(names);
    }
    if (problem != NULL)
        problem->held = named;
    else
        worker_problems_unname(&named);
}

char *own_problems_describe(const struct worker *worker, const struct lane_leases *leases,
                            int64_t cut_off_us)
{
    struct worker_problems list = {.count = 0};
    char *action = NULL, *alerts_action = NULL;
    char *text;

    add_unmet(&list, worker);
    add_refused(&list, worker);
    add_cut_off(&list, worker, cut_off_us);
    add_unwritten(&list, worker);
    add_unsettled(&list, worker);
    add_returned(&list, worker);
    add_hand_over(&list, worker, leases);
    add_open_files(&list, worker);
    add_unopened(&list, worker);
    add_absent(&list, worker, &action);
    add_unread(&list, worker);
    add_alerts(&list, worker, &alerts_action);
    add_breakers(&list, worker);
    text = worker_problems_write(&list);
    worker_problems_free(&list);
    free(action);
    free(alerts_action);
    return text;
}
