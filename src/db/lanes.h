/*
 * db/lanes.h: owning lanes, by leases in webhook_lanes.
 *
 * A lease is taken and renewed by the database's clock. In this version a worker takes every lane
 * that is free or whose lease has run out, so the first worker delivers and others stand by.
 */
#ifndef POSTRIDER_DB_LANES_H
#define POSTRIDER_DB_LANES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/link.h"

/* Takes and renews. The answer has one row, the lane, for each that is owner's now. */
bool lanes_send_lease(struct db_link *link, const char *owner, int64_t lease_ms,
                      db_link_answered *on_answer, void *request_owner) MUST_USE;

/* Hands all of owner's lanes back. */
bool lanes_send_release(struct db_link *link, const char *owner, db_link_answered *on_answer,
                        void *request_owner) MUST_USE;

int lanes_lane_at(const PGresult *result, int row);

#endif
