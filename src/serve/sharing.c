/* SPDX-License-Identifier: MIT */
#include "serve/sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "serve/api.h"

#define TARGET_MAX 8192
#define AGE_SIZE   32

/* A client that waits for an answer. */
struct asker {
    TAILQ_ENTRY(asker) entry;
    struct client *client;
    struct shared *of;
};

struct shared {
    char *target; /* NULL: the place is free */
    char *body;   /* NULL: there is none */
    int64_t made_us;
    bool is_asked;
    TAILQ_HEAD(, asker) askers;
    struct serve *serve;
};

struct sharing {
    struct shared answers[SHARING_ANSWERS];
};

void sharing_init(struct serve *serve)
{
    serve->sharing = memory_new(1, sizeof(*serve->sharing));
    for (int i = 0; i < SHARING_ANSWERS; i++) {
        serve->sharing->answers[i].serve = serve;
        TAILQ_INIT(&serve->sharing->answers[i].askers);
    }
}

static void empty(struct shared *shared)
{
    free(shared->target);
    free(shared->body);
    shared->target = shared->body = NULL;
}

void sharing_free(struct serve *serve)
{
    for (int i = 0; i < SHARING_ANSWERS; i++)
        empty(&serve->sharing->answers[i]);
    free(serve->sharing);
}

/* How old an answer may be, in seconds; 0: it is to be of now. */
static int64_t accepted_s(const struct served_head *head)
{
    static const char name[] = "max-age=";
    struct slice value;
    const char *found;
    int64_t seconds = 0;

    if (!served_head_find(head, "cache-control", &value) || value.at == NULL ||
        served_head_has_word(head, "cache-control", "no-cache"))
        return 0;
    found = memmem(value.at, value.length, name, strlen(name));
    if (found == NULL)
        return 0;
    for (found += strlen(name); found < value.at + value.length && *found >= '0' && *found <= '9';
         found++) {
        seconds = seconds * 10 + (*found - '0');
        if (seconds > SHARING_AGE_MAX_S)
            return SHARING_AGE_MAX_S;
    }
    return seconds;
}

static char *target_of(const struct served_head *head)
{
    struct buffer target;

    buffer_init(&target, TARGET_MAX + 2);
    buffer_append(&target, head->path.at, head->path.length);
    buffer_append_string(&target, "?");
    if (head->query.at != NULL)
        buffer_append(&target, head->query.at, head->query.length);
    return buffer_take(&target);
}

/* Its place; or an empty one, or that of the oldest answer, for it. NULL: all are under way. */
static struct shared *place_of(struct sharing *sharing, const char *target)
{
    struct shared *oldest = NULL;

    for (int i = 0; i < SHARING_ANSWERS; i++) {
        struct shared *shared = &sharing->answers[i];

        if (shared->target != NULL && strcmp(shared->target, target) == 0)
            return shared;
        if (!shared->is_asked && (oldest == NULL || shared->made_us < oldest->made_us))
            oldest = shared;
    }
    if (oldest != NULL) {
        empty(oldest);
        oldest->target = memory_copy_string(target);
        oldest->made_us = 0;
    }
    return oldest;
}

/* The client has gone; the question goes on for the others. */
static void forget(void *work)
{
    struct asker *asker = work;

    TAILQ_REMOVE(&asker->of->askers, asker, entry);
    free(asker);
}

static void keep(struct shared *shared, const struct question_result *result)
{
    const char *body =
        result->status == 200 && PQntuples(result->rows) > 0 && !PQgetisnull(result->rows, 0, 0)
            ? PQgetvalue(result->rows, 0, 0)
            : NULL;

    free(shared->body);
    shared->body =
        body != NULL && strlen(body) <= SHARING_BODY_MAX ? memory_copy_string(body) : NULL;
    shared->made_us = shared->serve->now_us;
}

static void on_answered(void *owner, const struct question_result *result)
{
    struct shared *shared = owner;
    struct asker *asker;

    shared->is_asked = false;
    keep(shared, result);
    while ((asker = TAILQ_FIRST(&shared->askers)) != NULL) {
        /* The analyzer does not see that forget() has taken the last one out. */
        struct client *client = asker->client; /* NOLINT(clang-analyzer-unix.Malloc) */

        forget(asker);
        client_set_work(client, NULL, NULL);
        api_on_answered(client, result);
    }
}

static void wait_for(struct shared *shared, struct client *client)
{
    struct asker *asker = memory_new(1, sizeof(*asker));

    asker->client = client;
    asker->of = shared;
    TAILQ_INSERT_TAIL(&shared->askers, asker, entry);
    client_set_work(client, asker, forget);
}

static void answer_from(const struct shared *shared, struct client *client)
{
    char age[AGE_SIZE];

    snprintf(age, sizeof(age), "Age: %lld\r\n",
             (long long)((shared->serve->now_us - shared->made_us) / 1000000));
    api_answer_with(client, shared->body, age);
}

static void ask_shared(struct call *call, struct shared *shared)
{
    struct question question = api_question(call, call->route->text);
    bool is_asked = shared->is_asked;

    wait_for(shared, call->client);
    if (is_asked)
        return;
    shared->is_asked = true;
    /* It is nobody's alone, so nobody who goes takes it along. */
    questions_ask(call->serve, &question, on_answered, shared);
}

void sharing_ask(struct call *call)
{
    const struct served_head *head = &client_request(call->client)->head;
    bool is_of_customer = call->token != NULL && call->token->customer[0] != '\0';
    int64_t accepted_us = accepted_s(head) * 1000000;
    struct shared *shared;
    char *target;

    if (is_of_customer || accepted_us == 0) {
        api_ask(call);
        return;
    }
    target = target_of(head);
    shared = place_of(call->serve->sharing, target);
    free(target);
    if (shared == NULL)
        api_ask(call);
    else if (shared->body != NULL && call->serve->now_us - shared->made_us <= accepted_us)
        answer_from(shared, call->client);
    else
        ask_shared(call, shared);
}
