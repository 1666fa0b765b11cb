/* SPDX-License-Identifier: MIT */
/*
 * worker/meters.h: what a worker has counted since its start, for worker/monitoring.h to show.
 *
 * Only data, in struct worker; each part counts where it happens, and nobody decides by it.
 */
#ifndef POSTRIDER_WORKER_METERS_H
#define POSTRIDER_WORKER_METERS_H

#include "core/history.h"
#include "core/meter.h"

enum phase_meter {
    PHASE_LOOKUP, /* of a new connection, as the next two */
    PHASE_CONNECT,
    PHASE_TLS,
    PHASE_FIRST_BYTE, /* from the connection's being there to the first byte of the answer */
    PHASE_TOTAL,
    PHASE_METERS,
};

enum statement_meter {
    STATEMENT_FIND,
    STATEMENT_OUTCOMES,
    STATEMENT_LEASES,
    STATEMENT_METERS,
};

struct meters {
    struct meter first_attempt_delay;
    struct meter phases[PHASE_METERS];
    struct meter statements[STATEMENT_METERS]; /* from sent to answered */
    struct meter loop_lag;              /* how long a turn of the loop kept the others waiting */
    uint64_t answers[HISTORY_NONE];     /* attempts by the class of their answer */
    uint64_t failures[ATTEMPT_RESULTS]; /* attempts without one */
    uint64_t breakers_opened, breakers_closed;
    bool has_reload_failed; /* the last one */
};

#endif
