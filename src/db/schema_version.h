/* SPDX-License-Identifier: MIT */
/*
 * db/schema_version.h: which migration a database has, and whether this binary can work with it.
 */
#ifndef POSTRIDER_DB_SCHEMA_VERSION_H
#define POSTRIDER_DB_SCHEMA_VERSION_H

#include <stdbool.h>

#include "db/link.h"
#include "db/session.h"

struct schema_version {
    int version;    /* the newest migration that was applied; 0: none */
    int works_from; /* a binary that knows this migration can work with it; 0: only version itself
                     */
};

enum schema_fit {
    SCHEMA_FITS,
    SCHEMA_IS_OLD, /* to be migrated */
    SCHEMA_IS_NEW, /* a newer binary has changed what this one relies on */
};

enum schema_fit schema_fit(const struct schema_version *schema, int binary_version);

/* Over a link, for the worker. */
bool schema_version_send(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

/* What a DB_ANSWERED answer says. */
struct schema_version schema_version_of(const struct db_answer *answer);

/* True when the server refused it because the table or the schema isn't there. */
bool schema_version_is_missing(const struct db_answer *answer);

/* For commands, in the caller's transaction. All 0 when there is no such table. */
bool schema_version_read(struct db_session *session, struct schema_version *ret_version,
                         struct error *error) MUST_USE;

#endif
