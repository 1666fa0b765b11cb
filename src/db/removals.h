/* SPDX-License-Identifier: MIT */
/*
 * db/removals.h: the ledger of deleted deliveries (webhook_removals): what has become of one that
 * is not in webhook_deliveries. Written by a trigger (migrations/0007_ledger.sql).
 */
#ifndef POSTRIDER_DB_REMOVALS_H
#define POSTRIDER_DB_REMOVALS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* The text belongs to the removal. */
struct removal {
    PGresult *result;
    const char *removed_at;
    int64_t removed_ms_ago;
    const char *removed_by; /* the role that logged in */
    bool is_discard;        /* a dead letter's; else anybody's SQL */
    const char *status;     /* that the row had */
    int64_t attempts;
    const char *requested_by; /* of its row in webhook_replays; or NULL */
};

/* The last removal of the delivery with this id. *ret_found is false when there is none. */
bool removal_read(struct db_session *session, const char *delivery_id, struct removal *ret_removal,
                  bool *ret_found, struct error *error) MUST_USE;
void removal_free(struct removal *removal);

#endif
