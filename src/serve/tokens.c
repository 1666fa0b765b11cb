/* SPDX-License-Identifier: MIT */
#include "serve/tokens.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/array.h"
#include "db/tokens.h"
#include "serve/database.h"

#define PAUSE_US    1000000
#define BELIEVED_US 10000000

struct tokens {
    struct token *list;
    size_t count;
    int64_t read_us; /* when those that are kept were asked for; 0: never */
    int64_t next_us, asked_us;
    bool is_asking;
    struct array used; /* ids to be noted */
    size_t used_count;
};

void tokens_init(struct serve *serve)
{
    serve->tokens = memory_new(1, sizeof(*serve->tokens));
    array_init(&serve->tokens->used, (size_t)64 * TOKENS_MAX);
    array_begin(&serve->tokens->used);
}

void tokens_free(struct serve *serve)
{
    array_free(&serve->tokens->used);
    free(serve->tokens->list);
    free(serve->tokens);
}

bool tokens_are_known(const struct serve *serve)
{
    const struct tokens *tokens = serve->tokens;

    return tokens->read_us > 0 && clock_monotonic_us() - tokens->read_us < BELIEVED_US;
}

static void note_use(struct tokens *tokens, struct token *token)
{
    if (token->was_used_today || tokens->used_count >= TOKENS_MAX)
        return;
    token->was_used_today = true;
    array_add_plain(&tokens->used, token->id);
    tokens->used_count++;
}

/* All are looked at, and each whole: how long it takes says nothing. */
const struct token *tokens_find(struct serve *serve, const char *text, size_t length)
{
    struct tokens *tokens = serve->tokens;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct token *found = NULL;

    if (!token_hash(text, length, hash))
        return NULL;
    for (size_t i = 0; i < tokens->count; i++)
        if (token_hash_is_same(tokens->list[i].hash, hash))
            found = &tokens->list[i];
    if (found == NULL || found->valid_until_us <= clock_monotonic_us())
        return NULL;
    note_use(tokens, found);
    return found;
}

static void keep(struct token *token, const struct token_grant *grant, int64_t asked_us)
{
    *token = (struct token){.scopes = grant->scopes,
                            .publish_rate = grant->publish_rate,
                            .was_used_today = grant->was_used_today};
    text_copy(token->id, sizeof(token->id), grant->id);
    text_copy(token->name, sizeof(token->name), grant->name);
    text_copy(token->customer, sizeof(token->customer),
              grant->customer_id != NULL ? grant->customer_id : "");
    text_copy(token->not_after, sizeof(token->not_after),
              grant->not_after != NULL ? grant->not_after : "");
    token->valid_until_us =
        grant->valid_ms > INT64_MAX / 2000 ? INT64_MAX : asked_us + grant->valid_ms * 1000;
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
        token->hash[i] = grant->hash[i];
}

static void replace(struct tokens *tokens, const PGresult *result)
{
    size_t count = (size_t)PQntuples(result);

    if (count > TOKENS_MAX) {
        log_event(LOG_LEVEL_ERROR, "there are too many valid tokens; all are kept as they were",
                  LOG_NUMBER("tokens", (int64_t)count), LOG_NUMBER("maximum", TOKENS_MAX));
        return;
    }
    free(tokens->list);
    tokens->list = memory_new(count + 1, sizeof(*tokens->list));
    tokens->count = count;
    for (size_t i = 0; i < count; i++) {
        struct token_grant grant = token_grant_at(result, (int)i);

        keep(&tokens->list[i], &grant, tokens->asked_us);
    }
    tokens->read_us = tokens->asked_us;
}

static void on_valid_answered(void *owner, const struct db_answer *answer)
{
    struct serve *serve = owner;

    serve->tokens->is_asking = false;
    if (answer->result == DB_ANSWERED)
        replace(serve->tokens, answer->results[0]);
    else if (answer->result == DB_REFUSED)
        database_log_refusal(serve, "tokens can't be read; nobody is let in", answer);
}

static void on_used_answered(void *owner, const struct db_answer *answer)
{
    struct serve *serve = owner;

    /* What is lost is noted with the next use: the next reading says that it is not. */
    if (answer->result == DB_REFUSED)
        database_log_refusal(serve, "the use of tokens can't be noted", answer);
}

static void note_used(struct serve *serve)
{
    struct tokens *tokens = serve->tokens;

    if (tokens->used_count == 0)
        return;
    (void)!tokens_send_used(serve->reading_link, array_end(&tokens->used), on_used_answered, serve);
    array_begin(&tokens->used);
    tokens->used_count = 0;
}

void tokens_step(struct serve *serve)
{
    struct tokens *tokens = serve->tokens;

    if (tokens->is_asking || serve->now_us < tokens->next_us || !database_is_ready(serve))
        return;
    note_used(serve);
    tokens->asked_us = serve->now_us;
    tokens->next_us = serve->now_us + PAUSE_US;
    tokens->is_asking = tokens_send_valid(serve->reading_link, on_valid_answered, serve);
}

int64_t tokens_next_us(const struct serve *serve)
{
    return serve->tokens->is_asking || !database_is_ready(serve) ? SERVE_NEVER
                                                                 : serve->tokens->next_us;
}
