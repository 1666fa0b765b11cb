/* SPDX-License-Identifier: MIT */
#include "command/endpoint_body.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/units.h"
#include "core/header.h"
#include "core/permit.h"
#include "serve/endpoint_request.h"

#define ALLOW_BYTES ((size_t)ARGUMENT_LIST_MAX * 128)

enum kind { TEXT, NUMBER, DURATION, DURATIONS, TEXTS, JSON };

/* customer_id is the command's own option. */
static const struct {
    const char *option, *member;
    enum kind kind;
} table[] = {
    {"url", "url", TEXT},
    {"event-types", "event_types", TEXTS},
    {"filter", "filter", JSON},
    {"ordering", "ordering", TEXT},
    {"timeout", "timeout_ms", DURATION},
    {"retry-initial-delay", "retry_initial_delay_ms", DURATION},
    {"retry-max-delay", "retry_max_delay_ms", DURATION},
    {"retry-schedule", "retry_schedule_ms", DURATIONS},
    {"retry-max-attempts", "retry_max_attempts", NUMBER},
    {"retry-multiplier", "retry_multiplier", NUMBER},
    {"retry-jitter", "retry_jitter", NUMBER},
    {"max-in-flight", "max_in_flight", NUMBER},
    {"rate-limit", "rate_limit", NUMBER},
    {"client-certificate", "client_certificate", TEXT},
};

static const char *const operators[] = {"headers", "allow", "client_certificate", "all_customers"};

_Static_assert(ARRAY_LENGTH(table) <= ENDPOINT_BODY_OPTIONS, "one place for each option");

size_t endpoint_body_options(struct endpoint_body *body, bool has_unset, struct argument *options)
{
    size_t count = 0;

    for (; count < ARRAY_LENGTH(table); count++)
        options[count] =
            (struct argument){.name = table[count].option, .text = &body->given[count]};
    options[count++] = (struct argument){.name = "header", .list = &body->headers};
    options[count++] = (struct argument){.name = "allow", .list = &body->allow};
    options[count++] = (struct argument){.name = "all-customers", .flag = &body->all_customers};
    if (has_unset)
        options[count++] = (struct argument){.name = "unset", .list = &body->unset};
    return count;
}

static json_t *read_number(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    return text[0] != '\0' && *end == '\0' ? json_real(number) : NULL;
}

static json_t *read_duration(const char *text)
{
    struct error ignored;
    int64_t ms;

    return units_parse_duration_ms(text, &ms, &ignored) ? json_integer(ms) : NULL;
}

/* Each piece between commas; NULL when one can't be read. */
static json_t *read_list(const char *text, json_t *(*read)(const char *text))
{
    char *copy = memory_copy_string(text);
    json_t *list = json_array();
    char *rest = copy;
    char *piece;

    while (list != NULL && (piece = strsep(&rest, ",")) != NULL) {
        json_t *value = read(piece + strspn(piece, " "));

        if (value == NULL) {
            json_decref(list);
            list = NULL;
        } else
            json_array_append_new(list, value);
    }
    free(copy);
    return list;
}

static json_t *read_value(enum kind kind, const char *text)
{
    switch (kind) {
    case TEXT:
        return json_string(text);
    case NUMBER:
        return read_number(text);
    case DURATION:
        return read_duration(text);
    case DURATIONS:
        return read_list(text, read_duration);
    case TEXTS:
        return read_list(text, json_string);
    case JSON:
        return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    }
    bug("an option of no kind");
}

static const char *const wanted[] = {
    [TEXT] = "a text in UTF-8",
    [NUMBER] = "a number",
    [DURATION] = "a duration like 250ms, 10s or 4h",
    [DURATIONS] = "a list of durations like 5s,5m,1h",
    [TEXTS] = "a list like order.paid,invoice.*",
    [JSON] = "JSON",
};

static bool is_operators(const char *member)
{
    for (size_t i = 0; i < ARRAY_LENGTH(operators); i++)
        if (strcmp(operators[i], member) == 0)
            return true;
    return false;
}

static json_t *place_of(struct endpoint_body *body, const char *member)
{
    return is_operators(member) ? body->operators : body->body;
}

static int read_texts(const struct command *self, struct endpoint_body *body)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const char *text = body->given[i];
        json_t *value = text != NULL ? read_value(table[i].kind, text) : NULL;

        if (text != NULL && value == NULL)
            return command_usage_error(self, "--%s: \"%s\" is not %s", table[i].option, text,
                                       wanted[table[i].kind]);
        if (value != NULL)
            json_object_set_new(place_of(body, table[i].member), table[i].member, value);
    }
    return COMMAND_OK;
}

/* Its value, which may be a credential, is in no message. */
static int read_header(const struct command *self, const char *text, json_t *headers)
{
    const char *colon = strchr(text, ':');
    struct error error;
    char *name;
    const char *value;
    bool ok;

    if (colon == NULL)
        return command_usage_error(self, "--header: write 'NAME: VALUE'");
    name = memory_format("%.*s", (int)(colon - text), text);
    value = colon + 1 + strspn(colon + 1, " ");
    ok = header_check(name, value, &error) &&
         (json_object_set_new(headers, name, json_string(value)) == 0 ||
          error_set(&error, "it is no text in UTF-8"));
    free(name);
    return ok ? COMMAND_OK : command_usage_error(self, "--header: %s", error.message);
}

static int read_headers(const struct command *self, struct endpoint_body *body)
{
    json_t *headers = json_object();
    int status = COMMAND_OK;

    for (size_t i = 0; status == COMMAND_OK && i < body->headers.count; i++)
        status = read_header(self, body->headers.values[i], headers);
    if (body->headers.count > 0)
        json_object_set(body->operators, "headers", headers);
    json_decref(headers);
    return status;
}

/* Of ranges and the certificate's name. */
static int read_permit(const struct command *self, struct endpoint_body *body)
{
    json_t *list = json_array();
    struct permit *permit = NULL;
    struct buffer lines;
    struct error error;
    bool ok;

    buffer_init(&lines, ALLOW_BYTES);
    for (size_t i = 0; i < body->allow.count; i++) {
        json_array_append_new(list, json_string(body->allow.values[i]));
        buffer_append_format(&lines, "%s\n", body->allow.values[i]);
    }
    if (body->allow.count > 0)
        json_object_set(body->operators, "allow", list);
    if (lines.length > 0)
        lines.data[--lines.length] = '\0';
    ok = permit_make(buffer_string(&lines),
                     json_string_value(json_object_get(body->operators, "client_certificate")),
                     &permit, &error);
    permit_free(permit);
    buffer_free(&lines);
    json_decref(list);
    return ok ? COMMAND_OK : command_usage_error(self, "%s", error.message);
}

static const char *member_of(const char *option)
{
    for (size_t i = 1; i < ARRAY_LENGTH(table); i++) /* not the URL */
        if (strcmp(table[i].option, option) == 0)
            return table[i].member;
    return strcmp(option, "header") == 0          ? "headers"
           : strcmp(option, "allow") == 0         ? "allow"
           : strcmp(option, "all-customers") == 0 ? "all_customers"
                                                  : NULL;
}

static int read_unset(const struct command *self, struct endpoint_body *body)
{
    for (size_t i = 0; i < body->unset.count; i++) {
        const char *member = member_of(body->unset.values[i]);

        if (member == NULL)
            return command_usage_error(self,
                                       "--unset: there is no option --%s whose setting could be "
                                       "taken away",
                                       body->unset.values[i]);
        if (json_object_get(place_of(body, member), member) != NULL)
            return command_usage_error(self, "--%s is given and unset", body->unset.values[i]);
        json_object_set_new(place_of(body, member), member, json_null());
    }
    return COMMAND_OK;
}

/* The API names a member; here that is an option. */
static int refuse(const struct command *self, const char *message)
{
    size_t length = strcspn(message, " ");

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (strlen(table[i].member) == length && strncmp(table[i].member, message, length) == 0)
            return command_usage_error(self, "--%s%s", table[i].option, message + length);
    return command_usage_error(self, "%s", message);
}

int endpoint_body_make(const struct command *self, struct endpoint_body *body, bool is_whole,
                       bool https_only)
{
    struct error error = {0};
    int status;

    body->body = json_object();
    body->operators = json_object();
    status = read_texts(self, body);
    if (status == COMMAND_OK)
        status = read_headers(self, body);
    if (status == COMMAND_OK)
        status = read_permit(self, body);
    if (body->all_customers)
        json_object_set_new(body->operators, "all_customers", json_true());
    if (status == COMMAND_OK)
        status = read_unset(self, body);
    if (status == COMMAND_OK &&
        endpoint_request_check(body->body, is_whole, https_only, &error) != 0)
        status = refuse(self, error.message);
    return status;
}

void endpoint_body_free(struct endpoint_body *body)
{
    json_decref(body->body);
    json_decref(body->operators);
}
