/* SPDX-License-Identifier: MIT */
#include "core/absences.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "core/lane.h"

void absences_init(struct absences *absences)
{
    *absences = (struct absences){.next_us = INT64_MAX};
}

static void forget(struct absences *absences, struct absence *absence)
{
    /* The analyzer does not know that uthash frees its table with the last entry alone. */
    HASH_DELETE(by_id, absences->by_id, absence); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(absence);
    if (absences->by_id == NULL)
        absences->next_us = INT64_MAX;
}

void absences_free(struct absences *absences)
{
    absences_forget(absences, UINT64_MAX);
}

static struct absence *find(const struct absences *absences, const char *id)
{
    struct absence *found;

    HASH_FIND(by_id, absences->by_id, id, (unsigned)strlen(id), found);
    return found;
}

bool absences_has(const struct absences *absences, const char *id)
{
    return find(absences, id) != NULL;
}

unsigned absences_count(const struct absences *absences)
{
    return HASH_CNT(by_id, absences->by_id);
}

const struct absence *absences_first(const struct absences *absences)
{
    return absences->by_id;
}

bool absences_is_full(const struct absences *absences)
{
    return absences_count(absences) >= ABSENCES_MAX;
}

static struct absence *add(struct absences *absences, const char *id, const char *event_id,
                           int lane)
{
    struct absence *absence = memory_new(1, sizeof(*absence));

    absence->lane = lane;
    text_copy(absence->id, sizeof(absence->id), id);
    text_copy(absence->event_id, sizeof(absence->event_id), event_id);
    HASH_ADD(by_id, absences->by_id, id, (unsigned)strlen(absence->id), absence);
    return absence;
}

bool absences_note(struct absences *absences, const char *id, const char *event_id, int lane,
                   int64_t now_us)
{
    struct absence *absence = find(absences, id);
    bool is_news = absence == NULL;

    if (is_news && absences_is_full(absences))
        return false;
    if (is_news)
        absence = add(absences, id, event_id, lane);
    absence->pause_us = is_news ? ABSENCES_FIRST_US : absence->pause_us * 2;
    if (absence->pause_us > ABSENCES_LONGEST_US)
        absence->pause_us = ABSENCES_LONGEST_US;
    absence->is_asked = false;
    absence->next_us = now_us + absence->pause_us;
    if (absence->next_us < absences->next_us)
        absences->next_us = absence->next_us;
    return is_news;
}

void absences_note_there(struct absences *absences, const char *id)
{
    struct absence *absence = find(absences, id);

    if (absence != NULL)
        forget(absences, absence);
}

static void find_next_us(struct absences *absences)
{
    absences->next_us = INT64_MAX;
    for (const struct absence *at = absences->by_id; at != NULL; at = at->by_id.next)
        if (at->next_us < absences->next_us) /* NOLINT(clang-analyzer-unix.Malloc): as above */
            absences->next_us = at->next_us;
}

const char *absences_next(struct absences *absences, int64_t now_us)
{
    struct absence *absence, *next;

    if (now_us < absences->next_us)
        return NULL;
    HASH_ITER(by_id, absences->by_id, absence, next) {
        if (absence->next_us > now_us)
            continue;
        if (!absence->is_asked) {
            absence->is_asked = true;
            absence->next_us = now_us + ABSENCES_ANSWER_US;
            return absence->id;
        }
        forget(absences, absence);
    }
    find_next_us(absences);
    return NULL;
}

int64_t absences_next_us(const struct absences *absences)
{
    return absences->next_us;
}

void absences_forget(struct absences *absences, uint64_t lanes)
{
    struct absence *absence, *next;

    HASH_ITER(by_id, absences->by_id, absence, next)
        if ((lanes & LANE_BIT(absence->lane)) != 0)
            forget(absences, absence);
}
