/* SPDX-License-Identifier: MIT */
/*
 * db/replays.h: replays as rows of webhook_replays: asking for one, and carrying it out.
 *
 * A replay makes the dead letters that its filter chooses pending again: due now, no attempts made.
 * One of the kind discard deletes them instead, without a ramp; the ledger names it (webhook_removals).
 * It goes through them in the order of (created_at, id), a batch with a transaction each, which
 * also moves the row's position: what is done stays done, whoever dies, and nothing is done twice.
 * A batch looks at REPLAYS_LOOK_MAX rows at most, whatever the filter leaves of them.
 *
 * Who carries out the next batch is whoever gets the row's lock and finds it as it was read: the
 * worker that owns lane 0, and the command that asked, which so needs no worker. core/ramp.h
 * decides how many and when.
 *
 * A replay leaves rows of a disabled endpoint as they are, and so are those of an endpoint that does
 * nothing but fail, but for one in each pass, which finds out whether it answers again. What has
 * failed since the replay was asked for is never touched, nor is what another customer's is, when
 * the replay is a customer's. A discard is nobody's in particular.
 */
#ifndef POSTRIDER_DB_REPLAYS_H
#define POSTRIDER_DB_REPLAYS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/dead_letters.h"
#include "db/link.h"
#include "db/session.h"

#define REPLAYS_LOOK_MAX     5000
#define REPLAYS_KEEP_DAYS    90 /* when it has finished */
#define REPLAY_ID_SIZE       37
#define REPLAY_POSITION_SIZE 128

/* Texts belong to the list. */
struct replay {
    const char *id;
    const char *kind;
    const char *customer_id; /* NULL: of nobody in particular */
    const char *filter;      /* JSON */
    const char *requested_by;
    const char *requested_at;
    const char *started_at;  /* NULL: nothing is done yet */
    const char *stopped_at;  /* NULL: it is not stopped */
    const char *finished_at; /* NULL: it goes on */
    const char *error;       /* why it has ended without being carried out; or NULL */
    const char *position;    /* NULL: a pass begins */
    const char *skipped;     /* JSON: URL → rows */
    int64_t rate;            /* 0: none was asked for */
    int64_t total;           /* -1: nobody has counted */
    int64_t done;
    int64_t ramp_from;
    int64_t skipped_count;
    int64_t due_ms; /* until the next batch, negative when it is due */
    int pass;
    bool is_known;      /* this version can carry out its kind */
    const char *result; /* JSON, of a test or a doctor (db/endpoint_checks.h); NULL: none yet */
};

struct replay_list {
    PGresult *result;
    size_t count;
    struct replay *rows;
};

/* --- for commands: each in a transaction of its own --- */

struct replay_request {
    const char *kind;                        /* "replay", "discard" */
    const struct dead_letter_filter *filter; /* nothing set: every dead letter */
    const char *requested_with;              /* "dead replay" */
    int64_t rate;                            /* 0: none */
    int64_t total;
};

bool replays_request(struct db_session *session, const struct replay_request *request,
                     char ret_id[REPLAY_ID_SIZE], struct error *error) MUST_USE;

/* The newest limit ones, those that have not finished first. */
bool replays_list(struct db_session *session, int64_t limit, struct replay_list *ret_list,
                  struct error *error) MUST_USE;

/* One, or none when there is none with the id. */
bool replays_find(struct db_session *session, const char *id, struct replay_list *ret_list,
                  struct error *error) MUST_USE;
void replays_list_free(struct replay_list *list);

/* Of one that has not finished. *ret_is_changed is false when there was nothing to change. */
bool replays_stop(struct db_session *session, const char *id, bool *ret_is_changed,
                  struct error *error) MUST_USE;
bool replays_resume(struct db_session *session, const char *id, bool *ret_is_changed,
                    struct error *error) MUST_USE;

/* Carries out the next batch of a replay that is due, unless somebody else does it just now (then
 * *ret_done stays as it is; else it is what is done by now). When its filter can't be read, it ends
 * with an error in its row. */
bool replays_step(struct db_session *session, const struct replay *replay, int64_t *ret_done,
                  struct error *error) MUST_USE;

/* Whether a worker is there to go on with them. */
bool replays_have_worker(struct db_session *session, bool *ret_have_worker,
                         struct error *error) MUST_USE;

/* Those that have not finished, for an overview; replays_at() reads its rows. */
extern const char replays_open_sql[];
struct replay replays_at(const PGresult *result, int row);

/* --- for the worker --- */

/* What it keeps of a replay between two requests. */
struct replay_turn {
    char id[REPLAY_ID_SIZE];
    char position[REPLAY_POSITION_SIZE]; /* "": a pass begins */
    int pass;
    int64_t done, ramp_from, rate;
    int64_t due_ms;
    bool is_begin; /* nothing of it is done yet */
    bool is_discard;
};

/* Asks which one is next. schema: database.schema. */
bool replays_send_due(struct db_link *link, const char *schema, db_link_answered *on_answer,
                      void *owner) MUST_USE;

/* False when there is none. */
bool replays_due_turn(const struct db_answer *answer, struct replay_turn *ret_turn);

/* One whose kind this version does not know, NULL: there is none. */
const char *replays_unknown_id(const struct db_answer *answer);
const char *replays_unknown_kind(const struct db_answer *answer);

bool replays_send_step(struct db_link *link, const char *schema, const struct replay_turn *turn,
                       db_link_answered *on_answer, void *owner) MUST_USE;

struct replay_progress {
    bool is_done; /* false: somebody else did it, or it was stopped meanwhile */
    bool is_finished;
    int64_t done, skipped_count; /* of the whole replay so far */
    int64_t due_ms;
    const char *kind;         /* the answer's */
    const char *requested_by; /* the answer's */
};

struct replay_progress replays_progress(const struct db_answer *answer);

/* Whether it was refused for what the filter says, so that it will be so for ever. */
bool replays_is_bad_filter(const struct db_answer *answer);
bool replays_send_error(struct db_link *link, const char *schema, const char *id,
                        const char *message, db_link_answered *on_answer, void *owner) MUST_USE;

/* Deletes those that have finished REPLAYS_KEEP_DAYS ago. */
bool replays_send_removal(struct db_link *link, const char *schema, db_link_answered *on_answer,
                          void *owner) MUST_USE;

#endif
