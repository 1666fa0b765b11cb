/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "core/heap.h"

#define NODES 500

/* Inserts and removes at random; the first is always the earliest of those that are in it. */
static void test_first_is_the_earliest(void **state)
{
    static struct heap_node nodes[NODES];
    struct dice dice = {.state = 42};
    struct heap heap;

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < 20000; i++) {
        struct heap_node *node = &nodes[dice_below(&dice, NODES)];
        int64_t earliest = INT64_MAX;
        size_t count = 0;

        if (heap_has(node))
            heap_remove(&heap, node);
        else
            heap_insert(&heap, node, dice_below(&dice, 1000));
        for (int n = 0; n < NODES; n++)
            if (heap_has(&nodes[n])) {
                count++;
                earliest = nodes[n].at_us < earliest ? nodes[n].at_us : earliest;
            }
        assert_int_equal(count, heap.count);
        assert_true(count == 0 ? heap_first(&heap) == NULL : heap_first(&heap)->at_us == earliest);
    }
    heap_free(&heap);
}

static void test_comes_out_in_order(void **state)
{
    static struct heap_node nodes[NODES];
    struct dice dice = {.state = 7};
    int64_t last_us = -1;
    struct heap heap;

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < NODES; i++)
        heap_insert(&heap, &nodes[i], dice_below(&dice, 100));
    for (int i = 0; i < NODES; i++) {
        struct heap_node *first = heap_first(&heap);

        assert_true(first->at_us >= last_us);
        last_us = first->at_us;
        heap_remove(&heap, first);
        heap_remove(&heap, first);
    }
    assert_null(heap_first(&heap));
    heap_free(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_is_the_earliest),
        cmocka_unit_test(test_comes_out_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
