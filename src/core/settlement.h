/* SPDX-License-Identifier: MIT */
/*
 * core/settlement.h: whether an outcome that was written has stayed. The one place that decides it.
 *
 * A database that says "done" has not always done it: a policy for rows hides a row from the
 * UPDATE, a trigger of the application swallows the write (RETURN NULL) or turns it back (RETURN
 * OLD). Taken for done, the row is found as pending at once and sent again, without end. So what
 * RETURNING shows is looked at, and where nothing came back, whether the row would have had to be
 * written:
 *
 *   stays    the row says what the outcome says
 *   left     somebody else has changed, ended or deleted the row: theirs counts. So does a new
 *            address that the write itself has given it: the publisher of the event was older than
 *            a change of its endpoint's URL (webhook_deliveries_given_up())
 *   undone   the row is due as it was before: the outcome is kept and written again
 *   early    the attempt is counted, but the row is due at once: it is not sent before its time
 *
 * Pure: the caller asks the database.
 */
#ifndef POSTRIDER_CORE_SETTLEMENT_H
#define POSTRIDER_CORE_SETTLEMENT_H

#include <stdbool.h>

#include "core/outcome.h"

enum settlement { SETTLEMENT_STAYS, SETTLEMENT_LEFT, SETTLEMENT_UNDONE, SETTLEMENT_EARLY };

/* A row as it came back from the statement that wrote it. */
struct settlement_row {
    enum outcome_kind kind; /* its status: pending is OUTCOME_RETRY */
    int attempts;
    bool is_due;   /* earlier than the outcome says, and already */
    bool is_moved; /* it is pending for another endpoint than the one that was tried */
};

/* Of a row that came back. attempts_before: as it was read when the attempt was made. */
enum settlement settlement_of_row(const struct outcome *outcome, int attempts_before,
                                  const struct settlement_row *row);

/* Of one that didn't. is_writable: a look afterwards found that it would have to be written. */
enum settlement settlement_of_missing(bool is_writable);

#endif
