/* SPDX-License-Identifier: MIT */
#include "core/outages.h"

#include <stdio.h>
#include <string.h>

static bool is_news(const struct outages *outages, const char *reason, int64_t now_us)
{
    if (!outages->has_told || now_us - outages->last_us >= OUTAGES_AGAIN_US)
        return true;
    return outages->told < OUTAGES_MAX &&
           strncmp(outages->reason, reason, sizeof(outages->reason) - 1) != 0;
}

bool outages_note_down(struct outages *outages, const char *reason, int64_t now_us, int *ret_untold)
{
    bool is_another = !outages->is_down;

    outages->is_down = true;
    /* Of one outage the first reason is the best: "connection refused" follows any. */
    if (outages->is_told)
        return false;
    if (now_us - outages->first_us >= OUTAGES_AGAIN_US)
        outages->told = 0;
    if (!is_news(outages, reason, now_us)) {
        outages->untold += is_another;
        return false;
    }
    *ret_untold = outages->untold - (outages->untold > 0 && !is_another);
    outages->untold = 0;
    if (outages->told++ == 0)
        outages->first_us = now_us;
    outages->last_us = now_us;
    outages->is_told = outages->has_told = true;
    snprintf(outages->reason, sizeof(outages->reason), "%s", reason);
    return true;
}

bool outages_note_up(struct outages *outages)
{
    bool is_news = outages->is_told || !outages->has_been_up;

    outages->has_been_up = true;
    outages->is_down = false;
    outages->is_told = false;
    return is_news;
}
