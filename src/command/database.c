/* SPDX-License-Identifier: MIT */
#include "command/database.h"

#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "command/command.h"
#include "config/load.h"

int database_open(const char *config_file, struct database *ret_database)
{
    struct error error = {0};

    *ret_database = (struct database){NULL, NULL, config_file};
    ret_database->config = command_load_config(config_file);
    if (ret_database->config == NULL)
        return COMMAND_CONFIG;
    ret_database->session = db_session_open(ret_database->config->database.url,
                                            ret_database->config->database.schema, &error);
    if (ret_database->session != NULL)
        return COMMAND_OK;
    if (error.hint[0] == '\0')
        error_hint(&error,
                   "is PostgreSQL running, and is database.url in %s right? \"postrider "
                   "check --database%s\" tells more",
                   config_file, hint_options());
    database_close(ret_database);
    return command_fail(COMMAND_FAILED, &error);
}

void database_close(struct database *database)
{
    db_session_close(database->session);
    config_free(database->config);
    *database = (struct database){0};
}

static bool is_one_of(const char *state, const char *const *states)
{
    for (; *states != NULL; states++)
        if (strcmp(state, *states) == 0)
            return true;
    return false;
}

bool database_each_unmet(const struct database *database,
                         void (*add)(void *context, const struct requirement *unmet), void *context,
                         struct error *error)
{
    PGresult *result = NULL;

    if (db_session_begin_reading(database->session, error))
        result = requirements_list(database->session, error);
    db_session_rollback(database->session);
    if (result == NULL)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        struct requirement requirement = requirement_at(result, i);

        if (requirement.problem != NULL)
            add(context, &requirement);
    }
    PQclear(result);
    return true;
}

/* An unmet requirement that is about what the error is about: its table, or the schema of all. */
static void hint_unmet(void *context, const struct requirement *unmet)
{
    struct error *error = context;
    struct error told = *error;

    if (error->hint[0] != '\0' || strcmp(unmet->kind, "table") == 0 ||
        (strcmp(unmet->kind, "schema") != 0 && strstr(error->message, unmet->object) == NULL))
        return;
    error_set(error, "%s: %s", told.message, unmet->problem);
    error_hint(error, "%s", unmet->action);
}

int database_fail(const struct database *database, struct error *error)
{
    static const char *const missing[] = {"42P01", "42703", "42883", "3F000", NULL};
    static const char *const forbidden[] = {"42501", NULL};
    struct error ignored;
    char state[8];
    bool is_missing, is_forbidden, is_hidden;

    snprintf(state, sizeof(state), "%s", db_session_sqlstate(database->session));
    is_missing = is_one_of(state, missing);
    is_forbidden = is_one_of(state, forbidden);
    is_hidden = db_session_is_hidden(database->session);
    db_session_rollback(database->session);
    if (is_missing) /* the server's hint is for who writes statements */
        error->hint[0] = '\0';
    if (is_missing || is_forbidden)
        /* Nothing is known of it then but the error itself. */
        (void)database_each_unmet(database, hint_unmet, error, &ignored);
    if (error->hint[0] != '\0')
        return command_fail(COMMAND_FAILED, error);
    if (is_missing)
        error_hint(error,
                   "the schema is missing or older than this program: run \"postrider migrate%s\"",
                   hint_options());
    else if (is_hidden)
        error_hint(
            error,
            "try again: the policy may be gone by now; if it is not, have it let the role of "
            "database.url in %s see all rows, or use the owner of the tables",
            database->config_file);
    else if (is_forbidden)
        error_hint(error,
                   "the role of database.url in %s lacks a privilege: use the owner of the "
                   "tables, or \"postrider migrate --grant ROLE%s\" for the worker's own",
                   database->config_file, hint_options());
    return command_fail(COMMAND_FAILED, error);
}
