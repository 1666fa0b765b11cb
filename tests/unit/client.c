/* SPDX-License-Identifier: MIT */
#include "client.h"

void on_client_finished(void *owner, const struct http_response *response)
{
    struct client_request *request = owner;
    struct result *result = request->result;

    assert_false(request->client->is_in_start);
    request->client->finished++;
    result->callbacks++;
    result->result = response->result;
    result->status = response->status;
    memcpy(result->error, response->error, sizeof(result->error));
    memcpy(result->retry_after, response->retry_after, sizeof(result->retry_after));
    result->snippet_length = response->snippet.length;
    memcpy(result->snippet, buffer_string(&response->snippet), response->snippet.length + 1);
    result->is_truncated = response->is_truncated;
    result->is_reused = response->is_reused;
    memcpy(result->peer, response->peer, sizeof(result->peer));
    result->timings = response->timings;
    free(result->transcript);
    result->transcript = memory_copy_string(buffer_string(&response->transcript));
    free(request);
}

struct client *client_new(void)
{
    struct client *client = memory_new(1, sizeof(*client));

    client->allow[0] = (struct address_range){
        .address = {.bytes = {127, 0, 0, 0}},
        .prefix_bits = 8,
    };
    client->options = (struct http_options){
        .allow_count = 1,
        .allow = client->allow,
        .proxy = "",
        .source_address = "",
        .ca_file = "",
        .client_certificates = "",
        .connect_timeout_ms = 20000,
        .connection_lifetime_ms = 120000,
        .max_response_bytes = 64 * 1024,
        .max_connections = 64,
        .max_tls_connections = 64,
    };
    client->base = event_base_new();
    return client;
}

void client_open(struct client *client)
{
    struct error error = {0};

    client->engine = http_engine_new(client->base, &client->options, on_client_finished, &error);
    if (client->engine == NULL)
        fail_msg("%s", error.message);
}

void client_free(struct client *client)
{
    http_engine_free(client->engine);
    event_base_free(client->base);
    free(client);
}

void client_start(struct client *client, const struct http_request *request, struct result *result)
{
    struct client_request *owner = memory_new(1, sizeof(*owner));

    *owner = (struct client_request){.client = client, .result = result};
    client->is_in_start = true;
    http_start(client->engine, request, owner);
    client->is_in_start = false;
}

void client_run(struct client *client, int count)
{
    while (client->finished < count) {
        event_base_loop(client->base, EVLOOP_ONCE);
        while (http_engine_collect(client->engine, 8))
            continue;
    }
}

void client_post(struct client *client, const struct http_request *request, struct result *result)
{
    free(result->transcript);
    *result = (struct result){0};
    client_start(client, request, result);
    client_run(client, client->finished + 1);
    assert_int_equal(result->callbacks, 1);
}

const char *local_url(int port, const char *path, char url[URL_SIZE])
{
    snprintf(url, URL_SIZE, "http://127.0.0.1:%d%s", port, path);
    return url;
}

void client_post_as(struct client *client, const struct permit *permit, const char *url,
                    int64_t timeout_ms, struct result *result)
{
    static const char *const headers[] = {"Content-Type: application/json", "X-Test: yes"};
    const struct http_request request = {
        .url = url,
        .permit = permit,
        .headers = headers,
        .headers_count = 2,
        .body = "{\"a\":1}",
        .body_length = 7,
        .timeout_ms = timeout_ms,
        .keep_transcript = true,
    };

    client_post(client, &request, result);
}

void client_post_to(struct client *client, const char *url, int64_t timeout_ms,
                    struct result *result)
{
    client_post_as(client, NULL, url, timeout_ms, result);
}

void serve_ok(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, OK_ANSWER);
}

struct result post_to_format(struct client *client, const char *format, int port,
                             int64_t timeout_ms)
{
    struct result result = {0};
    char url[URL_SIZE];
    const char *number = strstr(format, "%d");

    if (number != NULL)
        snprintf(url, sizeof(url), "%.*s%d%s", (int)(number - format), format, port, number + 2);
    else
        snprintf(url, sizeof(url), "%s", format);
    client_open(client);
    client_post_to(client, url, timeout_ms, &result);
    client_free(client);
    return result;
}

void check_expectations(const struct expectation *cases, size_t count, int port)
{
    for (size_t i = 0; i < count; i++) {
        struct client *client = client_new();
        struct result result;

        client->options.allow_count = (size_t)cases[i].allow_count;
        result = post_to_format(client, cases[i].url, port, LONG_MS);
        if (result.result != cases[i].result || strstr(result.error, cases[i].error) == NULL)
            fail_msg("%s: result %d, status %d, error \"%s\"\n%s", cases[i].url, (int)result.result,
                     result.status, result.error, result.transcript);
        free(result.transcript);
    }
}

int fixture_setup(void **state)
{
    struct exchange_fixture *fixture = memory_new(1, sizeof(*fixture));

    fixture->client = client_new();
    *state = fixture;
    return 0;
}

void fixture_start(struct exchange_fixture *fixture, script *serve)
{
    fixture->receiver = receiver_start(serve);
    client_open(fixture->client);
}

const struct result *fixture_post(struct exchange_fixture *fixture, const char *path)
{
    char url[URL_SIZE];

    client_post_to(fixture->client, local_url(fixture->receiver->port, path, url), LONG_MS,
                   &fixture->result);
    return &fixture->result;
}

int fixture_teardown(void **state)
{
    struct exchange_fixture *fixture = *state;

    free(fixture->result.transcript);
    client_free(fixture->client);
    if (fixture->receiver != NULL)
        receiver_stop(fixture->receiver);
    free(fixture);
    return 0;
}
