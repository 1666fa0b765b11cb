/* SPDX-License-Identifier: MIT */
/*
 * db/migrate_options.h: what "postrider migrate" was asked to do. Only data: db/migrate.h and the
 * parts of it read this. Texts are borrowed.
 */
#ifndef POSTRIDER_DB_MIGRATE_OPTIONS_H
#define POSTRIDER_DB_MIGRATE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct migrate_options {
    bool adopt;            /* convert a table that was there before */
    const char *timezone;  /* of its times without a zone; NULL = the database's TimeZone */
    const char *customers; /* whom customer_id refers to (db/customers.h); NULL = as it is */
    bool retention;        /* agrees that retention deletes rows of before (db/adoption.h) */
    int64_t delivered_ms;  /* the configuration's retention, 0 = never: what is agreed to */
    int64_t failed_ms;
    bool dry_run;               /* print the SQL to out, change nothing */
    const char *grant_to;       /* a role that gets exactly the worker's privileges; NULL = none */
    const char *grant_serve_to; /* one that gets those of "postrider serve" */
    const char *grant_customers_to; /* one as which it asks for customers */
    const char *grant_producer_to;  /* one that gets those of who publishes */
    FILE *out;                      /* what was done, or would be, for people */
};

#endif
