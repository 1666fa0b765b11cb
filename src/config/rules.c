/* SPDX-License-Identifier: MIT */
#include "config/rules.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "config/modes.h"
#include "config/render.h"
#include "config/revocations.h"

/* The value of the first must not be more than that of the second. Both are int64_t. */
static const struct {
    const char *small;
    const char *large;
} orders[] = {
    {"retry.initial_delay", "retry.max_delay"},
    {"delivery.connect_timeout", "delivery.timeout"},
    {"delivery.max_payload", "worker.max_buffered"},
};

static int64_t amount(const struct config *config, const struct config_option *option)
{
    return *(const int64_t *)option_field_const(config, option);
}

/* "4h" or "4h by default" */
static void append_amount(const struct reading *reading, const struct config_option *option,
                          struct buffer *out)
{
    render_value(reading->config, option, out);
    if (!reading->config->is_set[option_index(option)])
        buffer_append_string(out, " by default");
}

/* Said where option stands in the file. */
static void refuse_order(struct reading *reading, const struct config_option *option,
                         const struct config_option *other, bool is_small)
{
    struct buffer own;
    struct buffer others;

    buffer_init(&own, 64);
    buffer_init(&others, 64);
    render_value(reading->config, option, &own);
    append_amount(reading, other, &others);
    mistakes_add(reading->mistakes, reading->places[option_index(option)], option->key,
                 "%s is %s than %s, which is %s; change one of them", buffer_string(&own),
                 is_small ? "more" : "less", other->key, buffer_string(&others));
    buffer_free(&own);
    buffer_free(&others);
}

static void apply_order(struct reading *reading, const char *small_key, const char *large_key)
{
    const struct config_option *small = option_find(small_key);
    const struct config_option *large = option_find(large_key);

    if (reading->is_wrong[option_index(small)] || reading->is_wrong[option_index(large)] ||
        amount(reading->config, small) <= amount(reading->config, large))
        return;
    if (reading->config->is_set[option_index(small)])
        refuse_order(reading, small, large, true);
    else
        refuse_order(reading, large, small, false);
}

/* Who lowers delivery.timeout has no interest in the default of its part. */
static void limit_connect_timeout(struct reading *reading)
{
    struct config *config = reading->config;

    if (!config->is_set[option_index(option_find("delivery.connect_timeout"))] &&
        config->delivery.connect_timeout_ms > config->delivery.timeout_ms)
        config->delivery.connect_timeout_ms = config->delivery.timeout_ms;
}

/* Nothing that is sent goes unsigned. */
static void want_alerts_customer(struct reading *reading)
{
    const struct config_option *url = option_find("alerts.url");

    if (reading->is_wrong[option_index(url)] ||
        reading->is_wrong[option_index(option_find("alerts.customer"))] ||
        reading->config->alerts.url[0] == '\0' || reading->config->alerts.customer[0] != '\0')
        return;
    mistakes_add(reading->mistakes, reading->places[option_index(url)], url->key,
                 "alerts are events of a customer, whose secret signs them: set alerts.customer to "
                 "the UUID of one of your own");
}

void rules_apply(struct reading *reading)
{
    limit_connect_timeout(reading);
    want_alerts_customer(reading);
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++)
        apply_order(reading, orders[i].small, orders[i].large);
}

static void warn(struct config_mistakes *warnings, const char *text)
{
    if (warnings->count < CONFIG_MISTAKES_MAX)
        warnings->lines[warnings->count++] = memory_copy_string(text);
}

static bool is_set(const struct config *config, const char *key)
{
    return config->is_set[option_index(option_find(key))];
}

static bool allows_everything(const struct config *config)
{
    for (size_t i = 0; i < config->network.allow_count; i++)
        if (config->network.allow[i].prefix_bits == 0)
            return true;
    return false;
}

static void warn_of_certificate(const struct config *config,
                                const struct client_certificate *certificate,
                                struct config_mistakes *warnings)
{
    const char *directory = config->network.client_certificates;
    char *text = NULL;

    if (certificate->is_exposed)
        text = memory_format("%s/%s.pem holds a private key that others than its owner can read: "
                             "chmod go= it",
                             directory, certificate->name);
    else if (certificate->ends_s < time(NULL))
        text = memory_format("%s/%s.pem: the client certificate has expired", directory,
                             certificate->name);
    if (text != NULL)
        warn(warnings, text);
    free(text);
}

static void add_file_warnings(const struct config *config, struct config_mistakes *warnings)
{
    modes_warnings(config, warnings);
    for (size_t i = 0; i < config->network.certificates.count; i++)
        warn_of_certificate(config, &config->network.certificates.list[i], warnings);
    revocations_warnings(config, time(NULL), warnings);
}

void rules_file_warnings(const struct config *config, struct config_mistakes *ret_warnings)
{
    *ret_warnings = (struct config_mistakes){0};
    add_file_warnings(config, ret_warnings);
}

void rules_warnings(const struct config *config, struct config_mistakes *ret_warnings)
{
    *ret_warnings = (struct config_mistakes){0};
    if (config->worker.drain_timeout_ms < config->delivery.timeout_ms)
        warn(ret_warnings, "worker.drain_timeout is less than delivery.timeout: a stop can cut "
                           "requests off, which are then sent again");
    if (config->retry.schedule_length > 0 &&
        (is_set(config, "retry.initial_delay") || is_set(config, "retry.multiplier")))
        warn(ret_warnings, "retry.schedule is set, so retry.initial_delay and retry.multiplier "
                           "have no effect");
    if (allows_everything(config))
        warn(ret_warnings, "network.allow lists a range of all addresses: a customer's URL can "
                           "reach this machine and its network");
    add_file_warnings(config, ret_warnings);
}
