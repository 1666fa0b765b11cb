/* SPDX-License-Identifier: MIT */
#include "serve/keeping.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/feeds.h"
#include "db/publishing.h"
#include "serve/database.h"

#define BUSY_PAUSE_US 200000 /* while there is more */
#define IDLE_PAUSE_US 10000000
#define MARK_PAUSE_US 5000000 /* so late behind the hour may its mark be */

struct keeping {
    bool is_asking, is_marking;
    int64_t next_us, mark_us;
};

void keeping_init(struct serve *serve)
{
    serve->keeping = memory_new(1, sizeof(*serve->keeping));
}

void keeping_free(struct serve *serve)
{
    free(serve->keeping);
}

static void on_answered(void *owner, const struct db_answer *answer)
{
    struct serve *serve = owner;
    bool is_full = answer->result == DB_ANSWERED &&
                   strtol(PQcmdTuples(answer->results[0]), NULL, 10) >= PUBLISHING_KEYS_BATCH;

    serve->keeping->is_asking = false;
    serve->keeping->next_us = serve->now_us + (is_full ? BUSY_PAUSE_US : IDLE_PAUSE_US);
    if (answer->result == DB_REFUSED)
        database_log_refusal(serve, "old idempotency keys can't be deleted", answer);
}

static void on_marked(void *owner, const struct db_answer *answer)
{
    struct serve *serve = owner;

    serve->keeping->is_marking = false;
    serve->keeping->mark_us = serve->now_us + MARK_PAUSE_US;
    if (answer->result == DB_REFUSED)
        database_log_refusal(serve, "the hours of feeds can't be marked", answer);
}

static void mark_step(struct serve *serve)
{
    struct keeping *keeping = serve->keeping;

    if (keeping->is_marking || serve->now_us < keeping->mark_us || !database_is_ready(serve))
        return;
    keeping->is_marking = feeds_send_mark(serve->reading_link, on_marked, serve);
}

void keeping_step(struct serve *serve)
{
    struct keeping *keeping = serve->keeping;

    mark_step(serve);
    if (keeping->is_asking || serve->now_us < keeping->next_us || !database_is_ready(serve))
        return;
    keeping->is_asking = publishing_send_expiry(
        serve->reading_link, serve->config->retention.idempotency_keys_ms, on_answered, serve);
}

int64_t keeping_next_us(const struct serve *serve)
{
    const struct keeping *keeping = serve->keeping;
    int64_t next_us = keeping->is_asking ? SERVE_NEVER : keeping->next_us;

    if (!database_is_ready(serve))
        return SERVE_NEVER;
    return keeping->is_marking || next_us < keeping->mark_us ? next_us : keeping->mark_us;
}
