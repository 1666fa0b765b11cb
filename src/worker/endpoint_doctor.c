/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_doctor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hint.h"
#include "base/text.h"
#include "http/url.h"

#define DAY_S     INT64_C(86400)
#define FIX_SIZE  600
#define LIST_SIZE 1500
#define SLOW_RATE 0.1 /* a request in ten seconds */

static const char *const user_agent[] = {"User-Agent: Postrider/" POSTRIDER_VERSION};

/* --- its row --- */

static void add_disabled(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    const char *reason = taken->found.row.disabled_reason;
    char fix[FIX_SIZE];

    snprintf(fix, sizeof(fix), "when the rest is well: postrider endpoint enable %s%s",
             check->endpoint_id, hint_options());
    verdicts_add(&check->verdicts, "state", VERDICT_WRONG,
                 verdicts_either(&check->verdicts, fix, "enable it when the rest is well"),
                 "it is disabled since %s, so that what is for it fails: %s", taken->disabled_at,
                 reason != NULL ? reason : "no reason was given");
}

static void add_paused(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    char fix[FIX_SIZE];

    snprintf(fix, sizeof(fix), "when they are to go: postrider endpoint resume %s%s",
             check->endpoint_id, hint_options());
    verdicts_add(&check->verdicts, "state", VERDICT_WARNING,
                 verdicts_either(&check->verdicts, fix, "resume it when they are to go"),
                 "it is paused since %s, so that what is for it waits", taken->paused_at);
}

/* What this worker, whose lane it is, holds against it just now; NULL: nothing. */
static const char *find_hold(const struct endpoint_check *check)
{
    const struct endpoint *endpoint =
        endpoint_find(&check->worker->endpoints, check->customer_id, check->url);

    if (endpoint == NULL)
        return NULL;
    if (endpoint->queue.entry.breaker.state != BREAKER_CLOSED)
        return "its breaker is open after failures in a row, and it is only probed";
    if (endpoint->origin->scheduled.breaker.state != BREAKER_CLOSED)
        return "the breaker of its host is open after failures in a row, and it is only probed";
    if (endpoint->queue.entry.held_until_us > check->worker->now_us)
        return "it has asked to be left alone for a while (Retry-After)";
    return NULL;
}

static void add_state(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    const char *hold = find_hold(check);
    const char *what = hold != NULL ? hold : "its breaker is closed";

    if (taken->disabled_at != NULL)
        add_disabled(check, taken);
    else if (taken->paused_at != NULL)
        add_paused(check, taken);
    else if (taken->failing_since != NULL)
        verdicts_add(&check->verdicts, "state", VERDICT_WARNING,
                     "mend what is wrong below; if nothing is, send it a test",
                     "it does nothing but fail since %s; %s", taken->failing_since, what);
    else if (hold != NULL)
        verdicts_add(&check->verdicts, "state", VERDICT_WARNING,
                     "mend what is wrong below; if nothing is, wait for the next probe",
                     "it is enabled, and %s", hold);
    else
        verdicts_add(&check->verdicts, "state", VERDICT_WELL, NULL, "it is enabled, and %s", what);
}

static void add_subscription(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    if (taken->types_count < 0)
        verdicts_add(&check->verdicts, "subscription", VERDICT_WELL, NULL,
                     "it subscribes to no events: it gets what an application inserts for its URL");
    else if (taken->events_looked_at == 0)
        verdicts_add(&check->verdicts, "subscription", VERDICT_WELL, NULL,
                     "it subscribes to %lld type%s, and there has been no event",
                     (long long)taken->types_count, text_plural(taken->types_count, "", "s"));
    else if (taken->events_matching == 0)
        verdicts_add(&check->verdicts, "subscription", VERDICT_WARNING,
                     "compare its event_types with the types that are published",
                     "none of the last %lld event%s is of a type that it subscribes to",
                     (long long)taken->events_looked_at,
                     text_plural(taken->events_looked_at, "", "s"));
    else
        verdicts_add(&check->verdicts, "subscription", VERDICT_WELL, NULL,
                     "%lld of the last %lld event%s %s of a type that it subscribes to",
                     (long long)taken->events_matching, (long long)taken->events_looked_at,
                     text_plural(taken->events_looked_at, "", "s"),
                     text_plural(taken->events_matching, "is", "are"));
}

static void add_limits(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    const struct endpoint_settings *settings = &check->settings;
    bool is_slow = settings->rate_limit > 0 && settings->rate_limit < SLOW_RATE;
    bool is_behind = settings->rate_limit > 0 && taken->pending >= ENDPOINT_CHECK_PENDING_MAX;
    char says[300];
    int length = snprintf(says, sizeof(says), "%d request%s at a time", settings->max_in_flight,
                          text_plural(settings->max_in_flight, "", "s"));

    if (settings->rate_limit > 0)
        length += snprintf(says + length, sizeof(says) - (size_t)length, ", %g a second at most",
                           settings->rate_limit);
    snprintf(says + length, sizeof(says) - (size_t)length, "; %lld%s deliver%s pending",
             (long long)taken->pending,
             taken->pending >= ENDPOINT_CHECK_PENDING_MAX ? " or more" : "",
             text_plural(taken->pending, "y is", "ies are"));
    if (is_slow || is_behind)
        verdicts_add(&check->verdicts, "limits", VERDICT_WARNING,
                     "raise its rate_limit, if the receiver can take more", "%s", says);
    else
        verdicts_add(&check->verdicts, "limits", VERDICT_WELL, NULL, "%s", says);
}

static void judge_own_certificate(struct endpoint_check *check,
                                  const struct client_certificate *certificate)
{
    int64_t days = (certificate->ends_s - clock_wall_s()) / DAY_S;
    char day[VERDICT_DAY_SIZE];

    verdicts_day(certificate->ends_s, day);
    if (certificate->ends_s <= clock_wall_s())
        verdicts_add(&check->verdicts, "client certificate", VERDICT_WRONG,
                     "renew it in network.client_certificates, and reload the workers",
                     "%s has expired on %s", certificate->name, day);
    else if (days < VERDICT_ENDS_SOON_DAYS)
        verdicts_add(&check->verdicts, "client certificate", VERDICT_WARNING,
                     "renew it in network.client_certificates, and reload the workers",
                     "%s expires on %s, in %lld day%s", certificate->name, day, (long long)days,
                     text_plural(days, "", "s"));
    else
        verdicts_add(&check->verdicts, "client certificate", VERDICT_WELL, NULL,
                     "%s is shown; it expires on %s", certificate->name, day);
}

/* No endpoint that a customer can ask for has one. */
static void add_own_certificate(struct endpoint_check *check)
{
    const struct permit *permit = check->settings.permit;
    const struct client_certificate *found;

    if (permit == NULL || permit->client_certificate == NULL)
        return;
    found = client_certificates_find(&check->worker->config->network.certificates,
                                     permit->client_certificate);
    if (found != NULL)
        judge_own_certificate(check, found);
    else
        verdicts_add(&check->verdicts, "client certificate", VERDICT_WRONG,
                     "put it into network.client_certificates, and reload the workers",
                     "%s is not in the directory that this worker was given",
                     permit->client_certificate);
}

/* --- its name --- */

static bool begin_resolution(struct endpoint_check *check)
{
    struct worker *worker = check->worker;
    struct error error = {0};

    if (worker->config->network.proxy[0] != '\0') {
        if (!check->verdicts.is_for_customer)
            verdicts_add(&check->verdicts, "dns", VERDICT_WELL, NULL,
                         "the name is for the proxy to resolve (network.proxy)");
        return true;
    }
    check->resolution = resolution_start(check->url, &error);
    if (check->resolution != NULL) {
        check->began_us = worker->now_us;
        check->resolve_until_us = worker->now_us + ENDPOINT_DOCTOR_RESOLVE_MS * INT64_C(1000);
        return true;
    }
    verdicts_add(&check->verdicts, "dns", VERDICT_WRONG, "look at the host of its URL", "%s",
                 error.message);
    return false;
}

bool endpoint_doctor_begin(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    bool can_be_sent_to;

    add_state(check, taken);
    add_subscription(check, taken);
    add_limits(check, taken);
    can_be_sent_to = endpoint_check_settings(check);
    if (!can_be_sent_to)
        return false;
    verdicts_add(&check->verdicts, "url", VERDICT_WELL, NULL, "its URL can be sent to");
    /* Whatever the secrets are, the receiver can be looked at. */
    endpoint_check_secrets(check, taken);
    add_own_certificate(check);
    return begin_resolution(check);
}

/* Where somebody could find out more. */
static bool add_unresolved(struct endpoint_check *check, const char *why)
{
    const char *host = resolution_host(check->resolution);
    char fix[FIX_SIZE];

    snprintf(fix, sizeof(fix),
             "look for a mistake in the name, and ask a worker's machine: getent ahosts %.200s",
             host);
    verdicts_add(&check->verdicts, "dns", VERDICT_WRONG,
                 verdicts_either(&check->verdicts, fix,
                                 "look for a mistake in the name, and at its records in the DNS"),
                 "%.200s can't be resolved: %s", host, why);
    return false;
}

/* NULL: it may be connected to; else the name of the range that forbids it. */
static const char *find_refusal(const struct endpoint_check *check, const struct address *address)
{
    const struct config *config = check->worker->config;
    const struct permit *permit = check->settings.permit;
    int port = resolution_port(check->resolution);
    const char *range =
        address_refusal(address, port, config->network.allow, config->network.allow_count);

    if (range != NULL && permit != NULL)
        range = address_refusal(address, port, permit->allow, permit->allow_count);
    return range;
}

/* Those that are refused matter less where another one is left. */
static void add_address(struct endpoint_check *check, const struct address *address,
                        enum verdict_level level)
{
    const char *range = find_refusal(check, address);
    char text[RESOLUTION_ADDRESS_SIZE];

    resolution_format(address, text);
    if (range == NULL)
        verdicts_add(&check->verdicts, "address", VERDICT_WELL, NULL, "%s may be connected to",
                     text);
    else
        verdicts_add(&check->verdicts, "address", level,
                     "if it is meant, add it to network.allow, or to webhook_endpoints.allow for "
                     "this endpoint alone; if not, change the name's records",
                     "%s is in %s, and is refused", text, range);
}

/* A customer hears how many they are. */
static void add_address_count(struct endpoint_check *check, size_t count, size_t refused)
{
    if (refused == 0)
        verdicts_add(&check->verdicts, "address", VERDICT_WELL, NULL,
                     "all of its addresses are public ones");
    else
        verdicts_add(
            &check->verdicts, "address", refused == count ? VERDICT_WRONG : VERDICT_WARNING,
            "let the name lead to public addresses alone",
            "%zu of its %zu address%s %s no public one, and refused", refused, count,
            text_plural((int64_t)count, "", "es"), text_plural((int64_t)refused, "is", "are"));
}

static void add_resolved(struct endpoint_check *check, size_t count)
{
    struct address literal;
    int port;

    if (url_literal_address(check->url, &literal, &port))
        verdicts_add(&check->verdicts, "dns", VERDICT_WELL, NULL,
                     "its URL has an address, so that there is no name to resolve");
    else
        verdicts_add(&check->verdicts, "dns", VERDICT_WELL, NULL,
                     "%.200s has %zu address%s (%.1f ms)", resolution_host(check->resolution),
                     count, text_plural((int64_t)count, "", "es"),
                     (double)(check->worker->now_us - check->began_us) / 1000);
}

bool endpoint_doctor_note_addresses(struct endpoint_check *check)
{
    struct address addresses[RESOLUTION_MAX];
    const struct resolution *resolution = check->resolution;
    size_t refused = 0;
    size_t count;

    if (!resolution_is_done(resolution))
        return add_unresolved(check, "nobody has answered in 15 s");
    if (resolution_error(resolution) != NULL)
        return add_unresolved(check, resolution_error(resolution));
    count = resolution_addresses(resolution, addresses);
    add_resolved(check, count);
    for (size_t i = 0; i < count; i++)
        refused += find_refusal(check, &addresses[i]) != NULL ? 1 : 0;
    if (check->verdicts.is_for_customer)
        add_address_count(check, count, refused);
    for (size_t i = 0; i < count && !check->verdicts.is_for_customer; i++)
        add_address(check, &addresses[i], refused == count ? VERDICT_WRONG : VERDICT_WARNING);
    return refused < count;
}

/* --- its receiver --- */

struct http_request endpoint_doctor_request(struct endpoint_check *check)
{
    return (struct http_request){
        .url = check->url,
        .permit = check->settings.permit,
        .headers = user_agent,
        .headers_count = ARRAY_LENGTH(user_agent),
        .timeout_ms = endpoint_check_timeout_ms(check),
        .is_head = true,
        .inspection = &check->inspection,
    };
}
