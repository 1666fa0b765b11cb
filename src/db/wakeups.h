/* SPDX-License-Identifier: MIT */
/*
 * db/wakeups.h: being woken by producers (migrations/0004_wakeups.sql).
 *
 * LISTEN is state of a session: through a pooler in transaction mode it would land on a connection
 * that belongs to others, and stay there. So it is only for a link that is direct.
 */
#ifndef POSTRIDER_DB_WAKEUPS_H
#define POSTRIDER_DB_WAKEUPS_H

#include <stdbool.h>

#include "db/link.h"

#define WAKEUPS_SECONDS 10 /* for which a worker asks at a time */

/* Asks for the channel's name, and whether anything is ever sent to it. */
bool wakeups_send_probe(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;
const char *wakeups_channel_of(const struct db_answer *answer);

/* False where two-phase commit is possible: the triggers don't notify there. */
bool wakeups_are_possible(const struct db_answer *answer);

bool wakeups_send_listen(struct db_link *link, const char *channel, db_link_answered *on_answer,
                         void *owner) MUST_USE;

/* Asks producers to notify for the next WAKEUPS_SECONDS, or takes that back. */
bool wakeups_send_ask(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;
bool wakeups_send_withdraw(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

#endif
