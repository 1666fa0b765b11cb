/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "core/header.h"
#include "core/sealed_secret.h"
#include "http/url.h"

void endpoint_settings_rest(struct endpoint_settings *settings)
{
    for (size_t i = 0; i < settings->headers_count; i++) {
        free(settings->headers[i].name);
        memory_free_secret(settings->headers[i].value);
    }
    free(settings->headers);
    signer_free(settings->signer);
    permit_free(settings->permit);
    settings->headers = NULL;
    settings->headers_count = 0;
    settings->signer = NULL;
    settings->permit = NULL;
}

void endpoint_settings_free(struct endpoint_settings *settings)
{
    endpoint_settings_rest(settings);
    free(settings->problem);
    free(settings->unopened);
    free(settings->unread);
    *settings = (struct endpoint_settings){.headers = NULL};
}

void endpoint_settings_set_problem(struct endpoint_settings *settings, const char *problem)
{
    char *copy = memory_copy_string(problem);

    free(settings->problem);
    settings->problem = copy;
}

bool endpoint_settings_hold(const struct endpoint_settings *settings)
{
    return settings->unopened != NULL || settings->is_paused;
}

bool endpoint_settings_check_url(struct endpoint_settings *settings, const struct config *config,
                                 const char *url)
{
    struct error error;

    if (url_check(url, config->network.https_only, &error))
        return false;
    endpoint_settings_set_problem(settings, error.message);
    /* Nobody has asked: it is not to be taken for one that was removed. */
    settings->is_there = true;
    return true;
}

static bool add_header(struct endpoint_settings *settings, const char *name, const json_t *value,
                       struct error *error)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return error_set(error, "header \"%.100s\" is not a string", name);
    if (strlen(text) != json_string_length(value))
        return error_set(error, "header \"%.100s\" has a NUL character", name);
    if (!header_check(name, text, error))
        return false;
    settings->headers[settings->headers_count++] =
        (struct config_header){.name = memory_copy_string(name), .value = memory_copy_string(text)};
    return true;
}

/* The configuration's headers and these together must fit into one request. */
static bool load_headers(struct endpoint_settings *settings, const struct config *config,
                         const char *json, struct error *error)
{
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    size_t count = json_object_size(object);
    bool is_good = true;
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        is_good = error_set(error, "its headers are not a JSON object");
    else if (count + config->delivery.headers.count > HEADERS_MAX)
        is_good = error_set(error, "%zu headers, with the configuration's; at most %d are allowed",
                            count + config->delivery.headers.count, HEADERS_MAX);
    if (is_good) {
        settings->headers = memory_new(count, sizeof(*settings->headers));
        json_object_foreach(object, name, value) is_good =
            is_good && add_header(settings, name, value, error);
    }
    json_decref(object);
    return is_good;
}

static char *describe_unread(const struct sealed_set_skipped *skipped, size_t good)
{
    int all = skipped->count + (int)good;

    if (skipped->count == 1)
        return memory_format("1 of %d secrets can't be read, the others sign: number %d, counted "
                             "from the newest: %s",
                             all, skipped->line, skipped->error.message);
    return memory_format("%d of %d secrets can't be read, the others sign; the first is number %d, "
                         "counted from the newest: %s",
                         skipped->count, all, skipped->line, skipped->error.message);
}

/* The most specific secrets that the row has, plain or sealed. */
static enum sealed_set_result read_secrets(struct endpoint_settings *settings,
                                           const struct config *config, const char *customer_id,
                                           const char *url, const struct endpoint_found *found,
                                           struct secret_set *set, struct error *error)
{
    bool is_own = found->own_secrets != NULL;
    struct secret_scope scope = {.customer = customer_id, .url = is_own ? url : ""};
    const char *text = is_own ? found->own_secrets : found->customer_secrets;
    struct sealed_set_skipped skipped;
    enum sealed_set_result result =
        sealed_set_parse(&config->signing.keys, &scope, text, set, &skipped, error);

    if (result == SEALED_SET_OK && skipped.count > 0)
        settings->unread = describe_unread(&skipped, set->count);
    else if (result == SEALED_SET_INVALID)
        error_prefix(error, "a secret in webhook_secrets is not valid");
    else if (result == SEALED_SET_CLOSED)
        error_prefix(error, "a secret in webhook_secrets can't be opened");
    return result;
}

static void load_signer(struct endpoint_settings *settings, const struct config *config,
                        const char *customer_id, const char *url,
                        const struct endpoint_found *found)
{
    bool is_stored = found->own_secrets != NULL || found->customer_secrets != NULL;
    enum sealed_set_result result = SEALED_SET_OK;
    struct secret_set set = {.count = 0};
    struct error error;

    if (is_stored)
        result = read_secrets(settings, config, customer_id, url, found, &set, &error);
    else if (config->signing.secrets.count == 0) {
        result = SEALED_SET_INVALID;
        error_set(&error,
                  "no signing secret: add one with \"postrider secret new --customer %s%s\", "
                  "or set signing.secret_file",
                  customer_id, hint_options());
    }
    if (result == SEALED_SET_OK)
        settings->signer = signer_new(is_stored ? &set : &config->signing.secrets, &error);
    secret_set_wipe(&set);
    if (result == SEALED_SET_CLOSED)
        settings->unopened = memory_copy_string(error.message);
    else if (settings->signer == NULL)
        endpoint_settings_set_problem(settings, error.message);
    settings->is_unsignable = result != SEALED_SET_CLOSED && settings->signer == NULL;
}

static void load_limits(struct endpoint_settings *settings, const struct config *config,
                        const struct endpoint_row *row)
{
    settings->max_in_flight =
        row->max_in_flight > 0 ? row->max_in_flight : (int)config->endpoint.max_in_flight;
    settings->rate_limit = row->rate_limit >= 0 ? row->rate_limit : config->endpoint.rate_limit;
    settings->is_there = row->is_there;
    settings->is_paused = row->paused_at != NULL;
    settings->all_customers = row->all_customers;
    settings->is_disabled = row->is_disabled;
    settings->is_failing = row->failing_ms >= 0;
    settings->failing_ms = row->failing_ms;
    settings->noted_ms = row->noted_ms;
}

static void load_all(struct endpoint_settings *settings, const struct config *config,
                     const char *customer_id, const char *url, const struct endpoint_found *found)
{
    const struct endpoint_row *row = &found->row;
    bool was_disabled = settings->is_disabled;
    struct error error;

    endpoint_settings_free(settings);
    load_limits(settings, config, row);
    settings->was_enabled = was_disabled && !row->is_disabled;
    settings->retry = config->retry;
    retry_policy_override(&settings->retry, &row->retry);
    settings->timeout_ms = row->timeout_ms >= 0 ? row->timeout_ms : config->delivery.timeout_ms;
    if (endpoint_settings_check_url(settings, config, url))
        return;
    if (row->is_disabled) {
        error_set(&error, "endpoint is disabled: %.200s",
                  row->disabled_reason != NULL ? row->disabled_reason : "no reason given");
        endpoint_settings_set_problem(settings, error.message);
        return;
    }
    if ((row->headers != NULL && !load_headers(settings, config, row->headers, &error)) ||
        !permit_make(row->allow, row->client_certificate, &settings->permit, &error)) {
        error_prefix(&error, "webhook_endpoints row");
        endpoint_settings_set_problem(settings, error.message);
        return;
    }
    load_signer(settings, config, customer_id, url, found);
}

void endpoint_settings_load(struct endpoint_settings *settings, const struct config *config,
                            const char *customer_id, const char *url,
                            const struct endpoint_found *found)
{
    char *before = settings->unread;
    const char *after;

    settings->unread = NULL;
    load_all(settings, config, customer_id, url, found);
    after = settings->unread;
    settings->is_unread_new = after != NULL && (before == NULL || strcmp(before, after) != 0);
    free(before);
}
