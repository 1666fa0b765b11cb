/* SPDX-License-Identifier: MIT */
/*
 * db/server.h: what a database is, for "postrider check --database".
 */
#ifndef POSTRIDER_DB_SERVER_H
#define POSTRIDER_DB_SERVER_H

#include <stdbool.h>

#include "base/error.h"
#include "db/session.h"

struct server_facts {
    char *version; /* "15.8" */
    char *database;
    char *role;
    char *schema;      /* the tables' one; NULL: not there, or no privilege USAGE on it */
    bool is_read_only; /* a standby, or default_transaction_read_only */
};

/* In the caller's transaction. Everything in *ret_facts is freed with server_facts_free(). */
bool server_ask(struct db_session *session, struct server_facts *ret_facts,
                struct error *error) MUST_USE;
void server_facts_free(struct server_facts *facts);

#endif
