/* SPDX-License-Identifier: MIT */
#include "core/returns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

_Static_assert(sizeof(struct returns_row) == 16, "four of them in a line of the cache");

/* Eight bytes at a time, each mixed well into all that come: ids are random, or made by an
 * application in good faith, so this need not stand up to anybody. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    size_t length = strlen(id);

    for (size_t at = 0; at < length; at += sizeof(uint64_t)) {
        uint64_t word = 0;

        memcpy(&word, id + at, length - at < sizeof(word) ? length - at : sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static uint32_t key_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static struct returns_row *row_of(const struct returns *returns, uint64_t hash)
{
    return &returns->rows[hash % RETURNS_MAX];
}

static uint16_t counted(int number)
{
    if (number < 0)
        return 0;
    return number < RETURNS_COUNTED ? (uint16_t)number : RETURNS_COUNTED;
}

/* Before it is sent when it comes back for the count-th time. */
static int64_t pause_us(int count)
{
    int64_t pause = RETURNS_FIRST_US;

    if (count <= 1)
        return 0;
    for (int i = 2; i < count && pause < RETURNS_LONGEST_US; i++)
        pause *= 2;
    return pause < RETURNS_LONGEST_US ? pause : RETURNS_LONGEST_US;
}

static bool is_remembered(const struct returns_row *row, uint64_t hash, int64_t now_us)
{
    return row->written_us != 0 && row->key == key_of(hash) &&
           now_us - row->written_us < pause_us(row->count + 1) + RETURNS_SLACK_US;
}

void returns_init(struct returns *returns)
{
    returns->rows = memory_new(RETURNS_MAX, sizeof(*returns->rows));
}

void returns_free(struct returns *returns)
{
    free(returns->rows);
    returns->rows = NULL;
}

void returns_note_written(struct returns *returns, const char *id, int attempts, int64_t now_us)
{
    uint64_t hash = hash_of(id);
    struct returns_row *row = row_of(returns, hash);
    bool has_returned = is_remembered(row, hash, now_us) && counted(attempts) <= row->attempts;

    *row = (struct returns_row){.key = key_of(hash),
                                .written_us = now_us,
                                .attempts = counted(attempts),
                                .count = has_returned ? counted(row->count + 1) : 0};
}

int64_t returns_may_send_us(const struct returns *returns, const char *id, int attempts,
                            int64_t now_us, int *ret_count)
{
    uint64_t hash = hash_of(id);
    const struct returns_row *row = row_of(returns, hash);

    *ret_count = 0;
    if (!is_remembered(row, hash, now_us) || counted(attempts) > row->attempts)
        return now_us;
    *ret_count = row->count + 1;
    return row->written_us + pause_us(*ret_count);
}
