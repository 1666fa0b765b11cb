/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint.h: the endpoints that have deliveries here, their settings, and whose turn it is.
 *
 * An endpoint is a customer and a URL. Its settings (its row in webhook_endpoints over the
 * configuration, and its secrets) are loaded before its first delivery is sent, and asked for again
 * when they are older than ENDPOINT_REFRESH_US, while it goes on sending; by settings older than
 * ENDPOINT_FRESH_US nothing is sent. So a change by SQL takes effect within seconds. Which list it
 * is in is its state (worker/endpoint_states.h), and worker/endpoint_forgetting.h says how many are
 * remembered, and for how long.
 *
 * Deliveries of one endpoint are sent in the order in which they became due. Who of those with
 * deliveries and settings may send is core/scheduler.h's decision: windows, rate limits, breakers.
 * What condemns a delivery must be younger than its row: who enables an endpoint, gives it a secret
 * or another policy and replays its rows at once means the new settings. So each load has a number,
 * each delivery notes the last one that had been asked for when its row was read, and by settings
 * that are not of a later load nothing fails (endpoint_may_condemn()).
 * One with a secret that can't be opened sends nothing until it can be, and one that is paused
 * nothing until it is resumed: such an endpoint has at most a row waiting, for which its settings
 * are asked for again and again.
 * The settings of an endpoint without a row are the configuration's for what was inserted by
 * itself; a delivery of an event was made for a row, and fails when that has been removed.
 *
 * A layer on core/queue.h, which ties an endpoint's rows, backlog and turn, and knows neither
 * deliveries nor settings: only this puts waiting deliveries there and takes them out. Called by
 * worker/finding.c and refilling.c (rows come, queues are emptied), sending.c (whose turn it is,
 * what became of a request), loading.c (settings), recording.c (unsettled outcomes),
 * disabling.c (notes), leasing.c (rates) and configuring.c (limits).
 *
 * Memory: 2 KB for each, and as much again for those whose settings are loaded.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_H
#define POSTRIDER_WORKER_ENDPOINT_H

#include "worker/endpoint_states.h"

/* While an outcome of it is unsettled, so many of its deliveries may be under way or wait to be
 * written at most. */
#define ENDPOINT_UNSETTLED_MAX 10

#define ENDPOINT_REFRESH_US 2000000

void endpoints_init(struct endpoints *endpoints);
/* After deliveries_free(). */
void endpoints_free(struct endpoints *endpoints);

/* Takes what endpoints keep of a configuration (worker/configuring.h): the scheduler's limits, slots
 * being requests in flight at one time. All settings of endpoints are old from now on. */
void endpoints_reconfigure(struct endpoints *endpoints, const struct config *config, size_t slots);

/* The same number of requests. */
size_t endpoints_slots(const struct endpoints *endpoints);

/* Finds or makes it, which may free another one without deliveries. */
struct endpoint *endpoint_get(struct endpoints *endpoints, const char *customer_id, const char *url,
                              int64_t now_us);

/* NULL: it isn't known here. */
struct endpoint *endpoint_find(struct endpoints *endpoints, const char *customer_id,
                               const char *url);

/* The one that has this queue. */
struct endpoint *endpoint_of_queue(struct queue *queue);

/* Puts a new waiting delivery at the end of its endpoint's queue. */
void endpoint_push(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us);

/* Takes a waiting delivery out of its endpoint's queue, before its state is changed. */
void endpoint_remove(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us);

/* Puts one back that was started, but by settings that are older than its row: the first again. */
void endpoint_push_back(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us);

/* False when its settings may be older than the row that they would fail for good. */
bool endpoint_may_condemn(const struct endpoint *endpoint, const struct delivery *delivery);

/* Nothing is sent until its settings have been loaded again; may be said again and again. */
void endpoint_ask_again(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us);

/* The endpoint whose turn it is, after setting aside those with old settings; NULL: nobody may send
 * now. Its turn ends with endpoint_begin_request() or endpoint_pass_turn(). */
struct endpoint *endpoint_next_ready(struct endpoints *endpoints, int64_t now_us);

/* When endpoint_next_ready() may have another answer, if nothing else happens; INT64_MAX: never. */
int64_t endpoints_next_us(const struct endpoints *endpoints);

/* The delivery that waits first; NULL: none. */
struct delivery *endpoint_first(const struct endpoint *endpoint);

/* Its turn: the delivery is sent; the ticket is kept until the request ends. */
struct scheduler_ticket endpoint_begin_request(struct endpoints *endpoints,
                                               struct delivery *delivery, int64_t now_us);
/* Its turn: the delivery leaves the queue without a request. */
void endpoint_pass_turn(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us);

/* The delivery's request has ended; see scheduler_finish(). */
struct scheduler_change endpoint_end_request(struct endpoints *endpoints,
                                             const struct delivery *delivery, enum health health,
                                             int64_t hold_us, int64_t now_us);

/* Moves the first unloaded endpoint to loading and returns it; NULL when there is none. */
struct endpoint *endpoint_begin_load(struct endpoints *endpoints);

/* Loading ends, with new settings or (is_loaded false) without. */
void endpoint_end_load(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                       int64_t now_us);

/* It was disabled, as was learnt just now: that is as good as settings that were loaded now. */
void endpoint_set_disabled(struct endpoints *endpoints, struct endpoint *endpoint,
                           const char *problem, int64_t now_us);

/* One more of its outcomes is unsettled (1), or one less (-1). */
void endpoint_note_unsettled(struct endpoints *endpoints, struct endpoint *endpoint, int change);

/* After a delivery of it was begun or settled: while outcomes of it are unsettled, the next one
 * may have to wait, so that few are sent whose outcomes would be unsettled as well. */
void endpoint_note_under_way(struct endpoints *endpoints, struct endpoint *endpoint,
                             int64_t now_us);

/* The newest note counts. One with a note is not freed. */
void endpoint_note(struct endpoints *endpoints, struct endpoint *endpoint, enum endpoint_note note);
bool endpoints_are_noted(const struct endpoints *endpoints);
/* The first one that has a note, which is being written from now on, until endpoint_end_note(); NULL
 * when there is none. */
struct endpoint *endpoint_take_note(struct endpoints *endpoints, enum endpoint_note *ret_note);
/* It was written down, or not. That it works again is then still to be written, if there is nothing
 * newer: its row says that it fails, and would have it disabled. */
void endpoint_end_note(struct endpoints *endpoints, struct endpoint *endpoint, bool is_written);
/* It has answered, and its row need not say so yet. */
bool endpoint_is_working_unwritten(const struct endpoint *endpoint);

/* Asks for the settings of some that can't send and whose settings are old, also of those whose
 * rows are in the database alone: what stops them may be over by their row. */
void endpoints_refresh(struct endpoints *endpoints, int64_t now_us);

/* These lanes (a bit each) were taken from another worker: rate limits of their endpoints begin
 * anew. Walks all endpoints, as few other things do. */
void endpoints_restart_rates(struct endpoints *endpoints, uint64_t lanes, int64_t now_us);

#endif
