/* SPDX-License-Identifier: MIT */
#include "db/worker_problems.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"

static const struct {
    enum worker_named_state state;
    const char *text;
} states[] = {
    {WORKER_NAMED_OPEN, "open"},        {WORKER_NAMED_PROBING, "probing"},
    {WORKER_NAMED_RETRY_AFTER, "held"}, {WORKER_NAMED_SECRET, "secret"},
    {WORKER_NAMED_OUTCOME, "outcome"},
};

/* --- collecting --- */

struct worker_problem *worker_problems_add(struct worker_problems *problems, const char *name,
                                           const char *format, ...)
{
    struct worker_problem *problem;
    va_list args;

    if (problems->count == WORKER_PROBLEMS_MAX)
        return NULL;
    if (problems->list == NULL)
        problems->list = memory_new(WORKER_PROBLEMS_MAX, sizeof(*problems->list));
    problem = &problems->list[problems->count++];
    problem->name = name;
    va_start(args, format);
    vsnprintf(problem->what, sizeof(problem->what), format, args);
    va_end(args);
    return problem;
}

void worker_problems_name(struct worker_named_list *list, const struct worker_named *named)
{
    if (list->count == WORKER_PROBLEMS_NAMED_MAX ||
        (named->url != NULL && strlen(named->url) > WORKER_PROBLEMS_URL_MAX))
        return;
    if (list->entries == NULL)
        list->entries = memory_new(WORKER_PROBLEMS_NAMED_MAX, sizeof(*list->entries));
    list->entries[list->count++] = *named;
}

void worker_problems_unname(struct worker_named_list *list)
{
    free(list->entries);
    *list = (struct worker_named_list){.count = 0};
}

void worker_problems_free(struct worker_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        worker_problems_unname(&problems->list[i].held);
        worker_problems_unname(&problems->list[i].endpoints);
    }
    free(problems->list);
    json_decref(problems->document);
    *problems = (struct worker_problems){.count = 0};
}

/* --- writing --- */

/* What was cut may end within a character. */
static void put_text(json_t *object, const char *key, const char *text)
{
    struct buffer clean;

    if (text == NULL)
        return;
    buffer_init(&clean, strlen(text) * 3 + 1); /* U+FFFD has three bytes */
    text_append_clean(&clean, text, strlen(text));
    json_object_set_new(object, key, json_string(buffer_string(&clean)));
    buffer_free(&clean);
}

static void put_number(json_t *object, const char *key, int64_t number)
{
    json_object_set_new(object, key, json_integer(number));
}

static void put_state(json_t *object, enum worker_named_state state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        if (states[i].state == state) {
            put_text(object, "state", states[i].text);
            return;
        }
    bug("an endpoint is held in state %d", (int)state);
}

static void put_numbers(json_t *object, const struct worker_named *named)
{
    switch (named->state) {
    case WORKER_NAMED_OPEN:
    case WORKER_NAMED_PROBING:
        put_number(object, "failures", named->failures);
        put_number(object, "opened_after", named->opened_after);
        put_number(object, "since_ms", named->since_ms);
        put_number(object, "next_ms", named->next_ms);
        break;
    case WORKER_NAMED_RETRY_AFTER:
        put_number(object, "next_ms", named->next_ms);
        break;
    case WORKER_NAMED_OUTCOME:
        put_number(object, "outcomes", named->outcomes);
        break;
    case WORKER_NAMED_OTHER:
    case WORKER_NAMED_SECRET:
        break;
    }
}

static json_t *write_named(const struct worker_named *named, bool is_held)
{
    json_t *object = json_object();

    if (is_held) {
        put_state(object, named->state);
        put_numbers(object, named);
    }
    put_text(object, "customer", named->customer);
    put_text(object, "url", named->url);
    put_text(object, "origin", named->origin);
    put_text(object, "reason", named->reason);
    return object;
}

static void put_list(json_t *object, const char *key, const struct worker_named_list *list,
                     bool is_held)
{
    json_t *array;

    if (list->count == 0)
        return;
    array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, write_named(&list->entries[i], is_held));
    json_object_set_new(object, key, array);
}

char *worker_problems_write(const struct worker_problems *problems)
{
    json_t *array = json_array();
    char *text;

    for (size_t i = 0; i < problems->count; i++) {
        const struct worker_problem *problem = &problems->list[i];
        json_t *object = json_object();

        put_text(object, "name", problem->name);
        put_text(object, "what", problem->what);
        put_text(object, "action", problem->action);
        put_list(object, "held", &problem->held, true);
        put_list(object, "endpoints", &problem->endpoints, false);
        json_array_append_new(array, object);
    }
    text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    if (text == NULL)
        bug("problems can't be written as JSON");
    return text;
}

/* --- reading --- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static enum worker_named_state state_of(const json_t *object)
{
    const char *text = text_of(object, "state");

    for (size_t i = 0; text != NULL && i < ARRAY_LENGTH(states); i++)
        if (strcmp(text, states[i].text) == 0)
            return states[i].state;
    return WORKER_NAMED_OTHER;
}

static struct worker_named_list read_list(const json_t *array)
{
    struct worker_named_list list = {.count = json_array_size(array)};

    if (list.count > 0)
        list.entries = memory_new(list.count, sizeof(*list.entries));
    for (size_t i = 0; i < list.count; i++) {
        const json_t *object = json_array_get(array, i);

        list.entries[i] = (struct worker_named){
            .state = state_of(object),
            .customer = text_of(object, "customer"),
            .url = text_of(object, "url"),
            .origin = text_of(object, "origin"),
            .reason = text_of(object, "reason"),
            .failures = number_of(object, "failures"),
            .opened_after = number_of(object, "opened_after"),
            .since_ms = number_of(object, "since_ms"),
            .next_ms = number_of(object, "next_ms"),
            .outcomes = number_of(object, "outcomes"),
        };
    }
    return list;
}

static void read_problem(struct worker_problem *problem, const json_t *object)
{
    const char *what = text_of(object, "what");

    problem->name = text_of(object, "name");
    text_copy(problem->what, sizeof(problem->what), what != NULL ? what : "");
    problem->action = text_of(object, "action");
    problem->held = read_list(json_object_get(object, "held"));
    problem->endpoints = read_list(json_object_get(object, "endpoints"));
}

struct worker_problems worker_problems_read(const char *json)
{
    json_t *array = json != NULL ? json_loads(json, 0, NULL) : NULL;
    struct worker_problems problems = {.count = json_array_size(array), .document = array};

    if (problems.count > 0)
        problems.list = memory_new(problems.count, sizeof(*problems.list));
    for (size_t i = 0; i < problems.count; i++)
        read_problem(&problems.list[i], json_array_get(array, i));
    return problems;
}
