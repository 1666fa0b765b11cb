/* SPDX-License-Identifier: MIT */
#include "command/top_view.h"

#include <stdlib.h>
#include <string.h>

#include "command/terminal.h"

const char *top_sort_name(enum top_sort sort)
{
    static const char *const names[TOP_SORTS] = {"trouble", "due", "retrying", "failures", "url"};

    return names[sort];
}

const char *top_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* -1: unknown */
static int64_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int64_t known(int64_t count)
{
    return count > 0 ? count : 0;
}

static int64_t trouble(const struct top_row *row)
{
    return known(row->failures) + known(row->retrying);
}

static int64_t weight(const struct top_row *row, enum top_sort sort)
{
    switch (sort) {
    case TOP_BY_TROUBLE:
        return trouble(row);
    case TOP_BY_DUE:
        return row->due;
    case TOP_BY_RETRYING:
        return row->retrying;
    case TOP_BY_FAILURES:
        return row->failures;
    case TOP_BY_URL:
    case TOP_SORTS:
        break;
    }
    return 0;
}

/* True when a stands before b: the heavier first, and equal ones by name, so that nothing jumps. */
static bool is_before(const struct top_row *a, const struct top_row *b, enum top_sort sort)
{
    int64_t of_a = weight(a, sort), of_b = weight(b, sort);

    return of_a != of_b ? of_a > of_b : strcmp(a->url, b->url) < 0;
}

static void insert(struct top_view *view, struct top_row row, enum top_sort sort)
{
    size_t at = view->count++;

    for (; at > 0 && is_before(&row, &view->rows[at - 1], sort); at--)
        view->rows[at] = view->rows[at - 1];
    view->rows[at] = row;
}

static void fill_rows(struct top_view *view, const json_t *report, enum top_sort sort,
                      const char *filter)
{
    size_t index;
    json_t *endpoint;

    json_array_foreach(json_object_get(report, "endpoints"), index, endpoint)
    {
        struct top_row row = {
            .url = top_text(endpoint, "url"),
            .error = top_text(endpoint, "last_error"),
            .oldest_delivery = top_text(endpoint, "oldest_delivery"),
            .due = number(endpoint, "due"),
            .retrying = number(endpoint, "retrying"),
            .failures = number(endpoint, "failures_last_hour"),
            .is_disabled = json_is_true(json_object_get(endpoint, "is_disabled")),
        };

        if (view->count < TOP_ROWS_MAX &&
            (strcasestr(row.url, filter) != NULL || strcasestr(row.error, filter) != NULL))
            insert(view, row, sort);
    }
}

/* Of one that was there before: a worker that has come or gone since would be a jump. */
static int64_t before_of(const json_t *before, const char *owner, const char *key)
{
    size_t index;
    json_t *worker;

    json_array_foreach(json_object_get(before, "workers"), index,
                       worker) if (strcmp(top_text(worker, "owner"), owner) ==
                                   0) return number(worker, key);
    return -1;
}

static double rate(const json_t *report, const json_t *before, const char *key, int64_t after_ms)
{
    int64_t sum = 0;
    size_t index;
    json_t *worker;

    if (before == NULL || after_ms <= 0)
        return -1;
    json_array_foreach(json_object_get(report, "workers"), index, worker)
    {
        int64_t now = number(worker, key);
        int64_t then = before_of(before, top_text(worker, "owner"), key);

        if (then >= 0 && now > then)
            sum += now - then;
    }
    return (double)sum * 1000 / (double)after_ms;
}

static void fill_workers(struct top_view *view, const json_t *report)
{
    size_t index;
    json_t *worker;

    json_array_foreach(json_object_get(report, "workers"), index, worker)
    {
        view->workers++;
        view->in_flight += known(number(worker, "in_flight"));
    }
}

struct top_view top_view_make(const json_t *report, const json_t *before, int64_t after_ms,
                              enum top_sort sort, const char *filter)
{
    const json_t *pending = json_object_get(report, "pending");
    const json_t *dead = json_object_get(report, "dead_letters");
    struct top_view view = {
        .rates = {rate(report, before, "delivered", after_ms),
                  rate(report, before, "retried", after_ms),
                  rate(report, before, "failed", after_ms)},
        .due = number(pending, "due"),
        .retrying = number(pending, "retrying"),
        .later = number(pending, "later"),
        .oldest_due_ms = number(pending, "oldest_due_ms"),
        .dead = number(dead, "total"),
        .dead_last_hour = number(dead, "last_hour"),
        .free_lanes = number(report, "free_lanes"),
    };

    fill_workers(&view, report);
    fill_rows(&view, report, sort, filter);
    return view;
}

char *top_clean(const char *text, size_t width, bool is_ascii, bool in_middle)
{
    char *clean = terminal_clean(text);
    char *cut = terminal_cut(clean, width, in_middle);

    free(clean);
    if (!is_ascii)
        return cut;
    /* A byte of each character is enough to see that there is one. */
    size_t used = 0;
    for (size_t i = 0; cut[i] != '\0'; i++) {
        unsigned char c = (unsigned char)cut[i];

        if (c < 0x80)
            cut[used++] = cut[i];
        else if (c >= 0xc0)
            cut[used++] = '?';
    }
    cut[used] = '\0';
    return cut;
}
