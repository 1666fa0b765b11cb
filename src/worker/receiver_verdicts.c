/* SPDX-License-Identifier: MIT */
#include "worker/receiver_verdicts.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/retry_after.h"

#define DAY_S          INT64_C(86400)
#define TOLERANCE_S    300 /* of receivers: Standard Webhooks, "Verifying webhook authenticity" */
#define SKEW_WARNING_S 30

static bool is_https(const struct endpoint_check *check)
{
    return strncasecmp(check->url, "https:", 6) == 0;
}

static const char *fix_of_connection(const struct http_response *response)
{
    if (response->result == ATTEMPT_TIMEOUT)
        return "look whether its server is up, and whether a firewall on the way drops what it "
               "does not let through";
    if (response->result == ATTEMPT_UNSENDABLE)
        return "look at its URL and at the addresses that it leads to";
    return "look whether its server is up, and listens at this port";
}

/* False: there was none. TLS that fails has had a connection. */
static bool add_connection(struct endpoint_check *check, const struct http_response *response)
{
    bool is_connected = response->result == ATTEMPT_ANSWERED ||
                        response->result == ATTEMPT_BROKEN || response->result == ATTEMPT_TLS ||
                        response->timings.is_connected || check->inspection.has_chain;

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
    char begins[VERDICT_DAY_SIZE], ends[VERDICT_DAY_SIZE];
    int64_t days;

    if (!seen->has_chain || seen->count == 0)
        return;
    first = first_to_end(seen);
    days = (first->ends_s - now_s) / DAY_S;
    verdicts_day(first->ends_s, ends);
    verdicts_day(seen->chain[0].begins_s, begins);
    if (first->ends_s <= now_s)
        verdicts_add(&check->verdicts, "certificate", VERDICT_WRONG,
                     "renew it, and let the receiver's server load it",
                     "it has expired on %s: %s, issued by %s", ends, first->subject, first->issuer);
    else if (seen->chain[0].begins_s > now_s)
        verdicts_add(&check->verdicts, "certificate", VERDICT_WRONG,
                     "look at the clocks of the workers and at the certificate's beginning",
                     "it is valid from %s on, and not before", begins);
    else if (days < VERDICT_ENDS_SOON_DAYS)
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
                               "the clock of this worker is not the database's either: "
                               "set both by NTP",
                               "ask the operator to look at the clocks of the workers");
    return "set the receiver's clock by NTP: signatures carry a time, and receivers refuse those "
           "that are more than 300 s away";
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
             skew_s < 0 ? "behind" : "ahead of");
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

void receiver_verdicts_add(struct endpoint_check *check, const struct http_response *response)
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
