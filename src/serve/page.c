/* SPDX-License-Identifier: MIT */
#include "serve/page.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "serve/api.h"
#include "serve/page_files.h"

/* Nothing from elsewhere, nothing inline, in nobody's frame; and who leaves tells nobody from where. */
static const char page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src "
    "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
    "X-Frame-Options: DENY\r\n";

static const char *type_of(const char *path)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *extension = strrchr(path, '.');

    for (size_t i = 0; extension != NULL && i < ARRAY_LENGTH(types); i++)
        if (strcmp(extension, types[i].extension) == 0)
            return types[i].type;
    bug("%s has no type", path);
}

/* NULL: there is none. */
static const struct embedded_file *find_file(struct slice path)
{
    for (const struct embedded_file *file = page_files; file->path != NULL; file++)
        if (slice_is(path, strcmp(file->path, "/index.html") == 0 ? "/" : file->path))
            return file;
    return NULL;
}

static void show_file(struct call *call)
{
    const struct embedded_file *file = find_file(client_request(call->client)->head.path);
    char etag[sizeof("\"0123456789abcdef\"")];
    bool is_shell = file != NULL && strcmp(file->path, "/index.html") == 0;
    struct answer answer = {.status = 200, .headers = page_headers};

    if (file == NULL)
        bug("a file of the page has gone");
    snprintf(etag, sizeof(etag), "\"%s\"", page_hash);
    answer.type = type_of(file->path);
    answer.body = (const char *)file->bytes;
    answer.length = file->length;
    answer.etag = is_shell ? etag : NULL;
    answer.is_forever = !is_shell;
    if (is_shell && api_client_has(call->client, etag)) {
        answer.status = 304;
        answer.length = 0;
    }
    client_answer(call->client, &answer);
}

/* A link in a chat leads to "/"; what it consists of is asked for by itself alone. */
static const struct route shell_route = {.method = "GET", .handle = show_file, .is_open = true};
static const struct route asset_route = {.method = "GET", .handle = show_file};

const struct route *page_route(const struct served_head *head, struct buffer *allowed)
{
    const struct embedded_file *file = find_file(head->path);

    if (file == NULL)
        return NULL;
    if (slice_is(head->method, "GET") || slice_is(head->method, "HEAD"))
        return slice_is(head->path, "/") ? &shell_route : &asset_route;
    buffer_append_string(allowed, "GET, HEAD");
    return NULL;
}
