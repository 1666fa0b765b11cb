/* SPDX-License-Identifier: MIT */
/*
 * worker/verdicts.h: what a test or a doctor has found of an endpoint, as it stands in
 * webhook_replays.result: {"verdicts": [{"check", "ok", "says", "fix"}]}.
 *
 * A verdict says what was looked at, in whole words what was found, and what is to be done. One that
 * is well has no fix; one that is well and has a fix is a warning. For a customer the caller leaves
 * out what is the operator's own: addresses, options, commands (verdicts_either()); the view that
 * customers read replaces addresses once more.
 */
#ifndef POSTRIDER_WORKER_VERDICTS_H
#define POSTRIDER_WORKER_VERDICTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define VERDICT_SAYS_MAX 2000

enum verdict_level { VERDICT_WELL, VERDICT_WARNING, VERDICT_WRONG };

struct verdicts {
    json_t *list;
    bool is_for_customer;
    int warnings, wrong;
};

void verdicts_init(struct verdicts *verdicts, bool is_for_customer);
void verdicts_free(struct verdicts *verdicts);

/* fix: NULL with what is well. The text may be anything, as a receiver has sent it. */
void verdicts_add(struct verdicts *verdicts, const char *check, enum verdict_level level,
                  const char *fix, const char *format, ...) PRINTF_LIKE(5, 6);

/* The one text or the other. */
const char *verdicts_either(const struct verdicts *verdicts, const char *operators,
                            const char *customers);

/* A certificate that ends within so many days is a warning. */
#define VERDICT_ENDS_SOON_DAYS 14

/* "2031-05-17", in UTC. Returns text. */
#define VERDICT_DAY_SIZE 32
const char *verdicts_day(int64_t at_s, char text[VERDICT_DAY_SIZE]);

/* Any bytes as JSON's text. */
json_t *verdicts_text(const char *bytes, size_t length) MUST_USE;

#endif
