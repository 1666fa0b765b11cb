/* SPDX-License-Identifier: MIT */
/*
 * listen/socket.h: a socket that clients connect to (http.listen, metrics.listen).
 *
 * An address with its port, or a path; nothing is resolved. A unix socket has mode 0660. One that a
 * process before has left is replaced, one that somebody answers at is not. It does not block.
 */
#ifndef POSTRIDER_LISTEN_SOCKET_H
#define POSTRIDER_LISTEN_SOCKET_H

#include <stdbool.h>

#include "base/error.h"

struct listen_socket {
    int socket; /* -1: closed */
    bool is_unix;
    const char *key;   /* the option that says where, for errors; a constant */
    char address[160]; /* where it listens, with the port that the system has chosen */
};

/* False with error: it can't listen there. */
bool listen_socket_open(struct listen_socket *socket, const char *address, const char *key,
                        struct error *error) MUST_USE;

/* Also one that is closed. */
void listen_socket_close(struct listen_socket *socket);

#endif
