/* SPDX-License-Identifier: MIT */
#include "serve/publish_rates.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/rate_limit.h"
#include "db/tokens.h"

#define BURST_MS 1000

struct publish_rate {
    UT_hash_handle by_name;
    char name[TOKEN_NAME_MAX + 1];
    struct rate_limit limit;
};

struct publish_rates {
    struct publish_rate *by_name;
};

void publish_rates_init(struct serve *serve)
{
    serve->publish_rates = memory_new(1, sizeof(*serve->publish_rates));
}

/* Those that owe nothing, or all. */
static void forget(struct publish_rates *rates, int64_t now_us)
{
    struct publish_rate *rate, *next;

    HASH_ITER(by_name, rates->by_name, rate, next) {
        if (rate_limit_next_us(&rate->limit) > now_us)
            continue;
        /* The analyzer does not know that uthash frees its table with the last entry alone. */
        HASH_DELETE(by_name, rates->by_name, rate); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(rate);
    }
}

void publish_rates_free(struct serve *serve)
{
    forget(serve->publish_rates, INT64_MAX);
    free(serve->publish_rates);
}

static struct publish_rate *find(struct publish_rates *rates, const char *name, int64_t now_us)
{
    struct publish_rate *rate;

    HASH_FIND(by_name, rates->by_name, name, (unsigned)strlen(name), rate);
    if (rate != NULL)
        return rate;
    if (HASH_CNT(by_name, rates->by_name) >= TOKENS_MAX)
        forget(rates, now_us);
    rate = memory_new(1, sizeof(*rate));
    text_copy(rate->name, sizeof(rate->name), name);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
    HASH_ADD(by_name, rates->by_name, name, (unsigned)strlen(rate->name), rate);
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
    rate = find(serve->publish_rates, token->name, now_us);
    rate_limit_set_burst(&rate->limit, token->publish_rate, BURST_MS);
    wait_us = rate_limit_next_us(&rate->limit) - now_us;
    if (wait_us > 0) {
        *ret_wait_s = (long)((wait_us + 999999) / 1000000);
        return false;
    }
    rate_limit_take_many(&rate->limit, (int64_t)events, now_us);
    return true;
}
