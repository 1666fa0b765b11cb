/* SPDX-License-Identifier: MIT */
/* "token new" and "token rotate": both make a token and hand it out. */
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/hint.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/interruption.h"
#include "command/sealing.h"
#include "command/token.h"
#include "core/token.h"
#include "db/tokens.h"

static const char new_help[] =
    "usage: postrider token new --name NAME --scope SCOPES [OPTION]...\n"
    "\n"
    "Makes a token and shows it once, alone on standard output.\n"
    "\n"
    "      --name NAME         whose it is, as \"billing\": letters, digits, . _ and -; unique\n"
    "      --scope SCOPES      what it may do: publish, read, operate, or some with commas\n"
    "      --customer UUID     for this customer alone, not for every customer\n"
    "      --expires DURATION  how long it lasts, as 90d (default: until it is revoked)\n"
    "      --publish-rate N    at most N events a second (default: as many as it likes)\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static const char rotate_help[] =
    "usage: postrider token rotate [OPTION]... NAME\n"
    "\n"
    "Makes a new token of the same name and shows it once, alone on standard output. Scopes and\n"
    "customer stay, and so do the idempotency keys that were used with the one before.\n"
    "\n"
    "      --grace DURATION    how long the one before is still taken, as 1h (default: not at "
    "all)\n"
    "      --expires DURATION  how long the new one lasts, as 90d (default: as long as the one "
    "before)\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct new_token {
    char text[TOKEN_SIZE];
    unsigned char hash[TOKEN_HASH_BYTES];
};

static bool make_token(struct new_token *token, struct error *error)
{
    unsigned char random[TOKEN_BYTES];

    if (!sealing_random(random, sizeof(random), error))
        return false;
    token_format(random, token->text);
    OPENSSL_cleanse(random, sizeof(random));
    return token_hash(token->text, TOKEN_SIZE - 1, token->hash) ||
           error_set(error, "the token can't be hashed");
}

/* A token that opens the door, and that nobody has seen, must not be taken for one that was not
 * made. */
static int hand_out(const struct new_token *token, const char *name)
{
    struct error error;

    puts(token->text);
    if (interruption_flush()) {
        fputs("It is not shown again; only its hash is stored.\n", stderr);
        return COMMAND_OK;
    }
    error_set(&error,
              "the token \"%s\" is stored, but standard output is closed: nobody has seen it",
              name);
    error_hint(&error, "\"postrider token revoke %s%s\" ends it", name, hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

static int store_new(const char *config_file, struct token_new *request)
{
    struct new_token token;
    struct database database;
    struct error error = {0};
    int status = database_open(config_file, &database);

    if (status != COMMAND_OK)
        return status;
    interruption_bear_closed_output();
    if (make_token(&token, &error)) {
        for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
            request->hash[i] = token.hash[i];
        status = tokens_add(database.session, request, &error) ? hand_out(&token, request->name)
                                                               : database_fail(&database, &error);
    } else {
        status = command_fail(COMMAND_FAILED, &error);
    }
    OPENSSL_cleanse(&token, sizeof(token));
    database_close(&database);
    return status;
}

static int check_new(const struct command *self, const struct token_new *request)
{
    if (request->name == NULL)
        return command_usage_error(self, "--name is missing");
    if (!token_name_is_good(request->name))
        return command_usage_error(self,
                                   "--name: \"%s\" is not a name (at most %d letters, digits, . _ "
                                   "and -)",
                                   request->name, TOKEN_NAME_MAX);
    if (request->scopes == NULL)
        return command_usage_error(self, "--scope is missing: publish, read, operate, or some");
    if (token_scopes(request->scopes) == 0)
        return command_usage_error(
            self, "--scope: \"%s\" is not publish, read, operate, or some of them with commas",
            request->scopes);
    return COMMAND_OK;
}

static int run_new(const struct command *self, int argc, char **argv)
{
    struct token_new request = {.name = NULL};
    const struct argument options[] = {
        {.name = "name", .text = &request.name},
        {.name = "scope", .text = &request.scopes},
        {.name = "customer", .uuid = &request.customer_id},
        {.name = "expires", .duration_ms = &request.expires_ms, .minimum = 1000},
        {.name = "publish-rate",
         .integer = &request.publish_rate,
         .minimum = 1,
         .maximum = 1000000},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_new(self, &request);
    return status == COMMAND_OK ? store_new(arguments.config_file, &request) : status;
}

static int store_rotated(const char *config_file, struct token_rotation *rotation)
{
    struct new_token token;
    struct database database;
    struct error error = {0};
    int status = database_open(config_file, &database);

    if (status != COMMAND_OK)
        return status;
    interruption_bear_closed_output();
    if (make_token(&token, &error)) {
        for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
            rotation->hash[i] = token.hash[i];
        status = tokens_rotate(database.session, rotation, &error)
                     ? hand_out(&token, rotation->name)
                     : database_fail(&database, &error);
    } else {
        status = command_fail(COMMAND_FAILED, &error);
    }
    OPENSSL_cleanse(&token, sizeof(token));
    database_close(&database);
    return status;
}

static int run_rotate(const struct command *self, int argc, char **argv)
{
    struct token_rotation rotation = {.name = NULL};
    const struct argument options[] = {
        {.name = "grace", .duration_ms = &rotation.grace_ms},
        {.name = "expires", .duration_ms = &rotation.expires_ms, .minimum = 1000},
        {0}};
    struct arguments arguments = {
        .options = options, .values_name = "the NAME", .values_min = 1, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    rotation.name = arguments.values[0];
    if (!token_name_is_good(rotation.name))
        return command_usage_error(self, "\"%s\" is not the name of a token", rotation.name);
    return store_rotated(arguments.config_file, &rotation);
}

const struct command command_token_new = {
    .name = "token new",
    .summary = "make a token",
    .help = new_help,
    .run = run_new,
};

const struct command command_token_rotate = {
    .name = "token rotate",
    .summary = "replace a token",
    .help = rotate_help,
    .run = run_rotate,
};
