/* SPDX-License-Identifier: MIT */
/*
 * db/balances.h: what the audit before counted (webhook_balances), against what is there now.
 *
 * By customer and day of creation, rows and removals together: a number that can't shrink, but for
 * retention, which goes by days that are older than "since". Rows that a transaction committed
 * after the last audit, although it had begun before, are not expected and can hide as many that
 * were lost.
 */
#ifndef POSTRIDER_DB_BALANCES_H
#define POSTRIDER_DB_BALANCES_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* Deliveries that were there and are neither there now nor in the ledger of removals. */
struct balance_loss {
    const char *customer_id;
    const char *created_on; /* "2031-05-17", UTC */
    int64_t missing;
};

struct balances {
    PGresult *result;
    PGresult *opening;
    const char *audited_at; /* of the audit before; NULL: there was none */
    int64_t deliveries;     /* that it counted, of the days that are still kept whole */
    int64_t missing;
    size_t count;
    struct balance_loss *losses;
    bool is_kept; /* what is there now was written for the next audit */
};

enum balances_keep {
    BALANCES_KEEP_NONE,
    BALANCES_KEEP_IF_WHOLE, /* when nothing is missing */
    BALANCES_KEEP_ALWAYS,
};

/*
 * Compares, and keeps what is there now, in one transaction; a second audit at the same time waits.
 * since: what was created later, nothing but the ledger's removals has taken. A database that is
 * read-only keeps nothing: that is no error.
 */
bool balances_compare(struct db_session *session, const char *since, enum balances_keep how,
                      struct balances *ret_balances, struct error *error) MUST_USE;
void balances_free(struct balances *balances);

#endif
