/* SPDX-License-Identifier: MIT */
#include "db/link.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/hosts.h"
#include "db/message.h"
#include "db/pipeline.h"

#define CONNECT_TIMEOUT_MS   10000
#define RECONNECT_FIRST_MS   100
#define RECONNECT_LONGEST_MS 5000
#define READ_ONLY_PAUSE_MS   500
#define STEADY_MS            10000

/*
 * down → connecting → greeting → up → down … ; closing a connection is always link_to_down(). A
 * connection that failed waits for its timer in down. greeting: the link asks whom it speaks to.
 */
enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_UP };

struct db_link {
    struct event_base *base;
    char *url;
    char *schema;
    struct db_link_events events;
    enum link_state state;
    PGconn *connection; /* NULL in LINK_DOWN */
    struct event *socket_event;
    struct event *write_event;
    struct event *timer; /* reconnect; time-out until it is up; then, until it is steady */
    int socket;
    int64_t pause_ms;
    unsigned first_host;      /* of the URL's: the next attempt begins with it */
    bool chooses_server;      /* not libpq, which was told wrong */
    bool is_direct;           /* db_link_is_direct() */
    struct pipeline pipeline; /* open in LINK_GREETING and LINK_UP */
    bool has_input;
    bool tell_up;
    bool tell_down;
    char reason[MESSAGE_SIZE];
};

static void link_connect(struct db_link *link);

static void set_timer(struct db_link *link, int64_t ms)
{
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};

    if (evtimer_add(link->timer, &after) != 0)
        bug("timer could not be set");
}

static void free_socket_events(struct db_link *link)
{
    if (link->socket_event != NULL)
        event_free(link->socket_event);
    if (link->write_event != NULL)
        event_free(link->write_event);
    link->socket_event = NULL;
    link->write_event = NULL;
    link->socket = -1;
}

static void link_to_down(struct db_link *link, const char *reason)
{
    if (link->state != LINK_UP)
        link->first_host++; /* it came to nothing with this one */
    message_copy(link->reason, reason);
    free_socket_events(link);
    pipeline_close(&link->pipeline);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
    link->is_direct = false;
    link->has_input = false;
    link->tell_up = false;
    link->tell_down = true;
    set_timer(link, link->pause_ms);
    link->pause_ms *= 2;
    if (link->pause_ms > RECONNECT_LONGEST_MS)
        link->pause_ms = RECONNECT_LONGEST_MS;
}

static void link_lost(struct db_link *link)
{
    link_to_down(link, PQerrorMessage(link->connection));
}

static void link_leave_open_transaction(struct db_link *link)
{
    link_to_down(link, "the server, or a pooler in front of it, does not end a transaction where "
                       "it is asked to, so that nothing would ever be committed; let database.url "
                       "lead to PostgreSQL itself, or set up the pooler for single transactions "
                       "(pgpool-II: backend_clustering_mode = 'streaming_replication', not 'raw')");
}

/*
 * The next attempt begins with another host. Where there is none, this one is asked as often
 * whether it takes writes now.
 */
static void link_leave_read_only(struct db_link *link, const char *reason)
{
    bool was_up = link->state == LINK_UP;

    link_to_down(link, reason);
    if (was_up)
        link->first_host++;
    link->pause_ms = READ_ONLY_PAUSE_MS;
    set_timer(link, link->pause_ms);
}

/*
 * libpq, or a pooler, was wrong about this server, and will be about the primary as well: from then
 * on libpq takes any.
 */
static void link_leave_standby(struct db_link *link)
{
    link->chooses_server = true;
    link_leave_read_only(link, "the server is a standby, which is read-only; name all servers in "
                               "database.url, with target_session_attrs=read-write");
}

/* The pipeline says what is wrong with the connection; the link alone acts on it. */
static void link_obey(struct db_link *link, enum pipeline_verdict verdict)
{
    switch (verdict) {
    case PIPELINE_GOES_ON:
        break;
    case PIPELINE_LOST:
        link_lost(link);
        break;
    case PIPELINE_UNCERTAIN:
        link_to_down(link, pipeline_reason(&link->pipeline));
        break;
    case PIPELINE_OPEN_TRANSACTION:
        link_leave_open_transaction(link);
        break;
    case PIPELINE_STANDBY:
        link_leave_standby(link);
        break;
    case PIPELINE_READ_ONLY:
        link_leave_read_only(link,
                             "the server is read-only; database.url must lead to the primary, "
                             "or default_transaction_read_only is set for the role or the "
                             "database");
        break;
    }
}

static void link_flush(struct db_link *link)
{
    int left = PQflush(link->connection);

    if (left < 0)
        link_lost(link);
    else if (left > 0 && event_add(link->write_event, NULL) != 0)
        bug("write event could not be added");
}

/* libpq's rule for a socket that can be written: read what has come before writing more, or both
 * sides can wait for ever. */
static void on_socket_event(evutil_socket_t fd, short what, void *argument)
{
    struct db_link *link = argument;

    (void)fd;
    if (PQconsumeInput(link->connection) == 0) {
        link_lost(link);
        return;
    }
    link->has_input = true;
    if ((what & EV_WRITE) != 0)
        link_flush(link);
}

static struct event *new_event(struct db_link *link, short what, event_callback_fn on_event)
{
    struct event *event = event_new(link->base, link->socket, what, on_event, link);

    if (event == NULL)
        bug("event could not be made");
    return event;
}

static void ignore_notice(void *argument, const PGresult *result)
{
    (void)argument;
    (void)result;
}

/* There is a connection that requests can go over. */
static bool link_is_connected(const struct db_link *link)
{
    return link->state == LINK_GREETING || link->state == LINK_UP;
}

/* What the pipeline has taken goes out; what it could not take has lost the link. */
static bool link_note_sent(struct db_link *link, bool is_sent)
{
    if (is_sent)
        link_flush(link);
    else
        link_lost(link);
    return is_sent;
}

/* A refusal is no reason to stay away: the next request will say it to somebody who reports it. */
static void on_greeting_answered(void *owner, const struct db_answer *answer)
{
    struct db_link *link = owner;

    if (answer->result == DB_LOST)
        return;
    link->is_direct =
        answer->result == DB_ANSWERED &&
        strtol(PQgetvalue(answer->results[0], 0, 0), NULL, 10) == PQbackendPID(link->connection);
    link->state = LINK_UP;
    link->tell_up = true;
    set_timer(link, STEADY_MS);
    /* When it fails the link is down again, and that will be told. */
    if (link->is_direct)
        (void)link_note_sent(link, pipeline_send_settings(&link->pipeline));
}

static void link_to_greeting(struct db_link *link)
{
    struct db_statement process_id = {"SELECT pg_backend_pid()", 0, {NULL}};

    free_socket_events(link);
    link->socket = PQsocket(link->connection);
    if (PQsetnonblocking(link->connection, 1) != 0 || PQenterPipelineMode(link->connection) != 1) {
        link_lost(link);
        return;
    }
    pipeline_open(&link->pipeline, link->connection);
    link->state = LINK_GREETING;
    link->socket_event = new_event(link, EV_READ | EV_PERSIST, on_socket_event);
    link->write_event = new_event(link, EV_WRITE, on_socket_event);
    if (event_add(link->socket_event, NULL) != 0)
        bug("link events could not be set");
    /* When it fails the link is down again, and that will be told. */
    (void)link_note_sent(
        link, pipeline_send(&link->pipeline, &process_id, 1, on_greeting_answered, link));
}

static void on_socket_connecting(evutil_socket_t fd, short what, void *argument);

/* The socket can change from one poll to the next (several hosts), so its event is made anew. */
static void await_socket(struct db_link *link, short what)
{
    free_socket_events(link);
    link->socket = PQsocket(link->connection);
    link->socket_event = new_event(link, what, on_socket_connecting);
    if (event_add(link->socket_event, NULL) != 0)
        bug("connect event could not be added");
}

static void on_socket_connecting(evutil_socket_t fd, short what, void *argument)
{
    struct db_link *link = argument;

    (void)fd;
    (void)what;
    switch (PQconnectPoll(link->connection)) {
    case PGRES_POLLING_READING:
        await_socket(link, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        await_socket(link, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        link_to_greeting(link);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        link_lost(link);
        break;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct db_link *link = argument;

    (void)fd;
    (void)what;
    if (link->state == LINK_CONNECTING || link->state == LINK_GREETING)
        link_to_down(link, "the server did not answer within 10 s");
    else if (link->state == LINK_DOWN)
        link_connect(link);
    else /* One that is lost sooner may be lost as soon as it is there, each time. */
        link->pause_ms = RECONNECT_FIRST_MS;
}

/* What stands before dbname is a default that the URL may override; what stands after it is not. */
static void link_connect(struct db_link *link)
{
    struct hosts hosts;
    /* clang-format off */
    const char *const keywords[] = {
        "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "dbname", "client_encoding", "host", "hostaddr", "port",
        "target_session_attrs", NULL};

    hosts_rotate(link->url, link->first_host, &hosts);
    const char *const values[] = {
        "postrider", "10", "5", "3",
        "20000", link->url, "UTF8", hosts.host, hosts.hostaddr, hosts.port,
        link->chooses_server ? "any" : NULL, NULL};
    /* clang-format on */

    link->connection = PQconnectStartParams(keywords, values, 1);
    hosts_free(&hosts);
    if (link->connection == NULL)
        bug("out of memory");
    PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
    link->state = LINK_CONNECTING;
    if (PQstatus(link->connection) == CONNECTION_BAD) {
        link_lost(link);
        return;
    }
    set_timer(link, CONNECT_TIMEOUT_MS);
    await_socket(link, EV_WRITE);
}

struct db_link *db_link_new(struct event_base *base, const char *url, const char *schema,
                            const struct db_link_events *events)
{
    struct db_link *link = memory_new(1, sizeof(*link));

    link->base = base;
    link->url = memory_copy_string(url);
    link->schema = memory_copy_string(schema);
    link->events = *events;
    link->socket = -1;
    link->pause_ms = RECONNECT_FIRST_MS;
    pipeline_init(&link->pipeline, link->schema);
    link->timer = evtimer_new(base, on_timer, link);
    if (link->timer == NULL)
        bug("timer could not be made");
    link_connect(link);
    return link;
}

bool db_link_is_up(const struct db_link *link)
{
    return link->state == LINK_UP && !link->tell_up;
}

bool db_link_takes_long(const struct db_link *link)
{
    return db_link_is_direct(link) || db_link_outstanding(link) == 0;
}

bool db_link_is_direct(const struct db_link *link)
{
    return link->is_direct;
}

void db_link_refuse_hidden(struct db_link *link)
{
    pipeline_refuse_hidden(&link->pipeline);
}

void db_link_allow_policies(struct db_link *link, bool is_allowed)
{
    pipeline_allow_policies(&link->pipeline, is_allowed);
}

bool db_link_take_denial(struct db_link *link)
{
    return pipeline_take_denial(&link->pipeline);
}

size_t db_link_outstanding(const struct db_link *link)
{
    return pipeline_outstanding(&link->pipeline);
}

bool db_link_send(struct db_link *link, const struct db_statement *statements, int count,
                  db_link_answered *on_answer, void *request_owner)
{
    return link->state == LINK_UP &&
           link_note_sent(
               link, pipeline_send(&link->pipeline, statements, count, on_answer, request_owner));
}

/* The request was taken: a link that is lost while its statements are prepared says so itself. */
bool db_link_send_often(struct db_link *link, const struct db_statement *statements, int count,
                        db_link_answered *on_answer, void *request_owner)
{
    int prepared = 0;

    if (!db_link_send(link, statements, count, on_answer, request_owner))
        return false;
    if (link->state == LINK_UP)
        prepared = pipeline_prepare(&link->pipeline, statements, count);
    if (prepared != 0)
        (void)link_note_sent(link, prepared > 0);
    return true;
}

/* Comes after the answers that came with it, so that a read does not hide what it did not see. */
static void collect_notifications(struct db_link *link)
{
    PGnotify *notification;
    bool has_any = false;

    while ((notification = PQnotifies(link->connection)) != NULL) {
        PQfreemem(notification);
        has_any = true;
    }
    if (has_any && link->events.on_notified != NULL)
        link->events.on_notified(link->events.owner);
}

/* Any callback may have closed the connection. */
static void collect_input(struct db_link *link)
{
    link->has_input = false;
    link_obey(link, pipeline_collect(&link->pipeline));
    if (link_is_connected(link))
        collect_notifications(link);
    if (link_is_connected(link))
        link_obey(link, pipeline_conclude(&link->pipeline));
}

void db_link_collect(struct db_link *link)
{
    if (link->has_input && link_is_connected(link))
        collect_input(link);
    if (link->tell_up) {
        link->tell_up = false;
        link->events.on_up(link->events.owner);
    }
    if (link->tell_down) {
        link->tell_down = false;
        pipeline_fail(&link->pipeline, link->reason);
        link->events.on_down(link->events.owner, link->reason);
    }
}

void db_link_reset(struct db_link *link, const char *reason)
{
    if (link->state != LINK_DOWN)
        link_to_down(link, reason);
}

void db_link_free(struct db_link *link)
{
    if (link == NULL)
        return;
    /* First down, so that a callback can't send what nobody would answer. */
    db_link_reset(link, "the link was closed");
    pipeline_fail(&link->pipeline, link->reason);
    pipeline_free(&link->pipeline);
    event_free(link->timer);
    memory_free_secret(link->url);
    free(link->schema);
    free(link);
}
