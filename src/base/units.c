/* SPDX-License-Identifier: MIT */
#include "base/units.h"

#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, down to 1: the formatters take the first that divides the value. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};

static const char duration_form[] = "a whole number and one of ms, s, m, h, d, as in 250ms or 4h";
static const char size_form[] = "a whole number of bytes or of KiB, MiB or GiB, as in 64KiB";
static const char integer_form[] = "digits alone, as in 20";

enum parsed { PARSED, NOT_PARSED, TOO_LARGE };

/* Digits at the start of text; the rest is left in *ret_rest. */
static enum parsed parse_digits(const char *text, int64_t *ret_value, const char **ret_rest)
{
    int64_t value = 0;
    bool fits = true;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++)
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, *c - '0', &value);
    *ret_value = value;
    *ret_rest = c;
    if (c == text)
        return NOT_PARSED;
    return fits ? PARSED : TOO_LARGE;
}

static enum parsed parse_quantity(const char *text, const struct unit *units, size_t count,
                                  int64_t *ret_value)
{
    const char *rest;
    int64_t value;
    enum parsed parsed = parse_digits(text, &value, &rest);

    if (parsed == NOT_PARSED)
        return NOT_PARSED;
    if (parsed == PARSED && value == 0 && *rest == '\0') {
        *ret_value = 0;
        return PARSED;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(rest, units[i].name) == 0) {
            if (parsed == TOO_LARGE || __builtin_mul_overflow(value, units[i].factor, &value))
                return TOO_LARGE;
            *ret_value = value;
            return PARSED;
        }
    return NOT_PARSED;
}

static bool refuse(struct error *error, enum parsed parsed, const char *text, const char *noun,
                   const char *form)
{
    if (parsed == TOO_LARGE)
        return error_set(error, "\"%.64s\" is too large for a %s", text, noun);
    return error_set(error, "\"%.64s\" is not a %s: write %s", text, noun, form);
}

bool units_parse_duration_ms(const char *text, int64_t *ret_ms, struct error *error)
{
    enum parsed parsed = parse_quantity(text, duration_units, ARRAY_LENGTH(duration_units), ret_ms);

    return parsed == PARSED || refuse(error, parsed, text, "duration", duration_form);
}

bool units_parse_size_bytes(const char *text, int64_t *ret_bytes, struct error *error)
{
    enum parsed parsed = parse_quantity(text, size_units, ARRAY_LENGTH(size_units), ret_bytes);

    return parsed == PARSED || refuse(error, parsed, text, "size", size_form);
}

bool units_parse_integer(const char *text, int64_t *ret_value, struct error *error)
{
    bool negative = *text == '-';
    const char *rest;
    int64_t value;
    enum parsed parsed = parse_digits(text + negative, &value, &rest);

    if (*rest != '\0')
        parsed = NOT_PARSED;
    if (parsed != PARSED)
        return refuse(error, parsed, text, "whole number", integer_form);
    *ret_value = negative ? -value : value;
    return true;
}

static const char *format_exact(int64_t value, const struct unit *units, size_t count, char *text)
{
    size_t i = 0;

    while (i < count - 1 && (value == 0 || value % units[i].factor != 0))
        i++;
    snprintf(text, UNITS_TEXT_SIZE, "%lld%s", (long long)(value / units[i].factor), units[i].name);
    return text;
}

const char *units_format_duration_ms(int64_t ms, char *text)
{
    return format_exact(ms, duration_units, ARRAY_LENGTH(duration_units), text);
}

const char *units_format_size_bytes(int64_t bytes, char *text)
{
    return format_exact(bytes, size_units, ARRAY_LENGTH(size_units), text);
}

const char *units_format_about_ms(int64_t ms, char *text)
{
    double seconds = (double)ms / 1000.0;

    if (ms < 1000)
        snprintf(text, UNITS_TEXT_SIZE, "%lld ms", (long long)ms);
    else if (seconds < 10)
        snprintf(text, UNITS_TEXT_SIZE, "%.1f s", seconds);
    else if (seconds < 120)
        snprintf(text, UNITS_TEXT_SIZE, "%.0f s", seconds);
    else if (seconds < 7200)
        snprintf(text, UNITS_TEXT_SIZE, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        snprintf(text, UNITS_TEXT_SIZE, "%.0f h", seconds / 3600);
    else
        snprintf(text, UNITS_TEXT_SIZE, "%.0f d", seconds / 86400);
    return text;
}
