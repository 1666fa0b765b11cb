/* SPDX-License-Identifier: MIT */
/* "secret list" and "secret revoke". */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/report.h"
#include "command/secret.h"
#include "core/secret.h"
#include "db/secrets.h"

static const char list_help[] =
    "usage: postrider secret list [OPTION]...\n"
    "\n"
    "Lists the valid secrets of webhook_secrets, never the secrets themselves. Those of\n"
    "signing.secret_file are not among them.\n"
    "\n"
    "      --customer UUID     of this customer\n"
    "      --url URL           of this endpoint alone\n"
    "      --all               the expired ones too\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static const char revoke_help[] =
    "usage: postrider secret revoke [OPTION]... ID\n"
    "\n"
    "Ends a secret now: nothing is signed with it any more. For a leaked secret; to change one\n"
    "without a gap, use \"postrider secret rotate\".\n"
    "\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum list_column {
    LIST_ID,
    LIST_CUSTOMER,
    LIST_URL,
    LIST_FOR,
    LIST_KIND,
    LIST_KEY,
    LIST_CREATED,
    LIST_AGE,
    LIST_NOT_AFTER,
    LIST_ENDS,
    LIST_IS_VALID,
    LIST_PUBLIC_KEY,
};

static const struct report_column columns[] = {
    [LIST_ID] = {.key = "id", .title = "ID"},
    [LIST_CUSTOMER] = {.key = "customer_id"},
    [LIST_URL] = {.key = "url"},
    [LIST_FOR] = {.title = "FOR", .cut = REPORT_CUT_URL},
    [LIST_KIND] = {.key = "kind", .title = "KIND"},
    [LIST_KEY] = {.key = "key", .title = "KEY"},
    [LIST_CREATED] = {.key = "created_at"},
    [LIST_AGE] = {.title = "AGE", .is_number = true},
    [LIST_NOT_AFTER] = {.key = "not_after"},
    [LIST_ENDS] = {.title = "ENDS"},
    [LIST_IS_VALID] = {.key = "is_valid"},
    [LIST_PUBLIC_KEY] = {.key = "public_key"},
};

/* What is said of one row besides its columns. */
struct description {
    char kind[256];                     /* "hmac" or "ed25519", or what is wrong with it */
    char key[SEALING_KEY_NAME_MAX + 1]; /* that it is sealed with; "" when it is plain */
    char public_key[SECRET_TEXT_SIZE];  /* of ed25519, else "" */
};

/* One that wants another key is no bad secret. */
static void describe_unread(const struct error *error, struct description *description)
{
    bool is_sealed = text_begins_with(error->message, "it is sealed");

    snprintf(
        description->kind, sizeof(description->kind), "%s%.200s",
        is_sealed ? "" : "can't be read: ", error->message + (is_sealed ? strlen("it is ") : 0));
}

static void describe(const struct sealing_keys *keys, const struct secret_row *row,
                     struct description *description)
{
    struct secret_scope scope = {row->customer_id, row->url};
    char text[SECRET_TEXT_SIZE];
    struct secret secret;
    struct error error;

    *description = (struct description){.kind = ""};
    sealed_secret_key_name(row->secret, description->key);
    if (sealed_secret_open(keys, &scope, row->secret, text, &error) == SEALED_UNREADABLE ||
        !secret_parse(text, &secret, &error)) {
        describe_unread(&error, description);
        return;
    }
    OPENSSL_cleanse(text, sizeof(text));
    if (secret.kind != SECRET_ED25519)
        snprintf(description->kind, sizeof(description->kind), "hmac");
    else {
        snprintf(description->kind, sizeof(description->kind), "ed25519");
        if (!secret_format_public(&secret, description->public_key, &error))
            description->public_key[0] = '\0';
    }
    secret_wipe(&secret);
}

static void set_end(struct report *report, const struct secret_row *row)
{
    bool is_valid = row->not_after == NULL || row->valid_ms > 0;

    report_set_text(report, LIST_NOT_AFTER, row->not_after);
    report_set_ending(report, LIST_ENDS, row->not_after, row->valid_ms);
    report_set(report, LIST_IS_VALID, "", json_boolean(is_valid));
}

static void add_secret(struct report *report, const struct sealing_keys *keys,
                       const struct secret_row *row)
{
    char age[UNITS_TEXT_SIZE];
    struct description description;
    bool is_sealed;

    describe(keys, row, &description);
    is_sealed = description.key[0] != '\0';
    report_add_row(report);
    report_set_text(report, LIST_ID, row->id);
    report_set_text(report, LIST_CUSTOMER, row->customer_id);
    report_set_text(report, LIST_URL, row->url);
    report_set(report, LIST_FOR, row->url[0] != '\0' ? row->url : "all endpoints", NULL);
    report_set_text(report, LIST_KIND, description.kind);
    report_set(report, LIST_KEY, is_sealed ? description.key : "plain",
               is_sealed ? json_string(description.key) : json_null());
    report_set_text(report, LIST_CREATED, row->created_at);
    report_set(report, LIST_AGE, units_format_about_ms(row->created_ms_ago, age), NULL);
    set_end(report, row);
    if (description.public_key[0] != '\0')
        report_set_text(report, LIST_PUBLIC_KEY, description.public_key);
}

static void print_public_key(const struct sealing_keys *keys, const struct secret_row *row)
{
    struct description description;

    describe(keys, row, &description);
    if (description.public_key[0] != '\0')
        printf("%s verifies with %s\n", row->id, description.public_key);
}

/* The rows from first on of one customer, under its name; returns the first row of the next. */
static size_t print_customer(const struct sealing_keys *keys, const struct secret_list *list,
                             size_t first)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));
    const char *customer = list->rows[first].customer_id;
    size_t end = first;

    for (; end < list->count && strcmp(list->rows[end].customer_id, customer) == 0; end++)
        add_secret(report, keys, &list->rows[end]);
    printf("%scustomer %s\n", first > 0 ? "\n" : "", customer);
    report_print_table(report, stdout);
    for (size_t i = first; i < end; i++)
        print_public_key(keys, &list->rows[i]);
    report_free(report);
    return end;
}

static void print_json(const struct sealing_keys *keys, const struct secret_list *list)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < list->count; i++)
        add_secret(report, keys, &list->rows[i]);
    report_print_json(report_json(report), stdout);
    report_free(report);
}

static int list_secrets(const struct database *database, const struct secret_scope *scope,
                        bool is_all, bool json)
{
    const struct sealing_keys *keys = &database->config->signing.keys;
    struct secret_list list;
    struct error error = {0};

    if (!secrets_list(database->session, scope->customer, scope->url, is_all, &list, &error))
        return database_fail(database, &error);
    if (json)
        print_json(keys, &list);
    else if (list.count == 0)
        printf("No secrets%s.\n", scope->customer != NULL || scope->url != NULL ? " match" : "");
    else
        for (size_t i = 0; i < list.count;)
            i = print_customer(keys, &list, i);
    secrets_list_free(&list);
    return COMMAND_OK;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct secret_scope scope = {NULL, NULL};
    bool is_all = false;
    bool json = false;
    const struct argument options[] = {{.name = "customer", .uuid = &scope.customer},
                                       {.name = "url", .text = &scope.url},
                                       {.name = "all", .flag = &is_all},
                                       {.name = "json", .flag = &json},
                                       {0}};
    struct arguments arguments = {.options = options};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = list_secrets(&database, &scope, is_all, json);
    database_close(&database);
    return status;
}

static int revoke(const struct database *database, const char *id)
{
    struct error error = {0};
    int64_t left = 0;
    bool found;

    if (!secrets_revoke(database->session, id, &found, &left, &error))
        return database_fail(database, &error);
    if (!found) {
        error_set(&error, "there is no valid secret %s", id);
        error_hint(&error, "\"postrider secret list%s\" shows their ids", hint_options());
        return command_fail(COMMAND_FAILED, &error);
    }
    if (left > 0)
        printf("revoked; %lld valid left beside it\n", (long long)left);
    else
        puts("revoked; it was the last one of its endpoint or customer: what is less specific "
             "signs now, or nothing");
    return COMMAND_OK;
}

static int run_revoke(const struct command *self, int argc, char **argv)
{
    struct arguments arguments = {.values_name = "the ID", .values_min = 1, .values_max = 1};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (!text_is_uuid(arguments.values[0]))
        return command_usage_error(self, "\"%s\" is not the id of a secret (a UUID)",
                                   arguments.values[0]);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = revoke(&database, arguments.values[0]);
    database_close(&database);
    return status;
}

const struct command command_secret_list = {
    .name = "secret list",
    .summary = "list secrets",
    .help = list_help,
    .run = run_list,
};

const struct command command_secret_revoke = {
    .name = "secret revoke",
    .summary = "end a secret now",
    .help = revoke_help,
    .run = run_revoke,
};
