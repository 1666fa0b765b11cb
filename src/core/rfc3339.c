/* SPDX-License-Identifier: MIT */
#include "core/rfc3339.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define FRACTION_MAX 9

/* Digits where the pattern has 0, else the pattern's character. */
static bool has_shape(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '0' ? !isdigit((unsigned char)*text) : *text != *pattern)
            return false;
    return true;
}

static bool is_offset(const char *text)
{
    return strcmp(text, "Z") == 0 || (strlen(text) == 6 && (text[0] == '+' || text[0] == '-') &&
                                      has_shape(text + 1, "00:00"));
}

bool rfc3339_has_shape(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00";
    size_t digits;

    if (!has_shape(text, shape))
        return false;
    text += sizeof(shape) - 1;
    if (*text == '.') {
        digits = strspn(text + 1, "0123456789");
        if (digits == 0 || digits > FRACTION_MAX)
            return false;
        text += 1 + digits;
    }
    return is_offset(text);
}

static int number(const char *text, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++)
        value = 10 * value + (text[i] - '0');
    return value;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

/* PostgreSQL takes offsets below 16 hours, no year 0, and 23:59:60 for the next day. */
bool rfc3339_is_moment(const char *text)
{
    const char *offset;
    int year, month, day;

    if (!rfc3339_has_shape(text))
        return false;
    offset = strpbrk(text + 19, "Z+-");
    year = number(text, 4);
    month = number(text + 5, 2);
    day = number(text + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of(year, month))
        return false;
    if (number(text + 11, 2) > 23 || number(text + 14, 2) > 59 || number(text + 17, 2) > 59)
        return false;
    return *offset == 'Z' || (number(offset + 1, 2) <= 14 && number(offset + 4, 2) <= 59);
}
