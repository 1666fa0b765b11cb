/* SPDX-License-Identifier: MIT */
/*
 * worker/supervision.h: what systemd is told (sd_notify): readiness, reloading, stopping, the
 * watchdog's pings and the status line of "systemctl status".
 */
#ifndef POSTRIDER_WORKER_SUPERVISION_H
#define POSTRIDER_WORKER_SUPERVISION_H

#include "worker/context.h"

void supervision_init(struct worker *worker);
void supervision_free(struct worker *worker);
void supervision_note_ready(struct worker *worker);
void supervision_note_reloading(void);
void supervision_note_stopping(void);

/* The ping and the status line, when they are due. */
void supervision_step(struct worker *worker);
int64_t supervision_next_us(const struct worker *worker);

#endif
