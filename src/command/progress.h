/* SPDX-License-Identifier: MIT */
/*
 * progress.h: a bar on standard error while a command works through many rows.
 *
 * Nothing is shown when standard error is no terminal, so logs and pipes stay clean. Drawn at most
 * ten times a second, and wiped when done: the command's own last line is what stays.
 */
#ifndef POSTRIDER_COMMAND_PROGRESS_H
#define POSTRIDER_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "replaying" */
    int64_t total;
    int64_t started_us;
    int64_t drawn_us;
    bool is_shown;
};

/* total is what is expected; more may turn up. */
void progress_start(struct progress *progress, const char *what, int64_t total);
void progress_update(struct progress *progress, int64_t done);
void progress_finish(struct progress *progress);

#endif
