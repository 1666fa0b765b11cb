/* SPDX-License-Identifier: MIT */
#include "config/options.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "config/checks.h"
#include "config/config.h"
#include "core/alerts.h"
#include "core/header.h"
#include "core/rate_limit.h"

#define FIELD(member) \
    .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)

#define MS     INT64_C(1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

static const char *const attempt_logs[] = {"failures", "all", "none", NULL};
static const char *const alerts_enabled[] = {"auto", "always", "never", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const log_formats[] = {"auto", "journal", "logfmt", "json", NULL};

/* Limits of times and retries are those of the columns of webhook_endpoints that override them. */
const struct config_option option_table[] = {
    {.key = "database.url",
     .kind = OPTION_TEXT,
     FIELD(database.url),
     .maximum = 4096,
     .default_text = "\"postgresql:///postrider\"",
     .check = check_database_url,
     .allowed = "a `postgresql://` URI or `keyword=value` pairs, as libpq reads them",
     .is_private = true,
     .is_url = true,
     .description = "the database; `PG*` variables and `~/.pgpass` fill in what it leaves out"},
    {.key = "database.schema",
     .kind = OPTION_TEXT,
     FIELD(database.schema),
     .maximum = 63,
     .default_text = "\"public\"",
     .allowed = "a schema's name of at most 63 bytes",
     .description = "the schema of the tables; `\"\"` = the connection's `search_path`"},

    {.key = "worker.max_in_flight",
     .kind = OPTION_INTEGER,
     FIELD(worker.max_in_flight),
     .minimum = 1,
     .maximum = 65536,
     .default_text = "1024",
     .description = "requests under way at one time"},
    {.key = "worker.max_buffered",
     .kind = OPTION_SIZE,
     FIELD(worker.max_buffered_bytes),
     .minimum = 1 * MIB,
     .maximum = 64 * GIB,
     .default_text = "256MiB",
     .description = "payloads held in memory, waiting or in flight"},
    {.key = "worker.poll_interval",
     .kind = OPTION_DURATION,
     FIELD(worker.poll_interval_ms),
     .minimum = 1 * MS,
     .maximum = 1 * MINUTE,
     .default_text = "250ms",
     .description =
         "the longest pause between two looks for due rows, when there is nothing to do"},
    {.key = "worker.lease",
     .kind = OPTION_DURATION,
     FIELD(worker.lease_ms),
     .minimum = 1 * SECOND,
     .maximum = 10 * MINUTE,
     .default_text = "15s",
     .description = "a worker that was not heard of for so long has lost its work to others"},
    {.key = "worker.drain_timeout",
     .kind = OPTION_DURATION,
     FIELD(worker.drain_timeout_ms),
     .minimum = 0,
     .maximum = 1 * HOUR,
     .default_text = "20s",
     .description = "how long a stop waits for requests in flight; below `delivery.timeout` some "
                    "may be sent again later"},

    {.key = "delivery.timeout",
     .kind = OPTION_DURATION,
     FIELD(delivery.timeout_ms),
     .minimum = 1 * MS,
     .maximum = 1 * HOUR,
     .default_text = "10s",
     .description = "for a whole attempt: name, connection, TLS, request and answer"},
    {.key = "delivery.connect_timeout",
     .kind = OPTION_DURATION,
     FIELD(delivery.connect_timeout_ms),
     .minimum = 1 * MS,
     .maximum = 1 * HOUR,
     .default_text = "5s",
     .description = "the part of it until the connection stands, at most `delivery.timeout`"},
    {.key = "delivery.max_payload",
     .kind = OPTION_SIZE,
     FIELD(delivery.max_payload_bytes),
     .minimum = 1 * KIB,
     .maximum = 256 * MIB,
     .default_text = "1MiB",
     .description = "a larger payload is not sent, its delivery fails"},
    {.key = "delivery.max_response",
     .kind = OPTION_SIZE,
     FIELD(delivery.max_response_bytes),
     .minimum = 1 * KIB,
     .maximum = 64 * MIB,
     .default_text = "64KiB",
     .description = "what is read of an answer; the rest is cut off"},
    {.key = "delivery.headers",
     .kind = OPTION_HEADERS,
     FIELD(delivery.headers),
     .entries_max = HEADERS_MAX,
     .default_text = "{}",
     .is_private = true,
     .description = "extra headers of every request; an endpoint's own come on top"},

    {.key = "retry.max_attempts",
     .kind = OPTION_INTEGER,
     FIELD(retry.max_attempts),
     .minimum = 1,
     .maximum = RETRY_ATTEMPTS_MAX,
     .default_text = "20",
     .description = "attempts until a delivery is a dead letter"},
    {.key = "retry.initial_delay",
     .kind = OPTION_DURATION,
     FIELD(retry.initial_delay_ms),
     .minimum = 1 * MS,
     .maximum = 365 * DAY,
     .default_text = "1s",
     .description = "the delay after the first attempt"},
    {.key = "retry.multiplier",
     .kind = OPTION_NUMBER,
     FIELD(retry.multiplier),
     .minimum = 1,
     .maximum = 1000,
     .default_text = "2",
     .description = "each further delay is so many times the one before"},
    {.key = "retry.max_delay",
     .kind = OPTION_DURATION,
     FIELD(retry.max_delay_ms),
     .minimum = 1 * MS,
     .maximum = 365 * DAY,
     .default_text = "4h",
     .description = "the longest delay, also of a `Retry-After`"},
    {.key = "retry.jitter",
     .kind = OPTION_NUMBER,
     FIELD(retry.jitter),
     .minimum = 0,
     .maximum = 1,
     .default_text = "0.1",
     .description = "up to this part of each delay is taken away at random"},
    {.key = "retry.schedule",
     .kind = OPTION_SCHEDULE,
     FIELD(retry.schedule_ms),
     .minimum = 1 * MS,
     .maximum = 365 * DAY,
     .entries_max = RETRY_SCHEDULE_MAX,
     .default_text = "[]",
     .description = "the delays themselves instead of the three above, as in `[5s, 5m, 30m]`; the "
                    "last one repeats"},
    {.key = "retry.retry_statuses",
     .kind = OPTION_STATUSES,
     FIELD(retry.statuses),
     .minimum = 300,
     .maximum = 599,
     .entries_max = RETRY_STATUSES_MAX,
     .default_text = "[408, 425, 429]",
     .description = "answers that are tried again, besides every 5xx"},

    {.key = "endpoint.max_in_flight",
     .kind = OPTION_INTEGER,
     FIELD(endpoint.max_in_flight),
     .minimum = 1,
     .maximum = 65536,
     .default_text = "32",
     .description = "requests under way to one endpoint at one time; it starts with one, and has "
                    "more while that does not keep up"},
    {.key = "endpoint.max_in_flight_per_origin",
     .kind = OPTION_INTEGER,
     FIELD(endpoint.max_in_flight_per_origin),
     .minimum = 1,
     .maximum = 65536,
     .default_text = "128",
     .description = "the same for all endpoints of one scheme, host and port together"},
    {.key = "endpoint.rate_limit",
     .kind = OPTION_NUMBER,
     FIELD(endpoint.rate_limit),
     .minimum = 0,
     .maximum = RATE_LIMIT_MAX,
     .default_text = "0",
     .description = "requests per second to one endpoint, as in `0.5` or `100`; `0` = no limit"},
    {.key = "endpoint.breaker_failures",
     .kind = OPTION_INTEGER,
     FIELD(endpoint.breaker_failures),
     .minimum = 0,
     .maximum = 100000,
     .default_text = "10",
     .description = "after so many failures in a row (not a 4xx) an endpoint is only probed until "
                    "it answers; `0` = never"},
    {.key = "endpoint.breaker_max_interval",
     .kind = OPTION_DURATION,
     FIELD(endpoint.breaker_max_interval_ms),
     .minimum = 1 * MS,
     .maximum = 1 * DAY,
     .default_text = "5m",
     .description = "the longest pause between two probes; the first is 1s, each further one twice "
                    "as long, and up to a quarter of each is taken away at random"},
    {.key = "endpoint.disable_after",
     .kind = OPTION_DURATION,
     FIELD(endpoint.disable_after_ms),
     .minimum = 0,
     .maximum = 3650 * DAY,
     .default_text = "5d",
     .description = "an endpoint that does nothing but fail for so long is disabled; `0` = never"},

    {.key = "signing.secret_file",
     .kind = OPTION_TEXT,
     FIELD(signing.secret_file),
     .maximum = 4096,
     .default_text = "\"\"",
     .check = check_secret_file,
     .allowed = "a file of `whsec_` or `whsk_` secrets, one a line",
     .is_private = true, /* someone will write the secret itself here */
     .description = "secrets for customers without any of their own; a relative name is looked for "
                    "in `$CREDENTIALS_DIRECTORY`, then beside this file"},
    {.key = "signing.key_file",
     .kind = OPTION_TEXT,
     FIELD(signing.key_file),
     .maximum = 4096,
     .default_text = "\"\"",
     .check = check_secret_file,
     .allowed = "a file of keys, one a line: a name, a blank, and 32 bytes in base64",
     .is_private = true, /* as above */
     .description = "seals the secrets in `webhook_secrets` (AES-256-GCM): the first key seals, "
                    "all of them open; found as `secret_file` is"},

    {.key = "network.allow",
     .kind = OPTION_RANGES,
     .offset = offsetof(struct config, network.allow),
     .entries_max = 256,
     .default_text = "[]",
     .description = "ranges that may be connected to although they are private, loopback or "
                    "otherwise special, as in `[10.1.0.0/16]`, or at one port alone, as in "
                    "`[\"10.1.2.3/32:8080\"]`"},
    {.key = "network.https_only",
     .kind = OPTION_BOOLEAN,
     FIELD(network.https_only),
     .default_text = "false",
     .description = "refuse `http://` endpoints"},
    {.key = "network.proxy",
     .kind = OPTION_TEXT,
     FIELD(network.proxy),
     .maximum = 4096,
     .default_text = "\"\"",
     .check = check_proxy,
     .allowed = "`http://`, `https://` or `socks5://`, a host and a port",
     .is_private = true,
     .is_url = true,
     .description = "an egress proxy for all requests; `http_proxy` and the like are ignored"},
    {.key = "network.source_address",
     .kind = OPTION_TEXT,
     FIELD(network.source_address),
     .maximum = 64,
     .default_text = "\"\"",
     .check = check_source_address,
     .allowed = "an IP address of this machine or the name of a network interface",
     .description = "where requests come from; `\"\"` = the system chooses"},
    {.key = "network.connection_lifetime",
     .kind = OPTION_DURATION,
     FIELD(network.connection_lifetime_ms),
     .minimum = 1 * SECOND,
     .maximum = 1 * DAY,
     .default_text = "2m",
     .description = "no request begins on a connection that is older, so that a host whose name "
                    "has moved is found at its new address"},
    {.key = "network.ca_file",
     .kind = OPTION_TEXT,
     FIELD(network.ca_file),
     .maximum = 4096,
     .default_text = "\"\"",
     .allowed = "a readable file of PEM certificates",
     .description = "whom to trust instead of the system's certificate authorities"},
    {.key = "network.crl_file",
     .kind = OPTION_TEXT,
     FIELD(network.crl_file),
     .maximum = 4096,
     .default_text = "\"\"",
     .allowed = "a readable file of one or more CRLs in PEM",
     .description = "which certificates their authorities have revoked; an authority without a "
                    "CRL in it is not asked"},
    {.key = "network.client_certificates",
     .kind = OPTION_TEXT,
     FIELD(network.client_certificates),
     .maximum = 4096,
     .default_text = "\"\"",
     .allowed = "a directory of `NAME.pem` files, each with a certificate, its chain and its "
                "private key",
     .description = "the client certificates that `webhook_endpoints.client_certificate` can name"},

    {.key = "attempt_log",
     .kind = OPTION_CHOICE,
     FIELD(attempt_log),
     .default_text = "failures",
     .choices = attempt_logs,
     .description = "which attempts get a row in `webhook_attempts`"},

    {.key = "retention.delivered",
     .kind = OPTION_DURATION,
     FIELD(retention.delivered_ms),
     .maximum = 36500 * DAY,
     .default_text = "7d",
     .description = "delivered rows are deleted when they are so old; `0` = never"},
    {.key = "retention.failed",
     .kind = OPTION_DURATION,
     FIELD(retention.failed_ms),
     .maximum = 36500 * DAY,
     .default_text = "30d",
     .description = "the same for dead letters; `0` = never"},
    {.key = "retention.events",
     .kind = OPTION_DURATION,
     FIELD(retention.events_ms),
     .maximum = 36500 * DAY,
     .default_text = "30d",
     .description = "events are deleted when they are so old and no delivery of theirs is left; "
                    "`0` = never"},
    {.key = "retention.payload",
     .kind = OPTION_DURATION,
     FIELD(retention.payload_ms),
     .maximum = 36500 * DAY,
     .default_text = "0",
     .description = "payloads, error texts and answers of what has ended so long ago are erased, "
                    "and the rows stay ([erasure.md](erasure.md)); `0` = never"},
    {.key = "retention.idempotency_keys",
     .kind = OPTION_DURATION,
     FIELD(retention.idempotency_keys_ms),
     .minimum = 1 * MINUTE,
     .maximum = 3650 * DAY,
     .default_text = "1d",
     .description = "how long `postrider serve` answers a repeated `Idempotency-Key` as it did "
                    "the first time"},

    {.key = "retention.history",
     .kind = OPTION_DURATION,
     FIELD(retention.history_ms),
     .minimum = 1 * DAY,
     .maximum = 3650 * DAY,
     .default_text = "7d",
     .description = "how long the minutes are kept that charts are made of"},

    {.key = "http.listen",
     .kind = OPTION_TEXT,
     FIELD(http.listen),
     .maximum = 100,
     .default_text = "\"127.0.0.1:8920\"",
     .check = check_listen,
     .allowed = "`ADDRESS:PORT`, `[ADDRESS]:PORT` or `unix:/PATH`",
     .description = "where `postrider serve` listens"},
    {.key = "http.hosts",
     .kind = OPTION_NAMES,
     .offset = offsetof(struct config, http.hosts),
     .entries_max = 64,
     .default_text = "[]",
     .check = check_host_name,
     .description = "the names that clients may call it by, as in `[hooks.example.com]`, besides "
                    "`localhost`, `127.0.0.1` and `[::1]`"},
    {.key = "http.max_body",
     .kind = OPTION_SIZE,
     FIELD(http.max_body_bytes),
     .minimum = 1 * KIB,
     .maximum = 64 * MIB,
     .default_text = "1MiB",
     .description = "a larger request is refused (413)"},
    {.key = "http.max_connections",
     .kind = OPTION_INTEGER,
     FIELD(http.max_connections),
     .minimum = 1,
     .maximum = 65536,
     .default_text = "256",
     .description = "clients at one time; for a further one, one that is idle has to go"},
    {.key = "http.customers_role",
     .kind = OPTION_TEXT,
     FIELD(http.customers_role),
     .minimum = 1,
     .maximum = 63,
     .default_text = "\"postrider_customers\"",
     .check = check_customers_role,
     .allowed = "a role's name of 1 to 63 bytes",
     .description = "the role as which `postrider serve` asks the database for a customer"},

    {.key = "alerts.enabled",
     .kind = OPTION_CHOICE,
     FIELD(alerts.enabled),
     .default_text = "auto",
     .choices = alerts_enabled,
     .description = "`auto` = where `alerts.url` is set; `always` = without it in the log and in "
                    "`status`"},
    {.key = "alerts.url",
     .kind = OPTION_TEXT,
     FIELD(alerts.url),
     .maximum = 4096,
     .default_text = "\"\"",
     .check = check_alerts_url,
     .allowed = "an `http://` or `https://` URL",
     .is_private = true,
     .is_url = true,
     .description = "where alerts are sent as webhooks ([alerts.md](alerts.md)); the network's "
                    "rules are those of every delivery"},
    {.key = "alerts.customer",
     .kind = OPTION_TEXT,
     FIELD(alerts.customer),
     .maximum = 36,
     .default_text = "\"\"",
     .check = check_customer,
     .allowed = "a customer's UUID",
     .description = "a customer of your own, whose events alerts are and whose secret signs them"},
    {.key = "alerts.interval",
     .kind = OPTION_DURATION,
     FIELD(alerts.interval_ms),
     .minimum = 100 * MS,
     .maximum = 10 * MINUTE,
     .default_text = "10s",
     .description = "the pause between two looks"},
    {.key = "alerts.remind",
     .kind = OPTION_DURATION,
     FIELD(alerts.remind_ms),
     .maximum = 365 * DAY,
     .default_text = "4h",
     .description = "an alert that is still open is sent again after so long; `0` = never"},
    {.key = "alerts.dead_letters",
     .kind = OPTION_INTEGER,
     FIELD(alerts.dead_letters),
     .maximum = ALERT_DEAD_LETTERS_MAX,
     .default_text = "100",
     .description = "so many dead letters within `alerts.window` are an alert; `0` = never"},
    {.key = "alerts.window",
     .kind = OPTION_DURATION,
     FIELD(alerts.window_ms),
     .minimum = 1 * SECOND,
     .maximum = 30 * DAY,
     .default_text = "1h",
     .description = "in which dead letters are counted"},
    {.key = "alerts.oldest_due",
     .kind = OPTION_DURATION,
     FIELD(alerts.oldest_due_ms),
     .maximum = 365 * DAY,
     .default_text = "5m",
     .description = "a delivery to an endpoint that answers is due for so long; `0` = never"},
    {.key = "alerts.oldest_due_receiver",
     .kind = OPTION_DURATION,
     FIELD(alerts.oldest_due_receiver_ms),
     .maximum = 365 * DAY,
     .default_text = "0",
     .description = "the same for endpoints that do nothing but fail; `0` = never"},
    {.key = "alerts.unowned_lanes",
     .kind = OPTION_DURATION,
     FIELD(alerts.unowned_lanes_ms),
     .maximum = 365 * DAY,
     .default_text = "1m",
     .description = "no worker has a lane for so long; `0` = never"},
    {.key = "alerts.database",
     .kind = OPTION_DURATION,
     FIELD(alerts.database_ms),
     .maximum = 365 * DAY,
     .default_text = "30s",
     .description = "the database was away, or refused what a worker needs, for so long; `0` = "
                    "never"},
    {.key = "alerts.endpoints",
     .kind = OPTION_BOOLEAN,
     FIELD(alerts.endpoints),
     .default_text = "true",
     .description = "an endpoint was disabled, or is enabled again"},
    {.key = "alerts.blocked_keys",
     .kind = OPTION_BOOLEAN,
     FIELD(alerts.blocked_keys),
     .default_text = "true",
     .description = "an ordering key waits behind a dead letter"},
    {.key = "alerts.audit",
     .kind = OPTION_BOOLEAN,
     FIELD(alerts.audit),
     .default_text = "true",
     .description = "the last audit failed"},

    {.key = "metrics.listen",
     .kind = OPTION_TEXT,
     FIELD(metrics.listen),
     .maximum = 100,
     .default_text = "\"\"",
     .check = check_listen,
     .allowed = "`ADDRESS:PORT`, `[ADDRESS]:PORT`, `unix:/PATH` or `\"\"`",
     .description = "where workers answer `/metrics`, `/healthz` and `/readyz` to whoever "
                    "asks ([metrics.md](metrics.md)); `\"\"` = nowhere"},

    {.key = "log.level",
     .kind = OPTION_CHOICE,
     FIELD(log.level),
     .default_text = "info",
     .choices = log_levels,
     .description = "the least important line that is logged"},
    {.key = "log.format",
     .kind = OPTION_CHOICE,
     FIELD(log.format),
     .default_text = "auto",
     .choices = log_formats,
     .description = "`auto` = the journal below systemd, else logfmt"},

    {.key = "tracing.url",
     .kind = OPTION_TEXT,
     FIELD(tracing.url),
     .maximum = 4096,
     .default_text = "\"\"",
     .check = check_tracing_url,
     .allowed = "an `http://` or `https://` URL",
     .is_private = true,
     .is_url = true,
     .description =
         "where spans of attempts are sent by OTLP/HTTP, as in "
         "`http://127.0.0.1:4318/v1/traces` ([tracing.md](tracing.md)); `\"\"` = nowhere"},
    {.key = "tracing.headers",
     .kind = OPTION_HEADERS,
     FIELD(tracing.headers),
     .entries_max = HEADERS_MAX,
     .default_text = "{}",
     .is_private = true,
     .description = "headers of these requests, such as a collector's token"},
    {.key = "tracing.sample",
     .kind = OPTION_NUMBER,
     FIELD(tracing.sample),
     .minimum = 0,
     .maximum = 1,
     .default_text = "1",
     .description = "the share of attempts that get a span, of those whose event has no "
                    "`traceparent`; one that is there decides by itself"},
};

const size_t option_count = ARRAY_LENGTH(option_table);

_Static_assert(ARRAY_LENGTH(option_table) <= CONFIG_OPTIONS_MAX, "raise CONFIG_OPTIONS_MAX");

const struct config_option *option_find(const char *key)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(option_table[i].key, key) == 0)
            return &option_table[i];
    return NULL;
}

const struct config_option *option_find_section(const char *section)
{
    size_t length = strlen(section);

    for (size_t i = 0; length > 0 && i < option_count; i++)
        if (option_section_length(&option_table[i]) == length &&
            strncmp(option_table[i].key, section, length) == 0)
            return &option_table[i];
    return NULL;
}

size_t option_index(const struct config_option *option)
{
    return (size_t)(option - option_table);
}

size_t option_section_length(const struct config_option *option)
{
    const char *dot = strchr(option->key, '.');

    return dot == NULL ? 0 : (size_t)(dot - option->key);
}

const char *option_name(const struct config_option *option)
{
    const char *dot = strchr(option->key, '.');

    return dot == NULL ? option->key : dot + 1;
}

void option_append_limit(const struct config_option *option, int64_t limit, struct buffer *out)
{
    char text[UNITS_TEXT_SIZE];

    if (option->kind == OPTION_SIZE)
        buffer_append_string(out, units_format_size_bytes(limit, text));
    else if ((option->kind == OPTION_DURATION || option->kind == OPTION_SCHEDULE) && limit != 0)
        buffer_append_string(out, units_format_duration_ms(limit, text));
    else
        buffer_append_format(out, "%lld", (long long)limit);
}

static void append_choices(const struct config_option *option, struct buffer *out)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (i > 0)
            buffer_append_string(out, option->choices[i + 1] == NULL ? " or " : ", ");
        buffer_append_string(out, option->choices[i]);
    }
}

static void append_range(const char *what, const struct config_option *option, struct buffer *out)
{
    buffer_append_format(out, "%s from ", what);
    option_append_limit(option, option->minimum, out);
    buffer_append_string(out, " to ");
    option_append_limit(option, option->maximum, out);
}

void option_append_allowed(const struct config_option *option, struct buffer *out)
{
    switch (option->kind) {
    case OPTION_TEXT:
        buffer_append_string(out, option->allowed);
        break;
    case OPTION_CHOICE:
        append_choices(option, out);
        break;
    case OPTION_BOOLEAN:
        buffer_append_string(out, "true or false");
        break;
    case OPTION_INTEGER:
        append_range("a whole number", option, out);
        break;
    case OPTION_NUMBER:
        append_range("a number", option, out);
        break;
    case OPTION_DURATION:
        append_range("a duration", option, out);
        break;
    case OPTION_SIZE:
        append_range("a size", option, out);
        break;
    case OPTION_HEADERS:
        buffer_append_format(out, "a mapping of at most %zu names to texts", option->entries_max);
        break;
    case OPTION_RANGES:
        buffer_append_format(out, "a list of at most %zu CIDR ranges", option->entries_max);
        break;
    case OPTION_NAMES:
        buffer_append_format(out, "a list of at most %zu names", option->entries_max);
        break;
    case OPTION_STATUSES:
        buffer_append_format(out, "a list of at most %zu statuses", option->entries_max);
        append_range("", option, out);
        buffer_append_string(out, " without 410");
        break;
    case OPTION_SCHEDULE:
        buffer_append_format(out, "a list of at most %zu durations", option->entries_max);
        append_range("", option, out);
        break;
    }
}

void *option_field(struct config *config, const struct config_option *option)
{
    return (char *)config + option->offset;
}

const void *option_field_const(const struct config *config, const struct config_option *option)
{
    return (const char *)config + option->offset;
}
