/* SPDX-License-Identifier: MIT */
#include "worker/verdicts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/text.h"

void verdicts_init(struct verdicts *verdicts, bool is_for_customer)
{
    *verdicts = (struct verdicts){.list = json_array(), .is_for_customer = is_for_customer};
}

void verdicts_free(struct verdicts *verdicts)
{
    json_decref(verdicts->list);
    verdicts->list = NULL;
}

json_t *verdicts_text(const char *bytes, size_t length)
{
    struct buffer clean;
    json_t *text;

    buffer_init(&clean, 3 * length + 1); /* a byte that is no UTF-8 becomes three */
    text_append_clean(&clean, bytes, length);
    text = json_string(buffer_string(&clean));
    buffer_free(&clean);
    if (text == NULL)
        bug("a clean text that is none");
    return text;
}

void verdicts_add(struct verdicts *verdicts, const char *check, enum verdict_level level,
                  const char *fix, const char *format, ...)
{
    char says[VERDICT_SAYS_MAX];
    va_list arguments;
    json_t *one;

    if ((level == VERDICT_WELL) != (fix == NULL))
        bug("the verdict %s tells what is to be done, or does not", check);
    va_start(arguments, format);
    vsnprintf(says, sizeof(says), format, arguments);
    va_end(arguments);
    one = json_pack("{s:s, s:b, s:o, s:o}", "check", check, "ok", (int)(level != VERDICT_WRONG),
                    "says", verdicts_text(says, strlen(says)), "fix",
                    fix != NULL ? verdicts_text(fix, strlen(fix)) : json_null());
    if (one == NULL || json_array_append_new(verdicts->list, one) != 0)
        bug("a verdict that is no JSON");
    verdicts->warnings += level == VERDICT_WARNING ? 1 : 0;
    verdicts->wrong += level == VERDICT_WRONG ? 1 : 0;
}

const char *verdicts_either(const struct verdicts *verdicts, const char *operators,
                            const char *customers)
{
    return verdicts->is_for_customer ? customers : operators;
}

const char *verdicts_day(int64_t at_s, char text[VERDICT_DAY_SIZE])
{
    time_t at = (time_t)at_s;
    struct tm utc;

    if (gmtime_r(&at, &utc) == NULL || strftime(text, VERDICT_DAY_SIZE, "%Y-%m-%d", &utc) == 0)
        text_copy(text, VERDICT_DAY_SIZE, "an unknown day");
    return text;
}
