/* SPDX-License-Identifier: MIT */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/endpoint_body.h"
#include "command/endpoint_choice.h"
#include "command/interruption.h"
#include "command/report.h"
#include "command/sealing.h"
#include "core/secret.h"
#include "db/secrets.h"

static const char help_text[] =
    "usage: postrider endpoint add --customer UUID --url URL [OPTION]...\n"
    "\n"
    "Makes an endpoint. Where no secret would sign for it, one is made for the customer and shown\n"
    "once, alone on standard output. It hears of what is published from now on.\n"
    "\n"
    "      --customer UUID     whose\n" ENDPOINT_BODY_HELP
    "      --json              for programs: {\"endpoint\": …, \"secret\": …}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct adding {
    const char *customer;
    struct endpoint_body body;
    bool json;
    bool makes_secret;
    char secret[SECRET_TEXT_SIZE]; /* with makes_secret; wiped at the end */
    char secret_id[SECRET_ID_SIZE];
    json_t *endpoint;
};

static bool make_secret(char text[SECRET_TEXT_SIZE], struct error *error)
{
    unsigned char random[SECRET_NEW_BYTES];
    bool ok = sealing_random(random, sizeof(random), error) &&
              secret_format(SECRET_HMAC, random, text, error);

    OPENSSL_cleanse(random, sizeof(random));
    return ok;
}

/* A secret that is made would sign in the place of the file's. */
static bool look_for_secret(const struct database *database, struct adding *adding,
                            struct error *error)
{
    const char *url = json_string_value(json_object_get(adding->body.body, "url"));
    struct secret_list list;

    adding->makes_secret = database->config->signing.secrets.count == 0 && url[0] != '\0';
    if (!adding->makes_secret)
        return true;
    if (!secrets_list(database->session, adding->customer, NULL, false, &list, error))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (list.rows[i].url[0] == '\0' || strcmp(list.rows[i].url, url) == 0)
            adding->makes_secret = false;
    secrets_list_free(&list);
    return true;
}

static bool store_secret(const struct database *database, struct adding *adding,
                         struct error *error)
{
    struct secret_scope scope = {.customer = adding->customer, .url = ""};
    char stored[SEALED_TEXT_SIZE] = "";
    int64_t valid;
    bool ok =
        make_secret(adding->secret, error) &&
        sealing_store(&database->config->signing.keys, &scope, adding->secret, stored, error) &&
        secrets_add_within(database->session, &scope, stored, adding->secret_id, &valid, error);

    OPENSSL_cleanse(stored, sizeof(stored));
    return ok;
}

static bool set_operators(const struct database *database, const struct adding *adding,
                          struct error *error)
{
    const char *id = json_string_value(json_object_get(adding->endpoint, "id"));
    char *body = json_dumps(adding->body.operators, JSON_COMPACT);
    const char *values[] = {id, body};
    struct asking asking = {.text = "endpoint_operators", .count = 2, .values = values};
    PGresult *result = asking_change(database->session, &asking, error);

    free(body);
    PQclear(result);
    return result != NULL;
}

static bool store_all(const struct database *database, struct adding *adding, struct error *error)
{
    char *body = json_dumps(adding->body.body, JSON_COMPACT);
    const char *values[] = {body, NULL};
    struct asking asking = {.text = "endpoint_make", .count = 2, .values = values};
    bool ok;

    adding->endpoint = endpoint_ask(database, &asking, error);
    free(body);
    ok =
        adding->endpoint != NULL &&
        (json_object_size(adding->body.operators) == 0 || set_operators(database, adding, error)) &&
        (!adding->makes_secret || store_secret(database, adding, error));
    if (ok)
        return db_session_commit(database->session, error);
    if (strcmp(db_session_sqlstate(database->session), "23505") == 0) {
        error_set(error, "there is an endpoint of this customer with this URL already");
        error_hint(error,
                   "\"postrider endpoint list --customer %s%s\" shows it, \"postrider "
                   "endpoint set --help\" how it is changed",
                   adding->customer, hint_options());
    } else if (strcmp(db_session_sqlstate(database->session), "23503") == 0)
        error_set(error, "there is no customer %s", adding->customer);
    db_session_rollback(database->session);
    return false;
}

static int fail_unseen(const struct adding *adding)
{
    struct error error;

    error_set(
        &error,
        "the endpoint is made, and secret %s is stored, but standard output is closed: nobody "
        "has seen it",
        adding->secret_id);
    error_hint(&error, "\"postrider secret rotate --customer %s --overlap 0%s\" makes another",
               adding->customer, hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

static void print_made(const struct adding *adding)
{
    const char *id = json_string_value(json_object_get(adding->endpoint, "id"));

    fprintf(stderr, "Made endpoint %s.\n", id);
    if (adding->makes_secret)
        fprintf(stderr,
                "The secret signs for all endpoints of customer %s. Give it to the receiver. It is "
                "not shown again.\n",
                adding->customer);
    if (json_is_array(json_object_get(adding->endpoint, "event_types")))
        fprintf(stderr,
                "It hears of what is published from now on; \"postrider event backfill --endpoint "
                "%s --since 7d --dry-run%s\" counts what it has missed.\n",
                id, hint_options());
    else
        fprintf(stderr,
                "It subscribes to nothing: it gets what is inserted for its URL. \"postrider "
                "endpoint set %s --event-types 'order.*'%s\" has it hear of events.\n",
                id, hint_options());
}

static int print(const struct adding *adding)
{
    const char *secret = adding->makes_secret ? adding->secret : NULL;

    if (adding->json)
        report_print_json(json_pack("{s:O, s:s?, s:s?}", "endpoint", adding->endpoint, "secret",
                                    secret, "secret_id", secret != NULL ? adding->secret_id : NULL),
                          stdout);
    else if (secret != NULL)
        puts(secret);
    if (!interruption_flush())
        return adding->makes_secret ? fail_unseen(adding) : COMMAND_FAILED;
    if (!adding->json)
        print_made(adding);
    return COMMAND_OK;
}

static int add(const struct command *self, const struct database *database, struct adding *adding)
{
    struct error error = {0};
    int status =
        endpoint_body_make(self, &adding->body, true, database->config->network.https_only);

    if (status != COMMAND_OK)
        return status;
    json_object_set_new(adding->body.body, "customer_id", json_string(adding->customer));
    if (!look_for_secret(database, adding, &error) ||
        !db_session_begin(database->session, &error) || !store_all(database, adding, &error))
        return database_fail(database, &error);
    return print(adding);
}

static int run_add(const struct command *self, int argc, char **argv)
{
    struct adding adding = {.customer = NULL};
    struct argument options[ENDPOINT_BODY_OPTIONS + 3] = {{0}};
    struct arguments arguments = {.options = options};
    size_t count = endpoint_body_options(&adding.body, false, options);
    struct database database;
    int status;

    options[count++] = (struct argument){.name = "customer", .uuid = &adding.customer};
    options[count] = (struct argument){.name = "json", .flag = &adding.json};
    status = arguments_parse(self, argc, argv, &arguments);
    if (status != ARGUMENTS_OK)
        return status;
    if (adding.customer == NULL)
        return command_usage_error(self, "--customer is missing");
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    interruption_bear_closed_output();
    status = add(self, &database, &adding);
    endpoint_body_free(&adding.body);
    json_decref(adding.endpoint);
    OPENSSL_cleanse(adding.secret, sizeof(adding.secret));
    database_close(&database);
    return status;
}

const struct command command_endpoint_add = {
    .name = "endpoint add",
    .summary = "make an endpoint",
    .help = help_text,
    .run = run_add,
};
