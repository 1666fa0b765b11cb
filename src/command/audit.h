/* SPDX-License-Identifier: MIT */
/*
 * command/audit.h: what an audit has found, between the command that asks for it (audit.c), what
 * decides why a delivery waits (audit_waiting.c) and what shows it (audit_report.c).
 */
#ifndef POSTRIDER_COMMAND_AUDIT_H
#define POSTRIDER_COMMAND_AUDIT_H

#include <stdbool.h>
#include <stdio.h>

#include "command/database.h"
#include "db/adoption.h"
#include "db/audit.h"
#include "db/balances.h"
#include "db/moment.h"

/* Why the deliveries of an endpoint are overdue. */
struct audit_reason {
    const char
        *state; /* one word for programs: "parked", "paused", "held", "busy", "moving", "ordered",
                   "order_blocked", "stuck" */
    bool is_problem; /* nothing that is meant to keeps them */
    char *why;
};

struct audit {
    const char *since;         /* what the sheet covers: created since then, UTC */
    char certain[MOMENT_SIZE]; /* what was created since then, retention has not taken */
    bool is_older;             /* since is before that: retention may have taken some */
    int64_t grace_ms;
    struct audit_sheet sheet;
    struct adoption adoption;
    struct balances balances;
    struct audit_waiting_list waiting;
    struct audit_reason *reasons; /* one for each of waiting */
    struct audit_contradictions contradictions;
    bool is_ledger_on;
};

/* Explains why the oldest one of an endpoint's waiting deliveries waits; the caller frees why. */
bool audit_waiting_explain(const struct database *database, const struct audit_waiting *waiting,
                           int64_t grace_ms, struct audit_reason *ret_reason,
                           struct error *error) MUST_USE;

/* True when it all adds up. */
bool audit_is_clean(const struct audit *audit);

/* all: every endpoint, however many there are. */
void audit_report_print(const struct audit *audit, bool all, FILE *out);
void audit_report_print_json(const struct audit *audit, FILE *out);

#endif
