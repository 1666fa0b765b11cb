/* SPDX-License-Identifier: MIT */
/*
 * serve/serve.h: "postrider serve", from its start to its end.
 *
 * A loop turn: events (clients are read, and what they ask is queued) → the database's answers →
 * the schema's version → tokens → one transaction for all that is to be published → questions
 * of the API → old keys → what systemd is told. One thread; the libraries do the waiting.
 */
#ifndef POSTRIDER_SERVE_SERVE_H
#define POSTRIDER_SERVE_SERVE_H

#include "config/config.h"

/* Takes the configuration over. The exit status. */
int serve_run(struct config *config);

#endif
