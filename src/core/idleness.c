#include "core/idleness.h"

#define SECOND_US 1000000

void idleness_init(struct idleness *idleness, int64_t now_us)
{
    *idleness = (struct idleness){.window_us = now_us};
}

static int64_t rate(int64_t count, int64_t elapsed_us)
{
    return count * SECOND_US / elapsed_us;
}

static void close_window(struct idleness *idleness, int64_t now_us)
{
    int64_t elapsed_us = now_us - idleness->window_us;
    int64_t rows = rate(idleness->rows, elapsed_us);
    int64_t useless = rate(idleness->wakes - idleness->rows, elapsed_us);

    if (rows >= IDLENESS_BUSY_RATE)
        idleness->is_busy = true;
    else if (rows < IDLENESS_BUSY_RATE / 2)
        idleness->is_busy = false;
    if (useless > IDLENESS_USELESS_RATE)
        idleness->crowded_until_us = now_us + IDLENESS_CROWDED_US;
    idleness->window_us = now_us;
    idleness->rows = 0;
    idleness->wakes = 0;
}

void idleness_note(struct idleness *idleness, int64_t rows, int64_t wakes, int64_t now_us)
{
    /* Closed before the new ones are counted: a long silence must not dilute what ends it. */
    if (now_us - idleness->window_us >= IDLENESS_WINDOW_US)
        close_window(idleness, now_us);
    idleness->rows += rows;
    idleness->wakes += wakes;
}

bool idleness_is_busy(const struct idleness *idleness)
{
    return idleness->is_busy;
}

bool idleness_is_crowded(const struct idleness *idleness, int64_t now_us)
{
    return now_us < idleness->crowded_until_us;
}

int64_t idleness_next_us(const struct idleness *idleness, int64_t now_us)
{
    if (idleness->is_busy)
        return idleness->window_us + IDLENESS_WINDOW_US;
    return idleness_is_crowded(idleness, now_us) ? idleness->crowded_until_us : INT64_MAX;
}
