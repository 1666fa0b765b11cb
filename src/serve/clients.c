/* SPDX-License-Identifier: MIT */
#include "serve/clients.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"

#define READ_BYTES   ((size_t)16 * 1024)
#define ANSWER_MAX   ((size_t)64 * 1024 * 1024)
#define IDLE_S       30
#define HEAD_S       5
#define BODY_S       10
#define ANSWER_S     10
#define LINGER_S     2
#define LINGER_BYTES ((size_t)4 * 1024 * 1024)

enum client_state {
    CLIENT_IDLE,
    CLIENT_HEAD,
    CLIENT_BODY,
    CLIENT_BUSY,
    CLIENT_ANSWERING,
    CLIENT_LINGERING,
    CLIENT_CLOSED, /* freed at the end of the callback that it is in */
};

struct client {
    TAILQ_ENTRY(client) entry;
    struct serve *serve;
    int socket;
    bool is_local;
    bool is_last;   /* the answer that is under way ends the connection */
    bool is_in_use; /* by a callback, which frees it when it is closed */
    enum client_state state;
    struct event *readable, *writable, *deadline;
    int64_t began_us; /* the request */
    struct request_reader request;
    struct buffer rest; /* read, and not of this request */
    struct buffer out;
    size_t sent;
    size_t lingered;
    void *work;
    void (*gone)(void *work);
};

TAILQ_HEAD(client_list, client);

struct clients {
    struct client_list idle; /* the longest first */
    struct client_list others;
    size_t count;
    client_judge *judge;
    client_handle *handle;
};

static struct clients *clients_of(const struct client *client)
{
    return client->serve->clients;
}

void clients_init(struct serve *serve, client_judge *judge, client_handle *handle)
{
    struct clients *clients = memory_new(1, sizeof(*clients));

    TAILQ_INIT(&clients->idle);
    TAILQ_INIT(&clients->others);
    clients->judge = judge;
    clients->handle = handle;
    serve->clients = clients;
}

size_t clients_count(const struct serve *serve)
{
    return serve->clients->count;
}

struct serve *client_serve(const struct client *client)
{
    return client->serve;
}

bool client_is_local(const struct client *client)
{
    return client->is_local;
}

const struct request_reader *client_request(const struct client *client)
{
    return &client->request;
}

struct buffer *client_body(struct client *client)
{
    return &client->request.body;
}

void client_set_work(struct client *client, void *work, void (*gone)(void *work))
{
    client->work = work;
    client->gone = gone;
}

/* --- states --- */

static struct client_list *list_of(struct client *client)
{
    return client->state == CLIENT_IDLE ? &clients_of(client)->idle : &clients_of(client)->others;
}

static void set_deadline(struct client *client, int seconds)
{
    struct timeval after = {seconds, 0};

    if (seconds == 0)
        evtimer_del(client->deadline);
    else if (evtimer_add(client->deadline, &after) != 0)
        bug("timer could not be set");
}

static void listen_to(struct event *event, bool is_wanted)
{
    if ((is_wanted ? event_add(event, NULL) : event_del(event)) != 0)
        bug("a socket could not be watched");
}

/* The one place where a state changes, with what is watched and when it ends. */
static void set_state(struct client *client, enum client_state state)
{
    static const struct {
        int seconds; /* 0: no end but that of the database's answer (serve/publishing.h) */
        bool reads, writes;
    } states[] = {
        [CLIENT_IDLE] = {IDLE_S, true, false},        [CLIENT_HEAD] = {HEAD_S, true, false},
        [CLIENT_BODY] = {BODY_S, true, false},        [CLIENT_BUSY] = {0, false, false},
        [CLIENT_ANSWERING] = {ANSWER_S, false, true}, [CLIENT_LINGERING] = {LINGER_S, true, false},
        [CLIENT_CLOSED] = {0, false, false},
    };

    if (client->state == state)
        return;
    TAILQ_REMOVE(list_of(client), client, entry);
    client->state = state;
    TAILQ_INSERT_TAIL(list_of(client), client, entry);
    set_deadline(client, states[state].seconds);
    listen_to(client->readable, states[state].reads);
    listen_to(client->writable, states[state].writes);
}

static void client_free(struct client *client)
{
    TAILQ_REMOVE(list_of(client), client, entry);
    event_free(client->readable);
    event_free(client->writable);
    event_free(client->deadline);
    request_reader_free(&client->request);
    buffer_free(&client->rest);
    buffer_free(&client->out);
    free(client);
}

static void client_close(struct client *client)
{
    void (*gone)(void *work) = client->gone;

    if (client->state == CLIENT_CLOSED)
        return;
    set_state(client, CLIENT_CLOSED);
    close(client->socket);
    clients_of(client)->count--;
    client->gone = NULL;
    if (gone != NULL)
        gone(client->work);
    if (!client->is_in_use)
        client_free(client);
}

/* --- answers --- */

static void begin_next(struct client *client)
{
    buffer_clear(&client->out);
    client->sent = 0;
    request_reader_start(&client->request, (size_t)client->serve->config->http.max_body_bytes);
    set_state(client, CLIENT_IDLE);
}

static void begin_lingering(struct client *client)
{
    shutdown(client->socket, SHUT_WR);
    set_state(client, CLIENT_LINGERING);
}

/* False when the rest has to wait until the socket takes more. */
static bool send_answer(struct client *client)
{
    while (client->sent < client->out.length) {
        ssize_t sent = send(client->socket, client->out.data + client->sent,
                            client->out.length - client->sent, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (sent < 0) {
            client_close(client);
            return true;
        }
        client->sent += (size_t)sent;
    }
    if (client->is_last)
        begin_lingering(client);
    else
        begin_next(client);
    return true;
}

/* A body that was not read can't be told from what would come behind it. */
static bool is_last_answer(const struct client *client)
{
    const struct request_reader *request = &client->request;
    const struct served_head *head = &request->head;

    if (client->serve->phase != SERVE_RUNNING || request->progress == REQUEST_HEAD ||
        request->progress == REQUEST_BODY || request->progress == REQUEST_REFUSED)
        return true;
    if (request->progress == REQUEST_HEAD_DONE && (head->is_chunked || head->content_length > 0))
        return true;
    return head->is_http10 || served_head_has_word(head, "connection", "close");
}

static bool is_head_only(const struct client *client)
{
    return client->request.progress != REQUEST_HEAD &&
           client->request.progress != REQUEST_REFUSED &&
           slice_is(client->request.head.method, "HEAD");
}

static void log_answer(const struct client *client, const struct answer *answer)
{
    if (log_is_enabled(LOG_LEVEL_DEBUG))
        log_event(LOG_LEVEL_DEBUG, "answered", LOG_NUMBER("status", answer->status),
                  LOG_NUMBER("bytes", (int64_t)client->request.body.length),
                  LOG_NUMBER("us", clock_monotonic_us() - client->began_us));
}

static void take_rest(struct client *client);
static void end_use(struct client *client);

void client_answer(struct client *client, const struct answer *answer)
{
    /* An answer that came later: nobody else looks at what was read behind the request. */
    bool is_outermost = !client->is_in_use;

    client->is_in_use = true;
    client->work = NULL;
    client->gone = NULL;
    client->is_last = is_last_answer(client);
    log_answer(client, answer);
    answer_append(answer, client->is_last, is_head_only(client), clock_wall_s(), &client->out);
    set_state(client, CLIENT_ANSWERING);
    (void)send_answer(client); /* what has to wait is on_writable's */
    if (!is_outermost)
        return;
    take_rest(client);
    end_use(client);
}

void client_refuse(struct client *client, int status, const char *headers, const char *detail)
{
    char *body = answer_problem(status, detail);
    struct answer answer = {.status = status, .headers = headers, .body = body, .is_problem = true};

    client_answer(client, &answer);
    free(body);
}

/* --- requests --- */

static void send_continue(struct client *client)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

    /* Fits into an empty socket, and who does not get it sends his body without. */
    (void)!send(client->socket, interim, sizeof(interim) - 1, MSG_NOSIGNAL);
}

/* The head is there: it is turned away, or its body is read. */
static void judge_head(struct client *client, bool has_more)
{
    struct request_reader *request = &client->request;
    struct slice expectation;

    if (!served_head_find(&request->head, "expect", &expectation) ||
        (expectation.at != NULL && !slice_is_caseless(expectation, "100-continue"))) {
        client_refuse(client, 417, "", "nothing but 100-continue can be expected here");
        return;
    }
    if (!clients_of(client)->judge(client->serve, client))
        return;
    request_reader_go_on(request);
    if (request->progress != REQUEST_BODY)
        return;
    set_state(client, CLIENT_BODY);
    if (expectation.at != NULL && !request->head.is_http10 && !has_more)
        send_continue(client);
}

static bool takes_bytes(const struct client *client)
{
    return client->state == CLIENT_IDLE || client->state == CLIENT_HEAD ||
           client->state == CLIENT_BODY;
}

static void note_beginning(struct client *client)
{
    if (client->state != CLIENT_IDLE || !request_reader_has_begun(&client->request))
        return;
    client->began_us = clock_monotonic_us();
    set_state(client, CLIENT_HEAD);
}

static void act_on_progress(struct client *client, bool has_more)
{
    struct request_reader *request = &client->request;

    if (request->progress == REQUEST_HEAD_DONE)
        judge_head(client, has_more);
    if (!takes_bytes(client))
        return;
    if (request->progress == REQUEST_REFUSED) {
        client_refuse(client, request->status, "", request->reason);
    } else if (request->progress == REQUEST_DONE) {
        set_state(client, CLIENT_BUSY);
        clients_of(client)->handle(client->serve, client);
    }
}

/* What is left when the request is whole waits for its answer. */
static void take_bytes(struct client *client, const char *bytes, size_t length)
{
    while (length > 0 && takes_bytes(client)) {
        size_t taken = request_reader_take(&client->request, bytes, length);

        bytes += taken;
        length -= taken;
        note_beginning(client);
        act_on_progress(client, length > 0);
    }
    if (length > 0 && client->state != CLIENT_CLOSED && client->state != CLIENT_LINGERING &&
        !buffer_append(&client->rest, bytes, length))
        bug("more was read than fits");
}

/* Requests that came together with the one that was answered. */
static void take_rest(struct client *client)
{
    while (client->rest.length > 0 && takes_bytes(client)) {
        size_t length = client->rest.length;
        char *bytes = buffer_take(&client->rest);

        take_bytes(client, bytes, length);
        free(bytes);
    }
}

/* --- events --- */

/* Callbacks work with a client that may be closed on the way. */
static void end_use(struct client *client)
{
    client->is_in_use = false;
    if (client->state == CLIENT_CLOSED)
        client_free(client);
}

static void linger(struct client *client, ssize_t count)
{
    client->lingered += count > 0 ? (size_t)count : 0;
    if (count <= 0 || client->lingered > LINGER_BYTES)
        client_close(client);
}

static void on_readable(evutil_socket_t socket, short what, void *argument)
{
    static char bytes[READ_BYTES];
    struct client *client = argument;
    ssize_t count = recv(socket, bytes, sizeof(bytes), 0);

    (void)what;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    client->is_in_use = true;
    if (client->state == CLIENT_LINGERING)
        linger(client, count);
    else if (count <= 0)
        client_close(client);
    else
        take_bytes(client, bytes, (size_t)count);
    /* The analyzer does not know that nobody who is in use is freed. */
    if (client->state == CLIENT_IDLE) /* NOLINT(clang-analyzer-unix.Malloc) */
        take_rest(client);
    end_use(client);
}

static void on_writable(evutil_socket_t socket, short what, void *argument)
{
    struct client *client = argument;

    (void)socket;
    (void)what;
    client->is_in_use = true;
    if (client->state == CLIENT_ANSWERING)
        (void)send_answer(client);
    if (client->state == CLIENT_IDLE)
        take_rest(client);
    end_use(client);
}

static void on_deadline(evutil_socket_t socket, short what, void *argument)
{
    struct client *client = argument;

    (void)socket;
    (void)what;
    client->is_in_use = true;
    if (client->state == CLIENT_HEAD)
        client_refuse(client, 408, "", "the head of the request was not there within 5 s");
    else if (client->state == CLIENT_BODY)
        client_refuse(client, 408, "", "the body of the request was not there within 10 s");
    else
        client_close(client);
    end_use(client); /* NOLINT(clang-analyzer-unix.Malloc): as above */
}

/* --- all of them --- */

bool clients_have_room(const struct serve *serve)
{
    return serve->clients->count < (size_t)serve->config->http.max_connections ||
           !TAILQ_EMPTY(&serve->clients->idle);
}

static struct event *new_event(struct client *client, short what, event_callback_fn on_event)
{
    struct event *event = event_new(
        client->serve->loop.base, what == EV_TIMEOUT ? -1 : client->socket, what, on_event, client);

    if (event == NULL)
        bug("an event could not be made");
    return event;
}

void clients_add(struct serve *serve, int socket, bool is_local)
{
    struct clients *clients = serve->clients;
    struct client *client = memory_new(1, sizeof(*client));

    if (clients->count >= (size_t)serve->config->http.max_connections &&
        !TAILQ_EMPTY(&clients->idle))
        client_close(TAILQ_FIRST(&clients->idle));
    client->serve = serve;
    client->socket = socket;
    client->is_local = is_local;
    client->readable = new_event(client, EV_READ | EV_PERSIST, on_readable);
    client->writable = new_event(client, EV_WRITE | EV_PERSIST, on_writable);
    client->deadline = new_event(client, EV_TIMEOUT, on_deadline);
    request_reader_init(&client->request, (size_t)serve->config->http.max_body_bytes);
    buffer_init(&client->rest, READ_BYTES);
    buffer_init(&client->out, ANSWER_MAX);
    clients->count++;
    client->state = CLIENT_ANSWERING; /* so that it becomes idle like any other */
    TAILQ_INSERT_TAIL(&clients->others, client, entry);
    set_state(client, CLIENT_IDLE);
}

void clients_drain(struct serve *serve)
{
    /* Nor that who is closed is in the list no more. */
    while (!TAILQ_EMPTY(&serve->clients->idle))
        client_close(TAILQ_FIRST(&serve->clients->idle)); /* NOLINT(clang-analyzer-unix.Malloc) */
}

void clients_free(struct serve *serve)
{
    struct clients *clients = serve->clients;

    clients_drain(serve);
    while (!TAILQ_EMPTY(&clients->others))
        client_close(TAILQ_FIRST(&clients->others)); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(clients);
}
