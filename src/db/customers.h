/* SPDX-License-Identifier: MIT */
/*
 * db/customers.h: which table customer_id refers to, for "postrider migrate --customers".
 *
 * The first migration asks for the choice (the setting postrider.customers); later it can be
 * changed. Whoever refers to a table needs a unique column id of type uuid there.
 */
#ifndef POSTRIDER_DB_CUSTOMERS_H
#define POSTRIDER_DB_CUSTOMERS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "db/session.h"

#define CUSTOMERS_NONE "none"

/*
 * What it comes to: wanted (as SQL writes it, or CUSTOMERS_NONE) where somebody has chosen, else
 * "customers" where there is such a table, else "". In the caller's transaction; the caller frees
 * it. NULL with error.
 */
char *customers_choose(struct db_session *session, const char *wanted,
                       struct error *error) MUST_USE;

/* Tells the first migration, until the end of the transaction. */
bool customers_tell(struct db_session *session, const char *choice, struct error *error) MUST_USE;

/* The same as SQL, for a dry run. */
bool customers_print(struct db_session *session, const char *choice, FILE *out,
                     struct error *error) MUST_USE;

/* Says what has been made. */
void customers_report(const char *choice, FILE *out);

/*
 * On a schema that is there, in transactions of its own, two for a table: new foreign keys are made
 * first, which holds others up for a moment, and their rows checked afterwards, which does not.
 * With dry_run it prints the SQL instead. What is in the way is found before anything is changed.
 */
bool customers_change(struct db_session *session, const char *wanted, bool dry_run, FILE *out,
                      struct error *error) MUST_USE;

#endif
