#include "db/link.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/hosts.h"
#include "db/link_parts.h"

#define CONNECT_TIMEOUT_MS   10000
#define RECONNECT_FIRST_MS   100
#define RECONNECT_LONGEST_MS 5000
#define READ_ONLY_PAUSE_MS   500
#define STEADY_MS            10000

static void link_connect(struct db_link *link);

static void set_timer(struct db_link *link, int64_t ms)
{
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};

    if (evtimer_add(link->timer, &after) != 0)
        bug("timer could not be set");
}

/* libpq ends its messages with a newline and may put several lines into one. */
void link_copy_message(char *out, const char *message)
{
    size_t length;

    snprintf(out, LINK_REASON_SIZE, "%s",
             message != NULL && *message != '\0' ? message : "no reason");
    length = strlen(out);
    while (length > 0 && out[length - 1] == '\n')
        out[--length] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
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
    link_copy_message(link->reason, reason);
    free_socket_events(link);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
    link->is_direct = false;
    link->has_settings = false;
    link->allows_policies = false;
    link->needs_level = false;
    link->was_denied = false;
    link->is_read_only = false;
    prepared_reset(&link->prepared);
    link->has_input = false;
    link->tell_up = false;
    link->tell_down = true;
    set_timer(link, link->pause_ms);
    link->pause_ms *= 2;
    if (link->pause_ms > RECONNECT_LONGEST_MS)
        link->pause_ms = RECONNECT_LONGEST_MS;
}

void link_lost(struct db_link *link)
{
    link_to_down(link, PQerrorMessage(link->connection));
}

void link_leave_open_transaction(struct db_link *link)
{
    link_to_down(link, "the server, or a pooler in front of it, does not end a transaction where "
                       "it is asked to, so that nothing would ever be committed; let database.url "
                       "lead to PostgreSQL itself, or set up the pooler for single transactions "
                       "(pgpool-II: backend_clustering_mode = 'streaming_replication', not 'raw')");
}

/* Where there is no other host, it is asked as often whether it takes writes now. */
void link_leave_read_only(struct db_link *link, const char *reason)
{
    bool was_up = link->state == LINK_UP;

    link_to_down(link, reason);
    if (was_up)
        link->first_host++;
    link->pause_ms = READ_ONLY_PAUSE_MS;
    set_timer(link, link->pause_ms);
}

/* What is wrong about one server is wrong about the primary as well: from then on libpq takes any.
 */
void link_leave_standby(struct db_link *link)
{
    link->chooses_server = true;
    link_leave_read_only(link, "the server is a standby, which is read-only; name all servers in "
                               "database.url, with target_session_attrs=read-write");
}

void link_flush(struct db_link *link)
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

bool link_is_connected(const struct db_link *link)
{
    return link->state == LINK_GREETING || link->state == LINK_UP;
}

static void on_settings_answered(void *owner, const struct db_answer *answer)
{
    struct db_link *link = owner;

    link->has_settings = answer->result == DB_ANSWERED;
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
    /* A request without statements: its settings are the session's. */
    if (link->is_direct && !link_send_request(link, NULL, 0, on_settings_answered, link))
        link->tell_up = false;
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
    link->state = LINK_GREETING;
    link->socket_event = new_event(link, EV_READ | EV_PERSIST, on_socket_event);
    link->write_event = new_event(link, EV_WRITE, on_socket_event);
    if (event_add(link->socket_event, NULL) != 0)
        bug("link events could not be set");
    /* When it fails the link is down again, and that will be told. */
    (void)link_send_request(link, &process_id, 1, on_greeting_answered, link);
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
    STAILQ_INIT(&link->requests);
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

bool db_link_is_direct(const struct db_link *link)
{
    return link->is_direct;
}

void db_link_refuse_hidden(struct db_link *link)
{
    link->refuses_hidden = true;
}

void db_link_allow_policies(struct db_link *link, bool is_allowed)
{
    link->allows_policies = link->refuses_hidden && is_allowed;
}

bool db_link_take_denial(struct db_link *link)
{
    bool was_denied = link->was_denied;

    link->was_denied = false;
    return was_denied;
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
    link_fail_requests(link);
    event_free(link->timer);
    memory_free_secret(link->url);
    free(link->schema);
    free(link->settings_sql);
    free(link);
}
