/* SPDX-License-Identifier: MIT */
/*
 * db/settings.h: the settings of PostgreSQL that what we say and read depends on, in one table.
 *
 * A role or a database may have any other (ALTER ROLE … SET), and so may a session of a pooler.
 * Links and sessions set these in each of their transactions, or a direct link once. What is not
 * here is the operator's choice and changes no result: how long a lock is waited for in a command,
 * where tables are made, synchronous_commit (off by a role: a crash of the server may lose the
 * outcomes of the last moments, which are then sent again).
 */
#ifndef POSTRIDER_DB_SETTINGS_H
#define POSTRIDER_DB_SETTINGS_H

#include "base/compiler.h"

/*
 * For a link, a statement with three parameters: database.schema ("" leaves the search_path),
 * whether it is for the transaction alone, and row_security. The columns of its answer begin with
 * those of enum settings_column. server_version as PQserverVersion() gives it; the caller frees the
 * text.
 */
enum settings_column {
    SETTINGS_IS_STANDBY,
    SETTINGS_IS_COMMITTED_READ, /* f: the transaction has another level than READ COMMITTED */
};
#define SETTINGS_PARAMETERS 3
char *settings_for_link(int server_version) MUST_USE;

/* For a session: "; SET LOCAL …; SET LOCAL …", to be put behind a BEGIN. The caller frees it. */
char *settings_for_session(int server_version) MUST_USE;

#endif
