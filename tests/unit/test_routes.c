/* SPDX-License-Identifier: MIT */
/* The table of routes and the document say the same of each other. */
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "serve/document.h"
#include "serve/route.h"
#include "unit.h"

static json_t *document;

static int load(void **state)
{
    (void)state;
    document = json_loads(embedded_documents[0].text, JSON_REJECT_DUPLICATES, NULL);
    return document == NULL;
}

static int unload(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static const json_t *find_operation(const struct route *route)
{
    char method[8] = "";

    for (size_t i = 0; route->method[i] != '\0'; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    return json_object_get(json_object_get(json_object_get(document, "paths"), route->path),
                           method);
}

/* POST /v1/events judges its own head. */
static const char *scope_of(const struct route *route)
{
    if (route->own_judge != NULL)
        return "publish";
    return route->access == ROUTE_READ ? "read" : route->access == ROUTE_OPERATE ? "operate" : NULL;
}

static void test_every_route_is_described(void **state)
{
    (void)state;
    for (const struct route *route = routes_table; route->method != NULL; route++) {
        const json_t *operation = find_operation(route);
        const json_t *security = json_object_get(operation, "security");
        const json_t *scope =
            json_array_get(json_object_get(json_array_get(security, 0), "token"), 0);

        check_case(operation != NULL, "%s %s", route->method, route->path);
        if (scope_of(route) == NULL)
            check_case(json_array_size(security) == (route->access == ROUTE_TOKEN) && scope == NULL,
                       "%s %s", route->method, route->path);
        else
            check_case(scope != NULL && strcmp(json_string_value(scope), scope_of(route)) == 0,
                       "%s %s", route->method, route->path);
        check_case((json_object_get(operation, "requestBody") != NULL) ==
                       (route->has_body || route->may_have_body || route->own_judge != NULL),
                   "%s %s", route->method, route->path);
    }
}

static bool has_route(const char *path, const char *method)
{
    for (const struct route *route = routes_table; route->method != NULL; route++)
        if (strcmp(route->path, path) == 0 && strcasecmp(route->method, method) == 0)
            return true;
    return false;
}

static void test_every_path_has_a_route(void **state)
{
    const char *path, *method;
    json_t *operations, *operation;

    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, operations)
        json_object_foreach(operations, method, operation)
            check_case(has_route(path, method), "%s %s", method, path);
}

/* What a parameter refers to, if it does. */
static const json_t *resolve(const json_t *parameter)
{
    const char *reference = json_string_value(json_object_get(parameter, "$ref"));

    if (reference == NULL)
        return parameter;
    return json_object_get(json_object_get(json_object_get(document, "components"), "parameters"),
                           strrchr(reference, '/') + 1);
}

static bool is_described(const json_t *parameters, const char *name)
{
    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *parameter = resolve(json_array_get(parameters, i));

        if (strcmp(json_string_value(json_object_get(parameter, "in")), "query") == 0 &&
            strcmp(json_string_value(json_object_get(parameter, "name")), name) == 0)
            return true;
    }
    return false;
}

static size_t count_described(const json_t *parameters)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(parameters); i++)
        if (strcmp(json_string_value(json_object_get(resolve(json_array_get(parameters, i)), "in")),
                   "query") == 0)
            count++;
    return count;
}

static void test_parameters(void **state)
{
    (void)state;
    for (const struct route *route = routes_table; route->method != NULL; route++) {
        const json_t *parameters = json_object_get(find_operation(route), "parameters");
        size_t count = 0;

        for (const struct parameter *p = route->parameters; p != NULL && p->name != NULL; p++) {
            check_case(is_described(parameters, p->name), "%s ?%s", route->path, p->name);
            count++;
        }
        check_case(count_described(parameters) == count, "%s %s", route->method, route->path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_every_path_has_a_route),
        cmocka_unit_test(test_parameters),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
