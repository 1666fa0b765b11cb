/* SPDX-License-Identifier: MIT */
#include "listen/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

#define BACKLOG     511
#define UNIX_PREFIX "unix:"

static bool fail(struct error *error, const struct listen_socket *bound, const char *listen,
                 const char *what)
{
    return error_set(error, "can't listen at %s (%s): %s: %s", listen, bound->key, what,
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

static bool bind_unix(struct listen_socket *bound, const char *listen, struct error *error)
{
    const char *path = listen + strlen(UNIX_PREFIX);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int result;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return fail(error, bound, listen, "bind");
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    remove_stale(&address);
    mask = umask(0117);
    result = bind(bound->socket, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (result != 0)
        return fail(error, bound, listen, "bind");
    snprintf(bound->address, sizeof(bound->address), "%s", listen);
    return true;
}

/* --- addresses --- */

static void note_address(struct listen_socket *bound)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);
    char text[INET6_ADDRSTRLEN] = "";

    memset(&name, 0, sizeof(name)); /* the analyzer does not know that it is written below */
    if (getsockname(bound->socket, (struct sockaddr *)&name, &length) != 0)
        return;
    if (name.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&name;

        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        snprintf(bound->address, sizeof(bound->address), "%s:%d", text, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&name;

        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
        snprintf(bound->address, sizeof(bound->address), "[%s]:%d", text, ntohs(v6->sin6_port));
    }
}

static bool bind_address(struct listen_socket *bound, const char *listen,
                         const struct sockaddr_storage *address, socklen_t length,
                         struct error *error)
{
    int yes = 1;

    setsockopt(bound->socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (address->ss_family == AF_INET6)
        setsockopt(bound->socket, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    if (bind(bound->socket, (const struct sockaddr *)address, length) != 0)
        return fail(error, bound, listen, "bind");
    note_address(bound);
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

static bool open_socket(struct listen_socket *bound, const char *listen, struct error *error)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t length = sizeof(address);

    bound->is_unix = text_begins_with(listen, UNIX_PREFIX);
    if (!bound->is_unix && (length = parse_address(listen, &address)) == 0)
        return error_set(error, "can't listen at \"%s\" (%s): it is no address", listen,
                         bound->key);
    bound->socket = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bound->socket < 0)
        return fail(error, bound, listen, "socket");
    return bound->is_unix ? bind_unix(bound, listen, error)
                          : bind_address(bound, listen, &address, length, error);
}

bool listen_socket_open(struct listen_socket *bound, const char *address, const char *key,
                        struct error *error)
{
    *bound = (struct listen_socket){.socket = -1, .key = key};
    if (open_socket(bound, address, error) &&
        (listen(bound->socket, BACKLOG) == 0 || fail(error, bound, address, "listen")))
        return true;
    listen_socket_close(bound);
    return false;
}

void listen_socket_close(struct listen_socket *bound)
{
    if (bound->socket >= 0)
        close(bound->socket);
    bound->socket = -1;
    if (bound->is_unix && bound->address[0] != '\0')
        unlink(bound->address + strlen(UNIX_PREFIX));
    bound->address[0] = '\0';
}
