/* SPDX-License-Identifier: MIT */
#include "core/heap.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"

#define FIRST_CAPACITY 64

void heap_init(struct heap *heap)
{
    *heap = (struct heap){.nodes = NULL};
}

void heap_free(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap);
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place] = node;
    node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node, size_t place)
{
    while (place > 1 && heap->nodes[place / 2]->at_us > node->at_us) {
        put(heap, place, heap->nodes[place / 2]);
        place /= 2;
    }
    put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node, size_t place)
{
    for (;;) {
        size_t child = place * 2;

        if (child < heap->count && heap->nodes[child + 1]->at_us < heap->nodes[child]->at_us)
            child++;
        if (child > heap->count || heap->nodes[child]->at_us >= node->at_us)
            break;
        put(heap, place, heap->nodes[child]);
        place = child;
    }
    put(heap, place, node);
}

void heap_insert(struct heap *heap, struct heap_node *node, int64_t at_us)
{
    if (node->place != 0)
        bug("a timer is set twice");
    if (heap->count + 1 >= heap->capacity) {
        heap->capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
        heap->nodes = memory_resize(heap->nodes, heap->capacity, sizeof(struct heap_node *));
    }
    node->at_us = at_us;
    heap->count++;
    sift_up(heap, node, heap->count);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    struct heap_node *last;

    if (place == 0)
        return;
    node->place = 0;
    last = heap->nodes[heap->count--];
    if (last == node)
        return;
    if (place > 1 && heap->nodes[place / 2]->at_us > last->at_us)
        sift_up(heap, last, place);
    else
        sift_down(heap, last, place);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[1] : NULL;
}
