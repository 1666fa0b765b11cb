/* SPDX-License-Identifier: MIT */
/*
 * command/endpoint_body.h: what the options of "endpoint add" and "endpoint set" say of an
 * endpoint, as the body that the JSON API takes, which checks and stores it.
 *
 * What is the operator's alone (headers, allow, client_certificate, all_customers), which the API
 * refuses, is a body of its own.
 */
#ifndef POSTRIDER_COMMAND_ENDPOINT_BODY_H
#define POSTRIDER_COMMAND_ENDPOINT_BODY_H

#include <jansson.h>

#include "command/arguments.h"
#include "command/command.h"

#define ENDPOINT_BODY_OPTIONS 18 /* at most */

struct endpoint_body {
    const char *given[ENDPOINT_BODY_OPTIONS]; /* texts of options, NULL: not given */
    struct argument_list headers, allow, unset;
    bool all_customers;
    json_t *body;      /* made by endpoint_body_make() */
    json_t *operators; /* the same; empty: nothing */
};

/* Writes the options behind each other, has_unset with --unset; returns how many. */
size_t endpoint_body_options(struct endpoint_body *body, bool has_unset, struct argument *options);

/* COMMAND_OK with body and operators, or an exit status with the mistake said. is_whole: a URL is
 * needed. */
int endpoint_body_make(const struct command *self, struct endpoint_body *body, bool is_whole,
                       bool https_only) MUST_USE;
void endpoint_body_free(struct endpoint_body *body);

/* The lines of help. */
#define ENDPOINT_BODY_HELP                                                                         \
    "      --url URL           where to (empty: a feed alone, without deliveries)\n"               \
    "      --event-types LIST  what it hears of: 'order.paid,invoice.*', or '*'\n"                 \
    "      --filter JSON       only events whose payload has this in it: '{\"eu\": true}'\n"       \
    "      --ordering WAY      skip or block, when one of an ordering key has died\n"              \
    "      --timeout, --retry-initial-delay, --retry-max-delay DURATION\n"                         \
    "      --retry-schedule LIST  delays in place of these: 5s,5m,1h\n"                            \
    "      --retry-max-attempts, --max-in-flight, --rate-limit N\n"                                \
    "      --retry-multiplier, --retry-jitter X\n"                                                 \
    "                          its own settings, else the configuration's\n"                       \
    "      --header 'NAME: VALUE'\n"                                                               \
    "                          sent with each request; may be repeated, all replace all\n"         \
    "      --allow RANGE       an address that it may have though it is no public one; repeated\n" \
    "      --client-certificate NAME\n"                                                            \
    "                          shown to the receiver (network.client_certificates)\n"              \
    "      --all-customers     it hears of every customer's events\n"

#endif
