/* SPDX-License-Identifier: MIT */
/*
 * db/audit.h: what "postrider audit" asks of the tables: how the deliveries of each endpoint add
 * up, which are overdue, and which rows contradict themselves. Reads only.
 *
 * Each function reads the table through, in a transaction of its own and with the database's clock:
 * seconds for a million rows, beside inserts and deliveries. The text belongs to the lists.
 */
#ifndef POSTRIDER_DB_AUDIT_H
#define POSTRIDER_DB_AUDIT_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* inserted = delivered + dead + pending + discarded + deleted */
struct audit_line {
    const char *customer_id;
    const char *url;
    int64_t inserted;
    int64_t delivered;
    int64_t dead;
    int64_t pending;
    int64_t discarded; /* by "postrider dead discard" */
    int64_t deleted;   /* by anybody's SQL */
    int64_t erased;    /* of those that are there: without their payload */
};

struct audit_sheet {
    PGresult *result;
    size_t count;
    struct audit_line *lines; /* one for each customer and URL, those with open ends first */
    struct audit_line total;  /* without customer and URL */
};

/* Of the deliveries that were created since then (from db/moment.h). */
bool audit_sheet_read(struct db_session *session, const char *since, struct audit_sheet *ret_sheet,
                      struct error *error) MUST_USE;
void audit_sheet_free(struct audit_sheet *sheet);

/* Pending deliveries of an endpoint that were due long ago, or never become due. */
struct audit_waiting {
    const char *customer_id;
    const char *url;
    int64_t deliveries;
    bool is_parked;  /* next_retry_at is infinity, and no ordering key is the reason */
    bool is_ordered; /* of ordering keys of which none is due: behind a dead letter, or missed */
    const char *oldest_id;  /* the one that is due for the longest time */
    int64_t due_ms_ago;     /* that one's */
    int64_t attempt_ms_ago; /* the endpoint's last attempt that is known; -1: none within a day */
    double rate_limit;      /* of its row in webhook_endpoints; negative: it has none */
    const char *failing_since; /* of the same; NULL: it answers */
    bool is_overtaken;         /* one that was due more than grace_ms later is finished */
};

struct audit_waiting_list {
    PGresult *result;
    size_t count;
    struct audit_waiting *rows;
};

/* Those that are due for more than grace_ms, those that are parked, and those of ordering keys of
 * which none is due; whenever created. */
bool audit_waiting_read(struct db_session *session, int64_t grace_ms,
                        struct audit_waiting_list *ret_list, struct error *error) MUST_USE;
void audit_waiting_free(struct audit_waiting_list *list);

/* A row that no worker can have left like this. */
struct audit_contradiction {
    const char *id;
    const char *customer_id;
    const char *url;
    const char *status;
    const char *what;
};

struct audit_contradictions {
    PGresult *result;
    size_t count; /* limit at most */
    struct audit_contradiction *rows;
    int64_t total;
};

/*
 * Rows that were created since then, and all that are pending. is_logged: failed attempts are
 * written into webhook_attempts, so that those which began after its first row must be there. Rows
 * that were there before the table was adopted, and not sent since, are left out (db/adoption.h).
 */
bool audit_contradictions_read(struct db_session *session, const char *since, bool is_logged,
                               int64_t limit, struct audit_contradictions *ret_contradictions,
                               struct error *error) MUST_USE;
void audit_contradictions_free(struct audit_contradictions *contradictions);

/* True when the trigger that writes the ledger of deleted deliveries is there and switched on. */
bool audit_ledger_is_on(struct db_session *session, bool *ret_is_on, struct error *error) MUST_USE;

#endif
