/* SPDX-License-Identifier: MIT */
#include "core/traceparent.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many hexadecimal digits in lower case, and the character behind them. */
static bool is_field(const char *text, size_t digits, char end)
{
    return strspn(text, "0123456789abcdef") == digits && text[digits] == end;
}

static bool is_zero(const char *text, size_t digits)
{
    return strspn(text, "0") >= digits;
}

bool traceparent_read(const char *text, char ret_trace_id[TRACE_ID_SIZE])
{
    if (text == NULL || !is_field(text, 2, '-') || strncmp(text, "ff", 2) == 0 ||
        !is_field(text + 3, 32, '-') || is_zero(text + 3, 32) || !is_field(text + 36, 16, '-') ||
        is_zero(text + 36, 16) || !is_field(text + 53, 2, '\0'))
        return false;
    memcpy(ret_trace_id, text + 3, TRACE_ID_SIZE - 1);
    ret_trace_id[TRACE_ID_SIZE - 1] = '\0';
    return true;
}

void traceparent_read_parent(const char *text, char ret_span_id[SPAN_ID_SIZE])
{
    memcpy(ret_span_id, text + 36, SPAN_ID_SIZE - 1);
    ret_span_id[SPAN_ID_SIZE - 1] = '\0';
}

bool traceparent_is_sampled(const char *text)
{
    return (strtoul(text + 53, NULL, 16) & 1) != 0;
}

void traceparent_write(const char *trace_id, const char *span_id, char text[TRACEPARENT_SIZE])
{
    snprintf(text, TRACEPARENT_SIZE, "00-%.32s-%.16s-01", trace_id, span_id);
}
