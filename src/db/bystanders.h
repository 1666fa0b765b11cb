/* SPDX-License-Identifier: MIT */
/*
 * db/bystanders.h: what of the application's runs in the same statements as the worker's writes.
 *
 * Triggers and rules on the tables that workers write, which are not Postrider's. They are no
 * fault; but when outcomes are refused or do not stay (core/settlement.h), one of them is most
 * likely why. Known as Postrider's by the names of trigger and function. Needs no privilege on the
 * tables.
 */
#ifndef POSTRIDER_DB_BYSTANDERS_H
#define POSTRIDER_DB_BYSTANDERS_H

#include "base/error.h"
#include "db/session.h"

/* One row for each, with a sentence's worth of text in its only column; the caller clears it. NULL
 * with error. */
PGresult *bystanders_list(struct db_session *session, struct error *error) MUST_USE;

#endif
