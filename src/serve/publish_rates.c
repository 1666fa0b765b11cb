/* SPDX-License-Identifier: MIT */
#include "serve/publish_rates.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/rate_limit.h"
#include "db/tokens.h"

#define BURST_MS  1000
#define RATES_MAX ((size_t)2 * TOKENS_MAX)

struct publish_rate {
    char id[37]; /* the token's, which a rotation keeps */
    struct rate_limit limit;
};

/* In the order of their ids. */
struct publish_rates {
    struct publish_rate *list;
    size_t count;
};

void publish_rates_init(struct serve *serve)
{
    serve->publish_rates = memory_new(1, sizeof(*serve->publish_rates));
}

void publish_rates_free(struct serve *serve)
{
    free(serve->publish_rates->list);
    free(serve->publish_rates);
}

/* The place of an id, or the one that it would have. */
static size_t find_place(const struct publish_rates *rates, const char *id)
{
    size_t first = 0, end = rates->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (strcmp(rates->list[middle].id, id) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* Of tokens that were ever used there may be more than are valid: then all begin anew. */
static struct publish_rate *find(struct publish_rates *rates, const char *id)
{
    size_t place = find_place(rates, id);
    struct publish_rate *rate;

    if (place < rates->count && strcmp(rates->list[place].id, id) == 0)
        return &rates->list[place];
    if (rates->count == RATES_MAX)
        rates->count = place = 0;
    rates->list = memory_resize(rates->list, rates->count + 1, sizeof(*rates->list));
    rate = &rates->list[place];
    memmove(rate + 1, rate, (rates->count - place) * sizeof(*rate));
    rates->count++;
    *rate = (struct publish_rate){.limit = {.per_s = 0}};
    text_copy(rate->id, sizeof(rate->id), id);
    return rate;
}

bool publish_rates_take(struct serve *serve, const struct token *token, size_t events,
                        long *ret_wait_s)
{
    int64_t now_us = clock_monotonic_us();
    struct publish_rate *rate;
    int64_t wait_us;

    if (token->publish_rate <= 0)
        return true;
    rate = find(serve->publish_rates, token->id);
    rate_limit_set_burst(&rate->limit, token->publish_rate, BURST_MS);
    wait_us = rate_limit_next_us(&rate->limit) - now_us;
    if (wait_us > 0) {
        *ret_wait_s = (long)((wait_us + 999999) / 1000000);
        return false;
    }
    rate_limit_take_many(&rate->limit, (int64_t)events, now_us);
    return true;
}
