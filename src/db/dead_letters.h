/* SPDX-License-Identifier: MIT */
/*
 * db/dead_letters.h: the deliveries that have failed: finding and counting them. db/replays.h makes
 * them pending again, and discards them.
 */
#ifndef POSTRIDER_DB_DEAD_LETTERS_H
#define POSTRIDER_DB_DEAD_LETTERS_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/moment.h"
#include "db/session.h"

/* All that are set must match; NULL matches everything. */
struct dead_letter_filter {
    const char *endpoint; /* the URL; with * at its end, its beginning */
    const char *customer; /* uuid */
    const char *event_type;
    const char *since;  /* failed at or after; from moment_resolve() */
    const char *until;  /* failed before */
    const char *error;  /* part of last_error, in any case of letters */
    const char *ids;    /* "{uuid,uuid}" */
    bool spares_erased; /* only what can be replayed */
};

/* The text belongs to the list. */
struct dead_letter {
    const char *id;
    const char *event_id;
    const char *endpoint_id; /* that it was made for; NULL: it was inserted as it is */
    const char *customer_id;
    const char *url;
    const char *event_type;
    const char *last_error; /* may be NULL */
    const char *created_at;
    const char *failed_at;
    const char *erased_at; /* NULL: it is not */
    int64_t failed_ms_ago;
    int64_t attempts;
    int64_t response_status; /* 0: none */
};

struct dead_letter_list {
    PGresult *result;
    size_t count;
    struct dead_letter *rows;
};

/* The newest first, at most limit. */
bool dead_letters_list(struct db_session *session, const struct dead_letter_filter *filter,
                       int64_t limit, struct dead_letter_list *ret_list,
                       struct error *error) MUST_USE;
void dead_letters_list_free(struct dead_letter_list *list);

struct dead_letter_count {
    const char *url;
    int64_t count;
    bool is_disabled; /* the endpoint, for one customer at least: a replay would fail at once */
    bool is_removed;  /* the endpoint that it was made for, likewise */
};

struct dead_letter_counts {
    PGresult *result;
    size_t count;
    struct dead_letter_count *rows;
    int64_t total;
};

/* How many for each URL, the most first. */
bool dead_letters_count(struct db_session *session, const struct dead_letter_filter *filter,
                        struct dead_letter_counts *ret_counts, struct error *error) MUST_USE;
void dead_letters_counts_free(struct dead_letter_counts *counts);

/* How many of those that match are erased, whether the filter spares them or not. */
bool dead_letters_count_erased(struct db_session *session, const struct dead_letter_filter *filter,
                               int64_t *ret_count, struct error *error) MUST_USE;

/*
 * What was to be sent, as dead_letter_queue shows it: the row's payload or its event's; the caller
 * frees it. NULL when there is none: the event is not there, or the delivery has gone.
 */
bool dead_letter_payload(struct db_session *session, const char *id, char **ret_payload,
                         struct error *error) MUST_USE;

/* An id of the filter that is not among the dead letters that match. */
struct dead_letter_left_out {
    const char *id;
    /* Of the delivery, NULL: there is none; "failed": the rest does not match; "erased": it is a dead
     * letter, of which there is nothing left to be sent. */
    const char *status;
};

struct dead_letters_left_out {
    PGresult *result;
    size_t count;
    struct dead_letter_left_out *rows;
};

/* In the order in which they were given, each once; none where the filter has no ids. */
bool dead_letters_find_left_out(struct db_session *session, const struct dead_letter_filter *filter,
                                struct dead_letters_left_out *ret_left_out,
                                struct error *error) MUST_USE;
void dead_letters_left_out_free(struct dead_letters_left_out *left_out);

enum dead_letter_change {
    DEAD_LETTER_REPLAY,  /* pending again, due now, no attempts made */
    DEAD_LETTER_DISCARD, /* deleted */
};

#endif
