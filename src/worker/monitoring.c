/* SPDX-License-Identifier: MIT */
#include "worker/monitoring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "listen/monitor.h"
#include "worker/leasing.h"
#include "worker/reporting.h"
#include "worker/requiring.h"
#include "worker/sending.h"

#define KEY "metrics.listen"

struct monitoring {
    struct monitor *monitor; /* NULL: off */
    char listen[101];        /* metrics.listen, as it was last looked at */
};

/* --- /readyz --- */

/* What is missing, a sentence; NULL: nothing. */
static const char *unready(const struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING)
        return "the worker is stopping";
    if (!worker_is_connected(worker))
        return "the database can't be reached";
    if (requiring_problem(worker) != NULL)
        return "the database lacks something that the worker needs: its log says what";
    if (!worker->is_schema_checked)
        return "the schema's version is not known yet";
    if (!leasing_is_valid(worker))
        return "no lane is leased: other workers have them all, or none could be asked for yet";
    return NULL;
}

static int answer_ready(const struct worker *worker, struct buffer *body)
{
    const char *problem = unready(worker);

    buffer_append_format(body, "%s\n", problem != NULL ? problem : "ready");
    return problem != NULL ? 503 : 200;
}

/* --- /metrics --- */

static void append_outcomes(const struct worker *worker, struct buffer *out)
{
    static const char name[] = "postrider_deliveries_total";
    struct reporting_totals totals = reporting_totals(worker);

    metric_begin(out, name, "counter", "Deliveries by what was decided of them.");
    metric_number(out, name, "outcome=\"delivered\"", (double)totals.delivered);
    metric_number(out, name, "outcome=\"retried\"", (double)totals.retried);
    metric_number(out, name, "outcome=\"failed\"", (double)totals.failed);
}

static void append_attempts(const struct meters *meters, struct buffer *out)
{
    static const char name[] = "postrider_attempts_total";
    char label[64];

    metric_begin(out, name, "counter",
                 "Requests by the class of their answer, or why there is none.");
    for (int i = 0; i < HISTORY_NONE; i++) {
        snprintf(label, sizeof(label), "result=\"%dxx\"", i + 2);
        metric_number(out, name, label, (double)meters->answers[i]);
    }
    for (int i = ATTEMPT_ANSWERED + 1; i < ATTEMPT_UNSENDABLE; i++) {
        snprintf(label, sizeof(label), "result=\"%s\"",
                 attempt_result_name((enum attempt_result)i));
        metric_number(out, name, label, (double)meters->failures[i]);
    }
}

static void append_times(const struct meters *meters, struct buffer *out)
{
    static const char *const phases[PHASE_METERS] = {
        [PHASE_LOOKUP] = "phase=\"lookup\"", [PHASE_CONNECT] = "phase=\"connect\"",
        [PHASE_TLS] = "phase=\"tls\"",       [PHASE_FIRST_BYTE] = "phase=\"first_byte\"",
        [PHASE_TOTAL] = "phase=\"total\"",
    };
    static const char *const statements[STATEMENT_METERS] = {
        [STATEMENT_FIND] = "statement=\"find\"",
        [STATEMENT_OUTCOMES] = "statement=\"outcomes\"",
        [STATEMENT_LEASES] = "statement=\"leases\"",
    };

    metric_begin(out, "postrider_first_attempt_delay_seconds", "histogram",
                 "From when a delivery was due to its first request.");
    metric_meter(out, "postrider_first_attempt_delay_seconds", "", &meters->first_attempt_delay);
    metric_begin(out, "postrider_attempt_duration_seconds", "histogram",
                 "How long requests took, and each of their phases.");
    for (int i = 0; i < PHASE_METERS; i++)
        metric_meter(out, "postrider_attempt_duration_seconds", phases[i], &meters->phases[i]);
    metric_begin(out, "postrider_database_batch_seconds", "histogram",
                 "From when a statement was sent to its answer.");
    for (int i = 0; i < STATEMENT_METERS; i++)
        metric_meter(out, "postrider_database_batch_seconds", statements[i],
                     &meters->statements[i]);
    metric_begin(out, "postrider_loop_lag_seconds", "histogram",
                 "How long a turn of the loop kept what came meanwhile waiting.");
    metric_meter(out, "postrider_loop_lag_seconds", "", &meters->loop_lag);
}

static void append_state(struct buffer *out, const char *name, const char *help, double value)
{
    metric_begin(out, name, "gauge", help);
    metric_number(out, name, "", value);
}

static void append_states(const struct worker *worker, struct buffer *out)
{
    append_state(out, "postrider_in_flight_requests",
                 "Requests that were begun and have not ended.", (double)sending_in_flight(worker));
    append_state(out, "postrider_buffered_bytes", "Payloads in memory.",
                 (double)deliveries_buffered_bytes(&worker->deliveries));
    append_state(out, "postrider_database_up", "1 while both connections to the database are up.",
                 worker_is_connected(worker));
    append_state(out, "postrider_config_last_reload_successful",
                 "0 when the configuration was refused by the last reload.",
                 !worker->meters.has_reload_failed);
    metric_begin(out, "postrider_build_info", "gauge", "1, with the version.");
    metric_number(out, "postrider_build_info", "version=\"" POSTRIDER_VERSION "\"", 1);
}

static void append_breakers(const struct meters *meters, struct buffer *out)
{
    static const char name[] = "postrider_breaker_transitions_total";

    metric_begin(out, name, "counter", "Breakers of endpoints and origins that opened or closed.");
    metric_number(out, name, "to=\"open\"", (double)meters->breakers_opened);
    metric_number(out, name, "to=\"closed\"", (double)meters->breakers_closed);
}

static int answer_metrics(const struct worker *worker, struct buffer *body)
{
    append_times(&worker->meters, body);
    append_attempts(&worker->meters, body);
    append_outcomes(worker, body);
    append_breakers(&worker->meters, body);
    append_states(worker, body);
    return 200;
}

/* --- the server --- */

static int answer(void *owner, struct slice path, struct buffer *body)
{
    const struct worker *worker = owner;

    if (slice_is(path, "/metrics"))
        return answer_metrics(worker, body);
    if (slice_is(path, "/readyz"))
        return answer_ready(worker, body);
    if (slice_is(path, "/healthz")) {
        buffer_append_string(body, "ok\n");
        return 200;
    }
    buffer_append_string(body, "here are /metrics, /healthz and /readyz\n");
    return 404;
}

static bool open_monitor(struct worker *worker, const char *listen, struct monitor **ret_monitor,
                         struct error *error)
{
    *ret_monitor = NULL;
    if (listen[0] == '\0')
        return true;
    *ret_monitor = monitor_new(worker->loop.base, listen, KEY, answer, worker, error);
    if (*ret_monitor == NULL)
        return false;
    log_event(LOG_LEVEL_INFO, "metrics are served",
              LOG_TEXT("listen", monitor_address(*ret_monitor)));
    return true;
}

bool monitoring_init(struct worker *worker, struct error *error)
{
    worker->monitoring = memory_new(1, sizeof(*worker->monitoring));
    text_copy(worker->monitoring->listen, sizeof(worker->monitoring->listen),
              worker->config->metrics.listen);
    return open_monitor(worker, worker->config->metrics.listen, &worker->monitoring->monitor,
                        error);
}

void monitoring_free(struct worker *worker)
{
    if (worker->monitoring == NULL)
        return;
    monitor_free(worker->monitoring->monitor);
    free(worker->monitoring);
}

void monitoring_step(struct worker *worker)
{
    struct monitoring *monitoring = worker->monitoring;
    const char *listen = worker->config->metrics.listen;
    struct monitor *monitor;
    struct error error;

    if (strcmp(listen, monitoring->listen) == 0)
        return;
    text_copy(monitoring->listen, sizeof(monitoring->listen), listen);
    if (!open_monitor(worker, listen, &monitor, &error)) {
        log_event(LOG_LEVEL_ERROR, "metrics.listen was not changed",
                  LOG_STRING("error", error.message));
        return;
    }
    monitor_free(monitoring->monitor);
    monitoring->monitor = monitor;
}
