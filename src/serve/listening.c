/* SPDX-License-Identifier: MIT */
#include "serve/listening.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "listen/socket.h"
#include "serve/clients.h"

#define ACCEPTED_MAX 64 /* in one turn */

struct listening {
    struct listen_socket socket;
    bool is_accepting;
    struct event *acceptable;
};

static void accept_clients(struct serve *serve)
{
    struct listening *listening = serve->listening;
    int yes = 1;

    for (int i = 0; i < ACCEPTED_MAX && clients_have_room(serve); i++) {
        int socket = accept4(listening->socket.socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (socket < 0)
            return;
        if (!listening->socket.is_unix)
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        clients_add(serve, socket, listening->socket.is_unix);
    }
}

static void set_accepting(struct listening *listening, bool is_wanted)
{
    if (listening->is_accepting == is_wanted)
        return;
    if ((is_wanted ? event_add(listening->acceptable, NULL) : event_del(listening->acceptable)) !=
        0)
        bug("the listening socket could not be watched");
    listening->is_accepting = is_wanted;
}

static void on_acceptable(evutil_socket_t socket, short what, void *argument)
{
    struct serve *serve = argument;

    (void)socket;
    (void)what;
    accept_clients(serve);
    if (!clients_have_room(serve))
        set_accepting(serve->listening, false);
}

bool listening_init(struct serve *serve, struct error *error)
{
    struct listening *listening = memory_new(1, sizeof(*listening));

    serve->listening = listening;
    if (!listen_socket_open(&listening->socket, serve->config->http.listen, "http.listen", error))
        return false;
    listening->acceptable = event_new(serve->base, listening->socket.socket, EV_READ | EV_PERSIST,
                                      on_acceptable, serve);
    if (listening->acceptable == NULL)
        bug("an event could not be made");
    set_accepting(listening, true);
    return true;
}

const char *listening_address(const struct serve *serve)
{
    return serve->listening->socket.address;
}

void listening_stop(struct serve *serve)
{
    struct listening *listening = serve->listening;

    if (listening->acceptable != NULL) {
        set_accepting(listening, false);
        event_free(listening->acceptable);
        listening->acceptable = NULL;
    }
    listen_socket_close(&listening->socket);
}

void listening_free(struct serve *serve)
{
    listening_stop(serve);
    free(serve->listening);
}

void listening_step(struct serve *serve)
{
    if (serve->listening->acceptable != NULL)
        set_accepting(serve->listening, clients_have_room(serve));
}
