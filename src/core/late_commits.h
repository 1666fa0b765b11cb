/* SPDX-License-Identifier: MIT */
/*
 * core/late_commits.h: which part of the queue has to be read again, since transactions that were
 * running when the reader passed by have ended.
 *
 * Each read of the queue tells, from one statement, its snapshot, the number that the next
 * transaction would get (read after the snapshot was taken), and its now() less a slack. From two
 * reads in a row follows for every transaction x with previous.next <= x < this.next:
 *   - x got its number after the previous read's now(), for else the counter had been beyond x.
 *     (A snapshot alone does not say so: its xmax is one more than the newest *ended* transaction,
 *     and newer ones may run unlisted for as long as nothing ends after them.)
 *   - A number is given at the first write. A row's time is set before that, but hardly: the
 *     default is clock_timestamp(), and the trigger moves a time that is older than 10 ms to
 *     clock_timestamp(), both on the way to that write; an UPDATE has its number before its trigger
 *     runs, since it locks the row first. So no row of x has a time before the previous read's
 *     now() less 10 ms and a few instructions. A tenth of a second is taken, which keeps what is
 *     read again short; and a whole one as well, for slow triggers and busy machines, so that there
 *     are two bounds. Later rows of x, and those put off into the future, have later times.
 *   - When a snapshot shows that x has ended, everything that it left lies between that bound and
 *     the cursor, or beyond the cursor, where the reader comes anyway.
 * Such numbers form a span, with its bounds and how many of them have not ended. When that number
 * shrinks, what is behind the bounds is to be read again. This holds for transactions that began
 * and ended between two reads as well: their rows can be 10 ms behind a cursor. Transactions that
 * run at the first read have no bound: everything is read again when one ends.
 *
 * Subtransactions are in no snapshot while their parent runs, and seem to have ended. That costs a
 * read for nothing; their rows are visible when the parent ends, which has the lower number.
 * Prepared transactions are in the snapshot until they are committed.
 *
 * What is not covered: a clock of the database's server that is set back, a process that is stopped
 * for over a second between a row's time and its write, a trigger that was switched off. The
 * finder's sweep is for these.
 *
 * Limits: LATE_SPANS_MAX spans; beyond them the two oldest become one with the lower bounds, which
 * is right and only reads more than it need. Pure; times are texts as in core/position.h.
 */
#ifndef POSTRIDER_CORE_LATE_COMMITS_H
#define POSTRIDER_CORE_LATE_COMMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "core/position.h"

#define LATE_SPANS_MAX 256

/* By how much a row's time may be before its transaction's number was given. */
enum late_slack {
    LATE_NEAR, /* 100 ms */
    LATE_FAR,  /* 1 s */
};

#define LATE_SLACKS (LATE_FAR + 1)

struct late_bounds {
    char times[LATE_SLACKS][POSITION_TIME_SIZE];
};

/* What a read tells. */
struct late_snapshot {
    const char *text; /* of a pg_snapshot: "xmin:xmax:x,x,x", 64-bit numbers in order */
    uint32_t next;    /* the lower half of the next transaction's number */
    const char *bounds[LATE_SLACKS]; /* the read's now() less each slack */
};

struct late_span {
    uint64_t first, end; /* first <= x < end */
    uint64_t unfinished;
    struct late_bounds bounds;
};

struct late_commits {
    struct late_span spans[LATE_SPANS_MAX]; /* in the order of their numbers */
    int count;
    uint64_t next;             /* of the last read; 0 = there was none */
    struct late_bounds bounds; /* of the last read */
    bool is_due[LATE_SLACKS];  /* something has ended: */
    struct late_bounds due;    /* read again from here */
};

/* Nothing is known: at the start, and after a connection that may lead to another server. */
void late_commits_reset(struct late_commits *late);

/* After each read, with what it told. False when the texts make no sense, which is a bug of who
 * made them. Numbers that go back come from another server: all is read again. */
bool late_commits_note(struct late_commits *late, const struct late_snapshot *snapshot) MUST_USE;

/* True when the queue is to be read again from ret_from (untouched else); asks once for each. */
bool late_commits_take(struct late_commits *late, enum late_slack slack, struct position *ret_from);

/* Transactions that have not ended. */
bool late_commits_has_unfinished(const struct late_commits *late);

#endif
