/* SPDX-License-Identifier: MIT */
/*
 * fuzz_units.c: durations, sizes, whole numbers and Retry-After (with its HTTP-dates) from any
 * text. What was read is written so that it is read as the same.
 */
#include "base/units.h"
#include "core/retry_after.h"
#include "fuzz.h"

static void check_duration(const char *text)
{
    char formatted[UNITS_TEXT_SIZE];
    struct error error;
    int64_t value, again;

    if (!units_parse_duration_ms(text, &value, &error))
        return;
    demand(value >= 0, "a negative duration");
    units_format_duration_ms(value, formatted);
    demand(units_parse_duration_ms(formatted, &again, &error) && again == value,
           "a duration changes when it is written");
    (void)units_format_about_ms(value, formatted);
}

static void check_size(const char *text)
{
    char formatted[UNITS_TEXT_SIZE];
    struct error error;
    int64_t value, again;

    if (!units_parse_size_bytes(text, &value, &error))
        return;
    demand(value >= 0, "a negative size");
    units_format_size_bytes(value, formatted);
    demand(units_parse_size_bytes(formatted, &again, &error) && again == value,
           "a size changes when it is written");
}

static void check_integer(const char *text)
{
    struct error error;
    int64_t value;

    if (units_parse_integer(text, &value, &error))
        demand(value == strtoll(text, NULL, 10), "another number");
}

static void check_retry_after(const char *text)
{
    int64_t now_s = 1800000000;
    int64_t ms = retry_after_parse_ms(text, now_s);
    int64_t later_ms = retry_after_parse_ms(text, now_s + 10);

    demand(ms >= -1, "a time before now");
    demand((ms < 0) == (later_ms < 0), "now decides whether it is one");
    demand(later_ms == ms || later_ms == ms - 10000 || (later_ms == 0 && ms < 10000),
           "neither seconds nor a date");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    check_duration(text);
    check_size(text);
    check_integer(text);
    check_retry_after(text);
    free(text);
    return 0;
}
