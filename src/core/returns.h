/* SPDX-License-Identifier: MIT */
/*
 * core/returns.h: rows that come back as they were although their outcome was written.
 *
 * What undoes a write after it was answered (a trigger that fires at the statement's or the
 * transaction's end, a job of the application, a replica that was promoted too early) can't be seen
 * in the answer: the row is simply due again, with no more attempts than before. Once is an
 * operator who wants it to be sent again. When it goes on, each return waits longer before it is
 * sent: a pause that doubles from RETURNS_FIRST_US up to RETURNS_LONGEST_US. One that comes
 * RETURNS_SLACK_US after its pause or later is none: people who replay are slower than what turns
 * rows back.
 *
 * The last RETURNS_MAX written rows are remembered by a hash of their ids: what is lost of them, or
 * taken for another, is a pause that is missing or too much.
 *
 * Pure: time is an argument. Owner: the caller, with returns_init() and returns_free().
 */
#ifndef POSTRIDER_CORE_RETURNS_H
#define POSTRIDER_CORE_RETURNS_H

#include <stdint.h>

#define RETURNS_MAX        32768
#define RETURNS_COUNTED    65535
#define RETURNS_FIRST_US   1000000
#define RETURNS_LONGEST_US 60000000
#define RETURNS_SLACK_US   10000000

struct returns {
    /* Small, so that what is looked up for each delivery stays in a processor's cache. */
    struct returns_row {
        int64_t written_us; /* 0 = free */
        uint32_t key;       /* the part of the hash that its place does not tell */
        uint16_t attempts;  /* as it was read when its attempt was made, RETURNS_COUNTED at most */
        uint16_t count;     /* how often it has come back, likewise */
    } * rows;
};

void returns_init(struct returns *returns);
void returns_free(struct returns *returns);

/* Its outcome was written, and seen to stay. */
void returns_note_written(struct returns *returns, const char *id, int attempts, int64_t now_us);

/* A due row was read. From when it may be sent (now_us or earlier: at once); *ret_count how often
 * it has come back by now, 0 when that is the first time that it is seen. */
int64_t returns_may_send_us(const struct returns *returns, const char *id, int attempts,
                            int64_t now_us, int *ret_count);

#endif
