/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_check.h: a test or a doctor of one endpoint, on its way.
 *
 * worker/checking.c owns it, and makes its requests; worker/endpoint_test.c and
 * worker/endpoint_doctor.c say which, and they and worker/receiver_verdicts.c what is found. An endpoint that is disabled is looked at
 * like any other: that is when one is needed.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_CHECK_H
#define POSTRIDER_WORKER_ENDPOINT_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/request_headers.h"
#include "db/endpoint_checks.h"
#include "http/engine.h"
#include "http/inspection.h"
#include "http/resolution.h"
#include "worker/context.h"
#include "worker/endpoint_settings.h"
#include "worker/verdicts.h"

enum endpoint_check_state {
    CHECK_RESOLVING,  /* its name is asked for */
    CHECK_REQUESTING, /* a request is out */
    CHECK_ENDED,      /* what came of it is to be written */
    CHECK_WRITING,    /* that is out */
    CHECK_RETURNED,   /* another one may take it: that is to be written */
};

struct endpoint_check {
    TAILQ_ENTRY(endpoint_check) entry;
    struct worker *worker;
    enum endpoint_check_state state;
    char id[37]; /* of its row, and so of the event that a test sends */
    bool is_doctor;
    int pass;
    char endpoint_id[37];
    char customer_id[37]; /* the endpoint's */
    char *url;
    char *requested_by;
    struct endpoint_settings settings;
    int64_t database_skew_ms; /* how far the database's clock is before ours */

    struct resolution *resolution; /* NULL: none is asked for */
    int64_t began_us, resolve_until_us;
    struct http_inspection inspection;
    struct request_headers headers;
    struct buffer signature;
    struct buffer payload;

    struct verdicts verdicts;
    json_t *details; /* more members of the result; NULL = none */
    char *error;     /* not NULL: in place of a result */
};

struct endpoint_check *endpoint_check_new(struct worker *worker,
                                          const struct endpoint_check_taken *taken);
void endpoint_check_free(struct endpoint_check *check);

/* The row's result, for the caller to free. */
char *endpoint_check_result(const struct endpoint_check *check) MUST_USE;

/* What both have to say of the URL and the row's settings; false: nothing can be sent by them. */
bool endpoint_check_settings(struct endpoint_check *check);

/* What both have to say of the secrets that sign; false: nothing can be signed. */
bool endpoint_check_secrets(struct endpoint_check *check, const struct endpoint_check_taken *taken);

/* How long a request may take. */
int64_t endpoint_check_timeout_ms(const struct endpoint_check *check);

/* The time of one request, at most; more is what an endpoint may have, and a check not. */
#define ENDPOINT_CHECK_REQUEST_MS 60000

#endif
