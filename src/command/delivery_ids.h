/* SPDX-License-Identifier: MIT */
/*
 * command/delivery_ids.h: the deliveries that an event has.
 */
#ifndef POSTRIDER_COMMAND_DELIVERY_IDS_H
#define POSTRIDER_COMMAND_DELIVERY_IDS_H

#include <libpq-fe.h>

#include "base/error.h"
#include "db/session.h"

/* Their ids as the only column, at most limit; NULL with error. */
PGresult *delivery_ids_of_event(struct db_session *session, const char *event_id, int limit,
                                struct error *error) MUST_USE;

#endif
