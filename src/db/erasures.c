/* SPDX-License-Identifier: MIT */
#include "db/erasures.h"

#include <libpq-fe.h>

#include "base/text.h"

static const char mark_sql[] = "SELECT coalesce(max(changed_at)::text, '') FROM webhook_erasures";

/* OFFSET 0: a look at the primary key for each, whatever the statistics say. */
static const char look_sql[] =
    "SELECT d.id FROM unnest($1::uuid[]) AS o (id) CROSS JOIN LATERAL (SELECT w.id, w.event_id, "
    "w.endpoint_id, w.erased_at FROM webhook_deliveries w WHERE w.id = o.id OFFSET 0) d "
    "WHERE d.erased_at IS NOT NULL OR CASE WHEN d.endpoint_id IS NOT NULL THEN EXISTS (SELECT "
    "FROM webhook_events e WHERE e.id = d.event_id AND e.erased_at IS NOT NULL) END";

bool erasures_send_mark(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    const struct db_statement statement = {.sql = mark_sql};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

void erasures_mark(const struct db_answer *answer, char mark[ERASURES_MARK_SIZE])
{
    text_copy(mark, ERASURES_MARK_SIZE, PQgetvalue(answer->results[0], 0, 0));
}

bool erasures_send_look(struct db_link *link, struct array *ids, db_link_answered *on_answer,
                        void *owner)
{
    const struct db_statement statement = {look_sql, 1, {array_end(ids)}};

    return db_link_send(link, &statement, 1, on_answer, owner);
}

int erasures_count(const struct db_answer *answer)
{
    return PQntuples(answer->results[0]);
}

const char *erasures_id(const struct db_answer *answer, int n)
{
    return PQgetvalue(answer->results[0], n, 0);
}
