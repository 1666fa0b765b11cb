/* SPDX-License-Identifier: MIT */
#include "core/wake_gain.h"

#define SECOND_US 1000000

void wake_gain_init(struct wake_gain *gain, int64_t now_us)
{
    *gain = (struct wake_gain){.window_us = now_us};
}

static int64_t rate(int64_t count, int64_t elapsed_us)
{
    return count * SECOND_US / elapsed_us;
}

static void close_window(struct wake_gain *gain, int64_t now_us)
{
    int64_t elapsed_us = now_us - gain->window_us;
    int64_t rows = rate(gain->rows, elapsed_us);
    int64_t useless = rate(gain->wakes - gain->rows, elapsed_us);

    if (rows >= WAKE_GAIN_BUSY_RATE)
        gain->is_busy = true;
    else if (rows < WAKE_GAIN_BUSY_RATE / 2)
        gain->is_busy = false;
    if (useless > WAKE_GAIN_USELESS_RATE)
        gain->crowded_until_us = now_us + WAKE_GAIN_CROWDED_US;
    gain->window_us = now_us;
    gain->rows = 0;
    gain->wakes = 0;
}

void wake_gain_note(struct wake_gain *gain, int64_t rows, int64_t wakes, int64_t now_us)
{
    /* Closed before the new ones are counted: a long silence must not dilute what ends it. */
    if (now_us - gain->window_us >= WAKE_GAIN_WINDOW_US)
        close_window(gain, now_us);
    gain->rows += rows;
    gain->wakes += wakes;
}

bool wake_gain_is_busy(const struct wake_gain *gain)
{
    return gain->is_busy;
}

bool wake_gain_is_crowded(const struct wake_gain *gain, int64_t now_us)
{
    return now_us < gain->crowded_until_us;
}

int64_t wake_gain_next_us(const struct wake_gain *gain, int64_t now_us)
{
    if (gain->is_busy)
        return gain->window_us + WAKE_GAIN_WINDOW_US;
    return wake_gain_is_crowded(gain, now_us) ? gain->crowded_until_us : INT64_MAX;
}
