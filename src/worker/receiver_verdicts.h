/* SPDX-License-Identifier: MIT */
/*
 * worker/receiver_verdicts.h: what a doctor's request has shown of a receiver: its connection, TLS and
 * certificates, its answer, and its clock by the Date header, which has whole seconds.
 *
 * The first thing that is wrong ends it: behind a handshake that failed there is no answer to judge.
 */
#ifndef POSTRIDER_WORKER_RECEIVER_VERDICTS_H
#define POSTRIDER_WORKER_RECEIVER_VERDICTS_H

#include "worker/endpoint_check.h"

/* Of a request with the check's inspection. Adds the worker's own clock, too, where it is off. */
void receiver_verdicts_add(struct endpoint_check *check, const struct http_response *response);

#endif
