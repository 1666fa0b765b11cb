/* SPDX-License-Identifier: MIT */
/*
 * fuzz_answer.c: the reader of answers on any bytes.
 *
 * The first two bytes choose the limit and how the rest is split. Read whole and read in pieces,
 * an answer must mean the same; nothing is counted or kept beyond the limits; and what is left of
 * the input after an answer is never touched. Each piece lies in memory of its own, so that
 * AddressSanitizer sees every byte too many.
 *
 * A second, plain reading of the whole input says whether there is an answer, and of which status:
 * wherever a status line is clear and an empty line comes behind it, whatever stands between them.
 */
#include <regex.h>

#include "../unit/dice.h"
#include "fuzz.h"
#include "http/answer_reader.h"

#define SNIPPET_BYTES 64

struct reading {
    struct answer_reader reader;
    struct buffer snippet;
    size_t used;
    size_t heads;
};

static void check_limits(const struct answer_reader *reader)
{
    demand(reader->body_bytes <= reader->max_bytes, "the body is over the limit");
    demand(reader->other_bytes <= reader->max_bytes + 1, "what is no body is over the limit");
    demand(reader->snippet->length <= SNIPPET_BYTES, "the snippet is over the limit");
    demand(!reader->has_head || (reader->head.status >= 200 && reader->head.status <= 599),
           "no status");
    demand(reader->progress != ANSWER_COMPLETE || reader->has_head, "complete without a head");
    demand(reader->progress == ANSWER_COMPLETE || !reader->is_reusable, "reusable too early");
    demand(strlen(reader->head.retry_after) < sizeof(reader->head.retry_after),
           "Retry-After is not ended");
}

/* The pieces' lengths follow from the seed: all in one without dice, else 1 to 16 bytes or a few
 * hundred. */
static size_t piece_length(struct dice *dice, size_t left)
{
    size_t length;

    if (dice->state == 0)
        return left;
    length = (size_t)dice_between(dice, 1, 16);
    if (dice_below(dice, 8) == 0)
        length *= 50;
    return length < left ? length : left;
}

static void read_all(struct reading *reading, const uint8_t *data, size_t size, int64_t limit,
                     uint32_t seed)
{
    struct answer_reader *reader = &reading->reader;
    struct dice dice = {seed};

    reading->used = 0;
    reading->heads = 0;
    buffer_init(&reading->snippet, SNIPPET_BYTES);
    answer_reader_start(reader, &reading->snippet, limit, false);
    while (reading->used < size && reader->progress == ANSWER_UNFINISHED) {
        size_t length = piece_length(&dice, size - reading->used);
        char *piece = memory_resize(NULL, length, 1);
        size_t used;
        size_t heads;

        memcpy(piece, data + reading->used, length);
        answer_reader_feed(reader, piece, length, &used, &heads);
        free(piece);
        demand(used <= length && heads <= used, "more was used than there was");
        demand(used == length || reader->progress != ANSWER_UNFINISHED, "bytes were left");
        reading->used += used;
        reading->heads += heads;
        check_limits(reader);
    }
    if (reader->progress == ANSWER_UNFINISHED)
        answer_reader_end(reader);
    check_limits(reader);
    demand(reader->progress != ANSWER_UNFINISHED, "no end");
}

#define STATUS_LINE "^http/(1(\\.[0-9])?|[23](\\.0)?)[ \t]+([0-9][0-9][0-9])([ \t]|\r?$)"

/* The status of a line of that length; 0 when it is no status line. What lies beyond the part that
 * is kept of a line can't make it one. */
static int status_of(const char *bytes, size_t length)
{
    char line[HEAD_LINE_SIZE + 1];
    size_t kept = length < HEAD_LINE_SIZE - 1 ? length : HEAD_LINE_SIZE - 1;
    regmatch_t parts[5];
    regex_t form;
    int status = 0;

    for (size_t i = 0; i < kept; i++)
        line[i] = bytes[i] != '\0' ? bytes[i] : 'x';
    if (kept == HEAD_LINE_SIZE - 1)
        line[kept++] = 'x';
    line[kept] = '\0';
    demand(regcomp(&form, STATUS_LINE, REG_EXTENDED | REG_ICASE) == 0, "the form is none");
    if (regexec(&form, line, ARRAY_LENGTH(parts), parts, 0) == 0)
        status = (int)strtol(line + parts[4].rm_so, NULL, 10);
    regfree(&form);
    return status;
}

/* The status of the answer that there is in the bytes; 0 without one. */
static int find_status(const char *at, const char *end)
{
    int status = 0;
    const char *newline;

    for (; (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1) {
        size_t length = (size_t)(newline - at);
        bool is_empty = length == 0 || (length == 1 && at[0] == '\r');

        if (is_empty && status >= 200)
            return status;
        if (is_empty)
            status = 0;
        else if (status == 0 && (status = status_of(at, length)) == 0)
            return 0;
        if (!is_empty && (status < 100 || status == 101 || status > 599))
            return 0;
    }
    return 0;
}

static void check_status(const struct answer_reader *reader, const char *bytes, size_t size)
{
    int status = find_status(bytes, bytes + size);

    if (strstr(reader->error, "larger") != NULL)
        return;
    demand(reader->has_head == (status != 0), "an answer was missed, or made up");
    demand(!reader->has_head || reader->head.status == status, "the status is another one");
}

/* How much was used of something faulty depends on the pieces: nobody asks. */
static void compare(const struct reading *a, const struct reading *b)
{
    const struct answer_reader *one = &a->reader;
    const struct answer_reader *other = &b->reader;

    demand(one->progress == other->progress, "the split decides whether it is an answer");
    demand(one->has_head == other->has_head, "the split decides whether it has a head");
    demand(strcmp(one->error, other->error) == 0, "the split decides what is wrong");
    if (!one->has_head)
        return;
    demand(one->head.status == other->head.status, "the split decides the status");
    demand(one->is_reusable == other->is_reusable, "the split decides what is reusable");
    demand(strcmp(one->head.retry_after, other->head.retry_after) == 0,
           "the split decides Retry-After");
    demand(memcmp(&one->head.keep_alive, &other->head.keep_alive, sizeof(one->head.keep_alive)) ==
               0,
           "the split decides Keep-Alive");
    demand(one->body_bytes == other->body_bytes, "the split decides the body");
    demand(one->is_refused == other->is_refused, "the split decides whether the head is good");
    demand(one->is_refused || (a->snippet.length == b->snippet.length &&
                               memcmp(buffer_string(&a->snippet), buffer_string(&b->snippet),
                                      a->snippet.length) == 0),
           "the split decides the snippet");
    demand(one->progress != ANSWER_COMPLETE || (a->used == b->used && a->heads == b->heads),
           "the split decides where the answer ends");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole;
    struct reading pieces;
    int64_t limit;

    if (size < 2)
        return 0;
    limit = data[0] < 128 ? 4096 : (data[0] - 127) * 4;
    read_all(&whole, data + 2, size - 2, limit, 0);
    read_all(&pieces, data + 2, size - 2, limit, data[1] + 1u);
    compare(&whole, &pieces);
    check_status(&whole.reader, (const char *)data + 2, size - 2);
    buffer_free(&whole.snippet);
    buffer_free(&pieces.snippet);
    return 0;
}
