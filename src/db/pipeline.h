/* SPDX-License-Identifier: MIT */
/*
 * db/pipeline.h: what goes over one connection, and what comes back.
 *
 * It owns the requests, their results, the statements that the server has prepared and the settings
 * that go before a request. The connection is the link's (db/link.h), which alone makes and closes
 * it: whatever is wrong here is returned as a verdict, and the link does what the verdict asks for.
 *
 *     closed ──pipeline_open()──→ open ──pipeline_close()──→ closed
 *
 * Requests outlive a connection that is closed, until pipeline_fail() answers them. Callbacks come
 * from pipeline_collect() and pipeline_fail() alone. They may send the next request, and may make
 * the link close the connection; pipeline_collect() then stops, and has nothing more to say.
 *
 * What libpq says without the server (no memory for a result, garbage instead of it), and answers
 * that do not fit what was asked, tell nothing of what has happened: the connection has to go, so
 * that requests without an answer are lost and not refused.
 */
#ifndef POSTRIDER_DB_PIPELINE_H
#define POSTRIDER_DB_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/compiler.h"
#include "db/message.h"
#include "db/prepared.h"
#include "db/request.h"

struct pipeline_request;

STAILQ_HEAD(pipeline_request_list, pipeline_request);

/* Whether the connection is of use any more, and why not. */
enum pipeline_verdict {
    PIPELINE_GOES_ON,
    PIPELINE_LOST,             /* libpq's message of the connection says why */
    PIPELINE_UNCERTAIN,        /* nobody knows what was done; pipeline_reason() says why */
    PIPELINE_OPEN_TRANSACTION, /* the other side does not end a transaction that was to end */
    PIPELINE_STANDBY,          /* an answer came from a standby */
    PIPELINE_READ_ONLY,        /* a request was refused for that */
};

struct pipeline {
    PGconn *connection; /* the link's; NULL while closed */
    const char *schema; /* the link's */
    struct pipeline_request_list requests;
    struct pipeline_request *awaited; /* the first that is not over; NULL = none */
    size_t outstanding;
    bool has_settings;  /* of the session */
    bool needs_level;   /* transactions begin with another level than READ COMMITTED */
    char *settings_sql; /* for a server of this version; NULL: not made yet */
    int settings_version;
    bool refuses_hidden;  /* pipeline_refuse_hidden() */
    bool allows_policies; /* pipeline_allow_policies() */
    bool was_denied;      /* pipeline_take_denial() */
    bool is_read_only;    /* the server has refused a request for that */
    struct prepared prepared;
    char reason[MESSAGE_SIZE]; /* with PIPELINE_UNCERTAIN */
};

/* schema "" leaves the search_path; borrowed. */
void pipeline_init(struct pipeline *pipeline, const char *schema);

/* Closed, and without requests. */
void pipeline_free(struct pipeline *pipeline);

/* The connection is libpq's in pipeline mode, and borrowed until pipeline_close(). */
void pipeline_open(struct pipeline *pipeline, PGconn *connection);

/* What was known of this connection is forgotten. The requests stay. */
void pipeline_close(struct pipeline *pipeline);

/* Answers all that is outstanding with DB_LOST, in order. Only while closed. */
void pipeline_fail(struct pipeline *pipeline, const char *reason);

/*
 * Takes a request. False when the connection does not take it and is lost: there will be no answer.
 * The caller flushes what was sent.
 */
bool pipeline_send(struct pipeline *pipeline, const struct db_statement *statements, int count,
                   db_link_answered *on_answer, void *request_owner) MUST_USE;

/* Sets the session up, so that the requests after it need not. As pipeline_send(). */
bool pipeline_send_settings(struct pipeline *pipeline) MUST_USE;

/*
 * Has the server prepare those of the statements, just sent, that it has not prepared yet: each in
 * a request of its own. How many were sent, which the caller flushes; -1 when the connection is
 * lost.
 */
int pipeline_prepare(struct pipeline *pipeline, const struct db_statement *statements,
                     int count) MUST_USE;

/* Takes what has come and answers requests. */
enum pipeline_verdict pipeline_collect(struct pipeline *pipeline) MUST_USE;

/* What is left to be said when all that came was taken, its notifications too. */
enum pipeline_verdict pipeline_conclude(const struct pipeline *pipeline) MUST_USE;

/* Valid until the next call. */
const char *pipeline_reason(const struct pipeline *pipeline);

size_t pipeline_outstanding(const struct pipeline *pipeline);

/* These are db_link_refuse_hidden(), db_link_allow_policies() and db_link_take_denial(). */
void pipeline_refuse_hidden(struct pipeline *pipeline);
void pipeline_allow_policies(struct pipeline *pipeline, bool is_allowed);
bool pipeline_take_denial(struct pipeline *pipeline);

#endif
