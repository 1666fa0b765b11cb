/* SPDX-License-Identifier: MIT */
#include "worker/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/url.h"

struct origin *origin_take(struct origin **table, struct scheduler *scheduler, const char *url)
{
    char *name = url_origin(url);
    struct origin *origin;

    if (name == NULL)
        name = memory_copy_string("no origin");
    HASH_FIND(by_name, *table, name, (unsigned)strlen(name), origin);
    if (origin != NULL) {
        free(name);
    } else {
        origin = memory_new(1, sizeof(*origin));
        origin->name = name;
        scheduler_origin_init(scheduler, &origin->scheduled);
        HASH_ADD_KEYPTR(by_name, *table, origin->name, (unsigned)strlen(name), origin);
    }
    origin->endpoints++;
    return origin;
}

void origin_give_back(struct origin **table, struct scheduler *scheduler, struct origin *origin)
{
    if (--origin->endpoints > 0)
        return;
    scheduler_origin_remove(scheduler, &origin->scheduled);
    /* As in delivery_free(): uthash frees its table with the last entry alone. */
    HASH_DELETE(by_name, *table, origin); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(origin->name);
    free(origin);
}
