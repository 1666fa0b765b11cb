/* SPDX-License-Identifier: MIT */
#include "db/queries.h"

#include <ctype.h>
#include <string.h>

#include "unit.h"

/* A text for customers reaches their views and nothing else. */
static const char *const operators[] = {"delivery", "metrics", "overview", "workers"};

static bool is_for_operators(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(operators); i++)
        if (strcmp(operators[i], name) == 0)
            return true;
    return false;
}

static const char *find_table(const char *text)
{
    static const char *const tables[] = {
        "webhook_events",  "webhook_deliveries", "webhook_endpoints",  "webhook_attempts",
        "webhook_replays", "webhook_secrets",    "webhook_lanes",      "webhook_workers",
        "webhook_adopted", "webhook_history",    "postrider_adoptions"};

    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        if (strstr(text, tables[i]) != NULL)
            return tables[i];
    return NULL;
}

static void test_customers_reach_views_alone(void **state)
{
    (void)state;
    for (const struct embedded_text *file = embedded_queries; file->name != NULL; file++) {
        const char *table = find_table(query_text(file->name, true));

        check_case(table == NULL || is_for_operators(file->name), "%s: %s", file->name, table);
        check_case(strstr(query_text(file->name, false), "webhook_customer_") == NULL, "%s",
                   file->name);
    }
}

static bool has_placeholder(const char *text)
{
    while ((text = strchr(text, '{')) != NULL)
        if (islower((unsigned char)*++text))
            return true;
    return false;
}

/* What stands in braces is known, but for SQL's own. */
static void test_all_is_filled(void **state)
{
    (void)state;
    for (const struct embedded_text *file = embedded_queries; file->name != NULL; file++)
        for (int i = 0; i < 2; i++)
            check_case(!has_placeholder(query_text(file->name, i == 1)), "%s", file->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_customers_reach_views_alone),
        cmocka_unit_test(test_all_is_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
