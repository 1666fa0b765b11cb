/* SPDX-License-Identifier: MIT */
#include "worker/promoted.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/memory.h"
#include "base/text.h"

struct promotion {
    UT_hash_handle by_id;
    char id[37];
    char previous[37];
};

struct promoted {
    struct promotion *by_id;
    struct promotion taken; /* the last one that was asked for */
};

void promoted_init(struct worker *worker)
{
    worker->promoted = memory_new(1, sizeof(*worker->promoted));
}

static void forget(struct promoted *promoted, struct promotion *promotion)
{
    /* The analyzer does not know that uthash frees its table with the last entry alone. */
    HASH_DELETE(by_id, promoted->by_id, promotion); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(promotion);
}

static void forget_all(struct promoted *promoted)
{
    struct promotion *promotion, *next;

    HASH_ITER(by_id, promoted->by_id, promotion, next)
        forget(promoted, promotion);
}

void promoted_free(struct worker *worker)
{
    forget_all(worker->promoted);
    free(worker->promoted);
}

static struct promotion *find(struct promoted *promoted, const char *id)
{
    struct promotion *found;

    HASH_FIND(by_id, promoted->by_id, id, (unsigned)strlen(id), found);
    return found;
}

void promoted_note(struct worker *worker, const char *id, const char *previous)
{
    struct promoted *promoted = worker->promoted;
    struct promotion *promotion = find(promoted, id);

    if (promotion == NULL) {
        if (HASH_CNT(by_id, promoted->by_id) >= PROMOTED_MAX)
            forget_all(promoted);
        promotion = memory_new(1, sizeof(*promotion));
        text_copy(promotion->id, sizeof(promotion->id), id);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above, when it is the first again. */
        HASH_ADD(by_id, promoted->by_id, id, (unsigned)strlen(promotion->id), promotion);
    }
    text_copy(promotion->previous, sizeof(promotion->previous), previous);
}

const char *promoted_take(void *owner, const char *id)
{
    struct worker *worker = owner;
    struct promoted *promoted = worker->promoted;
    struct promotion *promotion = find(promoted, id);

    if (promotion == NULL)
        return NULL;
    promoted->taken = *promotion;
    forget(promoted, promotion);
    return promoted->taken.previous;
}
