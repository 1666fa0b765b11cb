/* SPDX-License-Identifier: MIT */
#include "worker/configuring.h"

#include "base/log.h"
#include "worker/checking.h"
#include "worker/finding.h"
#include "worker/sending.h"
#include "worker/tracing.h"

void configuring_apply(struct worker *worker, struct config *config)
{
    worker->config = config;
    /* What is read from worker->config each time needs no line here; what a part keeps of it does.
     */
    log_configure(config->log.level, config->log.format);
    endpoints_reconfigure(&worker->endpoints, config, sending_slots(worker));
    finding_reconfigure(worker);
    tracing_reconfigure(worker);
    checking_reconfigure(worker);
}
