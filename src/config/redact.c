/* SPDX-License-Identifier: MIT */
#include "config/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"

static const char mask[] = "***";

/* Of libpq up to version 18. */
static bool is_secret_name(const char *name, size_t length)
{
    static const char *const names[] = {"password", "sslpassword", "oauth_client_secret",
                                        "scram_client_key", "scram_server_key"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strlen(names[i]) == length && strncasecmp(name, names[i], length) == 0)
            return true;
    /* libpq decodes names too: pass%77ord */
    return memchr(name, '%', length) != NULL;
}

/* The text after a URI's "?": name=value pairs with & between them. */
static void append_query(const char *query, struct buffer *out)
{
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        size_t name = strcspn(query, "=&");

        if (name < length && is_secret_name(query, name)) {
            buffer_append(out, query, name + 1);
            buffer_append_string(out, mask);
        } else {
            buffer_append(out, query, length);
        }
        query += length;
        if (*query == '&')
            buffer_append(out, query++, 1);
    }
}

/*
 * The @ that ends user and password, or NULL. A password should have its /, ? and @
 * percent-encoded, but people forget; libpq then reads a shorter one or none, and the rest must not
 * be shown.
 */
static const char *find_userinfo_end(const char *authority)
{
    const char *first = strchr(authority, '@');
    const char *end = first;

    if (first == NULL)
        return NULL;
    if (strcspn(authority, "/") < (size_t)(first - authority))
        return strrchr(authority, '@');
    for (const char *c = first; *c != '\0' && *c != '?'; c++)
        if (*c == '@')
            end = c;
    return end;
}

static void append_uri(const char *url, const char *authority, struct buffer *out)
{
    const char *end = find_userinfo_end(authority);
    const char *query;

    buffer_append(out, url, (size_t)(authority - url));
    if (end != NULL) {
        size_t user = strcspn(authority, ":/?@");

        buffer_append(out, authority, user);
        if (authority + user != end)
            buffer_append_format(out, ":%s", mask);
        authority = end;
    }
    query = strchr(authority, '?');
    if (query == NULL) {
        buffer_append_string(out, authority);
        return;
    }
    buffer_append(out, authority, (size_t)(query - authority) + 1);
    append_query(query + 1, out);
}

/* The end of the value at text: up to a blank, or a quote that is closed. NULL: it is not. */
static const char *find_value_end(const char *text)
{
    bool is_quoted = *text == '\'';

    for (text += is_quoted; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (is_quoted && *text == '\'')
            return text + 1;
        else if (!is_quoted && isspace((unsigned char)*text))
            return text;
    }
    return is_quoted ? NULL : text;
}

static size_t blanks(const char *text)
{
    return strspn(text, " \t\n\r\f\v");
}

/* libpq: conninfo_parse(); blanks may stand around the "=". */
static void append_pairs(const char *text, struct buffer *out)
{
    while (*(text += blanks(text)) != '\0') {
        size_t name = strcspn(text, "= \t\n\r\f\v");
        const char *value = text + name + blanks(text + name);
        const char *end = NULL;

        if (*value == '=') {
            value++;
            value += blanks(value);
            end = find_value_end(value);
        }
        if (out->length > 0)
            buffer_append(out, " ", 1);
        if (end == NULL) {
            buffer_append_string(out, mask);
            return;
        }
        buffer_append(out, text, name);
        buffer_append(out, "=", 1);
        if (is_secret_name(text, name))
            buffer_append_string(out, mask);
        else
            buffer_append(out, value, (size_t)(end - value));
        text = end;
    }
}

void redact_append_url(const char *url, struct buffer *out)
{
    const char *scheme_end = strstr(url, "://");
    const char *equals = strchr(url, '=');

    if (scheme_end != NULL && (equals == NULL || scheme_end < equals)) {
        append_uri(url, scheme_end + 3, out);
    } else if (equals != NULL) {
        struct buffer pairs;

        buffer_init(&pairs, out->maximum);
        append_pairs(url, &pairs);
        buffer_append_string(out, buffer_string(&pairs));
        buffer_free(&pairs);
    } else {
        buffer_append_string(out, url);
    }
}

bool redact_has_password(const char *url)
{
    struct buffer shown;
    bool has;

    buffer_init(&shown, 2 * strlen(url) + 64);
    redact_append_url(url, &shown);
    has = strstr(buffer_string(&shown), mask) != NULL;
    buffer_free(&shown);
    return has;
}
