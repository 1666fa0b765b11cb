/* SPDX-License-Identifier: MIT */
#include "explain/explanation.h"

#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "core/outcome.h"
#include "core/permit.h"
#include "db/fragments.h"
#include "explain/delivery_time.h"
#include "explain/holding.h"
#include "http/url.h"

#define SENTENCE_MAX   8192
#define URL_SHOWN      200 /* bytes of a URL in a sentence */
#define HALF_A_DAY_MS  43200000
#define IN_PROGRESS_MS 15000 /* due for less than this is business as usual */

#define SAY(buffer, ...) buffer_append_format((buffer), __VA_ARGS__)

/* "12:03:04 UTC", with its date when it is not near. */
static void say_moment(struct buffer *out, const char *utc, int64_t distance_ms)
{
    char text[DELIVERY_TIME_SIZE];
    bool is_near = distance_ms < HALF_A_DAY_MS && distance_ms > -HALF_A_DAY_MS;

    delivery_time(utc, text);
    buffer_append_string(out, is_near && strlen(text) > 11 && text[10] == ' ' ? text + 11 : text);
}

static void say_about(struct buffer *out, int64_t ms)
{
    char text[UNITS_TEXT_SIZE];

    buffer_append_string(out, units_format_about_ms(ms < 0 ? -ms : ms, text));
}

static void warn(struct explanation *e, char *text)
{
    if (e->warnings_count < EXPLANATION_WARNINGS_MAX)
        e->warnings[e->warnings_count++] = text;
    else
        free(text);
}

/* "got 503 from https://…" or "failed: connection refused" */
static void say_result(struct buffer *out, const struct delivery_record *record)
{
    if (record->response_status != 0)
        SAY(out, "got %lld from %.*s", (long long)record->response_status, URL_SHOWN, record->url);
    else
        SAY(out, "failed: %s", record->last_error != NULL ? record->last_error : "no reason given");
}

/* The forbidden range of a URL that holds an address; names are resolved by the worker alone. */
static const char *find_refusal(const char *url, const struct config *config,
                                const struct permit *permit)
{
    const char *refusal;
    struct address address;
    int port;

    if (!url_literal_address(url, &address, &port))
        return NULL;
    refusal = address_refusal(&address, port, config->network.allow, config->network.allow_count);
    if (refusal == NULL || permit == NULL)
        return refusal;
    return address_refusal(&address, port, permit->allow, permit->allow_count);
}

/* What the border has against it; out stays empty when nothing. */
static void say_border(struct buffer *out, const struct delivery_record *record,
                       const struct config *config)
{
    struct permit *permit = NULL;
    const char *refusal;
    struct error error;

    if (!permit_make(record->endpoint.allow, record->endpoint.client_certificate, &permit,
                     &error)) {
        SAY(out, "the endpoint's row in webhook_endpoints can't be used: %s", error.message);
        return;
    }
    refusal = find_refusal(record->url, config, permit);
    if (refusal != NULL)
        SAY(out,
            "its address is forbidden (%s), unless network.allow lists it or, for this endpoint "
            "alone, webhook_endpoints.allow",
            refusal);
    permit_free(permit);
}

static void say_disabled(struct buffer *out, const struct delivery_record *record)
{
    SAY(out, "its endpoint is disabled since ");
    say_moment(out, record->disabled_at, record->disabled_ms_ago);
    if (record->endpoint.disabled_reason != NULL && record->endpoint.disabled_reason[0] != '\0')
        SAY(out, " (%s)", record->endpoint.disabled_reason);
}

static bool has_secret(const struct delivery_record *record, const struct config *config)
{
    return record->secret_count != 0 || config->signing.secrets.count > 0;
}

/*
 * Why the worker would not send it at all, as far as can be known here: out stays empty when it
 * would. Returns the state's name.
 */
static const char *find_obstacle(const struct delivery_record *record, const struct config *config,
                                 struct buffer *out)
{
    struct error error;
    char size[UNITS_TEXT_SIZE];

    if (record->erased_at != NULL) {
        SAY(out, "what was to be sent is erased since ");
        say_moment(out, record->erased_at, record->erased_ms_ago);
        return "erased";
    }
    if (!url_check(record->url, config->network.https_only, &error)) {
        SAY(out, "%s", error.message);
        return "unsendable";
    }
    if (record->is_of_event && !record->endpoint.is_there && !record->is_endpoint_elsewhere) {
        SAY(out, "the endpoint that it was made for was removed");
        return "endpoint_removed";
    }
    if (record->disabled_at != NULL) {
        say_disabled(out, record);
        return "endpoint_disabled";
    }
    if (!has_secret(record, config)) {
        SAY(out, "there is no secret to sign it with");
        return "no_secret";
    }
    say_border(out, record, config);
    if (out->length == 0 && record->payload_bytes > config->delivery.max_payload_bytes)
        SAY(out, "its payload of %lld bytes is over delivery.max_payload (%s)",
            (long long)record->payload_bytes,
            units_format_size_bytes(config->delivery.max_payload_bytes, size));
    return "unsendable";
}

static void advise(struct explanation *e, char *action)
{
    if (e->actions_count == EXPLANATION_ACTIONS_MAX)
        bug("more than %d actions", EXPLANATION_ACTIONS_MAX);
    e->actions[e->actions_count++] = action;
}

/* What to do about an obstacle, if there is a command for it. */
static void advise_remedy(struct explanation *e, const struct delivery_record *record,
                          const struct config *config)
{
    if (record->disabled_at != NULL)
        advise(e, memory_format("postrider endpoint enable %s%s", record->endpoint_id,
                                hint_options()));
    else if (!has_secret(record, config))
        advise(e, memory_format("postrider secret new --customer %s%s", record->customer_id,
                                hint_options()));
}

/* Whether it waits for another of its ordering key, or, as the first of it, to be made due. */
static bool is_kept_in_order(const struct delivery_record *record)
{
    return record->ordering_head != NULL &&
           (strcmp(record->ordering_head, record->id) != 0 || record->ordering_dead != NULL ||
            (record->due_in_ms >= DB_FOREVER_MS && record->is_ordering_noted));
}

static void explain_order_blocked(struct explanation *e, const struct delivery_record *record)
{
    e->state = "order_blocked";
    SAY(&e->summary,
        "Blocked: dead letter %s comes before it in the ordering key \"%s\", and its endpoint has "
        "ordering = 'block'.",
        record->ordering_dead, record->ordering_key);
    SAY(&e->next, "The key goes on when that one is sent again, or discarded:");
    advise(e, memory_format("postrider dead replay %s%s", record->ordering_dead, hint_options()));
    advise(e, memory_format("postrider dead discard %s%s", record->ordering_dead, hint_options()));
}

static void explain_ordered(struct explanation *e, const struct delivery_record *record)
{
    if (record->ordering_dead != NULL) {
        explain_order_blocked(e, record);
        return;
    }
    e->state = "ordered";
    if (strcmp(record->ordering_head, record->id) == 0) {
        SAY(&e->summary,
            "It is the first of the ordering key \"%s\" now: a worker has taken it and sends it, "
            "or "
            "the one that owns lane 0 makes it due in a moment (webhook_promotions).",
            record->ordering_key);
        return;
    }
    SAY(&e->summary,
        "Waits for its turn: delivery %s comes first in the ordering key \"%s\", of which one goes "
        "out after another.",
        record->ordering_head, record->ordering_key);
    SAY(&e->next, "Where that one is:");
    advise(e, memory_format("postrider explain %s%s", record->ordering_head, hint_options()));
}

static void explain_parked(struct explanation *e, const struct delivery_record *record)
{
    e->state = "parked";
    SAY(&e->summary, "Parked: next_retry_at is infinity, so it never becomes due.");
    SAY(&e->next, "To release it:");
    advise(e, memory_format("UPDATE webhook_deliveries SET next_retry_at = now() WHERE id = '%s';",
                            record->id));
}

/* Before all that its endpoint may have against it: it does not get that far. */
static void explain_absent(struct explanation *e, const struct delivery_record *record)
{
    e->state = "event_absent";
    SAY(&e->summary,
        "Held: its event is not in webhook_events (%s), so nobody knows what is to be sent.",
        record->event_id);
    SAY(&e->next, "It is sent soon after the event is there again, with its id. To give it up:");
    advise(e, memory_format("UPDATE webhook_deliveries SET status = 'failed', last_error = 'its "
                            "event is lost' WHERE id = '%s';",
                            record->id));
}

static void explain_paused(struct explanation *e, const struct delivery_record *record)
{
    e->state = "paused";
    SAY(&e->summary, "Paused: its endpoint's deliveries wait since ");
    say_moment(&e->summary, record->endpoint.paused_at, INT64_MAX);
    SAY(&e->summary, ", until somebody resumes it.");
    SAY(&e->next, "They neither fail nor use up attempts meanwhile. To resume it:");
    advise(e, memory_format("postrider endpoint resume %s%s", record->endpoint_id, hint_options()));
}

static void explain_blocked(struct explanation *e, const struct delivery_record *record,
                            const struct config *config, const char *obstacle)
{
    SAY(&e->summary, "It can't be sent: %s. It fails, without a request, when a worker reads it",
        obstacle);
    if (record->due_in_ms > 0) {
        SAY(&e->summary, " in ");
        say_about(&e->summary, record->due_in_ms);
    }
    SAY(&e->summary, ".");
    advise_remedy(e, record, config);
    if (e->actions_count > 0)
        SAY(&e->next, "It is sent if this is done in time:");
}

/* The next attempt's own future. */
static void say_if_it_fails(struct buffer *out, const struct delivery_record *record,
                            const struct retry_policy *policy)
{
    int64_t number = (record->attempts > 0 ? record->attempts : 0) + 1;

    if (number >= policy->max_attempts) {
        SAY(out, "It is the last one: when it fails, this becomes a dead letter.");
        return;
    }
    SAY(out, "If it fails and can be retried, attempt %lld of %d follows after about ",
        (long long)number + 1, policy->max_attempts);
    say_about(out, retry_delay_ms(policy, (int)number, 0));
    SAY(out, ".");
}

static void explain_waiting(struct explanation *e, const struct delivery_record *record,
                            const struct retry_policy *policy)
{
    e->state = record->attempts > 0 ? "retrying" : "scheduled";
    SAY(&e->summary, "Due in ");
    say_about(&e->summary, record->due_in_ms);
    SAY(&e->summary, ": ");
    if (record->attempts > 0) {
        SAY(&e->summary, "attempt %lld of %d ", (long long)record->attempts, policy->max_attempts);
        say_result(&e->summary, record);
        SAY(&e->summary, "; the next one is at ");
    } else
        SAY(&e->summary, "it was enqueued for later; the first attempt is at ");
    say_moment(&e->summary, record->next_retry_at, record->due_in_ms);
    SAY(&e->summary, ".");
    say_if_it_fails(&e->next, record, policy);
}

static void explain_no_worker(struct explanation *e, const struct delivery_record *record)
{
    e->state = "no_worker";
    SAY(&e->summary, "Waiting for a worker: due since ");
    say_about(&e->summary, record->due_in_ms);
    if (record->lane_owner == NULL)
        SAY(&e->summary, ", but no worker owns lane %lld.", (long long)record->lane);
    else {
        SAY(&e->summary, ", but the lease of %s on lane %lld ran out ", record->lane_owner,
            (long long)record->lane);
        say_about(&e->summary, record->lease_ms);
        SAY(&e->summary, " ago.");
    }
    SAY(&e->next, "A worker takes the lane and sends this as soon as it runs:");
    advise(e, memory_copy_string("systemctl start postrider"));
}

/* Its endpoint is not sent to: the worker's own word. */
static void explain_held(struct explanation *e, const struct delivery_record *record,
                         const struct holding *holding)
{
    e->state = "held";
    if (holding->reason == HOLDING_RETRY_AFTER) {
        SAY(&e->summary, "Held: its endpoint asked to be left alone (Retry-After); it is sent to "
                         "again in ");
        say_about(&e->summary, holding->next_ms);
        SAY(&e->summary, ".");
        return;
    }
    if (holding->reason == HOLDING_SECRET) {
        e->state = "secret_closed";
        SAY(&e->summary,
            "Held: a secret that it is to be signed with can't be opened by worker %s.",
            record->lane_owner);
        SAY(&e->next, "It is sent when that worker has the key (signing.key_file), or the secret "
                      "is replaced; nothing is lost meanwhile. What is wrong with it says:");
        advise(e, memory_format("postrider check --database%s", hint_options()));
        return;
    }
    if (holding->reason == HOLDING_OUTCOME) {
        e->state = "outcome_refused";
        SAY(&e->summary,
            "Held: the database does not take what became of %lld deliver%s of its endpoint: %s.",
            (long long)holding->outcomes, holding->outcomes == 1 ? "y" : "ies", holding->what);
        SAY(&e->next,
            "The outcome is written again and again with growing pauses, and nothing that "
            "was answered is sent again meanwhile. What stands in between says:");
        advise(e, memory_format("postrider check --database%s", hint_options()));
        return;
    }
    SAY(&e->summary, "Held: the breaker of its %s is open since ",
        holding->reason == HOLDING_ORIGIN ? "host" : "endpoint");
    say_about(&e->summary, holding->since_ms);
    if (holding->opened_after > 0)
        SAY(&e->summary, ", after %lld failure%s in a row", (long long)holding->opened_after,
            text_plural(holding->opened_after, "", "s"));
    if (holding->next_ms > 0) {
        SAY(&e->summary, "; the next probe is in ");
        say_about(&e->summary, holding->next_ms);
    } else
        SAY(&e->summary, "; a probe is out, or goes out with the next row");
    SAY(&e->summary, ".");
    SAY(&e->next, "One delivery at a time is tried until it answers; the others wait without using "
                  "up attempts.");
    if (record->failing_since != NULL) {
        SAY(&e->next, " It does nothing but fail since ");
        say_moment(&e->next, record->failing_since, record->failing_ms_ago);
        SAY(&e->next, ".");
    }
}

static void explain_due(struct explanation *e, const struct delivery_record *record,
                        const struct retry_policy *policy)
{
    bool is_usual = record->due_in_ms > -IN_PROGRESS_MS;

    e->state = "due";
    SAY(&e->summary,
        is_usual ? "Due now: attempt %lld of %d is in flight or next"
                 : "Late: attempt %lld of %d is due since ",
        (long long)(record->attempts > 0 ? record->attempts : 0) + 1, policy->max_attempts);
    if (!is_usual)
        say_about(&e->summary, record->due_in_ms);
    if (!record->hides_workers)
        SAY(&e->summary, "; worker %s owns lane %lld", record->lane_owner, (long long)record->lane);
    if (record->ahead > 0)
        SAY(&e->summary, ", and %lld%s to the same URL %s due before it",
            (long long)(record->ahead > DELIVERY_AHEAD_MAX ? DELIVERY_AHEAD_MAX : record->ahead),
            record->ahead > DELIVERY_AHEAD_MAX ? "+" : "", record->ahead == 1 ? "is" : "are");
    SAY(&e->summary, ".");
    if (is_usual)
        say_if_it_fails(&e->next, record, policy);
    else if (record->ahead > 0)
        SAY(&e->next, "They go first: the receiver is slower than what is enqueued for it.");
    else {
        SAY(&e->next, "Nothing to the same URL is before it: look at the worker, and in its log:");
        advise(e, memory_format("postrider status%s", hint_options()));
    }
}

static void warn_of_unread(struct explanation *e, const struct delivery_record *record)
{
    char *unread = holding_find_unread(record->worker_problems, record->customer_id, record->url);

    if (unread != NULL)
        warn(e, memory_format("%s; \"postrider secret list --customer %s%s\" names it", unread,
                              record->customer_id, hint_options()));
    free(unread);
}

static void explain_pending(struct explanation *e, const struct delivery_record *record,
                            const struct config *config, const struct retry_policy *policy)
{
    struct holding holding = holding_find(record->worker_problems, record->worker_problems_ms_ago,
                                          record->customer_id, record->url);
    struct buffer obstacle;

    buffer_init(&obstacle, SENTENCE_MAX);
    e->state = find_obstacle(record, config, &obstacle);
    if (is_kept_in_order(record))
        explain_ordered(e, record);
    else if (record->due_in_ms >= DB_FOREVER_MS)
        explain_parked(e, record);
    else if (record->is_of_event && !record->is_event_there)
        explain_absent(e, record);
    else if (record->endpoint.paused_at != NULL)
        explain_paused(e, record);
    else if (obstacle.length > 0)
        explain_blocked(e, record, config, buffer_string(&obstacle));
    else if (record->due_in_ms > 0)
        explain_waiting(e, record, policy);
    else if (!record->hides_workers && (record->lane_owner == NULL || record->lease_ms <= 0))
        explain_no_worker(e, record);
    else if (holding.reason != HOLDING_NONE)
        explain_held(e, record, &holding);
    else
        explain_due(e, record, policy);
    warn_of_unread(e, record);
    buffer_free(&obstacle);
}

static const char of_before[] =
    " It was here like this when the table was adopted: Postrider has not sent it.";

static void say_erased(struct buffer *out, const struct delivery_record *record)
{
    if (record->erased_at == NULL)
        return;
    SAY(out, " Its payload and the answers were erased at ");
    say_moment(out, record->erased_at, record->erased_ms_ago);
    SAY(out, ".");
}

static void explain_delivered(struct explanation *e, const struct delivery_record *record)
{
    e->state = "delivered";
    SAY(&e->summary, "Delivered on attempt %lld", (long long)record->attempts);
    if (record->last_attempt_at != NULL) {
        SAY(&e->summary, " at ");
        say_moment(&e->summary, record->last_attempt_at, record->last_attempt_ms_ago);
        SAY(&e->summary, ", ");
        say_about(&e->summary, record->last_attempt_ms_ago);
        SAY(&e->summary, " ago");
    }
    if (record->response_status != 0)
        SAY(&e->summary, ": the receiver answered %lld", (long long)record->response_status);
    SAY(&e->summary, ".%s", record->is_of_before ? of_before : "");
    say_erased(&e->summary, record);
}

/* It failed without a request, and last_error says so. */
static bool is_unsent(const struct delivery_record *record)
{
    return record->last_error != NULL && text_begins_with(record->last_error, OUTCOME_UNSENT_MARK);
}

/* Why there was no further attempt. */
static void say_why_final(struct buffer *out, const struct delivery_record *record,
                          const struct retry_policy *policy)
{
    int status = (int)record->response_status;

    if (status == 410)
        SAY(out, " A 410 is not retried, and disables the endpoint.");
    else if (status >= 300 && status < 400)
        SAY(out, " A redirect is not followed, and not retried.");
    else if (status != 0 && !retry_is_retryable_status(policy, status))
        SAY(out, " A %d is not retried.", status);
    else if (record->attempts >= policy->max_attempts &&
             (record->last_error == NULL || strstr(record->last_error, "given up") == NULL))
        SAY(out,
            policy->max_attempts == 1 ? " Only one attempt is made."
                                      : " All %d attempts were made.",
            policy->max_attempts);
    else if (status == 0 && record->attempts == 0 && !is_unsent(record))
        SAY(out, " No request was made.");
}

static void explain_failed(struct explanation *e, const struct delivery_record *record,
                           const struct config *config, const struct retry_policy *policy)
{
    e->state = "failed";
    SAY(&e->summary, "Failed");
    if (record->last_attempt_at != NULL) {
        SAY(&e->summary, " at ");
        say_moment(&e->summary, record->last_attempt_at, record->last_attempt_ms_ago);
    }
    SAY(&e->summary, "%s %s.", is_unsent(record) ? "," : ":",
        record->last_error != NULL  ? record->last_error
        : record->erased_at != NULL ? "why is erased"
                                    : "no error was recorded");
    if (record->is_of_before)
        SAY(&e->summary, "%s", of_before);
    else
        say_why_final(&e->summary, record, policy);
    if (record->erased_at != NULL) {
        say_erased(&e->summary, record);
        SAY(&e->next, "Nothing is left to be sent again. To have it out of the dead letters:");
        advise(e, memory_format("postrider dead discard %s%s", record->id, hint_options()));
        return;
    }
    advise_remedy(e, record, config);
    SAY(&e->next, "%s",
        e->actions_count > 0 ? "Do this first, then replay it:"
                             : "When the cause is gone, replay it:");
    advise(e, memory_format("postrider dead replay %s%s", record->id, hint_options()));
}

static void find_nonsense(struct explanation *e, const struct delivery_record *record,
                          const struct retry_policy *policy)
{
    bool is_pending = strcmp(record->status, "pending") == 0;

    if (record->attempts < 0)
        warn(e, memory_format("attempts is %lld; it counts as 0", (long long)record->attempts));
    if (is_pending && record->attempts >= policy->max_attempts)
        warn(e, memory_format("attempts is %lld, but at most %d are made: one more is, and when "
                              "that fails this is a dead letter",
                              (long long)record->attempts, policy->max_attempts));
    if (strcmp(record->status, "delivered") == 0 && record->attempts < 1 && !record->is_of_before)
        warn(e, memory_format("it is marked delivered with %lld attempts: somebody set that by "
                              "hand",
                              (long long)record->attempts));
    if (record->last_attempt_at != NULL && record->last_attempt_ms_ago < -1000 &&
        !record->is_of_before)
        warn(e, memory_format("last_attempt_at is in the future: %s", record->last_attempt_at));
    if (record->due_in_ms <= -DB_FOREVER_MS && is_pending)
        warn(e, memory_copy_string("next_retry_at is -infinity; it counts as due"));
}

void explanation_make(const struct delivery_record *record, const struct config *config,
                      const struct retry_policy *policy, struct explanation *ret_explanation)
{
    struct explanation *e = ret_explanation;

    *e = (struct explanation){.state = "nonsense"};
    buffer_init(&e->summary, SENTENCE_MAX);
    buffer_init(&e->next, SENTENCE_MAX);
    if (strcmp(record->status, "pending") == 0)
        explain_pending(e, record, config, policy);
    else if (strcmp(record->status, "delivered") == 0)
        explain_delivered(e, record);
    else if (strcmp(record->status, "failed") == 0)
        explain_failed(e, record, config, policy);
    else {
        SAY(&e->summary, "Its status is \"%s\", which no worker knows: it stays as it is.",
            record->status);
        SAY(&e->next, "The statuses are pending, delivered and failed.");
    }
    find_nonsense(e, record, policy);
}

void explanation_free(struct explanation *explanation)
{
    buffer_free(&explanation->summary);
    buffer_free(&explanation->next);
    for (size_t i = 0; i < explanation->warnings_count; i++)
        free(explanation->warnings[i]);
    for (size_t i = 0; i < explanation->actions_count; i++)
        free(explanation->actions[i]);
    explanation->warnings_count = explanation->actions_count = 0;
}
