/* SPDX-License-Identifier: MIT */
#include "db/disabling_notes.h"

#include <stdio.h>

#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

/* URLs of URL_MAX_BYTES, every byte escaped, and some. */
#define URLS_MAX_BYTES ((size_t)DISABLING_NOTES_MAX * 8192 * 3)

#define OF_BATCH                                              \
    "unnest($1::uuid[], $2::text[]) AS o (customer_id, url) " \
    "WHERE e.customer_id = o.customer_id AND e.url = o.url "  \
    "AND hashtextextended(e.url, 0) = hashtextextended(o.url, 0) "

/*
 * The WHERE keeps what is failing already, and not for too long, from being written again. $3 is
 * NULL where nothing is disabled. A row that others have made does not become a worker's.
 */
static const char failing_sql[] =
    "INSERT INTO webhook_endpoints AS e (customer_id, url, failing_since, noted_at) "
    "SELECT customer_id, url, now(), now() "
    "FROM unnest($1::uuid[], $2::text[]) AS o (customer_id, url) "
    "ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE SET "
    "failing_since = CASE WHEN e.failing_since IS NULL THEN now() END, "
    "disabled_at = CASE WHEN e.failing_since IS NOT NULL THEN now() END, "
    "disabled_reason = CASE WHEN e.failing_since IS NOT NULL "
    "THEN 'nothing but failures since ' || date_trunc('second', e.failing_since) END, "
    "noted_at = CASE WHEN e.noted_at IS NOT NULL THEN now() END "
    "WHERE e.disabled_at IS NULL AND (e.failing_since IS NULL "
    "OR e.failing_since <= now() - make_interval(secs => $3::float8)) "
    "RETURNING CASE WHEN disabled_at IS NOT NULL THEN customer_id END, url";

/* A worker's row has nothing more to say. Before the next: a row that somebody takes over just now
 * is left by this, and found by that. */
static const char forget_sql[] =
    "DELETE FROM webhook_endpoints e USING " OF_BATCH
    "AND e.failing_since IS NOT NULL AND " SQL_CHECKED("e.noted_at IS NOT NULL");

static const char working_sql[] =
    "UPDATE webhook_endpoints e SET failing_since = NULL FROM " OF_BATCH
    "AND e.failing_since IS NOT NULL AND e.noted_at IS NULL";

static const char used_sql[] = "UPDATE webhook_endpoints e SET noted_at = now() FROM " OF_BATCH
                               "AND " SQL_CHECKED("e.noted_at IS NOT NULL");

/* A row that is hidden would go on failing, whatever its endpoint answers, until it is disabled. */
static const char hold_sql[] = ROW_SECURITY_HOLD("webhook_endpoints");

enum { NOTES_HOLD, NOTES_GUARD, NOTES_FAILING, NOTES_FORGET, NOTES_WORKING, NOTES_USED };

void disabling_notes_init(struct disabling_notes_writer *writer)
{
    for (int i = 0; i < ENDPOINT_NOTES; i++) {
        array_init(&writer->customers[i], URLS_MAX_BYTES);
        array_init(&writer->urls[i], URLS_MAX_BYTES);
    }
}

void disabling_notes_free(struct disabling_notes_writer *writer)
{
    for (int i = 0; i < ENDPOINT_NOTES; i++) {
        array_free(&writer->customers[i]);
        array_free(&writer->urls[i]);
    }
}

void disabling_notes_begin(struct disabling_notes_writer *writer)
{
    for (int i = 0; i < ENDPOINT_NOTES; i++) {
        array_begin(&writer->customers[i]);
        array_begin(&writer->urls[i]);
    }
}

void disabling_notes_add(struct disabling_notes_writer *writer, const char *customer_id,
                         const char *url, enum endpoint_note note)
{
    array_add_plain(&writer->customers[note], customer_id);
    array_add_text(&writer->urls[note], url);
}

static struct db_statement statement_of(struct disabling_notes_writer *writer,
                                        enum endpoint_note note, const char *sql)
{
    return (struct db_statement){
        sql, 2, {array_end(&writer->customers[note]), array_end(&writer->urls[note])}};
}

bool disabling_notes_send(struct disabling_notes_writer *writer, struct db_link *link,
                          const char *schema, int64_t disable_after_ms, db_link_answered *on_answer,
                          void *owner)
{
    char after[32];
    struct db_statement statements[] = {
        [NOTES_HOLD] = {hold_sql, 0, {NULL}},
        [NOTES_GUARD] = row_security_look(schema),
        [NOTES_FAILING] = statement_of(writer, ENDPOINT_NOTE_FAILING, failing_sql),
        [NOTES_FORGET] = statement_of(writer, ENDPOINT_NOTE_WORKING, forget_sql),
        [NOTES_USED] = statement_of(writer, ENDPOINT_NOTE_USED, used_sql),
    };

    statements[NOTES_WORKING] = statements[NOTES_FORGET]; /* the same endpoints */
    statements[NOTES_WORKING].sql = working_sql;
    snprintf(after, sizeof(after), "%.3f", (double)disable_after_ms / 1000);
    statements[NOTES_FAILING].count = 3;
    if (disable_after_ms > 0)
        statements[NOTES_FAILING].values[2] = after;
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

int disabling_notes_count(const struct db_answer *answer)
{
    return PQntuples(answer->results[NOTES_FAILING]);
}

const char *disabling_notes_customer_at(const struct db_answer *answer, int row)
{
    return row_text(answer->results[NOTES_FAILING], row, 0);
}

const char *disabling_notes_url_at(const struct db_answer *answer, int row)
{
    return row_text(answer->results[NOTES_FAILING], row, 1);
}
