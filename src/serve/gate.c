/* SPDX-License-Identifier: MIT */
#include "serve/gate.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"

static bool refuse(struct client *client, int status, const char *headers, const char *detail)
{
    client_refuse(client, status, headers, detail);
    return false;
}

/* The name in Host, without its port; a port that is none makes the whole no name of ours. */
static struct slice host_name(struct slice host)
{
    const char *colon = memrchr(host.at, ':', host.length);
    const char *end = host.at + host.length;

    if (colon == NULL || (host.at[0] == '[' && end[-1] == ']'))
        return host;
    for (const char *digit = colon + 1; digit < end; digit++)
        if (*digit < '0' || *digit > '9')
            return host;
    return (struct slice){host.at, (size_t)(colon - host.at)};
}

static bool is_loopback(struct slice name)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < ARRAY_LENGTH(loopback); i++)
        if (slice_is_caseless(name, loopback[i]))
            return true;
    return false;
}

static bool is_ours(const struct config *config, struct slice name)
{
    if (is_loopback(name))
        return true;
    for (size_t i = 0; i < config->http.hosts_count; i++)
        if (slice_is_caseless(name, config->http.hosts[i]))
            return true;
    return false;
}

bool gate_check_host(struct serve *serve, struct client *client)
{
    const struct served_head *head = &client_request(client)->head;
    struct slice host;

    if (!served_head_find(head, "host", &host) || host.length == 0 ||
        !is_ours(serve->config, host_name(host)))
        return refuse(client, 421, "",
                      "this service is not called by the name in Host; http.hosts lists its names");
    return true;
}

bool gate_check_site(struct client *client)
{
    const struct served_head *head = &client_request(client)->head;
    struct slice site;

    if (!served_head_find(head, "sec-fetch-site", &site) ||
        (site.at != NULL && !slice_is(site, "same-origin") && !slice_is(site, "none")))
        return refuse(client, 403, "", "the page of another site may not ask here");
    return true;
}

/* What stands behind "Bearer"; a length of 0: nothing does. */
static struct slice bearer_of(const struct served_head *head)
{
    static const char scheme[] = "Bearer ";
    struct slice value;

    if (!served_head_find(head, "authorization", &value) || value.length < strlen(scheme) ||
        strncasecmp(value.at, scheme, strlen(scheme)) != 0)
        return (struct slice){NULL, 0};
    value.at += strlen(scheme);
    value.length -= strlen(scheme);
    while (value.length > 0 && value.at[0] == ' ') {
        value.at++;
        value.length--;
    }
    return value;
}

bool gate_check_token(struct serve *serve, struct client *client, unsigned scopes,
                      const struct token **ret_token)
{
    struct slice bearer = bearer_of(&client_request(client)->head);

    *ret_token = NULL;
    if (bearer.length == 0)
        return refuse(client, 401, "WWW-Authenticate: Bearer\r\n",
                      "a token is needed: Authorization: Bearer TOKEN");
    if (!tokens_are_known(serve))
        return refuse(client, 503, "Retry-After: 1\r\n",
                      "the database is away, so nobody knows which tokens are valid");
    *ret_token = tokens_find(serve, bearer.at, bearer.length);
    if (*ret_token == NULL)
        return refuse(client, 401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
                      "the token is not valid");
    if (((*ret_token)->scopes & scopes) == 0)
        return refuse(client, 403, "WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n",
                      "the token's scopes do not let it do this");
    return true;
}

/* The file's mode lets in who may read, which is no longer so when a reverse proxy lets in others: such
 * a request is for the proxy's public name, or tells where it comes from. */
static bool is_passed_on(const struct served_head *head)
{
    static const char *const traces[] = {"forwarded",        "via",       "x-forwarded-for",
                                         "x-forwarded-host", "x-real-ip", "x-forwarded-proto"};
    struct slice value;

    if (!served_head_find(head, "host", &value) || !is_loopback(host_name(value)))
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(traces); i++)
        if (!served_head_find(head, traces[i], &value) || value.at != NULL)
            return true;
    return false;
}

bool gate_check_reader(struct serve *serve, struct client *client, unsigned scopes,
                       const struct token **ret_token)
{
    const struct served_head *head = &client_request(client)->head;
    struct slice given;

    *ret_token = NULL;
    if (client_is_local(client) && !is_passed_on(head) &&
        served_head_find(head, "authorization", &given) && given.at == NULL)
        return true;
    return gate_check_token(serve, client, scopes, ret_token);
}

/* application/json, perhaps with a charset, which is UTF-8 whatever it says (RFC 8259). */
static bool is_json(struct slice type)
{
    static const char json[] = "application/json";
    size_t length = strlen(json);

    return type.at != NULL && type.length >= length && strncasecmp(type.at, json, length) == 0 &&
           (type.length == length || strchr("; \t", type.at[length]) != NULL);
}

bool gate_check_body(struct serve *serve, struct client *client)
{
    const struct served_head *head = &client_request(client)->head;
    struct slice type, encoding;

    if (!served_head_find(head, "content-type", &type) || !is_json(type))
        return refuse(client, 415, "", "the body is to be JSON: Content-Type: application/json");
    if (!served_head_find(head, "content-encoding", &encoding) ||
        (encoding.at != NULL && !slice_is_caseless(encoding, "identity")))
        return refuse(client, 415, "", "no Content-Encoding is known here");
    if (!head->is_chunked && head->content_length < 0)
        return refuse(client, 411, "", "there is no Content-Length");
    if (head->content_length > serve->config->http.max_body_bytes)
        return refuse(client, 413, "", "the body is larger than http.max_body allows");
    return true;
}
