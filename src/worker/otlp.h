/* SPDX-License-Identifier: MIT */
/*
 * worker/otlp.h: spans as the JSON of OTLP/HTTP: ExportTraceServiceRequest of opentelemetry-proto 1.x
 * in protobuf's JSON form, with ids in hexadecimal and 64-bit numbers as texts.
 */
#ifndef POSTRIDER_WORKER_OTLP_H
#define POSTRIDER_WORKER_OTLP_H

#include <stddef.h>

#include "core/span.h"

/* The first count spans of the list, of a process on that host; for the caller to free(). */
char *otlp_export(const struct span_list *spans, size_t count, const char *host);

#endif
