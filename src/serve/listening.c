/* SPDX-License-Identifier: MIT */
#include "serve/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "serve/clients.h"

#define BACKLOG      511
#define ACCEPTED_MAX 64 /* in one turn */
#define UNIX_PREFIX  "unix:"

struct listening {
    int socket;
    bool is_unix;
    bool is_accepting;
    struct event *acceptable;
    char address[160];
};

static bool fail(struct error *error, const char *listen, const char *what)
{
    return error_set(error, "can't listen at %s (http.listen): %s: %s", listen, what,
                     strerror(errno));
}

/* --- unix sockets --- */

/* Whether somebody answers there. */
static bool is_served(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_answered =
        probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0;

    if (probe >= 0)
        close(probe);
    return is_answered;
}

/* A socket that nobody has open. Anything else at this path stays. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat there;

    if (lstat(address->sun_path, &there) == 0 && S_ISSOCK(there.st_mode) && !is_served(address))
        unlink(address->sun_path);
}

static bool bind_unix(struct listening *listening, const char *listen, struct error *error)
{
    const char *path = listen + strlen(UNIX_PREFIX);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int result;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return fail(error, listen, "bind");
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    remove_stale(&address);
    mask = umask(0117);
    result = bind(listening->socket, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (result != 0)
        return fail(error, listen, "bind");
    snprintf(listening->address, sizeof(listening->address), "%s", listen);
    return true;
}

/* --- addresses --- */

static void note_address(struct listening *listening)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    char text[INET6_ADDRSTRLEN] = "";

    memset(&bound, 0, sizeof(bound)); /* the analyzer does not know that it is written below */
    if (getsockname(listening->socket, (struct sockaddr *)&bound, &length) != 0)
        return;
    if (bound.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&bound;

        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        snprintf(listening->address, sizeof(listening->address), "%s:%d", text,
                 ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&bound;

        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
        snprintf(listening->address, sizeof(listening->address), "[%s]:%d", text,
                 ntohs(v6->sin6_port));
    }
}

static bool bind_address(struct listening *listening, const char *listen,
                         const struct sockaddr_storage *address, socklen_t length,
                         struct error *error)
{
    int yes = 1;

    setsockopt(listening->socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (address->ss_family == AF_INET6)
        setsockopt(listening->socket, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    if (bind(listening->socket, (const struct sockaddr *)address, length) != 0)
        return fail(error, listen, "bind");
    note_address(listening);
    return true;
}

/* What check_listen() in config/ has let through. 0: it is none. */
static socklen_t parse_address(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    char host[INET6_ADDRSTRLEN + 2];
    in_port_t port;

    if (length == 0 || length >= sizeof(host))
        return 0;
    port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    snprintf(host, sizeof(host), "%.*s", (int)length, text);
    if (host[0] != '[') {
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? sizeof(*v4) : 0;
    }
    host[length - 1] = '\0';
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? sizeof(*v6) : 0;
}

static bool open_socket(struct listening *listening, const char *listen, struct error *error)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t length = sizeof(address);

    listening->is_unix = text_begins_with(listen, UNIX_PREFIX);
    if (!listening->is_unix && (length = parse_address(listen, &address)) == 0)
        return error_set(error, "can't listen at \"%s\" (http.listen): it is no address", listen);
    listening->socket = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening->socket < 0)
        return fail(error, listen, "socket");
    return listening->is_unix ? bind_unix(listening, listen, error)
                              : bind_address(listening, listen, &address, length, error);
}

/* --- accepting --- */

static void accept_clients(struct serve *serve)
{
    struct listening *listening = serve->listening;
    int yes = 1;

    for (int i = 0; i < ACCEPTED_MAX && clients_have_room(serve); i++) {
        int socket = accept4(listening->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (socket < 0)
            return;
        if (!listening->is_unix)
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        clients_add(serve, socket, listening->is_unix);
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
    const char *address = serve->config->http.listen;

    listening->socket = -1;
    serve->listening = listening;
    if (!open_socket(listening, address, error))
        return false;
    if (listen(listening->socket, BACKLOG) != 0)
        return fail(error, address, "listen");
    listening->acceptable =
        event_new(serve->base, listening->socket, EV_READ | EV_PERSIST, on_acceptable, serve);
    if (listening->acceptable == NULL)
        bug("an event could not be made");
    set_accepting(listening, true);
    return true;
}

const char *listening_address(const struct serve *serve)
{
    return serve->listening->address;
}

void listening_stop(struct serve *serve)
{
    struct listening *listening = serve->listening;

    if (listening->acceptable != NULL) {
        set_accepting(listening, false);
        event_free(listening->acceptable);
        listening->acceptable = NULL;
    }
    if (listening->socket >= 0)
        close(listening->socket);
    listening->socket = -1;
    if (listening->is_unix && listening->address[0] != '\0')
        unlink(listening->address + strlen(UNIX_PREFIX));
    listening->address[0] = '\0';
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
