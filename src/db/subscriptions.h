/* SPDX-License-Identifier: MIT */
/*
 * db/subscriptions.h: endpoints as those who deal with events see them: what they subscribe to, and
 * who would get an event. Reads only; headers, which may hold credentials, are never read.
 */
#ifndef POSTRIDER_DB_SUBSCRIPTIONS_H
#define POSTRIDER_DB_SUBSCRIPTIONS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* Text belongs to the list; NULL where the row has NULL. */
struct subscription {
    const char *id;
    const char *customer_id;
    const char *url;
    const char *event_types; /* an array as JSON */
    const char *filter;      /* JSON */
    bool all_customers;
    const char *created_at;
    const char *disabled_at;
    const char *disabled_reason;
    const char *paused_at;
    const char *failing_since;
    const char *verdict; /* of a preview; see below */
};

struct subscription_list {
    PGresult *result;
    size_t count;
    struct subscription *rows;
};

void subscription_list_free(struct subscription_list *list);

/* In the order of their ids, at most limit, behind the id after. NULL matches everything. */
bool subscriptions_list(struct db_session *session, const char *customer, const char *after,
                        int64_t limit, struct subscription_list *ret_list,
                        struct error *error) MUST_USE;

/* The one with this id, or those with this URL. */
bool subscriptions_find(struct db_session *session, const char *id_or_url, int64_t limit,
                        struct subscription_list *ret_list, struct error *error) MUST_USE;

/*
 * Who would get an event, decided by the function that the table's trigger asks
 * (webhook_event_subscribers), and who of those that might have expected it would not. The verdict:
 *
 *   "gets"      a delivery, which is sent
 *   "paused"    a delivery, which waits
 *   "disabled"  a delivery, which fails
 *   "maybe"     subscribes, and has a filter; payload was NULL
 *   "filter"    subscribes, and its filter is not contained in the payload
 *   "type"      subscribes to other types
 *   "none"      subscribes to nothing
 *
 * In this order, at most limit; those of other types only of the customer itself.
 * *ret_deliveries is how many deliveries would be made, however many are listed.
 */
bool subscriptions_preview(struct db_session *session, const char *customer, const char *type,
                           const char *payload, int64_t limit, struct subscription_list *ret_list,
                           int64_t *ret_deliveries, struct error *error) MUST_USE;

#endif
