/* SPDX-License-Identifier: MIT */
/*
 * status_report.h: how "postrider status" looks, for people and for programs.
 */
#ifndef POSTRIDER_COMMAND_STATUS_REPORT_H
#define POSTRIDER_COMMAND_STATUS_REPORT_H

#include <stdio.h>

#include "command/status_problems.h"
#include "db/overview.h"

struct status {
    int database_version;
    int binary_version;
    const char *host; /* of the database */
    struct overview overview;
    struct status_problems problems;
};

void status_report_print(const struct status *status, FILE *out);

/* Only what is wrong, or that nothing is. */
void status_report_print_problems(const struct status *status, FILE *out);

void status_report_print_json(const struct status *status, bool in_one_line, FILE *out);
/* What stands in its place where nothing could be read: an "error", in one line. */
void status_report_print_error_json(const char *message, FILE *out);

#endif
