/* SPDX-License-Identifier: MIT */
/* test_configuring.c: after a reload every part works as if it had been started with the new
 * configuration, whichever option has changed. */
#include "unit.h"

#include <event2/event.h>

#include "config/load.h"
#include "config/options.h"
#include "core/finder.h"
#include "worker/checking.h"
#include "worker/configuring.h"
#include "worker/finding.h"
#include "worker/sending.h"
#include "worker/tracing.h"

static void start(struct worker *worker, struct config *config)
{
    struct error error;

    *worker = (struct worker){.config = config, .loop = {.base = event_base_new()}};
    deliveries_init(&worker->deliveries);
    endpoints_init(&worker->endpoints);
    assert_true(sending_init(worker, &error));
    finding_init(worker);
    tracing_init(worker);
    checking_init(worker);
    configuring_apply(worker, config);
}

/* The configuration belongs to the engine that was made of it. */
static void stop(struct worker *worker)
{
    checking_free(worker);
    tracing_free(worker);
    finding_free(worker);
    deliveries_free(&worker->deliveries);
    endpoints_free(&worker->endpoints);
    sending_free(worker);
    event_base_free(worker->loop.base);
}

/* Another value that is valid; false for what no part keeps: texts and lists are read where they
 * are. */
static bool change(struct config *config, const struct config_option *option)
{
    char *field = (char *)config + option->offset;

    switch (option->kind) {
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        if (option->size == sizeof(int)) {
            int value;

            memcpy(&value, field, sizeof(value));
            value += value < option->maximum ? 1 : -1;
            memcpy(field, &value, sizeof(value));
        } else {
            int64_t value;

            memcpy(&value, field, sizeof(value));
            value += value < option->maximum ? 1 : -1;
            memcpy(field, &value, sizeof(value));
        }
        return true;
    case OPTION_NUMBER:
        *(double *)(void *)field += 1;
        return true;
    case OPTION_BOOLEAN:
        *(bool *)(void *)field = !*(bool *)(void *)field;
        return true;
    case OPTION_CHOICE:
    case OPTION_TEXT:
    case OPTION_HEADERS:
    case OPTION_RANGES:
    case OPTION_NAMES:
    case OPTION_STATUSES:
    case OPTION_SCHEDULE:
        return false;
    }
    return false;
}

static bool is_same_limits(const struct scheduler_limits *a, const struct scheduler_limits *b)
{
    return a->slots == b->slots && a->origin_max == b->origin_max &&
           a->breaker.failures == b->breaker.failures &&
           a->breaker.max_interval_us == b->breaker.max_interval_us;
}

static void check_same(const char *key, const struct worker *reloaded, const struct worker *fresh)
{
    check_case(memcmp(finding_finder(reloaded), finding_finder(fresh), sizeof(struct finder)) == 0,
               "%s: finder", key);
    check_case(sending_slots(reloaded) == sending_slots(fresh), "%s: slots", key);
    check_case(is_same_limits(&reloaded->endpoints.queues.scheduler.limits,
                              &fresh->endpoints.queues.scheduler.limits),
               "%s: scheduler", key);
    check_case(finding_rows_ahead(reloaded) == finding_rows_ahead(fresh), "%s: rows ahead", key);
}

static void check_reload(const struct config_option *option, struct config *after)
{
    static struct worker reloaded, fresh;
    struct config *again = config_new_default();
    struct error error;

    assert_true(change(again, option));
    start(&reloaded, config_new_default());
    start(&fresh, after);
    assert_true(sending_replace_engine(&reloaded, again, &error));
    configuring_apply(&reloaded, again);
    check_same(option->key, &reloaded, &fresh);
    stop(&reloaded);
    stop(&fresh);
}

static void test_every_option(void **state)
{
    int changed = 0;

    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        struct config *after = config_new_default();

        if (change(after, &option_table[i])) {
            changed++;
            check_reload(&option_table[i], after);
        } else {
            config_free(after);
        }
    }
    assert_true(changed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
