/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_test.h: the test of an endpoint: one signed POST of a test event, as a delivery's
 * first attempt would be, and what is to be said of its answer.
 *
 * Nothing of it counts: there is no row of a delivery, and neither the endpoint's breaker nor its
 * history hears of it. The event's id is that of the test's row, so that a test that a second worker
 * repeats is the same event.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_TEST_H
#define POSTRIDER_WORKER_ENDPOINT_TEST_H

#include "worker/endpoint_check.h"

#define ENDPOINT_TEST_EVENT_TYPE "postrider.test"

/* False: there is nothing to be sent, and the verdicts say why. */
bool endpoint_test_begin(struct endpoint_check *check, const struct endpoint_check_taken *taken,
                         struct http_request *ret_request);
void endpoint_test_finish(struct endpoint_check *check, const struct http_response *response);

#endif
