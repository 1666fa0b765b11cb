/* SPDX-License-Identifier: MIT */
#include "command/send_request.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "command/command.h"
#include "command/database.h"
#include "db/endpoints.h"
#include "worker/exchange.h"

/* A random (version 4) UUID: the receiver has never seen this event. */
static void make_event_id(char text[SEND_EVENT_ID_SIZE])
{
    unsigned char b[16];

    arc4random_buf(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(text, SEND_EVENT_ID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static int fail_settings(const struct send_request *request, const struct send_wish *wish)
{
    struct error error;

    error_set(&error, "%s", request->settings.problem);
    error_hint(&error, "this is what a delivery for %s and customer %s would fail with", wish->url,
               wish->customer_id);
    return command_fail(COMMAND_FAILED, &error);
}

static int fail_unopened(const struct send_request *request, const struct send_wish *wish)
{
    struct error error;

    error_set(&error, "%s", request->settings.unopened);
    error_hint(&error,
               "deliveries for %s and customer %s are held until it can be; \"postrider "
               "check --database%s\" lists all such secrets",
               wish->url, wish->customer_id, hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

/* What the worker would log. */
static void warn_of_unread(const struct send_request *request, const struct send_wish *wish)
{
    if (request->settings.unread != NULL && wish->secrets->count == 0)
        fprintf(stderr, "warning: %s\nhint: \"postrider secret list --customer %s%s\" names it\n",
                request->settings.unread, wish->customer_id, hint_options());
}

/* With the endpoint's row and the customer's secrets, exactly as the worker. */
static int load_settings(struct send_request *request, const char *config_file,
                         const struct send_wish *wish, const struct config *config)
{
    struct endpoint_found found;
    struct database database;
    struct error error;
    PGresult *result;
    int status = database_open(config_file, &database);

    if (status != COMMAND_OK)
        return status;
    result = endpoint_load(database.session, wish->customer_id, wish->url, &error);
    if (result == NULL)
        status = database_fail(&database, &error);
    else {
        found = endpoint_found_at(result, 0);
        endpoint_settings_load(&request->settings, config, wish->customer_id, wish->url, &found);
        endpoint_rows_wipe(result);
    }
    PQclear(result);
    database_close(&database);
    if (status == COMMAND_OK && request->settings.unopened != NULL && wish->secrets->count == 0)
        return fail_unopened(request, wish);
    if (status == COMMAND_OK && request->settings.problem != NULL)
        status = fail_settings(request, wish);
    if (status == COMMAND_OK)
        warn_of_unread(request, wish);
    return status;
}

static int use_secrets(struct send_request *request, const struct config *config,
                       const struct send_wish *wish)
{
    const struct secret_set *set =
        wish->secrets->count > 0 ? wish->secrets : &config->signing.secrets;
    struct error error = {0};

    if (set->count == 0) {
        error_set(&error, "there is no secret to sign with; nothing is sent unsigned");
        error_hint(&error,
                   "give --secret-file FILE or --customer UUID, or set "
                   "signing.secret_file; \"postrider secret new%s\" makes a secret",
                   hint_options());
        return command_fail(COMMAND_FAILED, &error);
    }
    signer_free(request->settings.signer);
    request->settings.signer = signer_new(set, &error);
    return request->settings.signer != NULL ? COMMAND_OK : command_fail(COMMAND_FAILED, &error);
}

static bool sign_and_build(struct send_request *request, const struct config *config,
                           const struct send_wish *wish, struct error *error)
{
    const struct exchange_delivery first = {
        .config = config,
        .settings = &request->settings,
        .url = wish->url,
        .event_id = request->event_id,
        .attempt = 1,
        .payload = buffer_string(wish->payload),
        .payload_length = wish->payload->length,
        .headers_count = wish->headers_count,
        .headers = wish->headers,
    };

    return exchange_request(&first, &request->headers, &request->signature, &request->http, error);
}

/* What a customer's row does not set, the configuration does. */
static int make_settings(struct send_request *request, struct config *config,
                         const char *config_file, const struct send_wish *wish)
{
    int status;

    request->settings.retry = config->retry;
    request->settings.timeout_ms = config->delivery.timeout_ms;
    if (wish->customer_id == NULL)
        return use_secrets(request, config, wish);
    if (wish->secrets->count > 0)
        config->signing.secrets = *wish->secrets; /* or having none would be a problem */
    status = load_settings(request, config_file, wish, config);
    if (status != COMMAND_OK || wish->secrets->count == 0)
        return status;
    return use_secrets(request, config, wish);
}

int send_request_make(struct send_request *request, struct config *config, const char *config_file,
                      const struct send_wish *wish)
{
    struct error error = {0};
    int status;

    *request = (struct send_request){.settings = {.headers = NULL}};
    request_headers_init(&request->headers);
    buffer_init(&request->signature, SIGNATURE_MAX);
    make_event_id(request->event_id);
    status = make_settings(request, config, config_file, wish);
    if (status != COMMAND_OK)
        return status;
    if (!sign_and_build(request, config, wish, &error))
        return command_fail(COMMAND_FAILED, &error);
    if (wish->timeout_ms > 0)
        request->http.timeout_ms = wish->timeout_ms;
    request->http.keep_transcript = true;
    return COMMAND_OK;
}

void send_request_free(struct send_request *request)
{
    endpoint_settings_free(&request->settings);
    request_headers_free(&request->headers);
    buffer_free(&request->signature);
}
