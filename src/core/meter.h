/* SPDX-License-Identifier: MIT */
/*
 * core/meter.h: a time measured again and again, as Prometheus's classic histograms count it.
 *
 * Counts since the start, in buckets whose bounds are the same for all of them, so that their
 * number does not depend on anything that users choose.
 */
#ifndef POSTRIDER_CORE_METER_H
#define POSTRIDER_CORE_METER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define METER_BUCKETS 19 /* the last one has no upper bound */

struct meter {
    uint64_t buckets[METER_BUCKETS]; /* each time in one of them */
    int64_t sum_us;
};

/* A negative time counts as 0. */
void meter_note(struct meter *meter, int64_t time_us);

/* A metric's help, and its type: "counter", "gauge", "histogram". */
void metric_begin(struct buffer *out, const char *name, const char *type, const char *help);

/* labels: "phase=\"total\"", or "". Values of labels are constants of ours. */
void metric_number(struct buffer *out, const char *name, const char *labels, double value);
void metric_meter(struct buffer *out, const char *name, const char *labels,
                  const struct meter *meter);

#endif
