/* SPDX-License-Identifier: MIT */
/*
 * send_report.h: what "postrider send" says: the request, the answer and the times, as "curl -v"
 * would, and what the outcome would be for a delivery; or all of it as JSON.
 */
#ifndef POSTRIDER_COMMAND_SEND_REPORT_H
#define POSTRIDER_COMMAND_SEND_REPORT_H

#include "command/send_request.h"
#include "core/outcome.h"
#include "http/engine.h"

/* The outcome of a delivery's first attempt that was answered like this. */
struct outcome send_report_decide(const struct send_request *request,
                                  const struct http_response *response);

void send_report_print(const struct send_request *request, const struct http_response *response);
void send_report_print_json(const struct send_request *request,
                            const struct http_response *response);

#endif
