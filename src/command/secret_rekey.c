/* SPDX-License-Identifier: MIT */
/* "secret rekey": every secret under the current key, or all of them plain again. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/interruption.h"
#include "command/report.h"
#include "command/sealing.h"
#include "command/secret.h"
#include "db/secrets.h"

static const char rekey_help[] =
    "usage: postrider secret rekey [OPTION]...\n"
    "\n"
    "Seals every secret in webhook_secrets with the first key of signing.key_file: those that are\n"
    "plain text, and those under one of the other keys, expired ones too. Runs beside workers, "
    "can\n"
    "be interrupted and run again at any time, and never overwrites what somebody else changes.\n"
    "Every worker must have the key before: reload or restart them first.\n"
    "\n"
    "Exit status 1 when one can't be read; those are named and left as they are. Stopped by ^C or\n"
    "a signal it says what is done and what is left, also as \"left\" and \"interrupted\" with\n"
    "--json, and ends with 130, 143 or 129 (SIGINT, SIGTERM, SIGHUP).\n"
    "\n"
    "      --plain         the way back: unseals all of them\n"
    "      --dry-run       changes nothing, and says what would be\n"
    "      --json          for programs: one object\n"
    "  -c, --config FILE   the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct rekey {
    const struct database *database;
    bool is_plain;
    bool is_dry_run;
    bool json;
    /* What was found, by enum sealed_state; without those that were changed meanwhile. */
    int64_t counts[SEALED_UNREADABLE + 1];
    int64_t changed;           /* by somebody else, between being read and being written */
    char last[SECRET_ID_SIZE]; /* all up to this id are done; "" = none */
    size_t changes_count;
    struct secret_change changes[SECRETS_BATCH];
    enum sealed_state states[SECRETS_BATCH]; /* of the changes' rows */
};

static void name_unreadable(const struct secret_row *row, const struct error *error)
{
    fprintf(stderr, "secret %s of customer %s for %s can't be read: %s\n", row->id,
            row->customer_id, row->url[0] != '\0' ? row->url : "all endpoints", error->message);
}

/* What the row is to hold; false when it stays as it is. */
static bool find_change(const struct rekey *rekey, const struct secret_row *row,
                        enum sealed_state state, const char *secret, char text[SEALED_TEXT_SIZE],
                        bool *ret_wanted, struct error *error)
{
    const struct sealing_keys *keys = &rekey->database->config->signing.keys;
    struct secret_scope scope = {row->customer_id, row->url};

    *ret_wanted = state != (rekey->is_plain ? SEALED_PLAIN : SEALED_CURRENT);
    if (!*ret_wanted)
        return true;
    if (!rekey->is_plain)
        return sealing_seal(keys, &scope, secret, text, error);
    snprintf(text, SEALED_TEXT_SIZE, "%s", secret);
    return true;
}

static bool add_row(struct rekey *rekey, const struct secret_row *row, struct error *error)
{
    const struct sealing_keys *keys = &rekey->database->config->signing.keys;
    struct secret_change *change = &rekey->changes[rekey->changes_count];
    struct secret_scope scope = {row->customer_id, row->url};
    char secret[SECRET_TEXT_SIZE];
    enum sealed_state state = sealed_secret_open(keys, &scope, row->secret, secret, error);
    bool wanted = false;
    bool ok;

    rekey->counts[state]++;
    if (state == SEALED_UNREADABLE) {
        name_unreadable(row, error);
        return true;
    }
    change->row = row;
    ok = find_change(rekey, row, state, secret, change->secret, &wanted, error);
    if (wanted)
        rekey->states[rekey->changes_count++] = state;
    OPENSSL_cleanse(secret, sizeof(secret));
    return ok;
}

/* What was not written is not counted as if it had been. */
static bool write_changes(struct rekey *rekey, struct error *error)
{
    bool ok;

    if (rekey->is_dry_run || rekey->changes_count == 0)
        return true;
    ok = secrets_change(rekey->database->session, rekey->changes, rekey->changes_count, error);
    for (size_t i = 0; i < rekey->changes_count; i++)
        if (!ok || !rekey->changes[i].is_done) {
            rekey->counts[rekey->states[i]]--;
            rekey->changed += ok;
        }
    return ok;
}

/* One transaction reads a batch, another one changes it: no row is locked for longer than that. */
static bool change_batch(struct rekey *rekey, const struct secret_list *list, struct error *error)
{
    bool ok = true;

    rekey->changes_count = 0;
    for (size_t i = 0; ok && i < list->count; i++)
        ok = add_row(rekey, &list->rows[i], error);
    ok = ok && write_changes(rekey, error);
    OPENSSL_cleanse(rekey->changes, sizeof(rekey->changes));
    return ok;
}

static bool change_next(struct rekey *rekey, bool *ret_has_more, struct error *error)
{
    struct secret_list list;
    bool ok;

    if (!secrets_walk(rekey->database->session, rekey->last[0] != '\0' ? rekey->last : NULL, true,
                      &list, error))
        return false;
    *ret_has_more = list.count > 0;
    ok = change_batch(rekey, &list, error);
    if (ok && *ret_has_more)
        snprintf(rekey->last, sizeof(rekey->last), "%s", list.rows[list.count - 1].id);
    secrets_list_free(&list);
    return ok;
}

/* *ret_is_done is false when it was interrupted. */
static bool change_all(struct rekey *rekey, bool *ret_is_done, struct error *error)
{
    bool has_more = true;
    bool ok = true;

    while (ok && has_more && interruption_name() == NULL)
        ok = change_next(rekey, &has_more, error);
    *ret_is_done = ok && !has_more;
    return ok;
}

static void print_sealed(const struct rekey *rekey)
{
    const int64_t *counts = rekey->counts;

    printf("%lld plain and %lld under other keys %s with the key \"%s\", %lld already were",
           (long long)counts[SEALED_PLAIN], (long long)counts[SEALED_OLD],
           rekey->is_dry_run ? "would be sealed" : "sealed",
           rekey->database->config->signing.keys.keys[0].name, (long long)counts[SEALED_CURRENT]);
}

static void print_unsealed(const struct rekey *rekey)
{
    const int64_t *counts = rekey->counts;

    printf("%lld %s, %lld already were plain",
           (long long)counts[SEALED_CURRENT] + counts[SEALED_OLD],
           rekey->is_dry_run ? "would be unsealed" : "unsealed", (long long)counts[SEALED_PLAIN]);
}

static json_t *result_json(const struct rekey *rekey)
{
    const int64_t *counts = rekey->counts;

    return json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "key",
                     rekey->database->config->signing.keys.keys[0].name, "unseal", rekey->is_plain,
                     "dry_run", rekey->is_dry_run, "plain", (json_int_t)counts[SEALED_PLAIN], "old",
                     (json_int_t)counts[SEALED_OLD], "current", (json_int_t)counts[SEALED_CURRENT],
                     "unreadable", (json_int_t)counts[SEALED_UNREADABLE], "changed",
                     (json_int_t)rekey->changed);
}

static void print_result(const struct rekey *rekey)
{
    if (rekey->is_plain)
        print_unsealed(rekey);
    else
        print_sealed(rekey);
    printf(", %lld can't be read\n", (long long)rekey->counts[SEALED_UNREADABLE]);
    if (rekey->changed > 0)
        printf("%lld %s changed or deleted meanwhile and left alone: run it again\n",
               (long long)rekey->changed, rekey->changed == 1 ? "was" : "were");
}

/* An end before all was done. left: how many were not looked at, negative when that is unknown. */
static int fail_stopped(const struct rekey *rekey, int64_t left, struct error *error)
{
    bool is_interrupted = error == NULL || interruption_is_cause(rekey->database);
    const char *signal = interruption_name();
    struct error interruption;

    if (rekey->json) {
        json_t *object = result_json(rekey);

        json_object_set_new(object, "left", left >= 0 ? json_integer(left) : json_null());
        json_object_set_new(object, "interrupted",
                            signal != NULL ? json_string(signal) : json_null());
        json_object_set_new(object, "error",
                            is_interrupted ? json_null() : json_string(error->message));
        report_print_json(object, stdout);
    } else
        print_result(rekey);
    if (!is_interrupted)
        return database_fail(rekey->database, error);
    error_set(&interruption, "stopped by %s: %lld secret%s not looked at", signal, (long long)left,
              text_plural(left, " was", "s were"));
    if (left < 0)
        error_set(&interruption, "stopped by %s: not all secrets were looked at", signal);
    error_hint(&interruption, "run the same command again for the rest");
    return command_fail(interruption_status(), &interruption);
}

static int stop(const struct rekey *rekey, struct error *error)
{
    struct error ignored;
    int64_t left = -1;
    bool is_lost = error != NULL && !interruption_is_cause(rekey->database);

    if (is_lost ||
        !secrets_count_after(rekey->database->session, rekey->last[0] != '\0' ? rekey->last : NULL,
                             &left, &ignored))
        left = -1;
    return fail_stopped(rekey, left, error);
}

static int finish(const struct rekey *rekey)
{
    if (rekey->json)
        report_print_json(result_json(rekey), stdout);
    else
        print_result(rekey);
    if (!interruption_flush()) {
        struct error error;

        error_set(&error, "all secrets were looked at, but standard output is closed");
        return command_fail(COMMAND_FAILED, &error);
    }
    return rekey->counts[SEALED_UNREADABLE] + rekey->changed > 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int rekey_all(struct rekey *rekey)
{
    struct error error = {0};
    bool is_done = false;

    if (rekey->database->config->signing.keys.count == 0) {
        error_set(&error, "signing.key_file is not set in %s", rekey->database->config_file);
        error_hint(&error, "it names the file with the keys; a line of it makes: echo \"2026a "
                           "$(openssl rand -base64 32)\"");
        return command_fail(COMMAND_CONFIG, &error);
    }
    if (!change_all(rekey, &is_done, &error))
        return stop(rekey, &error);
    return is_done ? finish(rekey) : stop(rekey, NULL);
}

static int run_rekey(const struct command *self, int argc, char **argv)
{
    struct rekey *rekey = memory_new(1, sizeof(*rekey));
    const struct argument options[] = {{.name = "plain", .flag = &rekey->is_plain},
                                       {.name = "dry-run", .flag = &rekey->is_dry_run},
                                       {.name = "json", .flag = &rekey->json},
                                       {0}};
    struct arguments arguments = {.options = options};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status == ARGUMENTS_OK)
        status = database_open(arguments.config_file, &database);
    else {
        free(rekey);
        return status;
    }
    if (status == COMMAND_OK) {
        rekey->database = &database;
        interruption_begin(&database);
        status = rekey_all(rekey);
        interruption_end();
        database_close(&database);
    }
    free(rekey);
    return status;
}

const struct command command_secret_rekey = {
    .name = "secret rekey",
    .summary = "seal all secrets with the current key",
    .help = rekey_help,
    .run = run_rekey,
};
