/* SPDX-License-Identifier: MIT */
/*
 * serve/json_body.h: bodies of JSON, read strictly.
 *
 * Refused are a name that is there twice, \u0000, which PostgreSQL can't store, and more than
 * JSON_BODY_DEPTH_MAX levels. A member that is not known is refused, since it is most likely one
 * whose name is mistyped. Whole numbers are read as real ones: what is stored are the bytes as they
 * came, which PostgreSQL reads once more.
 */
#ifndef POSTRIDER_SERVE_JSON_BODY_H
#define POSTRIDER_SERVE_JSON_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define JSON_BODY_DEPTH_MAX 128

/* 0 with *ret_root, which is the caller's; or the status to refuse it with: 400 (it is no JSON) or
 * 422, and the error's message says why. */
int json_body_read(const char *body, size_t length, json_t **ret_root,
                   struct error *error) MUST_USE;

/* What is wrong with a value: "is not a UUID"; NULL: nothing. */
typedef const char *json_body_check(const json_t *value);

struct json_member {
    const char *name; /* NULL ends a list */
    json_body_check *check;
    bool is_required;      /* and not null */
    const char *forbidden; /* why it may not be there: 403; NULL: it may */
};

json_body_check json_body_check_uuid;

/* 0, or the status to refuse the object with. */
int json_body_check_members(const json_t *object, const struct json_member *members,
                            struct error *error) MUST_USE;

#endif
