#include "worker/problems.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/compiler.h"

#define TEXT_SIZE        200
#define UNWRITTEN_US     5000000 /* an outcome that waits for longer is a problem */
#define CUT_OFF_SHOWN_US 1000000

static void add(json_t *list, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void add(json_t *list, const char *name, const char *format, ...)
{
    char what[TEXT_SIZE];
    va_list args;

    if (json_array_size(list) == PROBLEMS_LIST_MAX)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "what", what));
}

static void add_open_files(json_t *list, const struct worker *worker)
{
    if (worker->sending.slots < (size_t)worker->config->worker.max_in_flight)
        add(list, "open_files",
            "open files (LimitNOFILE) allow %zu requests at a time, not worker.max_in_flight",
            worker->sending.slots);
}

static void add_unwritten(json_t *list, const struct worker *worker)
{
    const struct delivery *oldest = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_FINISHED]);
    size_t count = worker->deliveries.counts[DELIVERY_FINISHED];

    if (oldest != NULL && worker->now_us - oldest->finished_us > UNWRITTEN_US)
        add(list, "unwritten", "%zu outcomes are not written yet, the oldest for %lld s", count,
            (long long)((worker->now_us - oldest->finished_us) / 1000000));
}

static void add_cut_off(json_t *list, const struct worker *worker)
{
    int64_t since_us = worker->leasing.cut_off_us;

    if (since_us != 0 && worker->now_us - since_us > CUT_OFF_SHOWN_US)
        add(list, "cut_off", "it can write to the database but not read from it, for %lld s",
            (long long)((worker->now_us - since_us) / 1000000));
}

char *problems_describe(const struct worker *worker)
{
    json_t *list = json_array();
    char *text;

    add_cut_off(list, worker);
    add_unwritten(list, worker);
    add_open_files(list, worker);
    text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    if (text == NULL)
        bug("problems can't be written as JSON");
    return text;
}
