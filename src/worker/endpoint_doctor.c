/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_doctor.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "core/retry_after.h"
#include "http/url.h"

#define DAY_S          INT64_C(86400)
#define ENDS_SOON_DAYS 14
#define TOLERANCE_S    300 /* of receivers: Standard Webhooks, "Verifying webhook authenticity" */
#define SKEW_WARNING_S 30
#define DATE_SIZE      32
#define FIX_SIZE       600
#define LIST_SIZE      1500
#define SLOW_RATE      0.1 /* a request in ten seconds */

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

/* "2031-05-17" */
static const char *format_day(int64_t at_s, char text[DATE_SIZE])
{
    time_t at = (time_t)at_s;
    struct tm utc;

    if (gmtime_r(&at, &utc) == NULL || strftime(text, DATE_SIZE, "%Y-%m-%d", &utc) == 0)
        text_copy(text, DATE_SIZE, "an unknown day");
    return text;
}

static void judge_own_certificate(struct endpoint_check *check,
                                  const struct client_certificate *certificate)
{
    int64_t days = (certificate->ends_s - clock_wall_s()) / DAY_S;
    char day[DATE_SIZE];

    format_day(certificate->ends_s, day);
    if (certificate->ends_s <= clock_wall_s())
        verdicts_add(&check->verdicts, "client certificate", VERDICT_WRONG,
                     "renew it in network.client_certificates, and reload the workers",
                     "%s has expired on %s", certificate->name, day);
    else if (days < ENDS_SOON_DAYS)
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

/* --- the receiver --- */

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

static bool is_https(const struct endpoint_check *check)
{
    return strncasecmp(check->url, "https:", 6) == 0;
}

static const char *fix_of_connection(const struct http_response *response)
{
    if (response->result == ATTEMPT_TIMEOUT)
        return "look whether its server is up, and whether a firewall on the way drops what it "
               "does "
               "not let through";
    if (response->result == ATTEMPT_UNSENDABLE)
        return "look at its URL and at the addresses that it leads to";
    return "look whether its server is up, and listens at this port";
}

/* False: there was none. TLS that fails has had a connection. */
static bool add_connection(struct endpoint_check *check, const struct http_response *response)
{
    bool is_connected = response->result == ATTEMPT_ANSWERED ||
                        response->result == ATTEMPT_BROKEN || response->result == ATTEMPT_TLS ||
                        response->timings.connect_us > 0 || check->inspection.has_chain;

    if (!is_connected)
        verdicts_add(&check->verdicts, "connection", VERDICT_WRONG, fix_of_connection(response),
                     "%s", response->error);
    else if (response->timings.connect_us > response->timings.dns_us)
        verdicts_add(&check->verdicts, "connection", VERDICT_WELL, NULL,
                     "connected to %s in %.1f ms",
                     verdicts_either(&check->verdicts, response->peer, "it"),
                     (double)(response->timings.connect_us - response->timings.dns_us) / 1000);
    else
        verdicts_add(&check->verdicts, "connection", VERDICT_WELL, NULL, "connected to %s",
                     verdicts_either(&check->verdicts,
                                     response->peer[0] != '\0' ? response->peer : "it", "it"));
    return is_connected;
}

static void add_plain(struct endpoint_check *check)
{
    verdicts_add(&check->verdicts, "tls", VERDICT_WARNING,
                 "let the receiver speak TLS, and change the URL to https",
                 "there is none: whoever is on the way reads and changes what is sent");
}

static const char *fix_of_chain(const struct endpoint_check *check)
{
    switch (check->inspection.verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "renew the certificate, and let the receiver's server load it";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "look at the clocks of the workers and at the certificate's beginning";
    default:
        return verdicts_either(&check->verdicts,
                               "let the server send its intermediate certificates too; where its "
                               "authority is one of your own, put it into network.ca_file",
                               "let the server send its intermediate certificates too, and use an "
                               "authority that is trusted publicly");
    }
}

/* "a.example, *.b.example" */
static const char *names_of(const struct endpoint_check *check)
{
    return check->inspection.names[0] != '\0' ? check->inspection.names : "no name";
}

static bool is_name_wrong(const struct endpoint_check *check, const struct http_response *response)
{
    return check->inspection.has_chain && check->inspection.verify_error == X509_V_OK &&
           response->result == ATTEMPT_TLS &&
           (strstr(response->error, "subject name") != NULL ||
            strstr(response->error, "does not match") != NULL);
}

/* False: nothing went over it. */
static bool add_handshake(struct endpoint_check *check, const struct http_response *response)
{
    const struct http_inspection *seen = &check->inspection;
    bool is_bad = response->result == ATTEMPT_TLS ||
                  (!seen->is_complete && response->result != ATTEMPT_ANSWERED);

    if (is_name_wrong(check, response))
        verdicts_add(&check->verdicts, "tls", VERDICT_WRONG,
                     "use a name in the URL that the certificate has, or get one for this name",
                     "its certificate is for another name than the URL has: for %s",
                     names_of(check));
    else if (is_bad && seen->has_chain && seen->verify_error != X509_V_OK)
        verdicts_add(&check->verdicts, "tls", VERDICT_WRONG, fix_of_chain(check),
                     "its certificate is not trusted: %s (%s, issued by %s)", seen->verify_text,
                     seen->count > 0 ? seen->chain[0].subject : "-",
                     seen->count > 0 ? seen->chain[0].issuer : "-");
    else if (is_bad)
        verdicts_add(&check->verdicts, "tls", VERDICT_WRONG,
                     "look which versions and ciphers its server takes (TLS 1.2 or later), and "
                     "whether it wants a client certificate",
                     "%s", response->error);
    else
        verdicts_add(&check->verdicts, "tls", VERDICT_WELL, NULL,
                     "%s, %s; the chain is trusted, and for the name; %.1f ms", seen->version,
                     seen->cipher,
                     (double)(response->timings.tls_us - response->timings.connect_us) / 1000);
    return !is_bad;
}

/* The one that ends first, of the receiver's own and those between it and its authority. */
static const struct inspected_certificate *first_to_end(const struct http_inspection *seen)
{
    const struct inspected_certificate *first = &seen->chain[0];

    for (size_t i = 1; i < seen->count; i++)
        if (seen->chain[i].ends_s > 0 && seen->chain[i].ends_s < first->ends_s)
            first = &seen->chain[i];
    return first;
}

static void add_dates(struct endpoint_check *check)
{
    const struct http_inspection *seen = &check->inspection;
    const struct inspected_certificate *first;
    int64_t now_s = clock_wall_s();
    char begins[DATE_SIZE], ends[DATE_SIZE];
    int64_t days;

    if (!seen->has_chain || seen->count == 0)
        return;
    first = first_to_end(seen);
    days = (first->ends_s - now_s) / DAY_S;
    format_day(first->ends_s, ends);
    format_day(seen->chain[0].begins_s, begins);
    if (first->ends_s <= now_s)
        verdicts_add(&check->verdicts, "certificate", VERDICT_WRONG,
                     "renew it, and let the receiver's server load it",
                     "it has expired on %s: %s, issued by %s", ends, first->subject, first->issuer);
    else if (seen->chain[0].begins_s > now_s)
        verdicts_add(&check->verdicts, "certificate", VERDICT_WRONG,
                     "look at the clocks of the workers and at the certificate's beginning",
                     "it is valid from %s on, and not before", begins);
    else if (days < ENDS_SOON_DAYS)
        verdicts_add(&check->verdicts, "certificate", VERDICT_WARNING,
                     "renew it, and let the receiver's server load it",
                     "it expires on %s, in %lld day%s: %s, issued by %s", ends, (long long)days,
                     text_plural(days, "", "s"), first->subject, first->issuer);
    else
        verdicts_add(&check->verdicts, "certificate", VERDICT_WELL, NULL,
                     "for %s; issued by %s; expires on %s, in %lld days", names_of(check),
                     seen->chain[0].issuer, ends, (long long)days);
}

static void add_protocol(struct endpoint_check *check)
{
    const char *chosen = check->inspection.protocol;

    if (is_https(check) && chosen[0] != '\0')
        verdicts_add(&check->verdicts, "protocol", VERDICT_WELL, NULL,
                     "HTTP: %s was agreed on (ALPN)", chosen);
    else
        verdicts_add(&check->verdicts, "protocol", VERDICT_WELL, NULL, "HTTP/1.1");
}

static const char *fix_of_answer(int status)
{
    if (status >= 300 && status < 400)
        return "redirects are not followed: use the URL that it leads to";
    if (status == 404)
        return "look for a mistake in the URL's path; a POST may still be known there: send a test";
    if (status == 410)
        return "a delivery that is answered so disables the endpoint: send a test when it is back";
    return "look at the receiver's log; deliveries that are answered so are tried again";
}

/* A server need not know HEAD: what tells of trouble is a 5xx, and what leads elsewhere. */
static bool is_notable(int status)
{
    return (status >= 500 && status != 501) || (status >= 300 && status < 400) || status == 404 ||
           status == 410;
}

static bool add_answer(struct endpoint_check *check, const struct http_response *response)
{
    double total_ms = (double)response->timings.total_us / 1000;

    if (response->result != ATTEMPT_ANSWERED)
        verdicts_add(&check->verdicts, "answer", VERDICT_WRONG,
                     response->result == ATTEMPT_TIMEOUT
                         ? "look why it takes so long; it should answer before it does the work"
                         : "look at the receiver's log; a delivery would find the same",
                     "%s", response->error);
    else if (is_notable(response->status))
        verdicts_add(&check->verdicts, "answer", VERDICT_WARNING, fix_of_answer(response->status),
                     "HEAD was answered with %d, in %.1f ms", response->status, total_ms);
    else
        verdicts_add(&check->verdicts, "answer", VERDICT_WELL, NULL,
                     "HEAD was answered with %d, in %.1f ms%s", response->status, total_ms,
                     response->status >= 400 ? "; to this method any answer will do" : "");
    return response->result == ATTEMPT_ANSWERED;
}

/* Whose clock it is: the database's is a third one. */
static bool is_ours_off(const struct endpoint_check *check)
{
    return llabs(check->database_skew_ms) > SKEW_WARNING_S * 1000LL;
}

static const char *fix_of_clock(const struct endpoint_check *check)
{
    if (is_ours_off(check))
        return verdicts_either(&check->verdicts,
                               "the clock of this worker is not the database's either: set both by "
                               "NTP",
                               "ask the operator to look at the clocks of the workers");
    return "set the receiver's clock by NTP: signatures carry a time, and receivers refuse those "
           "that "
           "are more than 300 s away";
}

static void add_clock(struct endpoint_check *check, const struct http_response *response)
{
    int64_t sent_s = (clock_wall_ns() / 1000 - response->timings.total_us / 2) / 1000000;
    int64_t date_s = 0;
    int64_t skew_s;
    char words[120];

    if (!retry_after_parse_date(response->date, sent_s, &date_s)) {
        verdicts_add(&check->verdicts, "clock", VERDICT_WELL, NULL,
                     "it can't be compared: the answer has no Date that could be read");
        return;
    }
    skew_s = date_s - sent_s;
    snprintf(words, sizeof(words), "its clock (Date) is %lld s %s ours", (long long)llabs(skew_s),
             skew_s < 0 ? "behind" : "before");
    if (llabs(skew_s) > TOLERANCE_S)
        verdicts_add(&check->verdicts, "clock", VERDICT_WRONG, fix_of_clock(check),
                     "%s: it will refuse signatures", words);
    else if (llabs(skew_s) > SKEW_WARNING_S)
        verdicts_add(&check->verdicts, "clock", VERDICT_WARNING, fix_of_clock(check), "%s", words);
    else
        verdicts_add(&check->verdicts, "clock", VERDICT_WELL, NULL,
                     "its clock (Date) and ours are %lld s apart; receivers take up to 300 s",
                     (long long)llabs(skew_s));
}

/* The workers' own clock, by the database's. A customer can do nothing about it. */
static void add_own_clock(struct endpoint_check *check)
{
    int64_t skew_s = llabs(check->database_skew_ms) / 1000;

    if (check->verdicts.is_for_customer || !is_ours_off(check))
        return;
    verdicts_add(
        &check->verdicts, "worker's clock", skew_s > TOLERANCE_S ? VERDICT_WRONG : VERDICT_WARNING,
        "set the clocks of the worker's machine and of the database by NTP",
        "the clock of this worker and that of the database are %lld s apart", (long long)skew_s);
}

void endpoint_doctor_finish(struct endpoint_check *check, const struct http_response *response)
{
    bool is_good = add_connection(check, response);

    if (is_good && is_https(check)) {
        is_good = add_handshake(check, response);
        add_dates(check);
    } else if (is_good)
        add_plain(check);
    if (is_good)
        add_protocol(check);
    if (is_good && add_answer(check, response))
        add_clock(check, response);
    add_own_clock(check);
}
