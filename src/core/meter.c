/* SPDX-License-Identifier: MIT */
#include "core/meter.h"

#include <inttypes.h>

/* From half a millisecond, which is a statement, to half an hour, which is a backlog. */
static const struct {
    int64_t us;
    const char *seconds;
} bounds[METER_BUCKETS - 1] = {
    {500, "0.0005"},  {1000, "0.001"},    {2500, "0.0025"},     {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},    {100000, "0.1"},      {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"},   {5000000, "5"},       {10000000, "10"}, {30000000, "30"},
    {60000000, "60"}, {300000000, "300"}, {1800000000, "1800"},
};

void meter_note(struct meter *meter, int64_t time_us)
{
    size_t bucket = 0;

    if (time_us < 0)
        time_us = 0;
    while (bucket < METER_BUCKETS - 1 && time_us > bounds[bucket].us)
        bucket++;
    meter->buckets[bucket]++;
    meter->sum_us += time_us;
}

void metric_begin(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_sample(struct buffer *out, const char *name, const char *suffix,
                          const char *labels)
{
    buffer_append_format(out, "%s%s%s%s%s ", name, suffix, labels[0] != '\0' ? "{" : "", labels,
                         labels[0] != '\0' ? "}" : "");
}

void metric_number(struct buffer *out, const char *name, const char *labels, double value)
{
    append_sample(out, name, "", labels);
    buffer_append_format(out, "%.17g\n", value);
}

void metric_meter(struct buffer *out, const char *name, const char *labels,
                  const struct meter *meter)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    uint64_t sum = 0;

    for (size_t i = 0; i < METER_BUCKETS; i++) {
        sum += meter->buckets[i];
        buffer_append_format(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, comma,
                             i < METER_BUCKETS - 1 ? bounds[i].seconds : "+Inf", sum);
    }
    append_sample(out, name, "_sum", labels);
    buffer_append_format(out, "%" PRId64 ".%06d\n", meter->sum_us / 1000000,
                         (int)(meter->sum_us % 1000000));
    append_sample(out, name, "_count", labels);
    buffer_append_format(out, "%" PRIu64 "\n", sum);
}
