/* SPDX-License-Identifier: MIT */
#include "worker/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/lane.h"

#define MOVE(state) (1u << (state))

/* legal_moves[from] has the bit of each state that may follow. */
static const unsigned legal_moves[DELIVERY_STATES] = {
    [DELIVERY_WAITING] =
        MOVE(DELIVERY_IN_FLIGHT) | MOVE(DELIVERY_FINISHED) | MOVE(DELIVERY_FORGOTTEN),
    [DELIVERY_IN_FLIGHT] = MOVE(DELIVERY_WAITING) | MOVE(DELIVERY_UNDECIDED) |
                           MOVE(DELIVERY_FINISHED) | MOVE(DELIVERY_FORGOTTEN),
    [DELIVERY_UNDECIDED] = MOVE(DELIVERY_FINISHED),
    [DELIVERY_FINISHED] = MOVE(DELIVERY_RECORDING),
    [DELIVERY_RECORDING] = MOVE(DELIVERY_FINISHED) | MOVE(DELIVERY_FORGOTTEN),
    [DELIVERY_FORGOTTEN] = 0,
};

const char *delivery_state_name(enum delivery_state state)
{
    switch (state) {
    case DELIVERY_WAITING:
        return "waiting";
    case DELIVERY_IN_FLIGHT:
        return "in flight";
    case DELIVERY_UNDECIDED:
        return "undecided";
    case DELIVERY_FINISHED:
        return "finished";
    case DELIVERY_RECORDING:
        return "recording";
    case DELIVERY_FORGOTTEN:
        return "forgotten";
    case DELIVERY_STATES:
        break;
    }
    bug("delivery state %d", (int)state);
}

void deliveries_init(struct deliveries *deliveries)
{
    *deliveries = (struct deliveries){.by_id = NULL};
    for (int i = 0; i < DELIVERY_STATES; i++)
        TAILQ_INIT(&deliveries->lists[i]);
    deliveries->asked = memory_new(DELIVERIES_ASKED_MAX, sizeof(*deliveries->asked));
}

struct delivery *deliveries_find(struct deliveries *deliveries, const char *id)
{
    struct delivery *found;

    HASH_FIND(by_id, deliveries->by_id, id, (unsigned)strlen(id), found);
    return found;
}

int64_t deliveries_buffered_bytes(const struct deliveries *deliveries)
{
    return deliveries->payload_bytes + deliveries->bodies.bytes;
}

static void put_payload(struct deliveries *deliveries, struct delivery *delivery,
                        const struct due_row *row)
{
    if (row->is_of_event) {
        delivery->is_of_event = true;
        delivery->body = event_bodies_take(&deliveries->bodies, row);
        delivery->is_ordered = delivery->body->ordering_key != NULL;
        delivery->ordering_bucket = row->event.ordering_bucket;
        traceparent_read(row->event.traceparent, delivery->trace_id);
        text_copy(delivery->previous, sizeof(delivery->previous),
                  row->previous != NULL ? row->previous : "");
        delivery->payload = delivery->body->text;
        delivery->payload_length = delivery->body->length;
    } else if (row->payload != NULL) {
        delivery->payload_length = (size_t)row->payload_bytes;
        delivery->payload = memory_copy(row->payload, delivery->payload_length);
        deliveries->payload_bytes += row->payload_bytes;
    }
}

struct delivery *delivery_new(struct deliveries *deliveries, const struct due_row *row,
                              struct endpoint *endpoint, struct delivery_tally *tally)
{
    struct delivery *delivery = memory_new(1, sizeof(*delivery));

    delivery->state = DELIVERY_WAITING;
    delivery->endpoint = endpoint;
    delivery->tally = tally;
    tally->known++;
    delivery->lane = row->lane;
    delivery->attempts = row->attempts;
    delivery->payload_bytes = row->payload_bytes;
    delivery->is_erased = row->is_erased;
    text_copy(delivery->id, sizeof(delivery->id), row->id);
    text_copy(delivery->event_id, sizeof(delivery->event_id), row->event_id);
    text_copy(delivery->url_hash, sizeof(delivery->url_hash), row->url_hash);
    text_copy(delivery->due_at, sizeof(delivery->due_at), row->next_retry_at);
    put_payload(deliveries, delivery, row);
    HASH_ADD(by_id, deliveries->by_id, id, (unsigned)strlen(delivery->id), delivery);
    TAILQ_INSERT_TAIL(&deliveries->lists[DELIVERY_WAITING], delivery, in_state);
    deliveries->counts[DELIVERY_WAITING]++;
    deliveries->admitted++;
    return delivery;
}

/* It was begun, and its outcome is not settled yet. */
static bool is_under_way(enum delivery_state state)
{
    return state != DELIVERY_WAITING && state != DELIVERY_FORGOTTEN;
}

void delivery_set_state(struct deliveries *deliveries, struct delivery *delivery,
                        enum delivery_state state)
{
    if ((legal_moves[delivery->state] & MOVE(state)) == 0)
        bug("delivery %s: %s to %s", delivery->id, delivery_state_name(delivery->state),
            delivery_state_name(state));
    TAILQ_REMOVE(&deliveries->lists[delivery->state], delivery, in_state);
    deliveries->counts[delivery->state]--;
    delivery->tally->under_way -= is_under_way(delivery->state);
    delivery->tally->under_way += is_under_way(state);
    delivery->state = state;
    TAILQ_INSERT_TAIL(&deliveries->lists[state], delivery, in_state);
    deliveries->counts[state]++;
    if (state == DELIVERY_FORGOTTEN) {
        delivery->forgotten_at_read = deliveries->newest_read;
        delivery_drop_payload(deliveries, delivery);
    }
}

void delivery_drop(struct deliveries *deliveries, struct delivery *delivery)
{
    delivery->is_dropped = true;
    delivery_set_state(deliveries, delivery, DELIVERY_FORGOTTEN);
}

void delivery_drop_payload(struct deliveries *deliveries, struct delivery *delivery)
{
    if (delivery->body != NULL) {
        event_bodies_release(&deliveries->bodies, delivery->body);
        delivery->body = NULL;
    } else if (delivery->payload != NULL) {
        deliveries->payload_bytes -= (int64_t)delivery->payload_length;
        free(delivery->payload);
    }
    delivery->payload = NULL;
}

static void delivery_free(struct deliveries *deliveries, struct delivery *delivery)
{
    TAILQ_REMOVE(&deliveries->lists[delivery->state], delivery, in_state);
    deliveries->counts[delivery->state]--;
    /* The analyzer does not know that uthash frees its table with the last entry alone. */
    HASH_DELETE(by_id, deliveries->by_id, delivery); /* NOLINT(clang-analyzer-*) */
    delivery->tally->known--;
    delivery_drop_payload(deliveries, delivery);
    span_free(delivery->span);
    free(delivery->error);
    free(delivery->response_body);
    free(delivery);
}

uint64_t deliveries_lanes_under_way(const struct deliveries *deliveries)
{
    uint64_t lanes = 0;

    for (int state = 0; state < DELIVERY_STATES; state++) {
        const struct delivery *delivery;

        if (!is_under_way((enum delivery_state)state))
            continue;
        TAILQ_FOREACH(delivery, &deliveries->lists[state], in_state)
            lanes |= LANE_BIT(delivery->lane);
    }
    return lanes;
}

const struct delivery *deliveries_first_under_way(const struct deliveries *deliveries,
                                                  uint64_t lanes)
{
    const struct delivery *first = NULL;

    for (int state = 0; state < DELIVERY_STATES; state++) {
        const struct delivery *delivery;

        if (!is_under_way((enum delivery_state)state))
            continue;
        TAILQ_FOREACH(delivery, &deliveries->lists[state], in_state)
            if ((lanes & LANE_BIT(delivery->lane)) != 0 &&
                (first == NULL || delivery->started_us < first->started_us))
                first = delivery;
    }
    return first;
}

void deliveries_ask_for(struct deliveries *deliveries, const char *id)
{
    if (deliveries->asked_count < DELIVERIES_ASKED_MAX)
        text_copy(deliveries->asked[deliveries->asked_count++], sizeof(deliveries->asked[0]), id);
}

void deliveries_end_asking(struct deliveries *deliveries, int count)
{
    deliveries->asked_count -= count;
    memmove(deliveries->asked[0], deliveries->asked[count],
            (size_t)deliveries->asked_count * sizeof(deliveries->asked[0]));
}

void delivery_expire(struct deliveries *deliveries, struct delivery *delivery)
{
    if (delivery->state != DELIVERY_FORGOTTEN)
        bug("delivery %s expires while %s", delivery->id, delivery_state_name(delivery->state));
    delivery_free(deliveries, delivery);
}

void deliveries_reap(struct deliveries *deliveries, uint64_t unanswered_read)
{
    struct delivery *delivery = TAILQ_FIRST(&deliveries->lists[DELIVERY_FORGOTTEN]);

    /* The list is in the order of forgetting, so the first that must stay ends it. */
    while (delivery != NULL) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);

        if (unanswered_read != 0 && unanswered_read <= delivery->forgotten_at_read)
            return;
        delivery_free(deliveries, delivery);
        delivery = next;
    }
}

void deliveries_free(struct deliveries *deliveries)
{
    struct delivery *delivery, *next;

    HASH_ITER(by_id, deliveries->by_id, delivery, next)
        delivery_free(deliveries, delivery);
    free(deliveries->asked);
}
