/* SPDX-License-Identifier: MIT */
#include "command/status_reading.h"

#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "db/migrate.h"
#include "db/schema_version.h"

/* A schema that the role may not use looks as if it were not there. */
static void explain_absence(void *context, const struct requirement *unmet)
{
    struct error *error = context;

    if (error->message[0] == '\0' && strcmp(unmet->kind, "schema") == 0) {
        error_set(error, "%s", unmet->problem);
        error_hint(error, "%s", unmet->action);
    }
}

static bool read_versions(const struct database *database, struct status *status,
                          struct error *error)
{
    struct db_session *session = database->session;
    struct schema_version schema;
    struct error failure;
    bool ok;

    if (!db_session_begin_reading(session, error))
        return false;
    ok = schema_version_read(session, &schema, error);
    db_session_rollback(session);
    if (!ok)
        return false;
    status->binary_version = migrate_binary_version();
    status->database_version = schema.version;
    if (status->database_version == 0 &&
        !database_each_unmet(database, explain_absence, error, &failure))
        *error = failure;
    if (status->database_version == 0 && error->message[0] == '\0') {
        error_set(error, "the database has no Postrider schema");
        error_hint(error, "run \"postrider migrate%s\"; is database.schema right?", hint_options());
    }
    return status->database_version > 0;
}

static void note_unmet(void *context, const struct requirement *unmet)
{
    status_problems_add_unmet(context, unmet);
}

/* Whether anything is hidden from it is not known then, and all that follows may be too little. */
static void note_unread(struct status_problems *problems, const struct error *error)
{
    char problem[STATUS_PROBLEMS_TEXT_SIZE];

    snprintf(problem, sizeof(problem), "what the role may see could not be found out: %.400s",
             error->message);
    status_problems_add_unmet(
        problems, &(struct requirement){.problem = problem,
                                        .action = "ask again; if it stays, ask as the owner of the "
                                                  "tables, since numbers here may be too small"});
}

static const char *host_of(struct db_session *session)
{
    const char *host = PQhost(db_session_connection(session));

    return host != NULL && host[0] != '\0' ? host : "this machine";
}

bool status_read(const struct database *database, struct status *ret_status, struct error *error)
{
    struct status *status = ret_status;
    struct error failure;

    *status = (struct status){.host = host_of(database->session)};
    if (!read_versions(database, status, error))
        return false;
    if (status->database_version >= status->binary_version &&
        !database_each_unmet(database, note_unmet, &status->problems, &failure))
        note_unread(&status->problems, &failure);
    if (!overview_read(database->session, &status->overview, error))
        return false;
    status_problems_find(&status->overview, status->database_version, status->binary_version,
                         &status->problems);
    return true;
}
