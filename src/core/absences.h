/* SPDX-License-Identifier: MIT */
/*
 * core/absences.h: deliveries that are held because their event is not there.
 *
 * A delivery without a payload of its own means that of its event. Where the events' table has no
 * such row, nobody knows what was to be sent: it was deleted by hand, or a restore has left it out.
 * So the delivery is neither sent nor failed but looked for again, after a pause that doubles from
 * ABSENCES_FIRST_US up to ABSENCES_LONGEST_US. One that isn't seen again soon after it was asked
 * for has gone, or was put off.
 *
 * ABSENCES_MAX of them are remembered. What is beyond is held as well: it isn't admitted, and sweeps
 * come to it again; while the list is full, their finds are no news (absences_is_full()).
 *
 * Pure: time is an argument. Owner: the caller, with absences_init() and absences_free().
 */
#ifndef POSTRIDER_CORE_ABSENCES_H
#define POSTRIDER_CORE_ABSENCES_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define ABSENCES_MAX        1000
#define ABSENCES_FIRST_US   1000000
#define ABSENCES_LONGEST_US 60000000
#define ABSENCES_ANSWER_US  10000000 /* one that was asked for is seen again within this */

struct absence {
    UT_hash_handle by_id;
    int64_t next_us; /* to be asked for; when it was: to be forgotten */
    int64_t pause_us;
    int lane;
    bool is_asked;
    char id[37];
    char event_id[37];
};

struct absences {
    struct absence *by_id;
    int64_t next_us; /* not later than any of theirs; INT64_MAX: there are none */
};

void absences_init(struct absences *absences);
void absences_free(struct absences *absences);

/* A due row's event is not there. True when that is news. */
bool absences_note(struct absences *absences, const char *id, const char *event_id, int lane,
                   int64_t now_us);

/* Its event is there after all. */
void absences_note_there(struct absences *absences, const char *id);

/* A scan that finds its key need not ask for it. */
bool absences_has(const struct absences *absences, const char *id);

bool absences_is_full(const struct absences *absences);

/* One whose row is to be asked for now; NULL: none. The id is valid until the next call. */
const char *absences_next(struct absences *absences, int64_t now_us);

/* When absences_next() has something to do; INT64_MAX: never. */
int64_t absences_next_us(const struct absences *absences);

/* Those of these lanes (a bit each) are another worker's by now. */
void absences_forget(struct absences *absences, uint64_t lanes);

/* How many are remembered, and one of them; NULL: there are none. */
unsigned absences_count(const struct absences *absences);
const struct absence *absences_first(const struct absences *absences);

#endif
