/* SPDX-License-Identifier: MIT */
/*
 * command/database.h: the configuration and a session, as the commands on the database need them.
 *
 * database_open() prints what is wrong; the exit status tells a wrong configuration from a
 * database that is away. database_fail() turns "relation does not exist" and the like into what an
 * operator has to do about it.
 */
#ifndef POSTRIDER_COMMAND_DATABASE_H
#define POSTRIDER_COMMAND_DATABASE_H

#include "base/error.h"
#include "config/config.h"
#include "db/requirements.h"
#include "db/session.h"

struct database {
    struct config *config;
    struct db_session *session;
    const char *config_file; /* borrowed, for messages */
};

/* COMMAND_OK, or the exit status to end with. */
int database_open(const char *config_file, struct database *ret_database) MUST_USE;
void database_close(struct database *database);

/*
 * What the role lacks of all that a worker needs, in the order of the list: calls add() for each.
 * False: it can't be asked, which is not taken for nothing that it lacks.
 */
bool database_each_unmet(const struct database *database,
                         void (*add)(void *context, const struct requirement *unmet), void *context,
                         struct error *error);

/* Prints error with a hint that fits its SQLSTATE; returns COMMAND_FAILED. */
int database_fail(const struct database *database, struct error *error);

#endif
