/* SPDX-License-Identifier: MIT */
/*
 * core/gathering.h: how long outcomes are gathered before they are written.
 *
 * To PostgreSQL a statement costs as much as five of its rows, and the commit comes on top. So
 * outcomes that follow each other closely are written together, while a lone one is written
 * GATHERING_FIRST_US after it was there. After a batch there is a rest of GATHERING_EACH_US for
 * each of its outcomes, GATHERING_LONGEST_US at most: below 200 outcomes a second it is over before
 * there are more, above it grows to the longest. GATHERING_FULL outcomes end any rest. What is not
 * written when a worker dies is sent once more, so both limits are small.
 *
 * Pure: time is an argument.
 */
#ifndef POSTRIDER_CORE_GATHERING_H
#define POSTRIDER_CORE_GATHERING_H

#include <stddef.h>
#include <stdint.h>

#define GATHERING_FIRST_US   2000
#define GATHERING_EACH_US    5000
#define GATHERING_LONGEST_US 20000
#define GATHERING_FULL       256

struct gathering {
    int64_t rest_until_us;
};

/* A batch of so many has been written. */
void gathering_note_written(struct gathering *gathering, size_t count, int64_t now_us);

/* When count outcomes may be written, of which the first was there at first_us. */
int64_t gathering_due_us(const struct gathering *gathering, size_t count, int64_t first_us);

#endif
