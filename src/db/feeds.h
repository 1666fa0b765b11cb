/* SPDX-License-Identifier: MIT */
/*
 * db/feeds.h: what keeps feeds true (migrations/0025_feed.sql): the marks between their hours, and
 * events that came from another installation.
 */
#ifndef POSTRIDER_DB_FEEDS_H
#define POSTRIDER_DB_FEEDS_H

#include <stdbool.h>

#include "db/link.h"
#include "db/migrate_options.h"
#include "db/session.h"

/* Makes the mark of this hour, unless there is one; and deletes those of a year ago. */
bool feeds_send_mark(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

/*
 * Of "postrider migrate", in a transaction of its own with the lock of migrations: events whose
 * transaction has not come here yet were restored from another installation. They are numbered
 * anew, before all others, and cursors begin anew. Says so on options->out.
 */
bool feeds_settle(struct db_session *session, const struct migrate_options *options,
                  struct error *error) MUST_USE;

#endif
