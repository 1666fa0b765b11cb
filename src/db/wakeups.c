/* SPDX-License-Identifier: MIT */
#include "db/wakeups.h"

#include <stdio.h>

#include "base/compiler.h"
#include "db/row.h"

/* The channel as the trigger names it, and the condition under which the trigger notifies. */
static const char probe_sql[] = "SELECT 'postrider_' || 'webhook_deliveries'::regclass::oid, "
                                "current_setting('max_prepared_transactions') = '0'";

static const char ask_sql[] =
    "SELECT setval('webhook_wakeups', extract(epoch FROM clock_timestamp())::int8 + $1::int8)";

static const char withdraw_sql[] = "SELECT setval('webhook_wakeups', 0)";

bool wakeups_send_probe(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {probe_sql, 0, {NULL}};

    return db_link_send(link, &statement, 1, on_answer, owner);
}

const char *wakeups_channel_of(const struct db_answer *answer)
{
    return PQgetvalue(answer->results[0], 0, 0);
}

bool wakeups_are_possible(const struct db_answer *answer)
{
    return row_is_true(answer->results[0], 0, 1);
}

bool wakeups_send_listen(struct db_link *link, const char *channel, db_link_answered *on_answer,
                         void *owner)
{
    char sql[80];
    struct db_statement statement = {sql, 0, {NULL}};

    /* A name can't be a parameter. It consists of letters, digits and an underscore. */
    snprintf(sql, sizeof(sql), "LISTEN %s", channel);
    return db_link_send(link, &statement, 1, on_answer, owner);
}

bool wakeups_send_ask(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    char seconds[16];
    struct db_statement statement = {ask_sql, 1, {seconds}};

    snprintf(seconds, sizeof(seconds), "%d", WAKEUPS_SECONDS);
    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

bool wakeups_send_withdraw(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {withdraw_sql, 0, {NULL}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}
