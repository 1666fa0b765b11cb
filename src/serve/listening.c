/* SPDX-License-Identifier: MIT */
#include "serve/listening.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "listen/accepting.h"
#include "listen/socket.h"
#include "serve/clients.h"

struct listening {
    struct listen_socket socket;
    struct accepting *accepting; /* NULL: it has stopped */
};

static bool on_client(void *owner, int socket)
{
    struct serve *serve = owner;
    bool is_unix = serve->listening->socket.is_unix;
    int yes = 1;

    if (!is_unix)
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    clients_add(serve, socket, is_unix);
    return clients_have_room(serve);
}

bool listening_init(struct serve *serve, struct error *error)
{
    struct listening *listening = memory_new(1, sizeof(*listening));

    serve->listening = listening;
    if (!listen_socket_open(&listening->socket, serve->config->http.listen, "http.listen", error))
        return false;
    listening->accepting = accepting_new(serve->loop.base, &listening->socket, on_client, serve);
    return true;
}

const char *listening_address(const struct serve *serve)
{
    return serve->listening->socket.address;
}

void listening_stop(struct serve *serve)
{
    struct listening *listening = serve->listening;

    accepting_free(listening->accepting);
    listening->accepting = NULL;
    listen_socket_close(&listening->socket);
}

void listening_free(struct serve *serve)
{
    listening_stop(serve);
    free(serve->listening);
}

void listening_step(struct serve *serve)
{
    if (serve->listening->accepting != NULL)
        accepting_set_room(serve->listening->accepting, clients_have_room(serve));
}
