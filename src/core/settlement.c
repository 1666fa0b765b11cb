/* SPDX-License-Identifier: MIT */
#include "core/settlement.h"

enum settlement settlement_of_row(const struct outcome *outcome, int attempts_before,
                                  const struct settlement_row *row)
{
    /* Ended otherwise than it was written: the application's trigger has decided. */
    if (row->kind != OUTCOME_RETRY)
        return row->kind == outcome->kind ? SETTLEMENT_STAYS : SETTLEMENT_LEFT;
    if (row->is_moved)
        return SETTLEMENT_LEFT;
    if (outcome->kind != OUTCOME_RETRY || row->attempts == attempts_before)
        return SETTLEMENT_UNDONE;
    return row->is_due ? SETTLEMENT_EARLY : SETTLEMENT_STAYS;
}

enum settlement settlement_of_missing(bool is_writable)
{
    return is_writable ? SETTLEMENT_UNDONE : SETTLEMENT_LEFT;
}
