/* SPDX-License-Identifier: MIT */
/*
 * command/top_feed.h: what runs beside the screen of "postrider top", in children of it, so that a
 * database that hangs holds up neither keys nor the end.
 *
 * The feed is "status --watch --json" of the same program: a line for each report. It ends with its
 * parent, whatever ends that. Other commands are run to their end, at most TOP_RUN_MS, and what
 * they print is shown.
 */
#ifndef POSTRIDER_COMMAND_TOP_FEED_H
#define POSTRIDER_COMMAND_TOP_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

#define TOP_LINE_MAX ((size_t)4 << 20)
#define TOP_RUN_MS   10000
#define TOP_TEXT_MAX 65536 /* of what a command has printed */

struct top_feed {
    pid_t pid;
    int fd;
    struct buffer line;
};

/* Before the screen is opened. False: errno says why. */
bool top_feed_start(struct top_feed *feed, const char *config_file, int64_t pause_ms);

/* What has come: the newest whole report, the caller's; NULL: none. *ret_ended: there will be no more. */
json_t *top_feed_read(struct top_feed *feed, bool *ret_ended);
void top_feed_stop(struct top_feed *feed);

/* What "postrider explain ID" prints, errors too; the caller's. */
char *top_explain(const char *id, const char *config_file);

#endif
