/* SPDX-License-Identifier: MIT */
#include "db/settings.h"

#include <stdbool.h>

#include "base/buffer.h"
#include "base/memory.h"

#define TEXT_MAX ((size_t)16 * 1024)

/*
 * Values stand in SQL as they are. The planner's: each row of a link is found through one index, by
 * key; its other ideas (a sort of everything, a hash of the table) come from stale statistics. So a
 * generic plan is as good as any, and a session's statements are planned once (db/prepared.h).
 * lock_timeout: an operator's open transaction on one row must not hold up the outcomes of all the
 * others.
 */
static const struct setting {
    const char *name;
    const char *link;    /* NULL: left */
    const char *session; /* NULL: left */
    int since;           /* the first server that knows it; 0: all */
} table[] = {
    /* How our texts are read. */
    {"standard_conforming_strings", "on", "on", 0},
    {"array_nulls", "on", "on", 0},
    {"transform_null_equals", "off", "off", 0},
    {"xmloption", "content", "content", 0},
    /* How what we read is written; a session's time zone is that of who adopts a table. */
    {"TimeZone", "UTC", NULL, 0},
    {"DateStyle", "ISO, MDY", "ISO, MDY", 0},
    {"IntervalStyle", "postgres", "postgres", 0},
    {"extra_float_digits", "1", "1", 0},
    {"bytea_output", "hex", "hex", 0},
    {"quote_all_identifiers", "off", "off", 0},
    /* How long things may take. */
    {"lock_timeout", "2s", NULL, 0},
    {"statement_timeout", "60s", "0", 0},
    {"idle_in_transaction_session_timeout", "0", "0", 0},
    {"idle_session_timeout", "0", "0", 140000},
    {"transaction_timeout", "0", "0", 170000},
    /* How rows are found: in the order of an index where there is one, and by joins that begin with what was
     * sent, whatever the statistics say. */
    {"enable_seqscan", "off", NULL, 0},
    {"enable_bitmapscan", "off", NULL, 0},
    {"enable_hashjoin", "off", NULL, 0},
    {"enable_mergejoin", "off", NULL, 0},
    {"enable_indexscan", "on", "on", 0},
    {"enable_indexonlyscan", "on", "on", 0},
    {"enable_nestloop", "on", "on", 0},
    {"enable_sort", "off", "on", 0},
    {"max_parallel_workers_per_gather", "0", NULL, 0},
    {"jit", "off", NULL, 0},
    /* How functions are made, and what they may hold. */
    {"check_function_bodies", NULL, "on", 0},
    {"escape_string_warning", "on", "on", 0},
};

/*
 * default_transaction_isolation is for the transactions of a direct link: this one has its level
 * already (db/pipeline.c mends that where it must).
 */
static const char link_begin[] =
    "SELECT pg_is_in_recovery(), current_setting('transaction_isolation') = 'read committed',"
    " set_config('search_path', CASE WHEN $1 = '' THEN current_setting('search_path')"
    " ELSE quote_ident($1) END, $2::bool), set_config('row_security', $3, $2::bool),"
    " set_config('default_transaction_isolation', CASE WHEN $2::bool"
    " THEN current_setting('default_transaction_isolation') ELSE 'read committed' END, $2::bool),"
    " set_config('plan_cache_mode', CASE WHEN $2::bool THEN current_setting('plan_cache_mode')"
    " ELSE 'force_generic_plan' END, $2::bool)";

static char *append_all(const char *begin, const char *format, bool is_link, int server_version)
{
    struct buffer text;
    char *copy;

    buffer_init(&text, TEXT_MAX);
    buffer_append_string(&text, begin);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const char *value = is_link ? table[i].link : table[i].session;

        if (value != NULL && server_version >= table[i].since) {
            buffer_append_string(&text, is_link ? ", set_config('" : "; SET LOCAL ");
            buffer_append_string(&text, table[i].name);
            buffer_append_string(&text, is_link ? "', '" : " = '");
            buffer_append_string(&text, value);
            buffer_append_string(&text, format);
        }
    }
    copy = memory_copy_string(buffer_string(&text));
    buffer_free(&text);
    return copy;
}

char *settings_for_link(int server_version)
{
    return append_all(link_begin, "', $2::bool)", true, server_version);
}

char *settings_for_session(int server_version)
{
    return append_all("", "'", false, server_version);
}
