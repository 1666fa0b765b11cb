/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/sealed_secret.h"
#include "http/url.h"

#define DAY_MS              INT64_C(86400000)
#define HOUR_MS             INT64_C(3600000)
#define SECRETS_END_SOON_MS (7 * DAY_MS)

/* As of an endpoint that is enabled: disabling is told of, and hides nothing else. */
static void load_settings(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    struct endpoint_found found = taken->found;

    found.row.is_disabled = false;
    endpoint_settings_load(&check->settings, check->worker->config, check->customer_id, check->url,
                           &found);
}

struct endpoint_check *endpoint_check_new(struct worker *worker,
                                          const struct endpoint_check_taken *taken)
{
    struct endpoint_check *check = memory_new(1, sizeof(*check));

    check->worker = worker;
    text_copy(check->id, sizeof(check->id), taken->id);
    text_copy(check->endpoint_id, sizeof(check->endpoint_id), taken->endpoint_id);
    text_copy(check->customer_id, sizeof(check->customer_id), taken->endpoint_customer_id);
    check->url = memory_copy_string(taken->url);
    check->requested_by = memory_copy_string(taken->requested_by);
    check->is_doctor = strcmp(taken->kind, "doctor") == 0;
    check->pass = taken->pass;
    check->database_skew_ms = taken->database_ms - clock_wall_ns() / 1000000;
    check->began_us = worker->now_us;
    request_headers_init(&check->headers);
    buffer_init(&check->signature, SIGNATURE_MAX);
    verdicts_init(&check->verdicts, taken->customer_id != NULL);
    load_settings(check, taken);
    return check;
}

void endpoint_check_free(struct endpoint_check *check)
{
    resolution_free(check->resolution);
    endpoint_settings_free(&check->settings);
    request_headers_free(&check->headers);
    buffer_free(&check->signature);
    buffer_free(&check->payload);
    verdicts_free(&check->verdicts);
    json_decref(check->details);
    free(check->error);
    free(check->requested_by);
    free(check->url);
    free(check);
}

char *endpoint_check_result(const struct endpoint_check *check)
{
    json_t *result = json_object();
    char *text;

    json_object_set(result, "verdicts", check->verdicts.list);
    if (check->details != NULL)
        json_object_update(result, check->details);
    text = json_dumps(result, JSON_COMPACT);
    json_decref(result);
    if (text == NULL)
        bug("a result that is no JSON");
    return text;
}

int64_t endpoint_check_timeout_ms(const struct endpoint_check *check)
{
    return check->settings.timeout_ms < ENDPOINT_CHECK_REQUEST_MS ? check->settings.timeout_ms
                                                                  : ENDPOINT_CHECK_REQUEST_MS;
}

bool endpoint_check_settings(struct endpoint_check *check)
{
    struct verdicts *verdicts = &check->verdicts;
    const char *problem = check->settings.problem;
    struct error error;

    if (check->url[0] == '\0') {
        verdicts_add(verdicts, "url", VERDICT_WRONG,
                     "give it a URL, if something is to be sent to it",
                     "it is pull-only: it has no URL, and its events wait in its feed");
        return false;
    }
    if (!url_check(check->url, check->worker->config->network.https_only, &error)) {
        verdicts_add(verdicts, "url", VERDICT_WRONG, "change its URL", "%s", error.message);
        return false;
    }
    if (problem == NULL || check->settings.is_unsignable)
        return true;
    verdicts_add(verdicts, "settings", VERDICT_WRONG,
                 verdicts_either(verdicts, "mend its row in webhook_endpoints",
                                 "ask the operator to look at the settings of this endpoint"),
                 "nothing is sent: %s",
                 verdicts_either(verdicts, problem, "its settings can't be used"));
    return false;
}

/* How many of them are sealed. */
static int count_sealed(const char *text)
{
    char name[SEALING_KEY_NAME_MAX + 1];
    char line[SEALED_TEXT_SIZE];
    bool fits;
    int count = 0;

    while (*text != '\0') {
        text = secret_next_line(text, line, sizeof(line), &fits);
        sealed_secret_key_name(line, name);
        count += name[0] != '\0' ? 1 : 0;
    }
    explicit_bzero(line, sizeof(line));
    return count;
}

static void describe_secrets(const struct endpoint_check *check,
                             const struct endpoint_check_taken *taken, char *text, size_t size)
{
    const struct config *config = check->worker->config;
    const char *own = taken->found.own_secrets;
    const char *stored = own != NULL ? own : taken->found.customer_secrets;
    struct secret_scope scope = {.customer = check->customer_id,
                                 .url = own != NULL ? check->url : ""};
    struct secret_set set = {.count = 0};
    struct sealed_set_skipped skipped;
    struct error error;
    size_t ed25519 = 0;

    if (stored == NULL)
        set = config->signing.secrets;
    else if (sealed_set_parse(&config->signing.keys, &scope, stored, &set, &skipped, &error) !=
             SEALED_SET_OK)
        set.count = 0;
    for (size_t i = 0; i < set.count; i++)
        ed25519 += set.secrets[i].kind == SECRET_ED25519 ? 1 : 0;
    snprintf(text, size, "%zu secret%s sign%s (%zu HMAC, %zu ed25519), %s", set.count,
             text_plural((int64_t)set.count, "", "s"), text_plural((int64_t)set.count, "s", ""),
             set.count - ed25519, ed25519,
             own != NULL      ? "the endpoint's own"
             : stored != NULL ? "those of all endpoints of the customer"
                              : verdicts_either(&check->verdicts, "those of signing.secret_file",
                                                "the operator's own"));
    if (stored != NULL && count_sealed(stored) > 0 && !check->verdicts.is_for_customer)
        snprintf(text + strlen(text), size - strlen(text), "; %d of them sealed",
                 count_sealed(stored));
    secret_set_wipe(&set);
}

static bool add_missing(struct endpoint_check *check)
{
    const struct endpoint_settings *settings = &check->settings;
    const char *what = settings->unopened != NULL ? settings->unopened : settings->problem;
    char fix[512];

    if (settings->unopened != NULL)
        snprintf(fix, sizeof(fix),
                 "give every worker the key that it is sealed with (signing.key_file); \"postrider "
                 "check --database%s\" lists all such secrets. Until then deliveries are held",
                 hint_options());
    else
        snprintf(fix, sizeof(fix),
                 "make one: \"postrider secret new --customer %s%s\", and give it to the receiver",
                 check->customer_id, hint_options());
    verdicts_add(&check->verdicts, "signature", VERDICT_WRONG,
                 verdicts_either(&check->verdicts, fix,
                                 "ask the operator for a signing secret that can be used"),
                 "nothing can be signed, so that nothing is sent: %s",
                 verdicts_either(&check->verdicts, what, "there is no secret that can be used"));
    return false;
}

/* The end of the last one is the end of signing. */
static void add_ending(struct endpoint_check *check, const struct endpoint_check_taken *taken,
                       const char *says)
{
    char fix[512];

    snprintf(fix, sizeof(fix),
             "make one that stays, and give it to the receiver: \"postrider secret new --customer "
             "%s%s\"",
             check->customer_id, hint_options());
    verdicts_add(&check->verdicts, "signature", VERDICT_WARNING,
                 verdicts_either(&check->verdicts, fix, "ask the operator for a further secret"),
                 "%s; the last of them ends in %lld hours, and then nothing is signed any more",
                 says, (long long)(taken->secrets_end_ms / HOUR_MS));
}

bool endpoint_check_secrets(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    const struct verdicts *verdicts = &check->verdicts;
    const char *unread = check->settings.unread;
    char says[400] = "";

    if (check->settings.signer == NULL)
        return add_missing(check);
    describe_secrets(check, taken, says, sizeof(says));
    if (unread != NULL)
        verdicts_add(&check->verdicts, "signature", VERDICT_WARNING,
                     verdicts_either(verdicts, "remove the one that can't be read, or mend it",
                                     "ask the operator to look at the secrets"),
                     "%s; %s", says,
                     verdicts_either(verdicts, unread, "another one can't be read"));
    else if (taken->secrets_end_ms >= 0 && taken->secrets_end_ms < SECRETS_END_SOON_MS)
        add_ending(check, taken, says);
    else
        verdicts_add(&check->verdicts, "signature", VERDICT_WELL, NULL, "%s%s", says,
                     taken->expired_secrets > 0
                         ? "; there are others whose time is over, and they sign nothing"
                         : "");
    return true;
}
