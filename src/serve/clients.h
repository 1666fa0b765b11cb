/* SPDX-License-Identifier: MIT */
/*
 * serve/clients.h: connections of clients, from accept() to close().
 *
 *     IDLE ──first byte──→ HEAD ──→ BODY ──→ BUSY ──answer──→ ANSWERING ──→ IDLE
 *       │                   └─────────┴── refused ──────────────→ │
 *       └──→ closed                              LINGERING ←──────┘ (the last answer)
 *
 * Every state has an end in time, whatever the client does: 30 s idle, 5 s for a head from its
 * first byte on, 10 s for a body, 10 s to take an answer, 2 s to hang up. While BUSY nothing is
 * read. At most http.max_connections; when one more comes, the one that is idle for longest has to
 * go, so those that only sit there keep nobody out.
 *
 * A connection that is closed behind an answer is first shut for writing and read on for a moment:
 * a reset would take the answer from the client.
 *
 * The owner of all clients. What is to be answered is asked of serve/routes.h.
 */
#ifndef POSTRIDER_SERVE_CLIENTS_H
#define POSTRIDER_SERVE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "listen/request_reader.h"
#include "serve/answer.h"
#include "serve/context.h"

struct client;

/* Of a head: whether its body is to be read. False: it was answered. */
typedef bool client_judge(struct serve *serve, struct client *client);
/* The request is whole. It is answered by client_answer(), now or later. */
typedef void client_handle(struct serve *serve, struct client *client);

void clients_init(struct serve *serve, client_judge *judge, client_handle *handle);

/* Closes all. */
void clients_free(struct serve *serve);

/* Takes over a socket that does not block. is_local: it came over a unix socket. */
void clients_add(struct serve *serve, int socket, bool is_local);

/* Whether there is room for one more, if need be that of one that is idle. */
bool clients_have_room(const struct serve *serve);

/* Closes those that are idle; the others end with their answers. */
void clients_drain(struct serve *serve);

size_t clients_count(const struct serve *serve);

struct serve *client_serve(const struct client *client);
bool client_is_local(const struct client *client);
const struct request_reader *client_request(const struct client *client);

/* Of a request that is handled: to be taken over (buffer_take()), or left. */
struct buffer *client_body(struct client *client);

/* What is done for it, to be told when it goes before its answer: gone(work). NULL: nothing. */
void client_set_work(struct client *client, void *work, void (*gone)(void *work));

/* The one answer to its request. Any other handling of it ends with this. */
void client_answer(struct client *client, const struct answer *answer);

/* A problem as the answer; headers as in struct answer. */
void client_refuse(struct client *client, int status, const char *headers, const char *detail);

#endif
