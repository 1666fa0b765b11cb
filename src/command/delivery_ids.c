/* SPDX-License-Identifier: MIT */
#include "command/delivery_ids.h"

#include "db/delivery_record.h"
#include "db/events.h"

/* An index has the deliveries that were made for an event; of rows that were inserted as they are
 * only the whole table tells. */
PGresult *delivery_ids_of_event(struct db_session *session, const char *event_id, int limit,
                                struct error *error)
{
    PGresult *ids = event_delivery_ids(session, event_id, limit, error);

    if (ids == NULL || PQntuples(ids) > 0)
        return ids;
    PQclear(ids);
    if (!delivery_record_find_event(session, event_id, limit, &ids, error))
        return NULL;
    return ids;
}
