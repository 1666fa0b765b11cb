/* SPDX-License-Identifier: MIT */
#include "serve/parameters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "core/cursor.h"
#include "core/rfc3339.h"

#define LIMIT_MAX  200
#define TEXT_MAX   1024
#define UUID_BYTES 36
#define UUIDS_MAX  50
#define STEP_MAX_S INT64_C(5184000)

void parameter_values_add(struct parameter_values *values, const char *value)
{
    if (values->count == QUESTION_VALUES_MAX)
        bug("more than %d values", QUESTION_VALUES_MAX);
    values->values[values->count++] = value == NULL ? NULL : memory_copy_string(value);
}

void parameter_values_free(struct parameter_values *values)
{
    for (int i = 0; i < values->count; i++)
        free(values->values[i]);
    values->count = 0;
}

const char *parameter_uuid(const char *text, struct parameter_values *values)
{
    if (!text_is_uuid(text))
        return "is not a UUID";
    parameter_values_add(values, text);
    return NULL;
}

/* "{id,id}", as PostgreSQL reads an array. */
const char *parameter_uuids(const char *text, struct parameter_values *values)
{
    char array[UUIDS_MAX * (UUID_BYTES + 1) + 3] = "{";
    size_t length = strlen(text);
    size_t count = (length + 1) / (UUID_BYTES + 1);

    if (count > UUIDS_MAX || length + 1 != count * (UUID_BYTES + 1))
        return "is not 1 to 50 UUIDs with commas between them";
    for (size_t i = 0; i < count; i++) {
        char id[UUID_BYTES + 1];

        text_copy(id, sizeof(id), text + i * (UUID_BYTES + 1));
        if (!text_is_uuid(id) || (i + 1 < count && text[(i + 1) * (UUID_BYTES + 1) - 1] != ','))
            return "is not 1 to 50 UUIDs with commas between them";
    }
    snprintf(array + 1, sizeof(array) - 1, "%s}", text);
    parameter_values_add(values, array);
    return NULL;
}

const char *parameter_time(const char *text, struct parameter_values *values)
{
    if (!rfc3339_is_moment(text))
        return "is not a time like 2031-05-17T12:03:04Z (RFC 3339)";
    parameter_values_add(values, text);
    return NULL;
}

const char *parameter_text(const char *text, struct parameter_values *values)
{
    size_t length = strlen(text);

    if (length == 0 || length > TEXT_MAX)
        return "is not a text of 1 to 1,024 bytes";
    parameter_values_add(values, text);
    return NULL;
}

const char *parameter_limit(const char *text, struct parameter_values *values)
{
    size_t digits = strspn(text, "0123456789");
    long limit = digits > 0 && digits <= 3 && text[digits] == '\0' ? strtol(text, NULL, 10) : 0;

    if (limit < 1 || limit > LIMIT_MAX)
        return "is not a number from 1 to 200";
    parameter_values_add(values, text);
    return NULL;
}

const char *parameter_step(const char *text, struct parameter_values *values)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    int64_t number = digits > 0 && digits <= 7 ? strtol(text, NULL, 10) : 0;
    int64_t seconds = 0;
    char value[24];

    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (text[digits] == units[i].unit && (text[digits] == '\0' || text[digits + 1] == '\0'))
            seconds = number * units[i].seconds;
    if (seconds < 1 || seconds > STEP_MAX_S)
        return "is not a time like 60, 5m, 1h or 1d (60d at most)";
    snprintf(value, sizeof(value), "%" PRId64, seconds);
    parameter_values_add(values, value);
    return NULL;
}

const char *parameter_endpoint(const char *text, struct parameter_values *values)
{
    bool is_id = text_is_uuid(text);

    if (!is_id && !text_begins_with(text, "http://") && !text_begins_with(text, "https://"))
        return "is neither the id of an endpoint nor a URL";
    parameter_values_add(values, is_id ? NULL : text);
    parameter_values_add(values, is_id ? text : NULL);
    return NULL;
}

const char *parameter_status_code(const char *text, struct parameter_values *values)
{
    if (strlen(text) != 3 || strspn(text, "0123456789") != 3)
        return "is not an HTTP status";
    parameter_values_add(values, text);
    return NULL;
}

static bool add_choice(const char *text, const char *const *choices,
                       struct parameter_values *values)
{
    while (*choices != NULL && strcmp(*choices, text) != 0)
        choices++;
    if (*choices == NULL)
        return false;
    parameter_values_add(values, text);
    return true;
}

const char *parameter_delivery_status(const char *text, struct parameter_values *values)
{
    static const char *const choices[] = {"pending", "delivered", "failed", NULL};

    return add_choice(text, choices, values) ? NULL : "is not pending, delivered or failed";
}

const char *parameter_endpoint_state(const char *text, struct parameter_values *values)
{
    static const char *const choices[] = {"enabled", "failing", "paused", "disabled", NULL};

    return add_choice(text, choices, values) ? NULL : "is not enabled, failing, paused or disabled";
}

const char *parameter_replay_state(const char *text, struct parameter_values *values)
{
    static const char *const choices[] = {"open", "finished", NULL};

    return add_choice(text, choices, values) ? NULL : "is not open or finished";
}

const char *parameter_cursor(const char *text, struct parameter_values *values)
{
    struct cursor cursor;

    if (!cursor_read(text, &cursor))
        return "is none that this list has given";
    parameter_values_add(values, cursor.time);
    parameter_values_add(values, cursor.id);
    return NULL;
}

const char *parameter_feed_cursor(const char *text, struct parameter_values *values)
{
    struct feed_cursor cursor;

    if (!cursor_read_feed(text, &cursor))
        return "is none that a feed has given";
    parameter_values_add(values, cursor.epoch);
    parameter_values_add(values, cursor.transaction_id);
    parameter_values_add(values, cursor.id);
    return NULL;
}

static bool is_known(const struct parameter *list, const char *name)
{
    for (; list->name != NULL; list++)
        if (strcmp(list->name, name) == 0)
            return true;
    return false;
}

static void add_nothing(const struct parameter *parameter, struct parameter_values *values)
{
    for (int i = 0; i < (parameter->width > 1 ? parameter->width : 1); i++)
        parameter_values_add(values, NULL);
}

bool parameters_read(const struct parameter *list, const struct query_string *query,
                     struct parameter_values *values, struct error *error)
{
    for (size_t i = 0; i < query->count; i++)
        if (!is_known(list, query->parameters[i].name))
            return error_set(error, "there is no parameter %.100s here", query->parameters[i].name);
    for (; list->name != NULL; list++) {
        const char *given = query_string_find(query, list->name);
        const char *text = given != NULL ? given : list->standard;
        const char *problem = NULL;

        if (text == NULL)
            add_nothing(list, values);
        else
            problem = list->read(text, values);
        if (problem != NULL)
            return error_set(error, "%s %s", list->name, problem);
    }
    return true;
}
