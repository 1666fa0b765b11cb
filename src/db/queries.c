/* SPDX-License-Identifier: MIT */
#include "db/queries.h"

#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "db/event_body.h"
#include "db/fragments.h"

#define QUERIES_MAX 64
#define TEXT_MAX    ((size_t)64 * 1024)
#define PIECE       "piece_"

/* As SQL_UTC_EXACT, for JSON. */
#define UTC(time)                                      \
    "CASE WHEN isfinite(" time ") THEN to_char((" time \
    ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') END"

static const struct {
    const char *name, *all, *customer;
} fixed[] = {
    {"ramp_again", ", ramp_from = r.done, due_at = clock_timestamp()", ""},
    {"url_hash", "hashtextextended(d.webhook_url, 0)", "d.url_hash"},
    {"url_hash o", "hashtextextended(o.webhook_url, 0)", "o.url_hash"},
    {"all_customers", "p.all_customers", "false"},
    {"events", "webhook_events", "webhook_customer_events"},
    {"feed", "webhook_events", "webhook_customer_feed"},
    {"epoch", "webhook_feed_epoch", "webhook_customer_epoch"},
    {"marks", "webhook_feed_marks", "webhook_customer_marks"},
    {"deliveries", "webhook_deliveries", "webhook_customer_deliveries"},
    {"endpoints", "webhook_endpoints", "webhook_customer_endpoints"},
    {"attempts", "webhook_attempts", "webhook_customer_attempts"},
    {"replays", "webhook_replays", "webhook_customer_replays"},
    {"history", "webhook_history", "webhook_customer_history"},
};

struct piece {
    const char *at;
    size_t length;
};

static bool is_name(struct piece piece, const char *name)
{
    return strlen(name) == piece.length && memcmp(piece.at, name, piece.length) == 0;
}

static bool append_fixed(struct piece inner, bool is_of_customer, struct buffer *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fixed); i++)
        if (is_name(inner, fixed[i].name))
            return buffer_append_string(out, is_of_customer ? fixed[i].customer : fixed[i].all);
    return false;
}

static bool begins(struct piece inner, const char *word, struct piece *ret_rest)
{
    size_t length = strlen(word);

    if (inner.length <= length || memcmp(inner.at, word, length) != 0)
        return false;
    *ret_rest = (struct piece){inner.at + length, inner.length - length};
    return true;
}

/* Each @ of the pattern is the piece. */
static bool append_pattern(const char *pattern, struct piece piece, struct buffer *out)
{
    const char *mark;

    while ((mark = strchr(pattern, '@')) != NULL) {
        buffer_append(out, pattern, (size_t)(mark - pattern));
        buffer_append(out, piece.at, piece.length);
        pattern = mark + 1;
    }
    return buffer_append_string(out, pattern);
}

/* "epoch, transaction, event", as cursor_read_feed() reads it. */
static bool append_feed_cursor(struct piece inner, struct buffer *out)
{
    return append_pattern("translate(encode(convert_to(concat_ws(' ', @), 'UTF8'), 'base64'),"
                          " E'+/=\\n', '-_')",
                          inner, out);
}

/* Base64 for URLs has other letters, no padding, and no line ends. */
static bool append_cursor(struct piece inner, struct buffer *out)
{
    const char *comma = memchr(inner.at, ',', inner.length);
    struct piece time, id;

    if (comma == NULL)
        return false;
    time = (struct piece){inner.at, (size_t)(comma - inner.at)};
    id = (struct piece){comma + 1, inner.length - time.length - 1};
    append_pattern("translate(encode(convert_to(concat(" SQL_UTC_EXACT("@") ", ' ', ", time, out);
    return append_pattern("@), 'UTF8'), 'base64'), E'+/=\\n', '-_')", id, out);
}

static const struct {
    const char *word, *pattern;
} patterns[] = {
    {"utc ", UTC("@")},         {"text ", SQL_UTC("@")},        {"ms ", "(" SQL_MS_UNTIL("@") ")"},
    {"interval ", SQL_MS("@")}, {"body ", SQL_EVENT_BODY("@")},
};

static void fill(const char *text, bool is_of_customer, struct buffer *out);

/* NULL: there is none. */
static const char *find_piece(struct piece name)
{
    size_t length = strlen(PIECE);

    for (const struct embedded_text *file = embedded_queries; file->name != NULL; file++)
        if (strncmp(file->name, PIECE, length) == 0 && is_name(name, file->name + length))
            return file->text;
    return NULL;
}

/* A file of its own, of which the comment at its beginning is left out. */
static bool append_piece(struct piece inner, bool is_of_customer, struct buffer *out)
{
    const char *text = find_piece(inner);

    if (text == NULL)
        return false;
    while (strncmp(text, "--", 2) == 0)
        text = strchr(text, '\n') + 1;
    fill(text, is_of_customer, out);
    return true;
}

/* What stands between braces; false when they are SQL's. */
static bool append_filled(struct piece inner, bool is_of_customer, struct buffer *out)
{
    struct piece rest;

    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++)
        if (begins(inner, patterns[i].word, &rest))
            return append_pattern(patterns[i].pattern, rest, out);
    if (begins(inner, "feed_cursor ", &rest))
        return append_feed_cursor(rest, out);
    if (begins(inner, "cursor ", &rest))
        return append_cursor(rest, out);
    return append_fixed(inner, is_of_customer, out) || append_piece(inner, is_of_customer, out);
}

static void fill(const char *text, bool is_of_customer, struct buffer *out)
{
    const char *open;

    while ((open = strchr(text, '{')) != NULL) {
        const char *close = strchr(open, '}');
        struct piece inner = {open + 1, close == NULL ? 0 : (size_t)(close - open) - 1};

        buffer_append(out, text, (size_t)(open - text));
        if (close != NULL && append_filled(inner, is_of_customer, out)) {
            text = close + 1;
        } else {
            buffer_append(out, "{", 1);
            text = open + 1;
        }
    }
    buffer_append_string(out, text);
}

static size_t find(const char *name)
{
    for (size_t i = 0; embedded_queries[i].name != NULL; i++)
        if (strcmp(embedded_queries[i].name, name) == 0)
            return i;
    bug("src/db/queries/%s.sql is not in the binary", name);
}

const char *query_text(const char *name, bool is_of_customer)
{
    static char *filled[QUERIES_MAX][2];
    size_t i = find(name);
    struct buffer buffer;
    char **text;

    if (i >= QUERIES_MAX)
        bug("more than %d queries", QUERIES_MAX);
    text = &filled[i][is_of_customer];
    if (*text != NULL)
        return *text;
    buffer_init(&buffer, TEXT_MAX);
    fill(embedded_queries[i].text, is_of_customer, &buffer);
    if (buffer.overflowed)
        bug("the query %s is too long", name);
    *text = buffer_take(&buffer);
    return *text;
}
