/* SPDX-License-Identifier: MIT */
/*
 * serve/context.h: what the parts of "postrider serve" share.
 *
 * One thread, one libevent loop, one struct serve, as the worker has them. Each part is one file
 * with its own state, behind a pointer here; others ask by its header. Requests are read where
 * their bytes come; what is asked of the database is sent in the steps, which the loop turn
 * (serve.c) runs in its written order, so that all requests of a turn share a transaction.
 */
#ifndef POSTRIDER_SERVE_CONTEXT_H
#define POSTRIDER_SERVE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "db/link.h"
#include "service/loop.h"

#define SERVE_NEVER INT64_MAX

enum serve_phase {
    SERVE_RUNNING,
    SERVE_DRAINING, /* nobody new is let in, what was asked is answered */
    SERVE_DONE,     /* the loop ends */
};

struct serve {
    struct config *config; /* the one in force */
    struct loop loop;
    int64_t now_us; /* of this turn */
    enum serve_phase phase;
    int64_t drain_until_us;
    int exit_status;
    int64_t watchdog_us;        /* between two pings; 0 = systemd doesn't want them */
    int64_t status_us;          /* next ping and status line */
    const char *condition_told; /* its first words; a constant */

    /* What is published over which: one with an ordering key may wait for a lock. */
    struct db_link *publishing_link, *ordered_link, *reading_link;

    struct clients *clients;
    struct database_state *database;
    struct keeping *keeping;
    struct listening *listening;
    struct metrics *metrics;
    struct publish_rates *publish_rates;
    struct publishing *publishing;
    struct questions *questions;
    struct sharing *sharing;
    struct tokens *tokens;
};

#endif
