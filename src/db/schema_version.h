/*
 * db/schema_version.h: asking over a link which migration a database has.
 */
#ifndef POSTRIDER_DB_SCHEMA_VERSION_H
#define POSTRIDER_DB_SCHEMA_VERSION_H

#include <stdbool.h>

#include "db/link.h"

bool schema_version_send(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

/* The version in a DB_ANSWERED answer; 0 when no migration was applied. */
int schema_version_of(const struct db_answer *answer);

/* True when the server refused it because the table or the schema isn't there. */
bool schema_version_is_missing(const struct db_answer *answer);

#endif
