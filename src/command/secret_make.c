/* SPDX-License-Identifier: MIT */
/* "secret new" and "secret rotate": both make a secret and hand it out. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/delivery_report.h"
#include "command/interruption.h"
#include "command/report.h"
#include "command/sealing.h"
#include "command/secret.h"
#include "core/secret.h"
#include "db/secrets.h"
#include "http/url.h"

#define OVERLAP_DEFAULT_MS INT64_C(86400000)

static const char new_help[] =
    "usage: postrider secret new [OPTION]...\n"
    "\n"
    "Makes a secret and shows it once. With --customer it is stored and signs from now on; "
    "without,\n"
    "it is only shown, to be put into signing.secret_file.\n"
    "\n"
    "      --customer UUID     store it for this customer\n"
    "      --url URL           for this endpoint alone, not for all of the customer's\n"
    "      --ed25519           a key pair (whsk_, whpk_) instead of a shared secret (whsec_)\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static const char rotate_help[] =
    "usage: postrider secret rotate --customer UUID [OPTION]...\n"
    "\n"
    "Makes a new secret, of the same kind as the newest one, and shows it once. The older ones go "
    "on\n"
    "signing beside it until the overlap ends, so that receivers can change over without a gap.\n"
    "\n"
    "      --customer UUID     whose\n"
    "      --url URL           those of this endpoint, not those for all of the customer's\n"
    "      --overlap DURATION  how long the older ones stay valid (24h)\n"
    "      --ed25519, --hmac   the kind of the new one\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct make_options {
    struct secret_scope scope;
    bool is_ed25519;
    bool is_hmac;
    bool json;
    int64_t overlap_ms;
};

struct made_secret {
    char text[SECRET_TEXT_SIZE];
    char public_key[SECRET_TEXT_SIZE]; /* "" for a shared secret */
};

static bool make_public_key(struct made_secret *made, struct error *error)
{
    struct secret secret;
    bool ok = secret_parse(made->text, &secret, error) &&
              secret_format_public(&secret, made->public_key, error);

    secret_wipe(&secret);
    return ok;
}

static bool make_secret(enum secret_kind kind, struct made_secret *made, struct error *error)
{
    unsigned char random[SECRET_NEW_BYTES];
    bool ok;

    *made = (struct made_secret){{0}, {0}};
    ok = sealing_random(random, sizeof(random), error) &&
         secret_format(kind, random, made->text, error);
    OPENSSL_cleanse(random, sizeof(random));
    return ok && (kind == SECRET_HMAC || make_public_key(made, error));
}

/* The secret, alone on standard output; id is NULL when it was not stored. */
static void print_secret(const struct make_options *options, const struct made_secret *made,
                         const char *id, const char *old_until)
{
    const char *public_key = made->public_key[0] != '\0' ? made->public_key : NULL;

    if (options->json)
        report_print_json(json_pack("{s:s?, s:s?, s:s, s:s, s:s?, s:s?}", "id", id, "customer_id",
                                    options->scope.customer, "url", options->scope.url, "secret",
                                    made->text, "public_key", public_key, "old_until", old_until),
                          stdout);
    else
        puts(made->text);
    fflush(stdout);
    if (public_key != NULL && !options->json)
        fprintf(stderr, "Receivers verify with the public key: %s\n", public_key);
}

/* A secret that signs, and that nobody has seen, must not be taken for one that was not made. */
static int fail_unseen(const char *id)
{
    struct error error;

    error_set(&error, "secret %s is stored, but standard output is closed: nobody has seen it", id);
    error_hint(&error, "\"postrider secret revoke %s%s\" ends it", id, hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

static void print_scope(const struct make_options *options)
{
    if (options->scope.url[0] != '\0')
        fprintf(stderr, "Stored for %s of customer %s.\n", options->scope.url,
                options->scope.customer);
    else
        fprintf(stderr, "Stored for all endpoints of customer %s.\n", options->scope.customer);
}

/* What the receiver needs of it, and what is lost now. */
static void print_handover(const struct made_secret *made)
{
    if (made->public_key[0] != '\0')
        fputs("Give the receiver the public key. The private one is not shown again.\n", stderr);
    else
        fputs("Give it to the receiver. It is not shown again.\n", stderr);
}

/* The first one of its scope ends the signing of what is less specific. */
static void print_effect(const struct database *database, const struct make_options *options,
                         int64_t valid)
{
    char *scope = secrets_scope_options(&options->scope);

    if (valid > 1)
        fprintf(stderr,
                "It signs beside %lld older secret%s; \"postrider secret rotate %s%s\" ends "
                "those.\n",
                (long long)valid - 1, valid > 2 ? "s" : "", scope, hint_options());
    else if (options->scope.url[0] != '\0')
        fputs("From now on it alone signs for this URL, whatever the customer has for all.\n",
              stderr);
    else if (database->config->signing.secrets.count > 0)
        fputs("From now on it signs for this customer, instead of signing.secret_file.\n", stderr);
    else
        fputs("It signs from now on.\n", stderr);
    free(scope);
}

static int store_new(const struct database *database, const struct make_options *options,
                     const struct made_secret *made)
{
    const struct sealing_keys *keys = &database->config->signing.keys;
    struct error error = {0};
    char stored[SEALED_TEXT_SIZE];
    char id[SECRET_ID_SIZE];
    int64_t valid;
    bool ok = sealing_store(keys, &options->scope, made->text, stored, &error) &&
              secrets_add(database->session, &options->scope, stored, id, &valid, &error);

    OPENSSL_cleanse(stored, sizeof(stored));
    if (!ok)
        return database_fail(database, &error);
    print_secret(options, made, id, NULL);
    if (!interruption_flush())
        return fail_unseen(id);
    if (options->json)
        return COMMAND_OK;
    print_scope(options);
    print_effect(database, options, valid);
    print_handover(made);
    return COMMAND_OK;
}

/* Checks what belongs together, before anything is made. */
static int check_scope(const struct command *self, const struct make_options *options)
{
    struct error error;

    if (options->is_ed25519 && options->is_hmac)
        return command_usage_error(self, "choose --ed25519 or --hmac");
    if (options->scope.url[0] == '\0')
        return COMMAND_OK;
    if (options->scope.customer == NULL)
        return command_usage_error(self, "--url needs --customer");
    if (!url_check(options->scope.url, false, &error))
        return command_usage_error(self, "--url: %s", error.message);
    return COMMAND_OK;
}

static int make_new(const struct make_options *options, const char *config_file)
{
    struct made_secret made;
    struct database database;
    struct error error = {0};
    int status = COMMAND_OK;

    if (!make_secret(options->is_ed25519 ? SECRET_ED25519 : SECRET_HMAC, &made, &error))
        return command_fail(COMMAND_FAILED, &error);
    if (options->scope.customer == NULL) {
        print_secret(options, &made, NULL, NULL);
    } else {
        status = database_open(config_file, &database);
        if (status == COMMAND_OK) {
            interruption_bear_closed_output();
            status = store_new(&database, options, &made);
            database_close(&database);
        }
    }
    OPENSSL_cleanse(&made, sizeof(made));
    return status;
}

static int run_new(const struct command *self, int argc, char **argv)
{
    struct make_options set = {.scope = {.url = ""}};
    const struct argument options[] = {{.name = "customer", .uuid = &set.scope.customer},
                                       {.name = "url", .text = &set.scope.url},
                                       {.name = "ed25519", .flag = &set.is_ed25519},
                                       {.name = "json", .flag = &set.json},
                                       {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_scope(self, &set);
    return status == COMMAND_OK ? make_new(&set, arguments.config_file) : status;
}

/* The kind of the scope's newest valid secret; a shared one when there is none that can be read. */
static bool find_kind(const struct database *database, const struct secret_scope *scope,
                      enum secret_kind *ret_kind, struct error *error)
{
    struct secret_list list;
    struct secret secret;
    struct error ignored;
    char text[SECRET_TEXT_SIZE] = "";

    if (!secrets_list(database->session, scope->customer, scope->url, false, &list, error))
        return false;
    *ret_kind = SECRET_HMAC;
    if (list.count > 0 &&
        sealed_secret_open(&database->config->signing.keys, scope, list.rows[0].secret, text,
                           &ignored) != SEALED_UNREADABLE &&
        secret_parse(text, &secret, &ignored)) {
        *ret_kind = secret.kind;
        secret_wipe(&secret);
    }
    OPENSSL_cleanse(text, sizeof(text));
    secrets_list_free(&list);
    return true;
}

static bool choose_kind(const struct database *database, const struct make_options *options,
                        enum secret_kind *ret_kind, struct error *error)
{
    *ret_kind = options->is_ed25519 ? SECRET_ED25519 : SECRET_HMAC;
    return options->is_ed25519 || options->is_hmac ||
           find_kind(database, &options->scope, ret_kind, error);
}

static int print_rotation(const struct make_options *options, const struct made_secret *made,
                          const struct secret_rotation *rotation)
{
    char overlap[UNITS_TEXT_SIZE];
    char until[DELIVERY_TIME_SIZE];

    print_secret(options, made, rotation->id, rotation->until);
    if (!interruption_flush())
        return fail_unseen(rotation->id);
    if (options->json)
        return COMMAND_OK;
    print_scope(options);
    if (options->overlap_ms == 0)
        fprintf(stderr, "It alone signs from now on: %lld older ended just now.\n",
                (long long)rotation->retired);
    else
        fprintf(stderr, "It signs from now on, beside %lld older until %s (%s from now).\n",
                (long long)rotation->retired, delivery_time(rotation->until, until),
                units_format_about_ms(options->overlap_ms, overlap));
    print_handover(made);
    return COMMAND_OK;
}

static int rotate(const struct database *database, const struct make_options *options)
{
    const struct sealing_keys *keys = &database->config->signing.keys;
    struct secret_rotation rotation = {.retired = 0};
    struct made_secret made = {{0}, {0}};
    char stored[SEALED_TEXT_SIZE] = "";
    struct error error = {0};
    enum secret_kind kind;
    int status = COMMAND_OK;

    if (choose_kind(database, options, &kind, &error) && make_secret(kind, &made, &error) &&
        sealing_store(keys, &options->scope, made.text, stored, &error) &&
        secrets_rotate(database->session, &options->scope, stored, options->overlap_ms, &rotation,
                       &error))
        status = print_rotation(options, &made, &rotation);
    else
        status = database_fail(database, &error);
    OPENSSL_cleanse(&made, sizeof(made));
    OPENSSL_cleanse(stored, sizeof(stored));
    return status;
}

static int run_rotate(const struct command *self, int argc, char **argv)
{
    struct make_options set = {.scope = {.url = ""}, .overlap_ms = OVERLAP_DEFAULT_MS};
    const struct argument options[] = {{.name = "customer", .uuid = &set.scope.customer},
                                       {.name = "url", .text = &set.scope.url},
                                       {.name = "overlap", .duration_ms = &set.overlap_ms},
                                       {.name = "ed25519", .flag = &set.is_ed25519},
                                       {.name = "hmac", .flag = &set.is_hmac},
                                       {.name = "json", .flag = &set.json},
                                       {0}};
    struct arguments arguments = {.options = options};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (set.scope.customer == NULL)
        return command_usage_error(self, "--customer is missing");
    status = check_scope(self, &set);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    interruption_bear_closed_output();
    status = rotate(&database, &set);
    database_close(&database);
    return status;
}

const struct command command_secret_new = {
    .name = "secret new",
    .summary = "make a secret",
    .help = new_help,
    .run = run_new,
};

const struct command command_secret_rotate = {
    .name = "secret rotate",
    .summary = "replace a customer's secrets",
    .help = rotate_help,
    .run = run_rotate,
};
