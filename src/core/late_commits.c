/* SPDX-License-Identifier: MIT */
#include "core/late_commits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void late_commits_reset(struct late_commits *late)
{
    late->count = 0;
    late->next = 0;
    for (int i = 0; i < LATE_SLACKS; i++)
        late->is_due[i] = false;
}

static bool number_parse(const char **text, char end, uint64_t *ret_number)
{
    char *after;

    if (**text < '0' || **text > '9')
        return false;
    *ret_number = strtoull(*text, &after, 10);
    if (*after != end && !(*after == '\0' && end == ','))
        return false;
    *text = *after == '\0' ? after : after + 1;
    return true;
}

static void time_copy(char *to, const char *from)
{
    snprintf(to, POSITION_TIME_SIZE, "%s", from);
}

/* Everything is behind these. */
static struct late_bounds bounds_head(void)
{
    struct late_bounds bounds;

    for (int i = 0; i < LATE_SLACKS; i++)
        time_copy(bounds.times[i], position_head.time);
    return bounds;
}

static void bounds_lower(struct late_bounds *bounds, const struct late_bounds *others)
{
    for (int i = 0; i < LATE_SLACKS; i++)
        if (strcmp(others->times[i], bounds->times[i]) < 0)
            time_copy(bounds->times[i], others->times[i]);
}

/* The oldest: what has run for so long will end seldom. */
static void merge_oldest(struct late_commits *late)
{
    struct late_span *into = &late->spans[0];
    const struct late_span *from = &late->spans[1];

    into->end = from->end;
    into->unfinished += from->unfinished;
    bounds_lower(&into->bounds, &from->bounds);
    late->count--;
    memmove(&late->spans[1], &late->spans[2], (size_t)(late->count - 1) * sizeof(late->spans[0]));
}

static void add_span(struct late_commits *late, uint64_t first, uint64_t end,
                     const struct late_bounds *bounds)
{
    struct late_span *span;

    if (first >= end)
        return;
    if (late->count == LATE_SPANS_MAX)
        merge_oldest(late);
    span = &late->spans[late->count++];
    *span = (struct late_span){
        .first = first, .end = end, .unfinished = end - first, .bounds = *bounds};
}

/* How many of each span's transactions have not ended; false when the list makes no sense. */
static bool count_unfinished(const struct late_commits *late, const char *running, uint64_t xmax,
                             uint64_t *counts)
{
    int at = 0;

    for (int i = 0; i < late->count; i++) {
        const struct late_span *span = &late->spans[i];
        uint64_t unlisted = span->first > xmax ? span->first : xmax;

        counts[i] = span->end > unlisted ? span->end - unlisted : 0;
    }
    while (*running != '\0') {
        uint64_t number;

        if (!number_parse(&running, ',', &number))
            return false;
        while (at < late->count && late->spans[at].end <= number)
            at++;
        if (at < late->count && late->spans[at].first <= number)
            counts[at]++;
    }
    return true;
}

static void note_due(struct late_commits *late, const struct late_bounds *bounds)
{
    for (int i = 0; i < LATE_SLACKS; i++) {
        if (!late->is_due[i] || strcmp(bounds->times[i], late->due.times[i]) < 0)
            time_copy(late->due.times[i], bounds->times[i]);
        late->is_due[i] = true;
    }
}

/* Spans of which some have ended are due, and gone when all have. */
static void update_spans(struct late_commits *late, const uint64_t *counts)
{
    int kept = 0;

    for (int i = 0; i < late->count; i++) {
        struct late_span *span = &late->spans[i];

        if (counts[i] < span->unfinished)
            note_due(late, &span->bounds);
        span->unfinished = counts[i];
        if (counts[i] == 0)
            continue;
        if (kept != i)
            late->spans[kept] = *span;
        kept++;
    }
    late->count = kept;
}

/* xmax of the snapshot, and the whole number of the next transaction, which is not below it. */
static uint64_t next_number(uint64_t xmax, uint32_t lower_half)
{
    uint32_t ahead = lower_half - (uint32_t)xmax;

    return xmax + (ahead <= INT32_MAX ? ahead : 0);
}

/* What runs at the first read has no bound; what has ended by then is visible to that read. */
static bool note_first(struct late_commits *late, uint64_t xmin, uint64_t xmax, uint64_t next,
                       const char *running)
{
    uint64_t counts[LATE_SPANS_MAX] = {0};
    struct late_bounds head = bounds_head();

    add_span(late, xmin, next, &head);
    if (!count_unfinished(late, running, xmax, counts))
        return false;
    late->count = counts[0] > 0;
    late->spans[0].unfinished = counts[0];
    return true;
}

static bool note_next(struct late_commits *late, uint64_t xmax, uint64_t next, const char *running)
{
    uint64_t counts[LATE_SPANS_MAX] = {0};

    add_span(late, late->next, next, &late->bounds);
    if (!count_unfinished(late, running, xmax, counts))
        return false;
    update_spans(late, counts);
    return true;
}

static bool has_good_bounds(const struct late_snapshot *snapshot)
{
    for (int i = 0; i < LATE_SLACKS; i++)
        if (strlen(snapshot->bounds[i]) >= POSITION_TIME_SIZE)
            return false;
    return true;
}

bool late_commits_note(struct late_commits *late, const struct late_snapshot *snapshot)
{
    const char *text = snapshot->text;
    uint64_t xmin, xmax, next;
    bool is_good;

    if (!has_good_bounds(snapshot) || !number_parse(&text, ':', &xmin) ||
        !number_parse(&text, ':', &xmax))
        return false;
    next = next_number(xmax, snapshot->next);
    if (next < late->next) {
        struct late_bounds head = bounds_head();

        late_commits_reset(late);
        note_due(late, &head);
    }
    is_good = late->next == 0 ? note_first(late, xmin, xmax, next, text)
                              : note_next(late, xmax, next, text);
    late->next = next;
    for (int i = 0; i < LATE_SLACKS; i++)
        time_copy(late->bounds.times[i], snapshot->bounds[i]);
    return is_good;
}

bool late_commits_take(struct late_commits *late, enum late_slack slack, struct position *ret_from)
{
    if (!late->is_due[slack])
        return false;
    late->is_due[slack] = false;
    position_set_time(ret_from, late->due.times[slack]);
    return true;
}

bool late_commits_has_unfinished(const struct late_commits *late)
{
    return late->count > 0;
}
