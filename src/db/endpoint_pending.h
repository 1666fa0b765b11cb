/* SPDX-License-Identifier: MIT */
/*
 * db/endpoint_pending.h: what waits for an endpoint, before somebody changes it.
 */
#ifndef POSTRIDER_DB_ENDPOINT_PENDING_H
#define POSTRIDER_DB_ENDPOINT_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

#define ENDPOINT_PENDING_MAX 100000 /* counted; more are "at least" so many */

struct endpoint_pending {
    int64_t made_for_it; /* deliveries of events */
    int64_t others;      /* that were inserted as they are, to its URL */
    bool is_cut;         /* there are more than ENDPOINT_PENDING_MAX together */
};

bool endpoint_pending_count(struct db_session *session, const char *endpoint_id,
                            struct endpoint_pending *ret_pending, struct error *error) MUST_USE;

#endif
