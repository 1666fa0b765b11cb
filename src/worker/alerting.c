/* SPDX-License-Identifier: MIT */
#include "worker/alerting.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "db/alerts.h"
#include "worker/connecting.h"
#include "worker/finding.h"
#include "worker/reporting.h"
#include "worker/requiring.h"

#define REFUSED_LONGEST_US INT64_C(600000000)
#define OUTAGE_KEEP_US     INT64_C(600000000) /* so long after its end there is time to tell of it */
#define REASON_SIZE        300

/* The database was of no use. */
struct outage {
    int64_t since_us; /* 0: there is none */
    int64_t until_us; /* 0: it lasts */
    bool is_logged;
    char reason[REASON_SIZE];
};

struct alerting {
    bool is_running; /* a request is out */
    bool has_look;   /* its causes are decided one after another */
    struct alerts_look look;
    int64_t look_us; /* when it was made */
    enum alert_cause next;
    enum alert_cause changing;
    struct alert_decision decision;
    int64_t due_us, pause_us; /* the next look */
    int64_t unowned_us;       /* since when lanes are seen without an owner; 0: they have one */
    struct outage outage;
    bool has_secret; /* of alerts.customer, in the database, at the last look */
    bool is_refused; /* something of the last looks was */
    bool is_closed;  /* alerts are off, and what was open has been closed */
    bool is_closing; /* the look was asked for while they were off, so that it has found nothing */
    const char *problem;
};

void alerting_init(struct worker *worker)
{
    worker->alerting = memory_new(1, sizeof(*worker->alerting));
}

void alerting_free(struct worker *worker)
{
    alerts_look_free(&worker->alerting->look);
    free(worker->alerting);
}

static bool is_wanted(const struct config *config)
{
    switch (config->alerts.enabled) {
    case ALERTS_AUTO:
        return config->alerts.url[0] != '\0';
    case ALERTS_ALWAYS:
        return true;
    case ALERTS_NEVER:
        break;
    }
    return false;
}

static bool is_mine(const struct worker *worker)
{
    return (is_wanted(worker->config) || !worker->alerting->is_closed) && worker->may_send &&
           worker->phase == WORKER_RUNNING && finding_owns_lane(worker, 0);
}

/* "" while alerts are off: what is still open ends in the log alone. */
static const char *url_of(const struct worker *worker)
{
    return is_wanted(worker->config) ? worker->config->alerts.url : "";
}

/* --- outages of the database --- */

static bool is_ready(const struct worker *worker)
{
    return worker_is_connected(worker) && worker->is_schema_checked && requiring_is_met(worker);
}

static const char *outage_reason(const struct worker *worker)
{
    const char *unmet = requiring_problem(worker);
    const char *lost = connecting_outage(worker);

    if (worker_is_connected(worker) && unmet != NULL)
        return unmet;
    return lost != NULL ? lost : "it does not answer";
}

static bool is_long(const struct worker *worker, const struct outage *outage)
{
    int64_t end_us = outage->until_us != 0 ? outage->until_us : worker->now_us;

    return worker->config->alerts.database_ms > 0 && outage->since_us != 0 &&
           end_us - outage->since_us >= worker->config->alerts.database_ms * 1000;
}

static void log_outage(struct worker *worker)
{
    struct outage *outage = &worker->alerting->outage;

    outage->is_logged = true;
    snprintf(outage->reason, sizeof(outage->reason), "%s", outage_reason(worker));
    log_event(LOG_LEVEL_ERROR, "alert", LOG_TEXT("cause", alert_kind(ALERT_DATABASE)->name),
              LOG_TEXT("state", "raised"), LOG_TEXT("fault", "ours"),
              LOG_TEXT("error", outage->reason),
              LOG_NUMBER("seconds", (worker->now_us - outage->since_us) / 1000000),
              LOG_TEXT("message_id", alert_kind(ALERT_DATABASE)->message_id));
}

static void watch_database(struct worker *worker)
{
    struct outage *outage = &worker->alerting->outage;
    bool is_over = outage->until_us != 0;

    if (is_ready(worker)) {
        if (outage->since_us != 0 && !is_over)
            outage->until_us = worker->now_us;
        if (outage->since_us != 0 &&
            (!is_long(worker, outage) || worker->now_us - outage->until_us > OUTAGE_KEEP_US))
            *outage = (struct outage){0};
    } else if (outage->since_us == 0 || is_over) {
        *outage = (struct outage){.since_us = worker->now_us};
    } else if (!outage->is_logged && is_long(worker, outage) && is_wanted(worker->config)) {
        log_outage(worker);
    }
}

/* --- what was seen --- */

static enum alert_sight sight_of_outage(struct worker *worker, struct alerts_found *found)
{
    struct alerting *alerting = worker->alerting;
    struct outage *outage = &alerting->outage;
    const struct alert_state *state = &alerting->look.states[ALERT_DATABASE];

    if (outage->since_us == 0 || outage->until_us == 0 || !is_wanted(worker->config))
        return ALERT_ABSENT;
    /* Somebody else has told of it. */
    if (state->is_known && state->ended_ms * 1000 < alerting->look_us - outage->since_us) {
        *outage = (struct outage){0};
        return ALERT_ABSENT;
    }
    found->finding.age_ms = (outage->until_us - outage->since_us) / 1000;
    return ALERT_PRESENT;
}

static enum alert_sight sight_of_lanes(struct worker *worker, struct alerts_found *found)
{
    struct alerting *alerting = worker->alerting;
    int64_t after_ms = worker->config->alerts.unowned_lanes_ms;

    if (!found->is_there)
        alerting->unowned_us = 0;
    else if (alerting->unowned_us == 0)
        alerting->unowned_us = alerting->look_us;
    if (alerting->unowned_us == 0 || after_ms == 0)
        return ALERT_ABSENT;
    found->finding.age_ms = (alerting->look_us - alerting->unowned_us) / 1000;
    /* Without an owner, but not for long enough: neither there nor gone. */
    return found->finding.age_ms >= after_ms ? ALERT_PRESENT : ALERT_UNSEEN;
}

static enum alert_sight sight_of_dead(const struct worker *worker, struct alerts_found *found)
{
    int64_t limit = worker->config->alerts.dead_letters;

    found->finding.window_ms = worker->config->alerts.window_ms;
    if (limit > 0 && found->finding.count >= limit)
        return ALERT_PRESENT;
    return limit > 0 && found->is_partial ? ALERT_UNSEEN : ALERT_ABSENT;
}

static enum alert_sight sight(struct worker *worker, enum alert_cause cause)
{
    struct alerts_found *found = &worker->alerting->look.found[cause];

    switch (cause) {
    case ALERT_DATABASE:
        return sight_of_outage(worker, found);
    case ALERT_LANE_UNOWNED:
        return sight_of_lanes(worker, found);
    case ALERT_DEAD_LETTERS:
    case ALERT_DEAD_LETTERS_RECEIVER:
        return sight_of_dead(worker, found);
    case ALERT_OLDEST_DUE:
    case ALERT_OLDEST_DUE_RECEIVER:
    case ALERT_KEY_BLOCKED:
    case ALERT_AUDIT:
    case ALERT_ENDPOINT_DISABLED:
    case ALERT_ENDPOINT_RECOVERED:
    case ALERT_CAUSES:
        break;
    }
    if (found->is_there)
        return ALERT_PRESENT;
    return found->is_partial ? ALERT_UNSEEN : ALERT_ABSENT;
}

/* --- who can be told --- */

/* A message that was made without a secret would be dead at once. */
static bool may_tell(const struct worker *worker)
{
    return url_of(worker)[0] == '\0' || worker->alerting->has_secret ||
           worker->config->signing.secrets.count > 0;
}

/* What makes that nobody hears of it; what was decided before is told when it has gone. */
static void find_problem(struct worker *worker)
{
    struct alerting *alerting = worker->alerting;

    if (!alerting->is_refused)
        alerting->problem = NULL;
    if (url_of(worker)[0] == '\0' || alerting->is_refused)
        return;
    if (!may_tell(worker))
        alerting->problem = "alerts wait for a secret to sign them: alerts.customer has none";
    else if (alerting->look.is_disabled)
        alerting->problem = "alerts reach nobody: the endpoint of alerts.url is disabled";
    else if (alerting->look.is_paused)
        alerting->problem = "alerts wait: the endpoint of alerts.url is paused";
}

static void tell_problem(const struct worker *worker, const char *before)
{
    const char *problem = worker->alerting->problem;

    if (problem != NULL && problem != before)
        log_event(LOG_LEVEL_ERROR, "alerts do not go out", LOG_TEXT("error", problem),
                  LOG_TEXT("customer", worker->config->alerts.customer));
}

const char *alerting_problem(const struct worker *worker)
{
    return is_wanted(worker->config) && is_mine(worker) ? worker->alerting->problem : NULL;
}

char *alerting_action(const struct worker *worker)
{
    char *url = hint_quoted(worker->config->alerts.url);
    char *action;

    if (!may_tell(worker))
        action = memory_format("postrider secret new --customer %s%s",
                               worker->config->alerts.customer, hint_options());
    else
        action = memory_format("postrider endpoint show %s%s; and the worker's log", url,
                               hint_options());
    free(url);
    return action;
}

/* --- looks and changes --- */

static void end_look(struct worker *worker, int64_t pause_us)
{
    struct alerting *alerting = worker->alerting;

    alerts_look_free(&alerting->look);
    alerting->has_look = false;
    alerting->due_us = worker->now_us + pause_us;
}

static void note_unanswered(struct worker *worker, const struct db_answer *answer)
{
    struct alerting *alerting = worker->alerting;
    int64_t interval_us = worker->config->alerts.interval_ms * 1000;

    alerting->is_refused = answer->result == DB_REFUSED && is_wanted(worker->config);
    if (alerting->is_refused) {
        alerting->pause_us = 2 * (alerting->pause_us > 0 ? alerting->pause_us : interval_us);
        if (alerting->pause_us > REFUSED_LONGEST_US)
            alerting->pause_us = REFUSED_LONGEST_US;
        alerting->problem =
            "the database refuses to look for alerts or to take them: its log says why";
        reporting_refusal("looking for what is to be alerted of was refused", answer);
    }
    end_look(worker, alerting->pause_us > 0 ? alerting->pause_us : interval_us);
}

static void on_looked(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct alerting *alerting = worker->alerting;
    const char *before = alerting->problem;

    alerting->is_running = false;
    if (answer->result != DB_ANSWERED) {
        note_unanswered(worker, answer);
        return;
    }
    alerting->look = alerts_read_look(answer);
    alerting->has_look = true;
    alerting->has_secret = alerting->look.has_secret;
    alerting->next = (enum alert_cause)0;
    find_problem(worker);
    tell_problem(worker, before);
}

/* Nothing is looked for while alerts are off: so it is seen not to be there. */
static struct alerts_question question_of(const struct worker *worker)
{
    const struct config *config = worker->config;

    if (!is_wanted(config))
        return (struct alerts_question){.customer = "", .url = ""};
    return (struct alerts_question){
        .customer = config->alerts.customer,
        .url = config->alerts.url,
        .window_ms = config->alerts.dead_letters > 0 ? config->alerts.window_ms : 0,
        .oldest_due_ms = config->alerts.oldest_due_ms,
        .oldest_due_receiver_ms = config->alerts.oldest_due_receiver_ms,
        .blocked_keys = config->alerts.blocked_keys,
        .lanes = config->alerts.unowned_lanes_ms > 0,
        .audit = config->alerts.audit,
        .endpoints = config->alerts.endpoints,
    };
}

static bool send_look(struct worker *worker)
{
    struct alerts_question question = question_of(worker);

    worker->alerting->look_us = worker->now_us;
    worker->alerting->is_closing = !is_wanted(worker->config);
    return alerts_send_look(worker->reading, &question, on_looked, worker);
}

static void log_change(const struct alerting *alerting, const char *summary)
{
    const struct alert_kind *kind = alert_kind(alerting->changing);
    static const char *const states[] = {
        [ALERT_RAISE] = "raised",     [ALERT_TELL] = "told",      [ALERT_REMIND] = "reminder",
        [ALERT_RESOLVE] = "resolved", [ALERT_OCCUR] = "occurred",
    };
    bool is_good =
        alerting->decision.act == ALERT_RESOLVE || alerting->changing == ALERT_ENDPOINT_RECOVERED;

    log_event(is_good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "alert", LOG_TEXT("cause", kind->name),
              LOG_TEXT("state", states[alerting->decision.act]),
              LOG_TEXT("fault", kind->is_receivers ? "receiver" : "ours"),
              LOG_TEXT("summary", summary), LOG_TEXT("message_id", kind->message_id));
}

static void on_changed(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct alerting *alerting = worker->alerting;
    const char *summary;

    alerting->is_running = false;
    if (answer->result != DB_ANSWERED) {
        note_unanswered(worker, answer);
        return;
    }
    summary = alerts_changed(answer);
    if (summary == NULL)
        return;
    log_change(alerting, summary);
    if (alerting->changing == ALERT_DATABASE)
        alerting->outage = (struct outage){0};
}

static bool send_change(struct worker *worker, enum alert_cause cause)
{
    struct alerting *alerting = worker->alerting;
    const struct alerts_found *found = &alerting->look.found[cause];
    bool is_over = alerting->decision.act == ALERT_RESOLVE;
    bool is_noted = cause == ALERT_ENDPOINT_DISABLED || cause == ALERT_ENDPOINT_RECOVERED;
    char summary[ALERT_SUMMARY_SIZE];
    struct alerts_change change = {
        .cause = cause,
        .decision = alerting->decision,
        .version = alerting->look.versions[cause],
        .age_ms = found->finding.age_ms,
        .summary = is_noted ? NULL : alert_summary(cause, &found->finding, is_over, summary),
        .detail = is_over ? NULL : found->detail,
        .customer = worker->config->alerts.customer,
        .url = url_of(worker),
    };

    alerting->changing = cause;
    return alerts_send_change(worker->writing, worker->config->database.schema, &change, on_changed,
                              worker);
}

/* The next cause of the look that something is to be done about; the end of the look behind all. */
static void decide_next(struct worker *worker)
{
    struct alerting *alerting = worker->alerting;
    struct alert_rules rules = {worker->config->alerts.remind_ms, may_tell(worker)};

    while (alerting->next < ALERT_CAUSES) {
        enum alert_cause cause = alerting->next++;

        alerting->decision =
            alert_decide(cause, sight(worker, cause), &alerting->look.states[cause], &rules);
        if (alerting->decision.act != ALERT_LEAVE) {
            alerting->is_running = send_change(worker, cause);
            return;
        }
    }
    alerting->pause_us = 0;
    alerting->is_refused = false;
    alerting->is_closed = alerting->is_closing;
    end_look(worker, worker->config->alerts.interval_ms * 1000);
}

void alerting_step(struct worker *worker)
{
    struct alerting *alerting = worker->alerting;

    watch_database(worker);
    if (is_wanted(worker->config))
        alerting->is_closed = false;
    if (alerting->is_running)
        return;
    if (!is_mine(worker)) {
        if (alerting->has_look)
            end_look(worker, 0);
        alerting->unowned_us = 0;
        alerting->problem = NULL;
        return;
    }
    /* They were switched on or off since it was asked for. */
    if (alerting->has_look && alerting->is_closing == is_wanted(worker->config))
        end_look(worker, 0);
    if (alerting->has_look)
        decide_next(worker);
    else if (worker->now_us >= alerting->due_us)
        alerting->is_running = send_look(worker);
}

int64_t alerting_next_us(const struct worker *worker)
{
    const struct alerting *alerting = worker->alerting;
    const struct outage *outage = &alerting->outage;

    if (is_wanted(worker->config) && !outage->is_logged && outage->since_us != 0 &&
        outage->until_us == 0 && worker->config->alerts.database_ms > 0)
        return outage->since_us + worker->config->alerts.database_ms * 1000;
    if (alerting->is_running || !is_mine(worker))
        return WORKER_NEVER;
    return alerting->has_look ? worker->now_us : alerting->due_us;
}
