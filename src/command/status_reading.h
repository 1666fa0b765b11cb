/* SPDX-License-Identifier: MIT */
/*
 * command/status_reading.h: reads all that "postrider status" and "postrider top" show: the overview,
 * and what is wrong.
 */
#ifndef POSTRIDER_COMMAND_STATUS_READING_H
#define POSTRIDER_COMMAND_STATUS_READING_H

#include "command/database.h"
#include "command/status_report.h"

/* *ret_status is to be given to overview_free(&…->overview), whatever comes back. */
bool status_read(const struct database *database, struct status *ret_status,
                 struct error *error) MUST_USE;

#endif
