/* SPDX-License-Identifier: MIT */
/*
 * A receiver for what nginx can't do: it reads the whole body before it answers, answers after a
 * while, or never, and knows the microsecond in which a request arrived.
 *
 *     receiver LOG DELAY_MS
 *
 * listens on two ports of all addresses, which it prints: at the first one each POST is answered
 * with 200 after DELAY_MS, at the second one nothing is ever answered. LOG gets a line for each
 * request of the first: seconds since 1970, the client's port and the host, the status, X-Event-ID.
 * SIGTERM ends it.
 */
#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { BACKLOG = 4096, FLUSH_MS = 50 };

struct receiver {
    struct event_base *base;
    FILE *log;
    const struct timeval *delay; /* NULL: answers at once */
};

static void on_delay_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    evhttp_send_reply(argument, HTTP_OK, "OK", NULL);
}

static void on_request(struct evhttp_request *request, void *argument)
{
    struct receiver *receiver = argument;
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *host = evhttp_find_header(headers, "Host");
    const char *event = evhttp_find_header(headers, "X-Event-ID");
    struct timeval now;
    char *address;
    ev_uint16_t port;

    gettimeofday(&now, NULL);
    evhttp_connection_get_peer(evhttp_request_get_connection(request), &address, &port);
    /* The kernel gives a client's port twice, for two addresses of ours. */
    fprintf(receiver->log, "%lld.%06ld %u@%s 200 %s\n", (long long)now.tv_sec, (long)now.tv_usec,
            port, host ? host : "-", event ? event : "-");
    if (!receiver->delay)
        evhttp_send_reply(request, HTTP_OK, "OK", NULL);
    else if (event_base_once(receiver->base, -1, EV_TIMEOUT, on_delay_over, request,
                             receiver->delay))
        errx(1, "no memory");
}

/* What hangs still notices that its client has gone: descriptors are not endless. */
static void on_hanging_readable(struct bufferevent *connection, void *argument)
{
    (void)argument;
    struct evbuffer *input = bufferevent_get_input(connection);
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_hanging_end(struct bufferevent *connection, short what, void *argument)
{
    (void)what;
    (void)argument;
    bufferevent_free(connection);
}

static void on_hanging_accept(struct evconnlistener *listener, evutil_socket_t fd,
                              struct sockaddr *address, int length, void *argument)
{
    (void)address;
    (void)length;
    (void)argument;
    struct bufferevent *connection =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(connection, on_hanging_readable, NULL, on_hanging_end, NULL);
    bufferevent_enable(connection, EV_READ);
}

static struct evconnlistener *listen_anywhere(struct event_base *base, evconnlistener_cb on_accept)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
        (struct sockaddr *)&address, sizeof address);
    if (!listener)
        err(1, "listen");
    return listener;
}

static unsigned port_of(struct evconnlistener *listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &length))
        err(1, "getsockname");
    return ntohs(address.sin_port);
}

static void on_flush(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    fflush(argument);
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    (void)number;
    (void)what;
    event_base_loopbreak(argument);
}

/* Exact to less than a millisecond, unlike libevent's default. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        errx(1, "no memory");
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int main(int count, char **arguments)
{
    if (count != 3)
        errx(2, "usage: receiver LOG DELAY_MS");
    signal(SIGPIPE, SIG_IGN);
    struct receiver receiver = {.base = new_base(), .log = fopen(arguments[1], "we")};
    if (!receiver.base || !receiver.log)
        err(1, "%s", arguments[1]);
    setvbuf(receiver.log, NULL, _IOFBF, 1 << 16);

    long delay_ms = strtol(arguments[2], NULL, 10);
    struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};
    if (delay_ms > 0) /* all end in the order of their beginning: no heap */
        receiver.delay = event_base_init_common_timeout(receiver.base, &delay);

    struct evhttp *http = evhttp_new(receiver.base);
    evhttp_set_timeout(http, 3600);
    evhttp_set_gencb(http, on_request, &receiver);
    struct evconnlistener *answering = listen_anywhere(receiver.base, NULL);
    evhttp_bind_listener(http, answering);
    struct evconnlistener *hanging = listen_anywhere(receiver.base, on_hanging_accept);
    printf("%u %u\n", port_of(answering), port_of(hanging));
    fflush(stdout);

    struct timeval pause = {0, FLUSH_MS * 1000};
    event_add(event_new(receiver.base, -1, EV_PERSIST, on_flush, receiver.log), &pause);
    event_add(event_new(receiver.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, receiver.base),
              NULL);
    event_base_dispatch(receiver.base);
    return fclose(receiver.log) != 0;
}
