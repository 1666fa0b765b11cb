/* SPDX-License-Identifier: MIT */
/*
 * delivery_report.h: one delivery and the log of its attempts, as "explain" and "dead show" show
 * them.
 */
#ifndef POSTRIDER_COMMAND_DELIVERY_REPORT_H
#define POSTRIDER_COMMAND_DELIVERY_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "db/delivery_record.h"
#include "explain/delivery_time.h"

/* A line for each column of the row that says something. */
void delivery_report_print(const struct delivery_record *record, FILE *out);

/* The row's columns as an object; the caller's. */
json_t *delivery_report_json(const struct delivery_record *record) MUST_USE;

void delivery_attempts_print(const struct delivery_attempts *attempts, FILE *out);
json_t *delivery_attempts_json(const struct delivery_attempts *attempts) MUST_USE;

#endif
