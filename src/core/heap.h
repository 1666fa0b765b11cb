/* SPDX-License-Identifier: MIT */
/*
 * core/heap.h: times in order: a binary heap of nodes that are embedded in what waits.
 *
 * Insertion and removal take O(log n), the first is found at once. A node knows its place, so it
 * can be taken out from anywhere. The heap owns its array, not the nodes.
 */
#ifndef POSTRIDER_CORE_HEAP_H
#define POSTRIDER_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t at_us;
    size_t place; /* from 1; 0 = not in a heap */
};

struct heap {
    struct heap_node **nodes; /* the first is at 1 */
    size_t count;
    size_t capacity;
};

void heap_init(struct heap *heap);
void heap_free(struct heap *heap);

/* The node is in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node, int64_t at_us);

/* Nothing happens when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The node with the earliest time, NULL when there is none. */
struct heap_node *heap_first(const struct heap *heap);

static inline bool heap_has(const struct heap_node *node)
{
    return node->place != 0;
}

#endif
