/* SPDX-License-Identifier: MIT */
/*
 * listen/accepting.h: takes the clients of a socket, as long as its owner has room for them.
 *
 * Where the system has no descriptor or memory left for one more, the client stays in the system's
 * queue, and the socket stays readable: so nothing is tried for ACCEPTING_PAUSE_US, or the loop would
 * spin. The log says so, at most once a minute and with what to do, and once when there is enough.
 */
#ifndef POSTRIDER_LISTEN_ACCEPTING_H
#define POSTRIDER_LISTEN_ACCEPTING_H

#include <stdbool.h>

#include "base/compiler.h"

#define ACCEPTING_PAUSE_US 500000

struct event_base;
struct listen_socket;
struct accepting;

/* The client's socket, which does not block, is the owner's. False: there is no room for a further
 * one, until accepting_set_room() says so. */
typedef bool accepting_client(void *owner, int socket);

/* socket must outlive it. There is room at first. */
struct accepting *accepting_new(struct event_base *base, const struct listen_socket *socket,
                                accepting_client *on_client, void *owner) MUST_USE;

/* Also NULL. The socket stays open. */
void accepting_free(struct accepting *accepting);

void accepting_set_room(struct accepting *accepting, bool has_room);

#endif
