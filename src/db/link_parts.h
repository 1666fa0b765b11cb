/*
 * db/link_parts.h: what the two files of a link share.
 *
 *   link.c           the connection: made, watched, lost, made again
 *   link_requests.c  what goes over it, and the answers
 *
 * Nobody else includes this; db/link.h is the contract.
 */
#ifndef POSTRIDER_DB_LINK_PARTS_H
#define POSTRIDER_DB_LINK_PARTS_H

#include <sys/queue.h>

#include "db/link.h"
#include "db/prepared.h"

#define LINK_REASON_SIZE  512
#define LINK_SETTINGS_MAX 3 /* the level, the settings, and the guard of row security */

struct event;

struct request {
    STAILQ_ENTRY(request) entry;
    db_link_answered *on_answer;
    void *owner;
    int settings; /* statements that set them, before those that were asked for */
    int expected; /* statements, the settings included */
    int received; /* results of them */
    int failed;   /* those that were refused or skipped: they come last */
    bool is_refused;
    bool is_over; /* its sync has come; whether its transaction has ended is not known yet */
    PGresult *results[DB_STATEMENTS_MAX + LINK_SETTINGS_MAX];
    char message[LINK_REASON_SIZE];
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
    struct event *timer; /* reconnect; time-out until it is up; then, until it is steady */
    int socket;
    int64_t pause_ms;
    unsigned first_host; /* of the URL's: the next attempt begins with it */
    struct request_list requests;
    struct request *awaited; /* the first that is not over; NULL = none */
    size_t outstanding;
    bool chooses_server; /* not libpq, which was told wrong */
    bool is_direct;
    bool has_settings;  /* of the session */
    bool needs_level;   /* transactions begin with another level than READ COMMITTED */
    char *settings_sql; /* for a server of this version; NULL: not made yet */
    int settings_version;
    bool refuses_hidden, allows_policies; /* db_link_refuse_hidden(), db_link_allow_policies() */
    bool was_denied;                      /* db_link_take_denial() */
    struct prepared prepared;
    bool has_input;
    bool is_read_only; /* it refused a request for that */
    bool tell_up;
    bool tell_down;
    char reason[LINK_REASON_SIZE];
};

/* On one line; out has LINK_REASON_SIZE bytes. */
void link_copy_message(char *out, const char *message);

/* There is a connection that requests can go over. */
bool link_is_connected(const struct db_link *link);

/* Closes the connection, for the reason that libpq gives. */
void link_lost(struct db_link *link);

/* Closes it: the other side has left a transaction open that was to end, or says so. */
void link_leave_open_transaction(struct db_link *link);

/* Closes it since its server takes no writes; the next attempt begins with another host. */
void link_leave_read_only(struct db_link *link, const char *reason);

/* The same for a standby: libpq, or a pooler, was wrong about it. */
void link_leave_standby(struct db_link *link);

void link_flush(struct db_link *link);

/* In any state in which it is connected; false when the link was lost by it. */
bool link_send_request(struct db_link *link, const struct db_statement *statements, int count,
                       db_link_answered *on_answer, void *request_owner);

/* Answers what is outstanding with DB_LOST. */
void link_fail_requests(struct db_link *link);

#endif
