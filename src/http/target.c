/* SPDX-License-Identifier: MIT */
#include "http/target.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "core/percent.h"
#include "http/url.h"

/* The URL can grow threefold by encoding; beside it stands only what is short. */
#define HEAD_MAX_BYTES ((size_t)URL_MAX_BYTES * 4 + 4096)

/* What a request needs of a URL, as libcurl gives it; freed with curl_free(). */
struct pieces {
    char *scheme;
    char *host; /* IPv6 in brackets */
    char *zone; /* NULL = none */
    char *port; /* always there */
    char *own_port;
    char *path;
    char *query; /* NULL = none */
};

void target_table_init(struct target_table *table, const struct settings *settings,
                       struct pool_origin_table *origins)
{
    *table = (struct target_table){
        .settings = settings,
        .origins = origins,
        .common = {.key = memory_copy_string(""), .guard = settings->guard},
    };
    TAILQ_INIT(&table->by_use);
}

/* The gate of a permit that is not the common one; NULL when there is none yet. */
static struct gate *find_gate(const struct target_table *table, const struct permit *permit)
{
    struct gate *gate;

    HASH_FIND(hh, table->gates, permit->key, strlen(permit->key), gate);
    return gate;
}

/* NULL without a name, and when there is none of that name. */
static const struct client_certificate *find_certificate(const struct target_table *table,
                                                         const char *name)
{
    const struct client_certificates *all = table->settings->options.certificates;

    return name != NULL && all != NULL ? client_certificates_find(all, name) : NULL;
}

static struct gate *add_gate(struct target_table *table, const struct permit *permit)
{
    const struct guard *common = &table->settings->guard;
    struct gate *gate = memory_new(1, sizeof(*gate));
    size_t count = common->allow_count + permit->allow_count;

    gate->key = memory_copy_string(permit->key);
    gate->allow = memory_new(count, sizeof(*gate->allow));
    for (size_t i = 0; i < count; i++)
        gate->allow[i] =
            i < common->allow_count ? common->allow[i] : permit->allow[i - common->allow_count];
    gate->guard = *common;
    gate->guard.allow = gate->allow;
    gate->guard.allow_count = count;
    gate->bytes = sizeof(*gate) + strlen(gate->key) + count * sizeof(*gate->allow);
    gate->certificate = find_certificate(table, permit->client_certificate);
    HASH_ADD_KEYPTR(hh, table->gates, gate->key, strlen(gate->key), gate);
    table->bytes += gate->bytes;
    return gate;
}

/* With its last target. */
static void drop_gate(struct target_table *table, struct gate *gate)
{
    if (gate == &table->common || gate->targets > 0)
        return;
    HASH_DEL(table->gates, gate); /* NOLINT(clang-analyzer-unix.Malloc,*NullDereference) */
    table->bytes -= gate->bytes;
    free(gate->key);
    free(gate->allow);
    free(gate);
}

static void drop(struct target_table *table, struct target *target)
{
    /* As in worker/delivery.c: uthash frees its table with the last entry alone. */
    HASH_DEL(target->gate->by_url,
             target); /* NOLINT(clang-analyzer-unix.Malloc,*NullDereference) */
    TAILQ_REMOVE(&table->by_use, target, entry);
    table->bytes -= target->bytes;
    pool_origin_release(target->origin);
    target->gate->targets--;
    drop_gate(table, target->gate);
    free(target->url);
    free(target->ascii);
    free(target->head);
    free(target);
}

void target_table_free(struct target_table *table)
{
    struct target *target = TAILQ_FIRST(&table->by_use);

    while (target != NULL) {
        struct target *next = TAILQ_NEXT(target, entry);

        drop(table, target);
        target = next;
    }
    free(table->common.key);
}

static char *get(CURLU *parts, CURLUPart part, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(parts, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* With the flags that libcurl itself uses. */
static bool read_pieces(const char *url, struct pieces *pieces)
{
    CURLU *parts = curl_url();
    bool is_good = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK;

    *pieces = (struct pieces){0};
    if (is_good) {
        pieces->scheme = get(parts, CURLUPART_SCHEME, 0);
        pieces->host = get(parts, CURLUPART_HOST, 0);
        pieces->zone = get(parts, CURLUPART_ZONEID, 0);
        pieces->port = get(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
        pieces->own_port = get(parts, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
        pieces->path = get(parts, CURLUPART_PATH, 0);
        pieces->query = get(parts, CURLUPART_QUERY, 0);
        is_good = pieces->scheme != NULL && pieces->host != NULL && pieces->port != NULL &&
                  pieces->path != NULL;
    }
    curl_url_cleanup(parts);
    return is_good;
}

static void free_pieces(struct pieces *pieces)
{
    curl_free(pieces->scheme);
    curl_free(pieces->host);
    curl_free(pieces->zone);
    curl_free(pieces->port);
    curl_free(pieces->own_port);
    curl_free(pieces->path);
    curl_free(pieces->query);
}

static bool is_through_proxy(const struct target_table *table, const struct pieces *pieces)
{
    return table->settings->is_http_proxy && strcmp(pieces->scheme, "http") == 0;
}

static void append_authority(struct buffer *head, const struct pieces *pieces)
{
    buffer_append_string(head, pieces->host);
    if (pieces->own_port != NULL)
        buffer_append_format(head, ":%s", pieces->own_port);
}

/* A proxy is told all of the URL but for the fragment, which nobody is. */
static void append_target(struct buffer *head, const struct pieces *pieces, bool names_all)
{
    if (names_all) {
        buffer_append_format(head, "%s://", pieces->scheme);
        append_authority(head, pieces);
    }
    percent_append(head, pieces->path);
    if (pieces->query == NULL)
        return;
    buffer_append_string(head, "?");
    percent_append(head, pieces->query);
}

static char *make_head(const struct target_table *table, const struct pieces *pieces,
                       size_t *ret_length)
{
    bool names_all = is_through_proxy(table, pieces);
    struct buffer head;

    buffer_init(&head, HEAD_MAX_BYTES);
    buffer_append_string(&head, "POST ");
    append_target(&head, pieces, names_all);
    buffer_append_string(&head, " HTTP/1.1\r\nHost: ");
    append_authority(&head, pieces);
    buffer_append_string(&head, "\r\nAccept: */*\r\n");
    if (names_all && table->settings->proxy_authorization != NULL)
        buffer_append_format(&head, "Proxy-Authorization: %s\r\n",
                             table->settings->proxy_authorization);
    *ret_length = head.length;
    return buffer_take(&head);
}

/* All that makes one connection differ from another; the settings are the same for all. The
 * proxy's own connections lead to no receiver, so that they need no permit. */
static struct pool_origin *acquire_origin(const struct target_table *table, const struct gate *gate,
                                          const struct pieces *pieces)
{
    bool is_tls = strcmp(pieces->scheme, "https") == 0;
    struct pool_origin *origin;
    char *key;
    char *keyed;

    if (is_through_proxy(table, pieces))
        return pool_origin_find(table->origins, "proxy", table->settings->is_tls_proxy);
    key = memory_format("%s://%s%%%s:%s", pieces->scheme, pieces->host,
                        pieces->zone != NULL ? pieces->zone : "", pieces->port);
    for (char *c = key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c); /* ASCII by now */
    keyed = memory_format("%s %s", key, gate->key);
    origin = pool_origin_find(table->origins, keyed, is_tls || table->settings->is_tls_proxy);
    free(keyed);
    free(key);
    return origin;
}

/* The proxy will do the connecting, so what the URL itself says is all that can be checked. */
static bool check_behind_proxy(const struct guard *guard, const char *url, struct error *error)
{
    struct guard_record record = {0};
    struct address literal;
    int port;

    if (!guard->has_proxy ||
        (!url_literal_address(url, &literal, &port) && !url_known_address(url, &literal, &port)) ||
        guard_admit(guard, &literal, port, &record))
        return true;
    return error_set(error, "%s", record.refusal);
}

/* Nothing is sent without the certificate that it is to be sent with. */
static bool check_certificate(const struct target_table *table, const struct gate *gate,
                              const char *url, const struct permit *permit,
                              enum attempt_result *ret_result, struct error *error)
{
    const char *directory = table->settings->options.client_certificates;

    if (permit == NULL || permit->client_certificate == NULL)
        return true;
    if (strncasecmp(url, "https:", 6) != 0)
        return error_set(error, "a client certificate can be shown over https alone: change the "
                                "URL, or clear webhook_endpoints.client_certificate");
    if (gate->certificate != NULL)
        return true;
    *ret_result = ATTEMPT_TLS;
    if (directory[0] == '\0')
        return error_set(error,
                         "the client certificate %s can't be shown: "
                         "network.client_certificates is not set",
                         permit->client_certificate);
    return error_set(error,
                     "the client certificate %s/%s.pem is not there, or was not when the "
                     "configuration was loaded",
                     directory, permit->client_certificate);
}

static struct target *add(struct target_table *table, struct gate *gate, const char *url,
                          struct error *error)
{
    struct target *target;
    struct pieces pieces;
    char *ascii = NULL;

    if (!url_check(url, table->settings->options.https_only, error) ||
        !url_to_ascii(url, &ascii, error) || !check_behind_proxy(&gate->guard, url, error)) {
        free(ascii);
        return NULL;
    }
    target = memory_new(1, sizeof(*target));
    target->url = memory_copy_string(url);
    target->ascii = ascii != NULL ? ascii : memory_copy_string(url);
    if (!read_pieces(target->ascii, &pieces))
        bug("libcurl takes the URL %s and does not", target->ascii);
    target->head = make_head(table, &pieces, &target->head_length);
    target->gate = gate;
    target->is_through_proxy = is_through_proxy(table, &pieces);
    target->origin = acquire_origin(table, gate, &pieces);
    free_pieces(&pieces);
    target->bytes =
        sizeof(*target) + strlen(url) + strlen(target->ascii) + target->head_length + 64;
    gate->targets++;
    HASH_ADD_KEYPTR(hh, gate->by_url, target->url, strlen(target->url), target);
    TAILQ_INSERT_TAIL(&table->by_use, target, entry);
    table->bytes += target->bytes;
    return target;
}

static void make_room(struct target_table *table)
{
    struct target *target = TAILQ_FIRST(&table->by_use);

    while (table->bytes > TARGETS_MAX_BYTES && target != NULL) {
        struct target *next = TAILQ_NEXT(target, entry);

        if (target->users == 0)
            drop(table, target);
        target = next;
    }
}

/* What is not known yet. */
static struct target *make(struct target_table *table, const char *url, const struct permit *permit,
                           enum attempt_result *ret_result, struct error *error)
{
    struct gate *gate;
    struct target *target = NULL;

    *ret_result = ATTEMPT_UNSENDABLE;
    make_room(table);
    gate = permit == NULL ? &table->common : find_gate(table, permit);
    if (gate == NULL)
        gate = add_gate(table, permit);
    if (check_certificate(table, gate, url, permit, ret_result, error))
        target = add(table, gate, url, error);
    if (target == NULL)
        drop_gate(table, gate);
    return target;
}

struct target *target_acquire(struct target_table *table, const char *url,
                              const struct permit *permit, enum attempt_result *ret_result,
                              struct error *error)
{
    struct gate *gate = permit == NULL ? &table->common : find_gate(table, permit);
    struct target *target = NULL;

    if (gate != NULL)
        HASH_FIND(hh, gate->by_url, url, strlen(url), target);
    if (target == NULL) {
        target = make(table, url, permit, ret_result, error);
        if (target == NULL)
            return NULL;
    } else if (TAILQ_NEXT(target, entry) != NULL) {
        TAILQ_REMOVE(&table->by_use, target, entry);
        TAILQ_INSERT_TAIL(&table->by_use, target, entry);
    }
    target->users++;
    return target;
}

void target_release(struct target_table *table, struct target *target)
{
    (void)table;
    target->users--;
}
