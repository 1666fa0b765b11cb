#include "db/link.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/memory.h"
#include "db/prepared.h"

#define CONNECT_TIMEOUT_MS   10000
#define RECONNECT_FIRST_MS   100
#define RECONNECT_LONGEST_MS 5000
#define REASON_SIZE          512

/*
 * First in every transaction ($2 = true), or once for the session of a direct link: that saves a
 * third of what the database does for a small read. Each row is found through one index, by key;
 * the planner's other ideas (a sort of everything, a hash of the table) come from stale statistics.
 * So a generic plan is as good as any; a session's statements are planned once (db/prepared.h).
 * lock_timeout: an operator's open transaction on one row must not hold up the outcomes of all the
 * others.
 */
static const char settings_sql[] =
    "SELECT set_config('search_path', CASE WHEN $1 = '' THEN current_setting('search_path') "
    "ELSE quote_ident($1) END, $2::bool), "
    "set_config('TimeZone', 'UTC', $2::bool), set_config('DateStyle', 'ISO', $2::bool), "
    "set_config('lock_timeout', '2s', $2::bool), set_config('statement_timeout', '60s', $2::bool), "
    "set_config('enable_seqscan', 'off', $2::bool), set_config('enable_bitmapscan', 'off', "
    "$2::bool), "
    "set_config('enable_hashjoin', 'off', $2::bool), set_config('enable_mergejoin', 'off', "
    "$2::bool), "
    "set_config('jit', 'off', $2::bool), "
    "set_config('plan_cache_mode', CASE WHEN $2::bool THEN current_setting('plan_cache_mode') "
    "ELSE 'force_generic_plan' END, $2::bool)";

struct request {
    STAILQ_ENTRY(request) entry;
    db_link_answered *on_answer;
    void *owner;
    int settings; /* 1 when the first statement sets them, else 0 */
    int expected; /* statements, the settings included */
    int received;
    bool is_refused;
    PGresult *results[DB_STATEMENTS_MAX + 1];
    char message[REASON_SIZE];
    char sqlstate[6];
};

STAILQ_HEAD(request_list, request);

/*
 * down → connecting → greeting → up → down … ; closing a connection is always to_down(). A
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
    struct event *timer; /* reconnect, or time-out until it is up */
    int socket;
    int64_t pause_ms;
    struct request_list requests;
    size_t outstanding;
    bool is_direct;
    bool has_settings; /* of the session */
    struct prepared prepared;
    bool has_input;
    bool tell_up;
    bool tell_down;
    char reason[REASON_SIZE];
};

static void link_connect(struct db_link *link);

static void set_timer(struct db_link *link, int64_t ms)
{
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};

    if (evtimer_add(link->timer, &after) != 0)
        bug("timer could not be set");
}

/* libpq ends its messages with a newline and may put several lines into one. */
static void copy_message(char *out, const char *message)
{
    size_t length;

    snprintf(out, REASON_SIZE, "%s", message != NULL && *message != '\0' ? message : "no reason");
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
    if (link->state == LINK_UP)
        link->pause_ms = RECONNECT_FIRST_MS;
    copy_message(link->reason, reason);
    free_socket_events(link);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
    link->is_direct = false;
    link->has_settings = false;
    prepared_reset(&link->prepared);
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

static bool is_connected(const struct db_link *link)
{
    return link->state == LINK_GREETING || link->state == LINK_UP;
}

static bool send_request(struct db_link *link, const struct db_statement *statements, int count,
                         db_link_answered *on_answer, void *request_owner);

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
    link->pause_ms = RECONNECT_FIRST_MS;
    link->tell_up = true;
    if (evtimer_del(link->timer) != 0)
        bug("link timer could not be removed");
    /* A request without statements: its settings are the session's. */
    if (link->is_direct && !send_request(link, NULL, 0, on_settings_answered, link))
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
    (void)send_request(link, &process_id, 1, on_greeting_answered, link);
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
}

/* What stands before dbname is a default that the URL may override; what stands after it is not. */
static void link_connect(struct db_link *link)
{
    const char *const keywords[] = {
        "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",          "dbname",          "client_encoding",     NULL};
    const char *const values[] = {"postrider", "10", "5", "3", "20000", link->url, "UTF8", NULL};

    link->connection = PQconnectStartParams(keywords, values, 1);
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

size_t db_link_outstanding(const struct db_link *link)
{
    return link->outstanding;
}

static bool send_statement(struct db_link *link, const char *sql, int count,
                           const char *const *values)
{
    const char *name = prepared_name(&link->prepared, sql);

    if (name != NULL)
        return PQsendQueryPrepared(link->connection, name, count, values, NULL, NULL, 0) == 1;
    return PQsendQueryParams(link->connection, sql, count, NULL, values, NULL, NULL, 0) == 1;
}

static bool send_settings(struct db_link *link, bool is_local)
{
    const char *const values[] = {link->schema, is_local ? "t" : "f"};

    return send_statement(link, settings_sql, 2, values);
}

/* Ends what was sent since the last request: it is one, and its answers are awaited. */
static bool end_request(struct db_link *link, const struct request *given)
{
    struct request *request;

    if (PQpipelineSync(link->connection) != 1) {
        link_lost(link);
        return false;
    }
    request = memory_new(1, sizeof(*request));
    *request = *given;
    STAILQ_INSERT_TAIL(&link->requests, request, entry);
    link->outstanding++;
    link_flush(link);
    return true;
}

static bool send_request(struct db_link *link, const struct db_statement *statements, int count,
                         db_link_answered *on_answer, void *request_owner)
{
    int settings = !link->has_settings;
    struct request request = {.on_answer = on_answer,
                              .owner = request_owner,
                              .settings = settings,
                              .expected = count + settings};
    bool is_sent;

    if (count > DB_STATEMENTS_MAX)
        bug("%d statements in one request", count);
    is_sent = settings == 0 || send_settings(link, count > 0);
    for (int i = 0; is_sent && i < count; i++)
        is_sent =
            send_statement(link, statements[i].sql, statements[i].count, statements[i].values);
    if (!is_sent) {
        link_lost(link);
        return false;
    }
    return end_request(link, &request);
}

bool db_link_send(struct db_link *link, const struct db_statement *statements, int count,
                  db_link_answered *on_answer, void *request_owner)
{
    return link->state == LINK_UP &&
           send_request(link, statements, count, on_answer, request_owner);
}

/* What is refused is not tried again: it goes on being sent in full. */
static void on_prepare_answered(void *owner, const struct db_answer *answer)
{
    struct prepared_statement *statement = owner;

    statement->is_ready = answer->result == DB_ANSWERED;
}

/* Behind its first use, as a request of its own. A link that is lost meanwhile says so itself. */
static void prepare(struct db_link *link, const struct db_statement *statement)
{
    struct prepared_statement *entry = prepared_begin(&link->prepared, statement->sql);
    struct request request = {.on_answer = on_prepare_answered, .owner = entry, .expected = 1};

    if (entry == NULL)
        return;
    if (PQsendPrepare(link->connection, entry->name, entry->sql, statement->count, NULL) != 1)
        link_lost(link);
    else
        (void)end_request(link, &request);
}

bool db_link_send_often(struct db_link *link, const struct db_statement *statements, int count,
                        db_link_answered *on_answer, void *request_owner)
{
    if (!db_link_send(link, statements, count, on_answer, request_owner))
        return false;
    for (int i = 0; i < count && link->state == LINK_UP && link->has_settings; i++)
        prepare(link, &statements[i]);
    return true;
}

static void request_clear_results(struct request *request)
{
    for (int i = 0; i < request->received && i < request->expected; i++)
        PQclear(request->results[i]);
    request->received = 0;
}

/* Takes the request from the list before the callback, which may send the next one. */
static void request_finish(struct db_link *link, struct request *request, enum db_result result,
                           const char *message)
{
    struct db_answer answer = {.result = result, .message = message, .sqlstate = request->sqlstate};

    if (result == DB_ANSWERED) {
        answer.count = request->expected - request->settings;
        for (int i = 0; i < answer.count; i++)
            answer.results[i] = request->results[i + request->settings];
    }
    STAILQ_REMOVE_HEAD(&link->requests, entry);
    link->outstanding--;
    request->on_answer(request->owner, &answer);
    request_clear_results(request);
    free(request);
}

static void request_note_error(struct db_link *link, struct request *request,
                               const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    request->is_refused = true;
    copy_message(request->message, primary != NULL ? primary : PQresultErrorMessage(result));
    snprintf(request->sqlstate, sizeof(request->sqlstate), "%s", state != NULL ? state : "");
    prepared_note_refusal(&link->prepared, request->sqlstate);
}

/* One result that belongs to the first request of the list; it takes ownership. */
static void request_take(struct db_link *link, struct request *request, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        if (!request->is_refused && request->received != request->expected)
            bug("%d of %d results at a sync", request->received, request->expected);
        request_finish(link, request, request->is_refused ? DB_REFUSED : DB_ANSWERED,
                       request->message);
    } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        if (request->received == request->expected)
            bug("more results than statements");
        request->results[request->received++] = result;
    } else {
        /* An aborted statement comes after the error that is to be reported. */
        if (status != PGRES_PIPELINE_ABORTED && !request->is_refused)
            request_note_error(link, request, result);
        PQclear(result);
    }
}

static void collect_results(struct db_link *link)
{
    link->has_input = false;
    while (is_connected(link) && !STAILQ_EMPTY(&link->requests) &&
           PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);

        /* NULL ends the results of one statement. */
        if (result != NULL)
            request_take(link, STAILQ_FIRST(&link->requests), result);
    }
    if (is_connected(link) && PQstatus(link->connection) == CONNECTION_BAD)
        link_lost(link);
}

/* Comes after the answers that came with it, so that a read does not hide what it did not see. */
static void collect_notifications(struct db_link *link)
{
    PGnotify *notification;
    bool has_any = false;

    while (is_connected(link) && (notification = PQnotifies(link->connection)) != NULL) {
        PQfreemem(notification);
        has_any = true;
    }
    if (has_any && link->events.on_notified != NULL)
        link->events.on_notified(link->events.owner);
}

static void fail_requests(struct db_link *link)
{
    size_t count = link->outstanding;

    /* Counted: a callback can't send while the link is down, but it must not be trusted to. */
    while (count-- > 0)
        request_finish(link, STAILQ_FIRST(&link->requests), DB_LOST, link->reason);
}

void db_link_collect(struct db_link *link)
{
    if (link->has_input && is_connected(link)) {
        collect_results(link);
        collect_notifications(link);
    }
    if (link->tell_up) {
        link->tell_up = false;
        link->events.on_up(link->events.owner);
    }
    if (link->tell_down) {
        link->tell_down = false;
        fail_requests(link);
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
    snprintf(link->reason, sizeof(link->reason), "the link was closed");
    fail_requests(link);
    free_socket_events(link);
    event_free(link->timer);
    PQfinish(link->connection);
    free(link->url);
    free(link->schema);
    free(link);
}
