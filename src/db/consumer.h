/* SPDX-License-Identifier: MIT */
/*
 * db/consumer.h: what a receiver needs to apply each event once, in its own database
 * (migrations/consumer.sql): the table processed_events and the function postrider_first_time().
 *
 * A second run changes nothing. A table of that name that is not this one is an error, and stays.
 */
#ifndef POSTRIDER_DB_CONSUMER_H
#define POSTRIDER_DB_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "db/session.h"

#define CONSUMER_KEEP_AS_IT_IS (-1)

struct consumer_options {
    int64_t
        keep_ms;  /* for how long a repeat is recognised; 0 = for ever, or CONSUMER_KEEP_AS_IT_IS */
    bool dry_run; /* print the SQL to out, change nothing */
    FILE *out;    /* what was done, or would be, for people */
};

bool consumer_install(struct db_session *session, const struct consumer_options *options,
                      struct error *error) MUST_USE;

#endif
