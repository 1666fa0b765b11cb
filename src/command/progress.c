/* SPDX-License-Identifier: MIT */
#include "command/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "command/terminal.h"

#define REDRAW_US     100000
#define BAR_WIDTH_MAX 40

void progress_start(struct progress *progress, const char *what, int64_t total)
{
    int64_t now_us = clock_monotonic_us();

    *progress = (struct progress){what, total > 0 ? total : 1, now_us, 0, false};
    progress->is_shown = isatty(STDERR_FILENO) == 1;
    progress_update(progress, 0);
}

/* "replaying  [########--------]  51 %  5120/10000  1820/s  2.7 s left" */
static void format_numbers(const struct progress *progress, int64_t done, int64_t elapsed_us,
                           char *text, size_t size)
{
    int64_t rate = elapsed_us > 0 ? done * 1000000 / elapsed_us : 0;
    char left[UNITS_TEXT_SIZE];
    int used;

    used = snprintf(text, size, "%3lld %%  %lld/%lld", (long long)(done * 100 / progress->total),
                    (long long)done, (long long)progress->total);
    if (rate > 0 && done < progress->total && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "  %lld/s  %s left", (long long)rate,
                 units_format_about_ms((progress->total - done) * 1000 / rate, left));
}

static void draw(const struct progress *progress, int64_t done, int64_t elapsed_us)
{
    char numbers[128];
    char bar[BAR_WIDTH_MAX + 1];
    size_t width = terminal_width(stderr);
    size_t room;
    size_t filled;

    if (done > progress->total)
        done = progress->total;
    format_numbers(progress, done, elapsed_us, numbers, sizeof(numbers));
    room = strlen(progress->what) + strlen(numbers) + 7;
    room = width > room ? width - room : 0;
    room = room > BAR_WIDTH_MAX ? BAR_WIDTH_MAX : room;
    filled = room * (size_t)done / (size_t)progress->total;
    memset(bar, '-', room);
    memset(bar, '#', filled);
    bar[room] = '\0';
    fprintf(stderr, "\r%s  [%s]  %s\x1b[K", progress->what, bar, numbers);
    fflush(stderr);
}

void progress_update(struct progress *progress, int64_t done)
{
    int64_t now_us = clock_monotonic_us();

    if (!progress->is_shown)
        return;
    if (progress->drawn_us != 0 && now_us - progress->drawn_us < REDRAW_US)
        return;
    progress->drawn_us = now_us;
    draw(progress, done, now_us - progress->started_us);
}

void progress_finish(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\x1b[K", stderr);
    progress->is_shown = false;
}
