/* SPDX-License-Identifier: MIT */
/*
 * db/link.h: a non-blocking, pipelined connection for the worker.
 *
 * A link connects by itself, and again with pauses that grow until a connection has lasted for 10
 * s. It owns the connection and is alone in changing what state it is in; what goes over it is the
 * business of db/pipeline.h, which tells the link when the connection is of no use any more.
 *
 * Each request that was accepted is answered exactly once (db/request.h). Answers that leave it
 * open what has happened end the connection. So does a transaction that is open when all requests
 * are over: a pooler has not passed on their ends. Callbacks come only from db_link_collect() and
 * db_link_free(), never from inside db_link_send(). A server that is a standby, or refuses a
 * request since it is read-only, is left for the next host of the URL (db/hosts.h). An event of the
 * socket ends the loop turn; what it brought is for db_link_collect() to find.
 *
 * Through a pooler every transaction sets its search_path and planner switches for itself
 * (set_config, local), so nothing depends on session state and PgBouncer in transaction mode is
 * fine. A direct link (below) sets them once, and prepares what is sent often, with generic plans.
 * Limit: libpq resolves host names while it blocks.
 */
#ifndef POSTRIDER_DB_LINK_H
#define POSTRIDER_DB_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "db/request.h"

struct event_base;
struct db_link;

struct db_link_events {
    void (*on_up)(void *owner);
    void (*on_down)(void *owner, const char *reason); /* lost, or an attempt to connect failed */
    void (*on_notified)(void *owner);                 /* any NOTIFY; NULL = nobody listens */
    void *owner;
};

/*
 * url: any libpq URI or keyword string; schema "" leaves the search_path. Both are copied. The
 * first attempt to connect is made at once.
 */
struct db_link *db_link_new(struct event_base *base, const char *url, const char *schema,
                            const struct db_link_events *events) MUST_USE;

/* Answers what is outstanding with DB_LOST and closes. */
void db_link_free(struct db_link *link);

bool db_link_is_up(const struct db_link *link);

/* Requests that were sent and not answered yet. */
size_t db_link_outstanding(const struct db_link *link);

/* False when the link is down: nothing was sent, and there will be no answer. */
bool db_link_send(struct db_link *link, const struct db_statement *statements, int count,
                  db_link_answered *on_answer, void *request_owner) MUST_USE;

/* The same for statements that come again and again; their texts must be static (db/prepared.h). */
bool db_link_send_often(struct db_link *link, const struct db_statement *statements, int count,
                        db_link_answered *on_answer, void *request_owner) MUST_USE;

/*
 * True when the link speaks to its own backend for certain, so that a session's state is its own.
 * A pooler gives its clients process ids of its own (they are the key of cancel requests, which it
 * must route), so the id that came with the connection is compared with the backend's before the
 * link is up. Poolers in session mode count as poolers.
 */
bool db_link_is_direct(const struct db_link *link);

/*
 * Whether a statement that is longer than PgBouncer's buffer may be sent now: through a pooler only
 * when nothing is under way (db/row_security.c).
 */
bool db_link_takes_long(const struct db_link *link);

/*
 * For a link that only reads, before its first loop turn: what a policy of row security could hide
 * rows from is refused by the server (SQLSTATE 42501, row_security = off).
 */
void db_link_refuse_hidden(struct db_link *link);

/*
 * Row security is in force, and its policies were plainly true: each request begins by looking
 * whether they are still, and is then not refused (db/row_security.h).
 */
void db_link_allow_policies(struct db_link *link, bool is_allowed);

/*
 * True once after a request was refused with an SQLSTATE of class 42: a missing privilege, table or
 * column, or what a policy may hide.
 */
bool db_link_take_denial(struct db_link *link);

/* Delivers answers, and on_up, on_down and on_notified. */
void db_link_collect(struct db_link *link);

/* Drops the connection and connects again at once: for a request that takes too long. */
void db_link_reset(struct db_link *link, const char *reason);

#endif
