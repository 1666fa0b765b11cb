/* SPDX-License-Identifier: MIT */
#include "db/promotions.h"

#include <stdlib.h>

/* In no order: those that stay must not stand before the others each time. */
static const char try_sql[] = "DELETE FROM webhook_promotions WHERE id = ANY (ARRAY("
                              "SELECT id FROM webhook_promotions WHERE owner IS NULL "
                              "ORDER BY random() LIMIT 200))";

_Static_assert(PROMOTIONS_BATCH_ROWS == 200, "the statement says how many");

bool promotions_send(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    const struct db_statement statement = {.sql = try_sql};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

bool promotions_has_more(const struct db_answer *answer)
{
    return strtol(PQcmdTuples(answer->results[0]), NULL, 10) >= PROMOTIONS_BATCH_ROWS;
}
