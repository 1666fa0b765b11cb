/* SPDX-License-Identifier: MIT */
/*
 * db/row_security.h: what policies of row security could hide from a role, as SQL.
 *
 * A policy hides rows without a word, and what can't be seen must never be taken for absent. So
 * whatever reads does it with row_security = off, by which the server refuses what a policy could
 * change. Only where all policies are plainly true for the role may it be on, and the guard finds
 * that out in the same transaction. It reads the catalog alone, so nothing can be hidden from it.
 *
 * The link (db/pipeline.h) and sessions (db/session.h) send the guard; db/requirements.h asks more
 * of the same tables. Nothing is sent here, and only running out of memory can go wrong.
 */
#ifndef POSTRIDER_DB_ROW_SECURITY_H
#define POSTRIDER_DB_ROW_SECURITY_H

#include "base/compiler.h"

/*
 * A statement with two parameters, database.schema and an array of commands ('{SELECT}'): sets
 * row_security for the rest of the transaction, to off where a policy that is not plainly true for
 * one of them is in force. Its first column says whether the server is a standby. The text lasts,
 * and is the same each time, so that it can be prepared.
 */
#define ROW_SECURITY_PARAMETERS 2
#define ROW_SECURITY_READING    "{SELECT}"
#define ROW_SECURITY_WRITING    "{SELECT,INSERT,UPDATE,DELETE}"
const char *row_security_guard(void);

/*
 * The statement that ends with this SELECT, with what it may read before it: "needed", the
 * privileges that a worker needs, and "policed", the tables with their policies. The caller frees
 * it.
 */
char *row_security_query(const char *end) MUST_USE;

#endif
