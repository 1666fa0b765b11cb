/* SPDX-License-Identifier: MIT */
#include "serve/json_body.h"

#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

static int refuse(struct error *error, int status, const char *text)
{
    error_set(error, "%s", text);
    return status;
}

static int refuse_json(const json_error_t *problem, struct error *error)
{
    struct buffer text;
    int status;

    switch (json_error_code(problem)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return refuse(error, 422, "the body has a text with \\u0000, which PostgreSQL can't store");
    case json_error_duplicate_key:
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
        status = 422;
        break;
    default:
        status = 400;
    }
    buffer_init(&text, 512);
    text_append_clean(&text, problem->text, strlen(problem->text));
    error_set(error, "the body is not JSON that can be taken: line %d, column %d: %s",
              problem->line, problem->column, buffer_string(&text));
    buffer_free(&text);
    return status;
}

/* Levels of a text that is good JSON. */
static size_t depth_of(const char *text, size_t length)
{
    size_t depth = 0, deepest = 0;
    bool is_in_string = false;

    for (size_t i = 0; i < length; i++) {
        if (is_in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            is_in_string = !is_in_string;
        else if (!is_in_string && (text[i] == '{' || text[i] == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!is_in_string && (text[i] == '}' || text[i] == ']'))
            depth--;
    }
    return deepest;
}

int json_body_read(const char *body, size_t length, json_t **ret_root, struct error *error)
{
    json_error_t problem;
    json_t *root =
        json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);

    if (root == NULL)
        return refuse_json(&problem, error);
    if (depth_of(body, length) > JSON_BODY_DEPTH_MAX) {
        json_decref(root);
        return refuse(error, 422, "the body is nested deeper than 128 levels");
    }
    *ret_root = root;
    return 0;
}

const char *json_body_check_uuid(const json_t *value)
{
    return json_is_string(value) && text_is_uuid(json_string_value(value)) ? NULL : "is not a UUID";
}

static const struct json_member *find_member(const struct json_member *members, const char *name)
{
    for (; members->name != NULL; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

static int check_member(const struct json_member *member, const json_t *value, struct error *error)
{
    const char *problem = NULL;

    if (value == NULL && member->is_required)
        problem = "is missing";
    else if (value != NULL && (member->is_required || !json_is_null(value)))
        problem = member->check(value);
    if (problem == NULL)
        return 0;
    error_set(error, "%s %s", member->name, problem);
    return 422;
}

int json_body_check_members(const json_t *object, const struct json_member *members,
                            struct error *error)
{
    const char *name;
    json_t *value;
    int status = 0;

    if (!json_is_object(object))
        return refuse(error, 422, "the body is not an object");
    json_object_foreach((json_t *)object, name, value)
    { /* changes nothing */
        const struct json_member *member = find_member(members, name);

        if (member != NULL && member->forbidden == NULL)
            continue;
        error_set(error, "%.100s %s", name,
                  member != NULL ? member->forbidden : "is no member that is known here");
        return member != NULL ? 403 : 422;
    }
    for (; status == 0 && members->name != NULL; members++)
        if (members->forbidden == NULL)
            status = check_member(members, json_object_get(object, members->name), error);
    return status;
}
