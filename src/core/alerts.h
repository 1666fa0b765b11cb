/* SPDX-License-Identifier: MIT */
/*
 * core/alerts.h: when somebody is told that something is wrong, and when not again.
 *
 * Each cause has one alert, however many workers, endpoints or deliveries it is about. A state (dead
 * letters over a number, a lane of nobody) is raised when it is seen, told again every remind_ms
 * while it lasts, and resolved when it is seen to be over. What was not seen is neither there nor
 * gone. An occurrence (an endpoint was disabled, the database was away) is over as soon as it is
 * told; what has happened since the last message is told in one.
 *
 * Against floods: what has ended is not raised again within pause_ms, which doubles each time that
 * it comes back within ALERT_QUIET_MS, from ALERT_PAUSE_MIN_MS to ALERT_PAUSE_MAX_MS; so a cause
 * that comes and goes is told of once in an hour in the end. A message that can't be sent (nobody to
 * sign it) is owed: the alert is open, and told as soon as it can be.
 *
 * Pure: the caller has read the state from webhook_alerts, and writes down what is decided.
 */
#ifndef POSTRIDER_CORE_ALERTS_H
#define POSTRIDER_CORE_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALERT_PAUSE_MIN_MS     INT64_C(60000)
#define ALERT_PAUSE_MAX_MS     INT64_C(3600000)
#define ALERT_QUIET_MS         INT64_C(7200000)
#define ALERT_DEAD_LETTERS_MAX 10000 /* counting ends there */
#define ALERT_SUMMARY_SIZE     256
#define ALERT_TYPE_PREFIX      "postrider.alert." /* of the events that tell; nobody else's over HTTP */

/* Ours and the receivers' apart: a customer who fails all day must not hide that we do. */
enum alert_cause {
    ALERT_DEAD_LETTERS,
    ALERT_DEAD_LETTERS_RECEIVER,
    ALERT_OLDEST_DUE,
    ALERT_OLDEST_DUE_RECEIVER,
    ALERT_KEY_BLOCKED,
    ALERT_LANE_UNOWNED,
    ALERT_AUDIT,
    ALERT_DATABASE,
    ALERT_ENDPOINT_DISABLED,
    ALERT_ENDPOINT_RECOVERED,
    ALERT_CAUSES
};

struct alert_kind {
    const char *name; /* the key of webhook_alerts, and a field of the message */
    const char *type; /* the event's type behind "postrider.alert." */
    bool is_occurrence;
    bool is_receivers; /* whose fault it is: "receiver", or "ours" */
    /* For journalctl MESSAGE_ID=…; one for each type, whether it is raised or resolved. */
    const char *message_id;
};

const struct alert_kind *alert_kind(enum alert_cause cause);

/* ALERT_CAUSES when there is none of that name. */
enum alert_cause alert_cause_of(const char *name);

/* What a look has found. */
enum alert_sight { ALERT_UNSEEN, ALERT_ABSENT, ALERT_PRESENT };

/* What webhook_alerts says of the cause; times are in ms before now. */
struct alert_state {
    bool is_known; /* it has a row */
    bool is_open;
    bool is_told;     /* a message has gone out of the present or last time */
    int64_t told_ms;  /* with is_told: the last one */
    int64_t ended_ms; /* when it was last over; with is_known and not is_open */
    int64_t pause_ms;
};

struct alert_rules {
    int64_t remind_ms; /* 0: never */
    bool may_tell;     /* a message that is made now would be signed */
};

enum alert_act { ALERT_LEAVE, ALERT_RAISE, ALERT_TELL, ALERT_REMIND, ALERT_RESOLVE, ALERT_OCCUR };

struct alert_decision {
    enum alert_act act;
    bool is_message; /* told to the receiver too, not to the log alone */
    int64_t pause_ms;
};

struct alert_decision alert_decide(enum alert_cause cause, enum alert_sight sight,
                                   const struct alert_state *state,
                                   const struct alert_rules *rules);

/* What was seen, in numbers. */
struct alert_finding {
    int64_t count; /* dead letters, keys, lanes */
    bool is_more;  /* counting ended there */
    int64_t age_ms;
    int64_t window_ms; /* alerts.window */
};

/* A sentence without its full stop; of a state that is over when is_over. */
const char *alert_summary(enum alert_cause cause, const struct alert_finding *finding, bool is_over,
                          char text[ALERT_SUMMARY_SIZE]);

#endif
