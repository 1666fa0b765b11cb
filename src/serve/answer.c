/* SPDX-License-Identifier: MIT */
#include "serve/answer.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/text.h"
#include "serve/page_files.h"

#define DETAIL_MAX 1024

static const struct {
    int status;
    const char *title;
} titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    bug("the status %d has no title", status);
}

/* Not of the locale. */
static void append_date(int64_t wall_s, struct buffer *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)wall_s;
    struct tm date;

    gmtime_r(&seconds, &date);
    buffer_append_format(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                         days + 3 * (size_t)date.tm_wday, date.tm_mday,
                         months + 3 * (size_t)date.tm_mon, date.tm_year + 1900, date.tm_hour,
                         date.tm_min, date.tm_sec);
}

static const char *type_of(const struct answer *answer)
{
    if (answer->type != NULL)
        return answer->type;
    return answer->is_problem ? "application/problem+json" : "application/json";
}

static void append_caching(const struct answer *answer, struct buffer *out)
{
    if (answer->etag != NULL)
        buffer_append_format(out, "ETag: %s\r\nCache-Control: private, no-cache\r\n", answer->etag);
    else if (answer->is_forever)
        buffer_append_string(out, "Cache-Control: public, max-age=31536000, immutable\r\n");
    else
        buffer_append_string(out, "Cache-Control: no-store\r\n");
}

void answer_append(const struct answer *answer, bool is_last, bool is_head_only, int64_t wall_s,
                   struct buffer *out)
{
    size_t length = answer->type != NULL ? answer->length : strlen(answer->body);

    buffer_append_format(out, "HTTP/1.1 %d %s\r\n", answer->status, title_of(answer->status));
    append_date(wall_s, out);
    if (answer->status != 304)
        buffer_append_format(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type_of(answer),
                             length);
    append_caching(answer, out);
    buffer_append_format(out, "X-Content-Type-Options: nosniff\r\nPostrider-Page: %s\r\n",
                         page_hash);
    buffer_append_string(out, answer->headers);
    if (is_last)
        buffer_append_string(out, "Connection: close\r\n");
    buffer_append_string(out, "\r\n");
    if (!is_head_only)
        buffer_append(out, answer->body, length);
}

char *answer_problem(int status, const char *detail)
{
    struct buffer clean;
    json_t *problem;
    char *text;

    buffer_init(&clean, DETAIL_MAX);
    text_append_clean(&clean, detail, strlen(detail));
    problem = json_pack("{s:s, s:i, s:s}", "title", title_of(status), "status", status, "detail",
                        buffer_string(&clean));
    text = json_dumps(problem, JSON_COMPACT);
    if (text == NULL)
        bug("a problem is no JSON");
    json_decref(problem);
    buffer_free(&clean);
    return text;
}
