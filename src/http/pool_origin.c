/* SPDX-License-Identifier: MIT */
#include "http/pool_origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct pool_origin *pool_origin_find(struct pool_origin_table *table, const char *key, bool is_tls)
{
    struct pool_origin *origin;

    HASH_FIND(hh, table->by_key, key, strlen(key), origin);
    if (origin == NULL) {
        origin = memory_new(1, sizeof(*origin));
        origin->table = table;
        origin->key = memory_copy_string(key);
        origin->is_tls = is_tls;
        TAILQ_INIT(&origin->idle);
        HASH_ADD_KEYPTR(hh, table->by_key, origin->key, strlen(origin->key), origin);
    }
    pool_origin_acquire(origin);
    return origin;
}

void pool_origin_acquire(struct pool_origin *origin)
{
    origin->users++;
}

void pool_origin_release(struct pool_origin *origin)
{
    if (--origin->users > 0)
        return;
    HASH_DEL(origin->table->by_key, origin);
    free(origin->key);
    free(origin);
}
