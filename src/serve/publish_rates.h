/* SPDX-License-Identifier: MIT */
/*
 * serve/publish_rates.h: how many events a token may publish in a second (webhook_tokens.publish_rate).
 *
 * A bucket for each token, which a rotation keeps, with a burst of a second. A request is let in while
 * nothing is owed, and then owes as many as it has events. Each serve counts for itself.
 */
#ifndef POSTRIDER_SERVE_PUBLISH_RATES_H
#define POSTRIDER_SERVE_PUBLISH_RATES_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/context.h"
#include "serve/tokens.h"

void publish_rates_init(struct serve *serve);
void publish_rates_free(struct serve *serve);

/* False: too many; it may go well after so many seconds. */
bool publish_rates_take(struct serve *serve, const struct token *token, size_t events,
                        long *ret_wait_s);

#endif
