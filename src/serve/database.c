/* SPDX-License-Identifier: MIT */
#include "serve/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/outages.h"
#include "db/advice.h"
#include "db/migrate.h"
#include "db/schema_version.h"

#define CHECK_PAUSE_US 1000000
#define LOG_PAUSE_US   60000000
#define LOGGED_MAX     16

/* Of which message a line was written, and when. Messages are constants. */
struct logged {
    const char *message;
    int64_t us;
};

struct database_state {
    bool is_checked, is_checking;
    int64_t check_us;
    struct outages outages;
    struct logged logged[LOGGED_MAX];
};

static bool is_connected(const struct serve *serve)
{
    return db_link_is_up(serve->publishing_link) && db_link_is_up(serve->ordered_link) &&
           db_link_is_up(serve->reading_link);
}

bool database_is_ready(const struct serve *serve)
{
    return serve->database->is_checked && is_connected(serve);
}

static void on_link_up(void *owner)
{
    struct serve *serve = owner;

    if (!is_connected(serve))
        return;
    serve->database->is_checked = false;
    serve->database->check_us = serve->now_us;
    if (outages_note_up(&serve->database->outages))
        log_event(LOG_LEVEL_INFO, "connected to the database");
}

static void on_link_down(void *owner, const char *reason)
{
    struct serve *serve = owner;
    int untold;

    serve->database->is_checking = false;
    if (serve->phase == SERVE_DONE ||
        !outages_note_down(&serve->database->outages, reason, serve->now_us, &untold))
        return;
    log_event(LOG_LEVEL_ERROR, "the database is away; waiting for it", LOG_TEXT("error", reason),
              LOG_NUMBER("outages_not_logged", untold));
}

/* What a policy hides is not taken for absent: a key that can't be seen would be published again. */
static struct db_link *new_link(struct serve *serve)
{
    const struct config *config = serve->config;
    struct db_link_events events = {.on_up = on_link_up, .on_down = on_link_down, .owner = serve};
    struct db_link *link =
        db_link_new(serve->loop.base, config->database.url, config->database.schema, &events);

    db_link_refuse_hidden(link);
    return link;
}

void database_init(struct serve *serve)
{
    serve->database = memory_new(1, sizeof(*serve->database));
    serve->publishing_link = new_link(serve);
    serve->ordered_link = new_link(serve);
    serve->reading_link = new_link(serve);
}

void database_free(struct serve *serve)
{
    db_link_free(serve->publishing_link);
    db_link_free(serve->ordered_link);
    db_link_free(serve->reading_link);
    free(serve->database);
}

void database_collect(struct serve *serve)
{
    db_link_collect(serve->publishing_link);
    db_link_collect(serve->ordered_link);
    db_link_collect(serve->reading_link);
}

static struct logged *find_logged(struct database_state *database, const char *message)
{
    struct logged *oldest = &database->logged[0];

    for (size_t i = 0; i < LOGGED_MAX; i++) {
        if (database->logged[i].message == message)
            return &database->logged[i];
        if (database->logged[i].us < oldest->us)
            oldest = &database->logged[i];
    }
    return oldest;
}

void database_log_refusal(struct serve *serve, const char *message, const struct db_answer *answer)
{
    struct logged *logged = find_logged(serve->database, message);
    struct error advice = {.hint = ""};
    const char *general = db_advice(answer->sqlstate);

    if (logged->message == message && serve->now_us - logged->us < LOG_PAUSE_US)
        return;
    *logged = (struct logged){message, serve->now_us};
    if (answer->is_hidden)
        error_hint(
            &advice,
            "have the policies of that table let all rows be seen (USING (true)) by the role of "
            "database.url, and by the tables' owner where FORCE ROW LEVEL SECURITY is set");
    else if (strcmp(answer->sqlstate, "42501") == 0)
        error_hint(&advice, "run \"postrider migrate --grant-serve ROLE%s\" as the tables' owner",
                   hint_options());
    else if (general != NULL)
        error_hint(&advice, "%s", general);
    log_event(LOG_LEVEL_ERROR, message, LOG_TEXT("error", answer->message),
              LOG_TEXT("sqlstate", answer->sqlstate),
              LOG_IF(advice.hint[0] != '\0', LOG_STRING("hint", advice.hint)));
}

static void give_up(struct serve *serve, const char *message, const char *hint)
{
    log_event(LOG_LEVEL_ERROR, message, LOG_TEXT("hint", hint));
    serve->exit_status = EXIT_FAILURE;
    serve->phase = SERVE_DONE;
}

static void note_version(struct serve *serve, struct schema_version schema)
{
    enum schema_fit fit = schema_fit(&schema, migrate_binary_version());
    char message[160];
    struct error advice;

    serve->database->is_checked = fit == SCHEMA_FITS;
    if (fit == SCHEMA_FITS)
        return;
    snprintf(message, sizeof(message),
             "the database's schema has version %d, this binary needs version %d", schema.version,
             migrate_binary_version());
    if (fit == SCHEMA_IS_OLD)
        error_hint(&advice, "run \"postrider migrate%s\" with this binary", hint_options());
    else
        error_hint(&advice, "install the version of postrider that migrated the database");
    give_up(serve, message, advice.hint);
}

static void on_version_answered(void *owner, const struct db_answer *answer)
{
    struct serve *serve = owner;
    struct error advice;

    serve->database->is_checking = false;
    if (answer->result == DB_ANSWERED) {
        note_version(serve, schema_version_of(answer));
    } else if (answer->result == DB_REFUSED && schema_version_is_missing(answer)) {
        error_hint(&advice, "run \"postrider migrate%s\", and look at database.schema",
                   hint_options());
        give_up(serve, "the database has no Postrider tables in this schema", advice.hint);
    } else if (answer->result == DB_REFUSED) {
        database_log_refusal(serve,
                             "the schema's version can't be read; nothing is taken until it "
                             "is",
                             answer);
    }
}

static bool may_check(const struct serve *serve)
{
    return !serve->database->is_checked && !serve->database->is_checking && is_connected(serve);
}

void database_step(struct serve *serve)
{
    if (!may_check(serve) || serve->now_us < serve->database->check_us)
        return;
    serve->database->check_us = serve->now_us + CHECK_PAUSE_US;
    serve->database->is_checking =
        schema_version_send(serve->reading_link, on_version_answered, serve);
}

int64_t database_next_us(const struct serve *serve)
{
    return may_check(serve) ? serve->database->check_us : SERVE_NEVER;
}
