/* SPDX-License-Identifier: MIT */
/*
 * send_options.h: the command line of "postrider send": its options, and what they are read into.
 */
#ifndef POSTRIDER_COMMAND_SEND_OPTIONS_H
#define POSTRIDER_COMMAND_SEND_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "command/arguments.h"
#include "config/config.h"

#define SEND_EVENT_TYPE "postrider.test"

/* As arguments_parse() fills it; the texts belong to the command line. */
struct send_options {
    const char *customer_id;
    const char *data;
    const char *event_type;
    const char *secret_file;
    struct argument_list headers, allow;
    int64_t timeout_ms;
    bool json;
};

struct send_values {
    struct config *config;
    struct secret_set secrets; /* count 0: none were given */
    size_t headers_count;
    struct config_header headers[ARGUMENT_LIST_MAX];
    struct buffer payload;
};

/*
 * Reads the configuration (the defaults, when the default file does not exist), adds the ranges of
 * --allow to it, and reads secrets, headers and body. COMMAND_OK, or the exit status to end with:
 * what is wrong has been printed. send_values_free() in any case.
 */
int send_values_read(const struct command *self, const struct send_options *options,
                     const char *config_file, struct send_values *ret_values) MUST_USE;
void send_values_free(struct send_values *values);

#endif
