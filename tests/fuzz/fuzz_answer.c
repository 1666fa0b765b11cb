/*
 * fuzz_answer.c: the reader of answers on any bytes.
 *
 * The first two bytes choose the limit and how the rest is split. Read whole and read in pieces,
 * an answer must mean the same; nothing is counted or kept beyond the limits; and what is left of
 * the input after an answer is never touched. Each piece lies in memory of its own, so that
 * AddressSanitizer sees every byte too many.
 */
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
    demand(!reader->has_head || (reader->status >= 200 && reader->status <= 599), "no status");
    demand(reader->progress != ANSWER_COMPLETE || reader->has_head, "complete without a head");
    demand(reader->progress == ANSWER_COMPLETE || !reader->is_reusable, "reusable too early");
    demand(strlen(reader->retry_after) < sizeof(reader->retry_after), "Retry-After is not ended");
}

/* The pieces' lengths follow from seed: all in one with 0, else 1 to 16 bytes or a few hundred. */
static size_t piece_length(uint32_t *seed, size_t left)
{
    size_t length;

    if (*seed == 0)
        return left;
    *seed = *seed * 1664525u + 1013904223u;
    length = (*seed >> 24) % 16 + 1;
    if ((*seed >> 20) % 8 == 0)
        length *= 50;
    return length < left ? length : left;
}

static void read_all(struct reading *reading, const uint8_t *data, size_t size, int64_t limit,
                     uint32_t seed)
{
    struct answer_reader *reader = &reading->reader;

    reading->used = 0;
    reading->heads = 0;
    buffer_init(&reading->snippet, SNIPPET_BYTES);
    answer_reader_start(reader, &reading->snippet, limit);
    while (reading->used < size && reader->progress == ANSWER_UNFINISHED) {
        size_t length = piece_length(&seed, size - reading->used);
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
    demand(one->status == other->status, "the split decides the status");
    demand(one->is_reusable == other->is_reusable, "the split decides what is reusable");
    demand(strcmp(one->retry_after, other->retry_after) == 0, "the split decides Retry-After");
    demand(one->body_bytes == other->body_bytes, "the split decides the body");
    demand(a->snippet.length == b->snippet.length &&
               memcmp(buffer_string(&a->snippet), buffer_string(&b->snippet), a->snippet.length) ==
                   0,
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
    buffer_free(&whole.snippet);
    buffer_free(&pieces.snippet);
    return 0;
}
