#include "http/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

static const char retry_after_name[] = "Retry-After:";

void answer_init(struct answer *answer, CURL *easy, struct http_response *response,
                 int64_t max_bytes)
{
    *answer = (struct answer){.easy = easy, .response = response, .max_bytes = max_bytes};
}

void answer_clear(struct answer *answer)
{
    answer_init(answer, answer->easy, answer->response, answer->max_bytes);
}

static long find_status(struct answer *answer)
{
    long status = 0;

    curl_easy_getinfo(answer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* libcurl has checked that it looks like one; it takes any three digits. */
static bool read_status_line(struct answer *answer)
{
    struct http_response *response = answer->response;
    long status = find_status(answer);

    if (status == 101) {
        snprintf(response->error, sizeof(response->error),
                 "the answer is 101 Switching Protocols, which was not asked for");
        return false;
    }
    if (status < 100 || status > 599) {
        snprintf(response->error, sizeof(response->error),
                 "the answer has the status %ld, which is none", status);
        return false;
    }
    answer->head = HEAD_IN_FIELDS;
    response->retry_after[0] = '\0';
    return true;
}

static void read_retry_after(struct http_response *response, const char *line, size_t length)
{
    const char *end = line + length;

    if (response->retry_after[0] != '\0')
        return;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    snprintf(response->retry_after, sizeof(response->retry_after), "%.*s", (int)(end - line), line);
}

static void read_end_of_head(struct answer *answer)
{
    long status = find_status(answer);

    if (status < 200) {
        answer->head = HEAD_AT_STATUS;
        return;
    }
    answer->head = HEAD_COMPLETE;
    answer->response->status = (int)status;
}

static bool read_line(struct answer *answer, const char *line, size_t length)
{
    const size_t name_length = sizeof(retry_after_name) - 1;

    switch (answer->head) {
    case HEAD_AT_STATUS:
        return read_status_line(answer);
    case HEAD_IN_FIELDS:
        if (line[0] == '\r' || line[0] == '\n')
            read_end_of_head(answer);
        else if (length > name_length && strncasecmp(line, retry_after_name, name_length) == 0)
            read_retry_after(answer->response, line + name_length, length - name_length);
        return true;
    case HEAD_COMPLETE:
        return true;
    }
    return false;
}

/* Any number but length makes libcurl stop and close the connection. */
size_t answer_on_header(char *line, size_t one, size_t length, void *user)
{
    struct answer *answer = user;
    char limit[UNITS_TEXT_SIZE];

    (void)one;
    answer->head_bytes += (int64_t)length;
    if (answer->head_bytes > answer->max_bytes) {
        if (answer->head != HEAD_COMPLETE)
            snprintf(answer->response->error, sizeof(answer->response->error),
                     "the headers of the answer are larger than %s (delivery.max_response)",
                     units_format_size_bytes(answer->max_bytes, limit));
        return 0;
    }
    return length > 0 && read_line(answer, line, length) ? length : 0;
}

size_t answer_on_body(char *bytes, size_t one, size_t length, void *user)
{
    struct answer *answer = user;
    struct buffer *snippet = &answer->response->snippet;
    size_t room = snippet->maximum - snippet->length;

    (void)one;
    if (answer->head != HEAD_COMPLETE)
        return 0;
    buffer_append(snippet, bytes, length < room ? length : room);
    answer->body_bytes += (int64_t)length;
    return answer->body_bytes <= answer->max_bytes ? length : 0;
}
