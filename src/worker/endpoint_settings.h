/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_settings.h: what is needed to send to one endpoint: its row over the
 * configuration.
 *
 * Made from one row of the answer of db/endpoints.h. Whatever is wrong with it (no secret, a
 * secret, a header or a range that is not valid, an endpoint that is disabled) becomes problem, the
 * last_error of the deliveries that can't be sent; it never stops the worker. A secret that is
 * sealed and can't be opened is no fault of the deliveries but most likely of a key file: unopened
 * says so, and they are neither sent nor failed until it can be; nor are those of an endpoint that
 * somebody has paused. What is no secret at all beside
 * others that are does not sign, and is told of in unread. Owned by its endpoint; the signer's keys
 * are wiped by endpoint_settings_free().
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_SETTINGS_H
#define POSTRIDER_WORKER_ENDPOINT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/permit.h"
#include "core/request_headers.h"
#include "core/retry.h"
#include "core/signature.h"
#include "db/endpoints.h"

struct endpoint_settings {
    struct retry_policy retry;
    int64_t timeout_ms;
    size_t headers_count;
    struct config_header *headers; /* the endpoint's own; the configuration's come before */
    struct signer *signer;         /* NULL with problem or unopened */
    struct permit *permit;         /* NULL = what the configuration permits to all */
    char *problem;                 /* NULL = it can be sent to */
    bool is_unsignable;            /* the problem is that there is no secret to sign with */
    char *unopened;                /* not NULL: why a secret can't be; nothing is sent for now */
    char *unread;                  /* not NULL: what is wrong with secrets beside those that sign */
    int max_in_flight;
    double rate_limit;  /* per second, 0 = none */
    bool is_there;      /* the endpoint has a row that is not a worker's own */
    bool is_paused;     /* its deliveries wait until somebody resumes it */
    bool all_customers; /* it gets the events of every customer */
    bool is_disabled;
    bool was_enabled;   /* by this load: an operator wants it to be tried */
    bool is_unread_new; /* unread is not what it was before this load */
    bool is_failing;    /* webhook_endpoints.failing_since is set */
    int64_t failing_ms; /* with is_failing: for so long, when it was loaded */
    int64_t noted_ms;   /* since its row, a worker's, was last noted, then; -1: nobody has to */
};

/*
 * Replaces what is in settings by what was found, which is borrowed for the call. customer_id and
 * url are for messages and the URL's check.
 */
void endpoint_settings_load(struct endpoint_settings *settings, const struct config *config,
                            const char *customer_id, const char *url,
                            const struct endpoint_found *found);

/* For what is known without asking: a URL that can't be posted to. True when there is a problem. */
bool endpoint_settings_check_url(struct endpoint_settings *settings, const struct config *config,
                                 const char *url);

/* True while deliveries wait untouched, whatever else is wrong. */
bool endpoint_settings_hold(const struct endpoint_settings *settings);

/* Nothing is sent any more, for this reason. */
void endpoint_settings_set_problem(struct endpoint_settings *settings, const char *problem);

/* Until they are loaded again: gives up what takes memory and is of no use to old settings. */
void endpoint_settings_rest(struct endpoint_settings *settings);

void endpoint_settings_free(struct endpoint_settings *settings);

#endif
