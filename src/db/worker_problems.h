/* SPDX-License-Identifier: MIT */
/*
 * db/worker_problems.h: what a worker says is wrong with it, as JSON in webhook_workers.problems.
 *
 * The one place that knows that JSON: worker/own_problems.h collects what is written, commands read
 * it. It is an array of objects, the gravest first:
 *   name       one word for programs
 *   what       a sentence without its full stop
 *   action     what to do about it; not there: what is always done
 *   held       of "breakers", "secrets" and "unsettled": endpoints and origins that are not sent
 *              to, each with its state and what goes with that
 *   endpoints  of "unread_secrets": endpoints that are sent to all the same
 * Workers and commands of other versions meet here. So a reader passes over names and fields that
 * it does not know, and what is not as it should be counts as not there; and a field is never given
 * another meaning.
 *
 * What is written is bounded, since it goes with every renewal of a lease; what is read is not, but
 * by its row. Texts that are not UTF-8 are written with U+FFFD in place of what is wrong.
 */
#ifndef POSTRIDER_DB_WORKER_PROBLEMS_H
#define POSTRIDER_DB_WORKER_PROBLEMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define WORKER_PROBLEMS_MAX       8
#define WORKER_PROBLEMS_WHAT_SIZE 512
#define WORKER_PROBLEMS_NAMED_MAX 50  /* endpoints and origins in each list */
#define WORKER_PROBLEMS_URL_MAX   500 /* those with a longer one are left out */

/* Why an endpoint or an origin is named, "state" in the JSON. */
enum worker_named_state {
    WORKER_NAMED_OTHER,       /* none, or one that this version does not know */
    WORKER_NAMED_OPEN,        /* its breaker is open */
    WORKER_NAMED_PROBING,     /* the same, and a probe is out */
    WORKER_NAMED_RETRY_AFTER, /* it asked to be left alone */
    WORKER_NAMED_SECRET,      /* a secret of it can't be opened */
    WORKER_NAMED_OUTCOME,     /* the database does not take what became of its deliveries */
};

/* An endpoint (customer and url) or an origin: the other texts are NULL. Texts are borrowed. */
struct worker_named {
    enum worker_named_state state;
    const char *customer;
    const char *url;
    const char *origin;
    const char *reason; /* may be NULL */
    /* Of a breaker; next_ms of Retry-After as well. */
    int64_t failures;
    int64_t opened_after; /* so many failures in a row */
    int64_t since_ms;
    int64_t next_ms;  /* until it is asked again; 0: that is due, or under way */
    int64_t outcomes; /* with WORKER_NAMED_OUTCOME: how many */
};

struct worker_named_list {
    size_t count;
    struct worker_named *entries;
};

struct worker_problem {
    const char *name;                     /* NULL only where it was read so */
    char what[WORKER_PROBLEMS_WHAT_SIZE]; /* "": there is none */
    const char *action;                   /* may be NULL */
    struct worker_named_list held;
    struct worker_named_list endpoints;
};

/* Starts zeroed. The texts of one that was made belong to its maker, of one that was read to it. */
struct worker_problems {
    size_t count;
    struct worker_problem *list;
    void *document;
};

/* One more, with its sentence; NULL: there are WORKER_PROBLEMS_MAX already. */
struct worker_problem *worker_problems_add(struct worker_problems *problems, const char *name,
                                           const char *format, ...) PRINTF_LIKE(3, 4);

/* One more, unless the list is full or the URL too long. */
void worker_problems_name(struct worker_named_list *list, const struct worker_named *named);

/* Empties the list. */
void worker_problems_unname(struct worker_named_list *list);

/* The JSON, compact; the caller's. No state may be WORKER_NAMED_OTHER in "held". */
char *worker_problems_write(const struct worker_problems *problems) MUST_USE;

/* json: what the row has; NULL and nonsense are no problems. To be freed. */
struct worker_problems worker_problems_read(const char *json) MUST_USE;

void worker_problems_free(struct worker_problems *problems);

#endif
