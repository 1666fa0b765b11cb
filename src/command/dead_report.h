/* SPDX-License-Identifier: MIT */
/*
 * command/dead_report.h: what "dead replay" and "dead discard" say.
 *
 * The result goes to standard output, as sentences or as one object; ids that are left out,
 * warnings and why it was stopped go to standard error.
 */
#ifndef POSTRIDER_COMMAND_DEAD_REPORT_H
#define POSTRIDER_COMMAND_DEAD_REPORT_H

#include <jansson.h>

#include "command/dead.h"
#include "db/replays.h"

struct dead_report {
    enum dead_letter_change change;
    bool json;
    bool dry_run;
    bool is_counted; /* counts and left_out are known */
    struct dead_letter_counts counts;
    struct dead_letters_left_out left_out;
    int64_t erased; /* dead letters that match, and that a replay leaves as they are */
    int64_t changed;

    char replay_id[REPLAY_ID_SIZE]; /* "": none was asked for */
    bool is_resting;                /* the command has stopped it */
    int64_t skipped;                /* left as they are: replay_skip_reason() */
    json_t *skipped_urls;           /* URL → rows, of many the first ones; or NULL */
};

/* Names the ids that are left out, of many the first ones. Returns COMMAND_FAILED when there are
 * any. */
int dead_report_left_out(const struct dead_letters_left_out *left_out);

/* What would be discarded, and what is lost with it, before somebody is asked. */
void dead_report_plan(const struct dead_report *report);

/* The end of all that there was to do. */
void dead_report_done(const struct dead_report *report, const struct dead_selection *selection);

/* The end before all was done: by the interruption, or with error. Returns the exit status. */
int dead_report_stopped(const struct dead_report *report, const struct database *database,
                        struct error *error);

/* Standard output took none of it. Returns the exit status. */
int dead_report_unwritten(const struct dead_report *report);

void dead_report_free(struct dead_report *report);

#endif
