/* SPDX-License-Identifier: MIT */
#include "core/returns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* FNV-1a: ids are random, or made by an application in good faith. */
static uint64_t key_of(const char *id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return hash;
}

static struct returns_row *row_of(const struct returns *returns, uint64_t key)
{
    return &returns->rows[key % RETURNS_MAX];
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

static bool is_remembered(const struct returns_row *row, uint64_t key, int64_t now_us)
{
    return row->written_us != 0 && row->key == key &&
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
    uint64_t key = key_of(id);
    struct returns_row *row = row_of(returns, key);
    bool has_returned = is_remembered(row, key, now_us) && attempts <= row->attempts;

    *row = (struct returns_row){.key = key,
                                .written_us = now_us,
                                .attempts = attempts,
                                .count = has_returned ? row->count + (row->count < 1000) : 0};
}

int64_t returns_may_send_us(const struct returns *returns, const char *id, int attempts,
                            int64_t now_us, int *ret_count)
{
    uint64_t key = key_of(id);
    const struct returns_row *row = row_of(returns, key);

    *ret_count = 0;
    if (!is_remembered(row, key, now_us) || attempts > row->attempts)
        return now_us;
    *ret_count = row->count + 1;
    return row->written_us + pause_us(*ret_count);
}
