/* SPDX-License-Identifier: MIT */
#include "serve/publishing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/idempotency_key.h"
#include "core/token.h"
#include "db/publishing.h"
#include "serve/database.h"

#define GROUP_MAX        200 /* each takes a lock in the server's shared memory */
#define GROUP_EVENTS_MAX 1000
#define GROUP_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define ANSWER_US        15000000 /* then the connection is taken for dead */
#define SCOPED_KEY_SIZE  (TOKEN_NAME_MAX + 1 + IDEMPOTENCY_KEY_MAX + 1)

struct publication {
    STAILQ_ENTRY(publication) entry;
    UT_hash_handle hh;
    char scoped_key[SCOPED_KEY_SIZE]; /* "scope key": a scope has no blank */
    const char *key;                  /* in it */
    char scope[TOKEN_NAME_MAX + 1];
    char fingerprint[65];
    struct event_request request;
    char *body;
    size_t length;
    publishing_done *on_done; /* NULL: nobody waits */
    void *owner;
};

STAILQ_HEAD(publication_list, publication);

struct group {
    STAILQ_ENTRY(group) entry;
    size_t count, events, bytes;
    struct publication *members[GROUP_MAX];
};

STAILQ_HEAD(group_list, group);

/* One link, and what goes over it, one group at a time. */
struct line {
    struct serve *serve;
    struct db_link *link;
    size_t group_max;
    struct publication_list waiting;
    struct group_list halves; /* of groups that were refused; they go first */
    struct group *sent;       /* NULL: none is on its way */
    int64_t sent_us;
};

struct publishing {
    struct line shared, ordered;
    struct publication *in_progress; /* by scoped_key */
    struct publishing_batch batch;
    struct publishing_totals totals;
};

static void line_init(struct line *line, struct serve *serve, struct db_link *link,
                      size_t group_max)
{
    *line = (struct line){.serve = serve, .link = link, .group_max = group_max};
    STAILQ_INIT(&line->waiting);
    STAILQ_INIT(&line->halves);
}

void publishing_init(struct serve *serve)
{
    struct publishing *publishing = memory_new(1, sizeof(*publishing));

    line_init(&publishing->shared, serve, serve->publishing_link, GROUP_MAX);
    line_init(&publishing->ordered, serve, serve->ordered_link, 1);
    publishing_batch_init(&publishing->batch);
    serve->publishing = publishing;
}

size_t publishing_unanswered(const struct serve *serve)
{
    return HASH_COUNT(serve->publishing->in_progress);
}

struct publishing_totals publishing_totals(const struct serve *serve)
{
    return serve->publishing->totals;
}

/* --- the end of a request --- */

static void count(struct publishing_totals *totals, const struct publication *publication,
                  const struct publishing_result *result)
{
    totals->requests++;
    if (result->is_replayed)
        totals->replayed++;
    else if (result->status == 201)
        totals->events += publication->request.count;
    else
        totals->refused++;
}

static void publication_free(struct publication *publication)
{
    event_request_free(&publication->request);
    free(publication->body);
    free(publication);
}

static void finish(struct serve *serve, struct publication *publication,
                   const struct publishing_result *result)
{
    count(&serve->publishing->totals, publication, result);
    HASH_DEL(serve->publishing->in_progress, publication);
    if (publication->on_done != NULL)
        publication->on_done(publication->owner, result);
    publication_free(publication);
}

static void finish_group(struct serve *serve, struct group *group,
                         const struct publishing_result *result)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i] != NULL)
            finish(serve, group->members[i], result);
    free(group);
}

static const struct publishing_result database_is_away = {
    .status = 503,
    .detail = "the database is away; nothing was published: send it again with the same key",
    .is_passing = true,
};

static const struct publishing_result answer_was_lost = {
    .status = 503,
    .detail = "the database's answer was lost, so it may be published or not: send it again with "
              "the same key, which publishes it once",
    .is_passing = true,
};

static const struct publishing_result not_now = {
    .status = 503,
    .detail = "the database refuses it at present; nothing was published: send it again with the "
              "same key",
    .is_passing = true,
};

static const struct publishing_result erased = {
    .status = 410,
    .detail = "what was published with this Idempotency-Key, or some of it, has been erased",
    .is_replayed = true,
};

static const struct publishing_result in_progress = {
    .status = 409,
    .detail = "a request with this Idempotency-Key is in progress",
    .is_passing = true,
};

static const struct publishing_result other_content = {
    .status = 422,
    .detail = "this Idempotency-Key was used for a request with another body",
};

/* --- what the database says --- */

static void finish_row(struct line *line, struct publication *publication,
                       const struct publishing_row *row)
{
    char detail[128];
    struct publishing_result unknown = {.status = 422, .detail = detail};
    struct publishing_result answered = {
        .status = row->status,
        .body = row->body,
        .is_replayed = row->verdict == PUBLISHING_STORED,
    };

    switch (row->verdict) {
    case PUBLISHING_PUBLISHED:
    case PUBLISHING_STORED:
        /* "postrider erase" empties what was kept: db/erasure.h. */
        finish(line->serve, publication, row->status == erased.status ? &erased : &answered);
        break;
    case PUBLISHING_OTHER_CONTENT:
        finish(line->serve, publication, &other_content);
        break;
    case PUBLISHING_IN_PROGRESS:
        finish(line->serve, publication, &in_progress);
        break;
    case PUBLISHING_UNKNOWN_CUSTOMER:
        snprintf(detail, sizeof(detail), "there is no customer %s", row->body);
        finish(line->serve, publication, &unknown);
        break;
    }
}

static void take_rows(struct line *line, struct group *group, const struct db_answer *answer)
{
    for (int i = 0; i < publishing_count(answer); i++) {
        struct publishing_row row = publishing_row_at(answer, i);
        struct publication *publication;

        if (row.request < 0 || (size_t)row.request >= group->count ||
            group->members[row.request] == NULL)
            bug("an answer to request %d of %zu", row.request, group->count);
        publication = group->members[row.request];
        group->members[row.request] = NULL;
        finish_row(line, publication, &row);
    }
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i] != NULL)
            bug("request %zu of %zu has no answer", i, group->count);
    free(group);
}

static bool is_of_class(const struct db_answer *answer, const char *class)
{
    return strncmp(answer->sqlstate, class, 2) == 0;
}

/* What the request itself says: of the data, of an integrity, or of a limit. */
static bool is_of_content(const struct db_answer *answer)
{
    return is_of_class(answer, "22") || is_of_class(answer, "23") || is_of_class(answer, "54");
}

/* Worth finding out whose fault it was: its content, or a row that somebody holds. */
static bool is_of_one(const struct db_answer *answer)
{
    return is_of_content(answer) || is_of_class(answer, "40") || is_of_class(answer, "55");
}

static void group_add(struct group *group, struct publication *publication)
{
    group->members[group->count++] = publication;
    group->events += publication->request.count;
    group->bytes += publication->length;
}

/* In their order, and before what has come since. */
static void halve(struct line *line, struct group *group)
{
    struct group *first = memory_new(1, sizeof(*first));
    struct group *second = memory_new(1, sizeof(*second));

    for (size_t i = 0; i < group->count; i++)
        group_add(i < group->count / 2 ? first : second, group->members[i]);
    STAILQ_INSERT_HEAD(&line->halves, second, entry);
    STAILQ_INSERT_HEAD(&line->halves, first, entry);
    free(group);
}

static void refuse_group(struct line *line, struct group *group, const struct db_answer *answer)
{
    struct publishing_result refused = {.status = 422, .detail = answer->message};

    if (group->count > 1 && is_of_one(answer)) {
        halve(line, group);
        return;
    }
    if (is_of_content(answer)) {
        finish_group(line->serve, group, &refused);
        return;
    }
    if (!is_of_one(answer))
        database_log_refusal(line->serve, "events can't be published", answer);
    finish_group(line->serve, group, &not_now);
}

static void on_answered(void *owner, const struct db_answer *answer)
{
    struct line *line = owner;
    struct group *group = line->sent;

    line->sent = NULL;
    switch (answer->result) {
    case DB_ANSWERED:
        take_rows(line, group, answer);
        break;
    case DB_REFUSED:
        refuse_group(line, group, answer);
        break;
    case DB_LOST:
        finish_group(line->serve, group, &answer_was_lost);
        break;
    }
}

/* --- what is sent --- */

static bool has_room(const struct line *line, const struct group *group,
                     const struct publication *publication)
{
    return group->count == 0 || (group->count < line->group_max &&
                                 group->events + publication->request.count <= GROUP_EVENTS_MAX &&
                                 group->bytes + publication->length <= GROUP_BYTES_MAX);
}

static struct group *take_group(struct line *line)
{
    struct group *group = STAILQ_FIRST(&line->halves);
    struct publication *publication;

    if (group != NULL) {
        STAILQ_REMOVE_HEAD(&line->halves, entry);
        return group;
    }
    group = memory_new(1, sizeof(*group));
    while ((publication = STAILQ_FIRST(&line->waiting)) != NULL &&
           has_room(line, group, publication)) {
        STAILQ_REMOVE_HEAD(&line->waiting, entry);
        group_add(group, publication);
    }
    return group;
}

static void fill_batch(struct publishing_batch *batch, const struct group *group)
{
    publishing_batch_begin(batch);
    for (size_t i = 0; i < group->count; i++) {
        const struct publication *publication = group->members[i];
        struct publishing_request request = {publication->scope, publication->key,
                                             publication->fingerprint,
                                             publication->request.is_array};

        publishing_batch_add(batch, &request);
        for (size_t e = 0; e < publication->request.count; e++)
            publishing_batch_add_event(batch, publication->request.events[e].at,
                                       publication->request.events[e].length);
    }
}

static bool has_something(const struct line *line)
{
    return !STAILQ_EMPTY(&line->halves) || !STAILQ_EMPTY(&line->waiting);
}

static void send_group(struct line *line)
{
    struct publishing_batch *batch = &line->serve->publishing->batch;
    struct group *group = take_group(line);

    fill_batch(batch, group);
    line->sent = group;
    line->sent_us = line->serve->now_us;
    if (publishing_send(line->link, batch, on_answered, line))
        return;
    line->sent = NULL;
    finish_group(line->serve, group, &database_is_away);
}

/* Nothing of these was sent. */
static void fail_waiting(struct line *line)
{
    struct publication *publication;
    struct group *group;

    while ((group = STAILQ_FIRST(&line->halves)) != NULL) {
        STAILQ_REMOVE_HEAD(&line->halves, entry);
        finish_group(line->serve, group, &database_is_away);
    }
    while ((publication = STAILQ_FIRST(&line->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&line->waiting, entry);
        finish(line->serve, publication, &database_is_away);
    }
}

static void line_step(struct line *line)
{
    if (line->sent != NULL && line->serve->now_us - line->sent_us >= ANSWER_US)
        db_link_reset(line->link, "no answer to a transaction that publishes within 15 s");
    if (line->sent != NULL || !has_something(line))
        return;
    if (database_is_ready(line->serve))
        send_group(line);
    else
        fail_waiting(line);
}

void publishing_step(struct serve *serve)
{
    line_step(&serve->publishing->shared);
    line_step(&serve->publishing->ordered);
}

static int64_t line_next_us(const struct line *line)
{
    if (line->sent != NULL)
        return line->sent_us + ANSWER_US;
    return has_something(line) ? 0 : SERVE_NEVER;
}

int64_t publishing_next_us(const struct serve *serve)
{
    int64_t shared_us = line_next_us(&serve->publishing->shared);
    int64_t ordered_us = line_next_us(&serve->publishing->ordered);

    return shared_us < ordered_us ? shared_us : ordered_us;
}

/* --- what comes in --- */

static struct publication *publication_new(struct submission *submission, publishing_done *on_done,
                                           void *owner)
{
    struct publication *publication = memory_new(1, sizeof(*publication));

    snprintf(publication->scope, sizeof(publication->scope), "%s", submission->scope);
    snprintf(publication->fingerprint, sizeof(publication->fingerprint), "%s",
             submission->fingerprint);
    publication->request = *submission->request;
    publication->length = submission->body->length;
    publication->body = buffer_take(submission->body);
    submission->request->events = NULL;
    publication->on_done = on_done;
    publication->owner = owner;
    return publication;
}

struct publication *publishing_submit(struct serve *serve, struct submission *submission,
                                      publishing_done *on_done, void *owner)
{
    struct publishing *publishing = serve->publishing;
    struct line *line =
        submission->request->is_ordered ? &publishing->ordered : &publishing->shared;
    char scoped_key[SCOPED_KEY_SIZE];
    struct publication *publication;

    snprintf(scoped_key, sizeof(scoped_key), "%s %s", submission->scope, submission->key);
    HASH_FIND_STR(publishing->in_progress, scoped_key, publication);
    if (publication != NULL || !database_is_ready(serve)) {
        publishing->totals.requests++;
        publishing->totals.refused++;
        on_done(owner, publication != NULL ? &in_progress : &database_is_away);
        return NULL;
    }
    publication = publication_new(submission, on_done, owner);
    memcpy(publication->scoped_key, scoped_key, sizeof(scoped_key));
    publication->key = publication->scoped_key + strlen(publication->scope) + 1;
    HASH_ADD_STR(publishing->in_progress, scoped_key, publication);
    STAILQ_INSERT_TAIL(&line->waiting, publication, entry);
    return publication;
}

void publishing_forget(void *publication)
{
    ((struct publication *)publication)->on_done = NULL;
}

void publishing_free(struct serve *serve)
{
    struct publishing *publishing = serve->publishing;

    fail_waiting(&publishing->shared);
    fail_waiting(&publishing->ordered);
    publishing_batch_free(&publishing->batch);
    free(publishing);
}
