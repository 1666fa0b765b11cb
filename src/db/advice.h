/* SPDX-License-Identifier: MIT */
/*
 * db/advice.h: what an operator can do about a refusal of the server whose own message does not say it.
 */
#ifndef POSTRIDER_DB_ADVICE_H
#define POSTRIDER_DB_ADVICE_H

#define SQLSTATE_READ_ONLY "25006"

/* One sentence that never changes, by the SQLSTATE ("25006"), since messages are in the language of the server. NULL:
 * there is nothing to say that would be true of every such refusal. */
const char *db_advice(const char *sqlstate);

#endif
