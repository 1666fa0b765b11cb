/* SPDX-License-Identifier: MIT */
/*
 * check_secrets.h: whether the valid secrets in webhook_secrets can be opened, for "check
 * --database".
 */
#ifndef POSTRIDER_COMMAND_CHECK_SECRETS_H
#define POSTRIDER_COMMAND_CHECK_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/sealed_secret.h"
#include "db/session.h"

#define CHECK_SECRETS_NAMED_MAX 5

struct secrets_found {
    int64_t counts[SEALED_UNREADABLE + 1]; /* by enum sealed_state */
    /* The first ones that can't be read: whose they are and why, a line each. */
    size_t named;
    struct buffer names;
};

/* Outside a transaction. The caller frees names, also after an error. */
bool check_secrets_find(struct db_session *session, const struct sealing_keys *keys,
                        struct secrets_found *ret_found, struct error *error) MUST_USE;

#endif
