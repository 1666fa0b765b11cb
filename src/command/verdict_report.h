/* SPDX-License-Identifier: MIT */
/*
 * command/verdict_report.h: the result of a test or a doctor (worker/verdicts.h) on a terminal.
 */
#ifndef POSTRIDER_COMMAND_VERDICT_REPORT_H
#define POSTRIDER_COMMAND_VERDICT_REPORT_H

#include <jansson.h>

/* A line for each verdict, one for what is to be done, and the sum of them. */
void verdict_report_print(const json_t *result);

/* How many of them are not well; warnings are. */
int verdict_report_wrong(const json_t *result);

#endif
