/* SPDX-License-Identifier: MIT */
#include "serve/events_api.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/compiler.h"
#include "core/idempotency_key.h"
#include "serve/event_request.h"
#include "serve/gate.h"
#include "serve/publish_rates.h"
#include "serve/publishing.h"

#define DIGEST_BYTES 32

static bool read_key(struct client *client, char key[IDEMPOTENCY_KEY_MAX + 1])
{
    const char *reason = "there is more than one Idempotency-Key";
    struct slice value;

    if (!served_head_find(&client_request(client)->head, "idempotency-key", &value)) {
        client_refuse(client, 400, "", reason);
        return false;
    }
    if (value.at == NULL) {
        client_refuse(client, 400, "",
                      "there is no Idempotency-Key: a text that is another one for each request, "
                      "and the same when it is sent again");
        return false;
    }
    if (idempotency_key_read(value.at, value.length, key, &reason))
        return true;
    client_refuse(client, 400, "", reason);
    return false;
}

bool events_api_judge(struct serve *serve, struct client *client)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    const struct token *token;

    return gate_check_token(serve, client, TOKEN_PUBLISH, &token) && read_key(client, key) &&
           gate_check_body(serve, client);
}

/* Of path and raw body, with what can be in neither between them. */
static void make_fingerprint(const struct request_reader *request, char text[2 * DIGEST_BYTES + 1])
{
    unsigned char digest[DIGEST_BYTES];
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, request->head.path.at, request->head.path.length) != 1 ||
        EVP_DigestUpdate(context, "\n", 1) != 1 ||
        EVP_DigestUpdate(context, request->body.data, request->body.length) != 1 ||
        EVP_DigestFinal_ex(context, digest, NULL) != 1)
        bug("SHA-256 failed");
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void on_done(void *owner, const struct publishing_result *result)
{
    struct client *client = owner;
    struct answer answer = {.status = result->status,
                            .headers =
                                result->is_replayed ? "X-Idempotency-Replayed: true\r\n" : "",
                            .body = result->body};

    if (result->body != NULL)
        client_answer(client, &answer);
    else
        client_refuse(client, result->status,
                      result->is_passing ? "Retry-After: 1\r\n" : answer.headers, result->detail);
}

/* True: it was refused. */
static bool is_too_much(struct serve *serve, struct client *client, const struct token *token,
                        size_t events)
{
    char header[48];
    long wait_s;

    if (publish_rates_take(serve, token, events, &wait_s))
        return false;
    snprintf(header, sizeof(header), "Retry-After: %ld\r\n", wait_s);
    client_refuse(client, 429, header, "the token may not publish so many events a second");
    return true;
}

static void publish(struct serve *serve, struct client *client, const struct token *token,
                    const char *key, struct event_request *request)
{
    char fingerprint[2 * DIGEST_BYTES + 1];
    struct submission submission = {.scope = token->name,
                                    .key = key,
                                    .fingerprint = fingerprint,
                                    .request = request,
                                    .body = client_body(client)};
    struct publication *publication;

    make_fingerprint(client_request(client), fingerprint);
    publication = publishing_submit(serve, &submission, on_done, client);
    if (publication != NULL)
        client_set_work(client, publication, publishing_forget);
}

/* The token again, since it may have ended while the body came; the key too, which is not kept. */
void events_api_handle(struct serve *serve, struct client *client)
{
    const struct request_reader *read = client_request(client);
    char key[IDEMPOTENCY_KEY_MAX + 1];
    struct event_request request;
    const struct token *token;
    struct error error;
    int status;

    if (!gate_check_token(serve, client, TOKEN_PUBLISH, &token) || !read_key(client, key))
        return;
    if (read->body.length == 0) {
        client_refuse(client, 400, "", "the body is empty");
        return;
    }
    status =
        event_request_read(read->body.data, read->body.length,
                           token->customer[0] != '\0' ? token->customer : NULL, &request, &error);
    if (status != 0)
        client_refuse(client, status, "", error.message);
    else if (!is_too_much(serve, client, token, request.count))
        publish(serve, client, token, key, &request);
    event_request_free(&request);
}
