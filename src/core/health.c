/* SPDX-License-Identifier: MIT */
#include "core/health.h"

#include "base/compiler.h"

static enum health health_of_status(int status)
{
    if (status >= 500)
        return HEALTH_DOWN;
    if (status == 429)
        return HEALTH_BUSY;
    return status < 300 ? HEALTH_GOOD : HEALTH_ALIVE;
}

enum health health_of(const struct attempt *attempt, bool was_connected, bool has_certificate)
{
    switch (attempt->result) {
    case ATTEMPT_ANSWERED:
        return health_of_status(attempt->status);
    case ATTEMPT_TIMEOUT:
        return was_connected ? HEALTH_DOWN : HEALTH_UNREACHABLE;
    case ATTEMPT_DNS:
    case ATTEMPT_CONNECT:
        return HEALTH_UNREACHABLE;
    case ATTEMPT_TLS:
        return has_certificate ? HEALTH_DOWN : HEALTH_UNREACHABLE;
    case ATTEMPT_BROKEN:
        return HEALTH_DOWN;
    case ATTEMPT_UNSENDABLE:
        return HEALTH_UNKNOWN;
    }
    bug("attempt result %d", (int)attempt->result);
}

int64_t health_hold_ms(const struct attempt *attempt, int64_t max_ms)
{
    bool is_asked = attempt->result == ATTEMPT_ANSWERED &&
                    (attempt->status == 429 || attempt->status == 503) &&
                    attempt->retry_after_ms > 0;

    if (!is_asked)
        return 0;
    return attempt->retry_after_ms < max_ms ? attempt->retry_after_ms : max_ms;
}

bool health_is_failure(enum health health)
{
    return health == HEALTH_DOWN || health == HEALTH_UNREACHABLE;
}
