/* SPDX-License-Identifier: MIT */
#include "db/asking.h"

#include "base/memory.h"
#include "db/queries.h"

/* As serve/questions.c has it: planned for its values, and by the indexes that its lists go by. */
static const char sql_settings[] = "SELECT set_config('enable_bitmapscan', $1, true),"
                                   " set_config('plan_cache_mode', 'force_custom_plan', true)";

PGresult *asking_change(struct db_session *session, const struct asking *asking,
                        struct error *error)
{
    return db_session_query(session, query_text(asking->text, false), asking->count, asking->values,
                            error);
}

static char *read_answer(struct db_session *session, const struct asking *asking,
                         struct error *error)
{
    const char *range[] = {asking->has_range ? "on" : "off"};
    PGresult *result = db_session_query(session, sql_settings, 1, range, error);
    char *json = NULL;

    if (result == NULL)
        return NULL;
    PQclear(result);
    result = asking_change(session, asking, error);
    if (result != NULL)
        json = memory_copy_string(PQgetvalue(result, 0, 0));
    PQclear(result);
    return json;
}

char *asking_read(struct db_session *session, const struct asking *asking, struct error *error)
{
    char *json;

    if (!db_session_begin_reading(session, error))
        return NULL;
    json = read_answer(session, asking, error);
    db_session_rollback(session);
    return json;
}
