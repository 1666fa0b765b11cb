/* SPDX-License-Identifier: MIT */
#include "serve/metrics_api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/api.h"
#include "serve/database.h"

#define TEXT "text/plain; version=0.0.4; charset=utf-8"

struct waiter {
    TAILQ_ENTRY(waiter) entry;
    struct metrics *metrics;
    struct client *client;
};

struct metrics {
    char *text; /* NULL: nothing was asked yet */
    int64_t at_us;
    bool is_asked;
    TAILQ_HEAD(, waiter) waiting;
};

void metrics_init(struct serve *serve)
{
    serve->metrics = memory_new(1, sizeof(*serve->metrics));
    TAILQ_INIT(&serve->metrics->waiting);
}

void metrics_free(struct serve *serve)
{
    free(serve->metrics->text);
    free(serve->metrics);
}

static void answer_text(struct client *client, int status, const char *text)
{
    const struct answer answer = {
        .status = status, .headers = "", .body = text, .type = TEXT, .length = strlen(text)};

    client_answer(client, &answer);
}

static void leave(struct waiter *waiter)
{
    TAILQ_REMOVE(&waiter->metrics->waiting, waiter, entry);
    free(waiter);
}

static void on_gone(void *work)
{
    leave(work);
}

static void on_answered(void *owner, const struct question_result *result)
{
    struct metrics *metrics = owner;
    struct waiter *waiter;

    metrics->is_asked = false;
    if (result->status == 200) {
        free(metrics->text);
        metrics->text = memory_copy_string(PQgetvalue(result->rows, 0, 0));
        metrics->at_us = clock_monotonic_us();
    }
    while ((waiter = TAILQ_FIRST(&metrics->waiting)) != NULL) {
        struct client *client = waiter->client; /* NOLINT(clang-analyzer-unix.Malloc) */

        leave(waiter);
        if (result->status == 200)
            answer_text(client, 200, metrics->text);
        else
            api_refuse(client, result);
    }
}

static void wait_for_answer(struct metrics *metrics, struct client *client)
{
    struct waiter *waiter = memory_new(1, sizeof(*waiter));

    waiter->metrics = metrics;
    waiter->client = client;
    TAILQ_INSERT_TAIL(&metrics->waiting, waiter, entry);
    client_set_work(client, waiter, on_gone);
}

void metrics_api_show(struct call *call)
{
    struct metrics *metrics = call->serve->metrics;
    const struct question question = {.text = "metrics"};

    if (metrics->text != NULL && clock_monotonic_us() - metrics->at_us < METRICS_KEPT_US) {
        answer_text(call->client, 200, metrics->text);
        return;
    }
    wait_for_answer(metrics, call->client);
    if (metrics->is_asked)
        return;
    metrics->is_asked = true;
    /* It is everybody's: it goes on when the client that came first goes. */
    (void)questions_ask(call->serve, &question, on_answered, metrics);
}

void metrics_api_alive(struct call *call)
{
    answer_text(call->client, 200, "ok\n");
}

void metrics_api_ready(struct call *call)
{
    if (database_is_ready(call->serve))
        answer_text(call->client, 200, "ready\n");
    else
        answer_text(call->client, 503,
                    "the database can't be reached, or lacks something: the log says what\n");
}
