/* SPDX-License-Identifier: MIT */
#include "serve/questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/advice.h"
#include "db/link.h"
#include "db/queries.h"
#include "serve/database.h"

#define WAIT_US     5000000  /* for a free link */
#define ANSWER_US   20000000 /* then the connection is taken for dead */
#define READ_MS     "2000"   /* of a statement; the details below say it */
#define CHANGE_MS   "10000"  /* an endpoint's pending deliveries follow it to another URL */
#define DETAIL_SIZE 512

/* SQL reads better by its clauses. */
/* clang-format off */

/* Of each transaction. Its plan is made for its values: filters that are not given fall out of it. A
 * worker goes by the order of an index; here a filter that finds few is better, and then a sort. */
#define SQL_BEGIN                                                                                  \
    "SELECT CASE WHEN $1 = 'on' THEN set_config('transaction_read_only', 'on', true) END,"         \
    " set_config('enable_bitmapscan', $2, true),"                                                  \
    " set_config('statement_timeout', $3, true), set_config('lock_timeout', '500', true),"     \
    " set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_sort', 'on', true)"

static const char sql_begin[] = SQL_BEGIN;

/* In this order: a role that may do nothing but read its views can't change whose they are. A view
 * is planned as if all of it were wanted, for which a table would be read through where one customer
 * has much of it; its pages come by an index. */
static const char sql_begin_customer[] =
    SQL_BEGIN ", set_config('enable_seqscan', 'off', true),"
              " set_config('postrider.customer', $4, true), set_config('role', $5, true)";

/* clang-format on */

struct question_work {
    TAILQ_ENTRY(question_work) entry;
    struct serve *serve;
    const char *text;
    bool is_change, has_range;
    char token_name[TOKEN_NAME_MAX + 1]; /* "": none */
    char customer[37];                   /* "": every customer's */
    int count;
    char *values[QUESTION_VALUES_MAX];
    int64_t asked_us, sent_us;
    question_answered *on_answered; /* NULL: nobody waits */
    void *owner;
};

TAILQ_HEAD(question_list, question_work);

struct line {
    struct db_link *link;
    struct question_work *sent; /* NULL: it is free */
};

struct questions {
    struct line lines[QUESTION_LINKS];
    struct question_list waiting;
};

static void on_link_up(void *owner)
{
    (void)owner;
}

static void on_link_down(void *owner, const char *reason)
{
    struct db_answer answer = {.result = DB_REFUSED, .message = reason, .sqlstate = ""};

    database_log_refusal(owner, "a link for questions of the API is down", &answer);
}

void questions_init(struct serve *serve)
{
    struct questions *questions = memory_new(1, sizeof(*questions));
    const struct config *config = serve->config;
    struct db_link_events events = {.on_up = on_link_up, .on_down = on_link_down, .owner = serve};

    TAILQ_INIT(&questions->waiting);
    for (int i = 0; i < QUESTION_LINKS; i++) {
        questions->lines[i].link =
            db_link_new(serve->loop.base, config->database.url, config->database.schema, &events);
        db_link_refuse_hidden(questions->lines[i].link);
    }
    serve->questions = questions;
}

/* --- the end of a question --- */

static void question_free(struct question_work *work)
{
    for (int i = 0; i < work->count; i++)
        free(work->values[i]);
    free(work);
}

static void finish(struct question_work *work, const struct question_result *result)
{
    question_answered *on_answered = work->on_answered;

    work->on_answered = NULL;
    if (on_answered != NULL)
        on_answered(work->owner, result);
    question_free(work);
}

static const struct question_result is_away = {
    .status = 503, .detail = "the database is away", .is_passing = true};

static const struct question_result is_busy = {
    .status = 503,
    .detail = "too much is being asked at present; nothing was done",
    .is_passing = true,
};

static const struct question_result was_lost[] = {
    {.status = 503, .detail = "the database's answer was lost; ask again", .is_passing = true},
    {.status = 503,
     .detail = "the database's answer was lost, so the change was made or not: look before you ask "
               "for it again",
     .is_passing = true},
};

static const struct question_result is_refused = {
    .status = 503, .detail = "the database refuses it at present", .is_passing = true};

static const struct question_result is_read_only = {
    .status = 503,
    .detail = "the database is read-only at present; nothing was done",
    .is_passing = true};

static const struct question_result is_locked = {
    .status = 503, .detail = "somebody else holds what it is about; try again", .is_passing = true};

static const struct question_result takes_too_long[] = {
    {.status = 503,
     .detail = "this takes longer than 2 s to find: narrow it, by since and until or by what else "
               "this list can be filtered by"},
    {.status = 503,
     .detail = "this takes longer than 10 s, and was not done: there is much that follows from it, "
               "so have the operator do it with SQL"},
};

static const struct question_result is_protected = {
    .status = 403,
    .detail = "this endpoint is the operator's: it has allow, client_certificate or all_customers",
};

static const struct question_result is_another_customers = {
    .status = 403, .detail = "this is another customer's than the token's"};

static const struct question_result is_there_already = {
    .status = 409, .detail = "there is an endpoint of this customer with this URL already"};

static const struct question_result is_unknown_customer = {
    .status = 422, .detail = "there is no customer of this customer_id"};

/* --- what the database says --- */

static const char *customers_role(const struct serve *serve)
{
    return serve->config->http.customers_role;
}

static bool is_state(const struct db_answer *answer, const char *state)
{
    return strcmp(answer->sqlstate, state) == 0;
}

static bool is_class(const struct db_answer *answer, const char *class)
{
    return strncmp(answer->sqlstate, class, 2) == 0;
}

/* webhook_endpoints_protected() in migrations/0020_serve.sql, whose words are not translated. */
static bool is_of_protected(const struct db_answer *answer)
{
    return is_state(answer, "42501") &&
           strstr(answer->message, "it has allow, client_certificate or all_customers") != NULL;
}

/* Without the role, or as no member of it, or where it reaches no view: what is missing is the
 * operator's to give, and our own role is never taken instead. */
static void refuse_role(struct question_work *work, const struct db_answer *answer)
{
    char detail[DETAIL_SIZE];
    struct question_result refused = {.status = 503, .detail = detail};
    struct db_answer told = *answer;

    told.sqlstate = ""; /* what is missing is none of serve's own privileges */
    snprintf(
        detail, sizeof(detail),
        "what a customer's token asks runs as the role \"%s\", which can't be used: the operator "
        "grants it with \"postrider migrate --grant-customers %s\"",
        customers_role(work->serve), customers_role(work->serve));
    database_log_refusal(work->serve,
                         "customers' tokens are refused: the role of http.customers_role can't be "
                         "used, which the tables' owner grants with \"postrider migrate "
                         "--grant-customers ROLE\"",
                         &told);
    finish(work, &refused);
}

static bool is_of_role(const struct question_work *work, const struct db_answer *answer)
{
    return work->customer[0] != '\0' && !answer->is_hidden &&
           (is_class(answer, "42") ||
            (is_state(answer, "22023") &&
             strstr(answer->message, customers_role(work->serve)) != NULL));
}

/* What the client's values say, which our own checks have let through. */
static bool is_of_values(const struct question_work *work, const struct db_answer *answer)
{
    return work->is_change &&
           (is_class(answer, "22") || is_class(answer, "23") || is_class(answer, "54"));
}

static void refuse(struct question_work *work, const struct db_answer *answer)
{
    struct question_result refused = {.status = 422, .detail = answer->message};

    if (is_state(answer, "57014")) {
        finish(work, &takes_too_long[work->is_change]);
    } else if (is_of_protected(answer)) {
        finish(work, &is_protected);
    } else if (is_of_role(work, answer)) {
        refuse_role(work, answer);
    } else if (is_state(answer, "44000")) {
        finish(work, &is_another_customers);
    } else if (is_state(answer, "23505")) {
        finish(work, &is_there_already);
    } else if (is_state(answer, "23503")) {
        finish(work, &is_unknown_customer);
    } else if (is_of_values(work, answer)) {
        finish(work, &refused);
    } else if (is_class(answer, "40") || is_class(answer, "55")) {
        finish(work, &is_locked);
    } else {
        database_log_refusal(work->serve, "a question of the API is refused", answer);
        finish(work, is_state(answer, SQLSTATE_READ_ONLY) ? &is_read_only : &is_refused);
    }
}

static void on_answered(void *owner, const struct db_answer *answer)
{
    struct line *line = owner;
    struct question_work *work = line->sent;
    struct question_result good = {.status = 200};

    line->sent = NULL;
    switch (answer->result) {
    case DB_ANSWERED:
        good.rows = answer->results[answer->count - 1];
        finish(work, &good);
        break;
    case DB_REFUSED:
        refuse(work, answer);
        break;
    case DB_LOST:
        finish(work, &was_lost[work->is_change]);
        break;
    }
}

/* --- what is sent --- */

static bool send_question(struct line *line, struct question_work *work)
{
    bool is_of_customer = work->customer[0] != '\0';
    struct db_statement statements[2] = {
        {is_of_customer ? sql_begin_customer : sql_begin,
         is_of_customer ? 5 : 3,
         {work->is_change ? "off" : "on", work->has_range ? "on" : "off",
          work->is_change ? CHANGE_MS : READ_MS, work->customer, customers_role(work->serve)}},
        {query_text(work->text, is_of_customer), work->count, {NULL}}};

    for (int i = 0; i < work->count; i++)
        statements[1].values[i] = work->values[i];
    line->sent = work;
    work->sent_us = work->serve->now_us;
    if (db_link_send(line->link, statements, 2, on_answered, line))
        return true;
    line->sent = NULL;
    return false;
}

/* How many links a token uses. Those without one are one client. */
static int count_sent(const struct questions *questions, const struct question_work *work)
{
    int count = 0;

    for (int i = 0; i < QUESTION_LINKS; i++)
        if (questions->lines[i].sent != NULL &&
            strcmp(questions->lines[i].sent->token_name, work->token_name) == 0)
            count++;
    return count;
}

static struct question_work *take_next(struct questions *questions)
{
    struct question_work *work;

    TAILQ_FOREACH(work, &questions->waiting, entry)
        if (count_sent(questions, work) < QUESTION_LINKS - 1)
            break;
    if (work != NULL)
        TAILQ_REMOVE(&questions->waiting, work, entry);
    return work;
}

static bool is_up(const struct serve *serve)
{
    for (int i = 0; i < QUESTION_LINKS; i++)
        if (db_link_is_up(serve->questions->lines[i].link))
            return database_is_ready(serve);
    return false;
}

static void fail_late(struct serve *serve)
{
    struct questions *questions = serve->questions;
    struct question_work *work;

    while ((work = TAILQ_FIRST(&questions->waiting)) != NULL &&
           (!is_up(serve) || serve->now_us - work->asked_us >= WAIT_US)) {
        TAILQ_REMOVE(&questions->waiting, work, entry);
        finish(work, is_up(serve) ? &is_busy : &is_away);
    }
}

static void line_step(struct serve *serve, struct line *line)
{
    struct question_work *work;

    if (line->sent != NULL && serve->now_us - line->sent->sent_us >= ANSWER_US)
        db_link_reset(line->link, "no answer to a question within 20 s");
    if (line->sent != NULL || !db_link_is_up(line->link) || !database_is_ready(serve))
        return;
    work = take_next(serve->questions);
    if (work != NULL && !send_question(line, work))
        finish(work, &is_away);
}

void questions_collect(struct serve *serve)
{
    for (int i = 0; i < QUESTION_LINKS; i++)
        db_link_collect(serve->questions->lines[i].link);
}

void questions_step(struct serve *serve)
{
    fail_late(serve);
    for (int i = 0; i < QUESTION_LINKS; i++)
        line_step(serve, &serve->questions->lines[i]);
}

int64_t questions_next_us(const struct serve *serve)
{
    const struct questions *questions = serve->questions;
    const struct question_work *first = TAILQ_FIRST(&questions->waiting);
    int64_t next_us = first != NULL ? first->asked_us + WAIT_US : SERVE_NEVER;

    for (int i = 0; i < QUESTION_LINKS; i++) {
        const struct line *line = &questions->lines[i];

        if (line->sent != NULL && line->sent->sent_us + ANSWER_US < next_us)
            next_us = line->sent->sent_us + ANSWER_US;
    }
    return next_us;
}

/* --- what comes in --- */

static struct question_work *question_new(struct serve *serve, const struct question *question,
                                          question_answered *answered, void *owner)
{
    struct question_work *work = memory_new(1, sizeof(*work));

    *work = (struct question_work){.serve = serve,
                                   .text = question->text,
                                   .is_change = question->is_change,
                                   .has_range = question->has_range,
                                   .count = question->count,
                                   .asked_us = clock_monotonic_us(),
                                   .on_answered = answered,
                                   .owner = owner};
    if (question->token != NULL) {
        text_copy(work->token_name, sizeof(work->token_name), question->token->name);
        text_copy(work->customer, sizeof(work->customer), question->token->customer);
    }
    for (int i = 0; i < question->count; i++)
        if (question->values[i] != NULL)
            work->values[i] = memory_copy_string(question->values[i]);
    return work;
}

/* Sent in the step, which comes behind the reading of all clients. */
struct question_work *questions_ask(struct serve *serve, const struct question *question,
                                    question_answered *answered, void *owner)
{
    struct question_work *work;

    if (question->count > QUESTION_VALUES_MAX)
        bug("a question with %d values", question->count);
    if (!is_up(serve)) {
        answered(owner, &is_away);
        return NULL;
    }
    work = question_new(serve, question, answered, owner);
    TAILQ_INSERT_TAIL(&serve->questions->waiting, work, entry);
    return work;
}

/* One that waits is not asked at all. */
void questions_forget(void *argument)
{
    struct question_work *work = argument;

    work->on_answered = NULL;
    if (work->sent_us != 0)
        return;
    TAILQ_REMOVE(&work->serve->questions->waiting, work, entry);
    question_free(work);
}

void questions_free(struct serve *serve)
{
    struct questions *questions = serve->questions;
    struct question_work *work;

    for (int i = 0; i < QUESTION_LINKS; i++)
        db_link_free(questions->lines[i].link);
    while ((work = TAILQ_FIRST(&questions->waiting)) != NULL) {
        TAILQ_REMOVE(&questions->waiting, work, entry);
        finish(work, &is_away);
    }
    free(questions);
}
