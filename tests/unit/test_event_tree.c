/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/event_tree.h"

#define MANY 500

/* "a b< c<a" as nodes: each letter an event, what stands behind < its cause. */
static size_t read_nodes(const char *text, struct event_tree_node *nodes, char names[][2])
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        names[count * 2][0] = *text;
        names[count * 2][1] = '\0';
        nodes[count] = (struct event_tree_node){.id = names[count * 2]};
        if (text[1] == '<') {
            text += 2;
            names[count * 2 + 1][0] = *text;
            names[count * 2 + 1][1] = '\0';
            nodes[count].cause = names[count * 2 + 1];
        }
        count++;
    }
    return count;
}

static void test_places(void **state)
{
    static const struct {
        const char *nodes;
        const char *shown; /* the depth in front of each; ! circle, ? a cause that is not there */
    } cases[] = {
        {"", ""},
        {"a", "0a"},
        {"a b", "0a0b"},
        {"a b<a c<b", "0a1b2c"},
        {"c<b b<a a", "0a1b2c"},
        {"a b<a c<a d<b", "0a1b2d1c"},
        {"a<x b<a", "0a?1b"},
        {"a<a", "0a!"},
        {"a<a b<a", "0a!1b"},
        {"a<b b<a", "0a!1b"},
        {"a<c b<a c<b d<b", "0a!1b2c2d"},
        {"d<b a<c b<a c<b", "0a!1b2d2c"}, /* a tail is no circle, though it comes first */
        {"x y<x a<b b<a", "0x1y0a!1b"},
    };
    struct event_tree_node nodes[8];
    char names[16][2];
    size_t order[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t count = read_nodes(cases[i].nodes, nodes, names);
        char shown[64] = "";

        event_tree_arrange(nodes, count, order);
        for (size_t n = 0; n < count; n++) {
            const struct event_tree_node *node = &nodes[order[n]];

            snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%zu%s%s%s", node->depth,
                     node->id, node->is_in_circle ? "!" : "",
                     node->cause != NULL && !node->has_cause ? "?" : "");
        }
        check_case(strcmp(shown, cases[i].shown) == 0, "%s: %s", cases[i].nodes, shown);
    }
}

/* Whatever the causes, each node has one place, and stands under its cause or at the top. */
static void test_random(void **state)
{
    struct event_tree_node *nodes = memory_new(MANY, sizeof(*nodes));
    char(*ids)[8] = memory_new(MANY, sizeof(*ids));
    size_t *order = memory_new(MANY, sizeof(*order));
    struct dice dice = {17};

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        snprintf(ids[i], sizeof(ids[i]), "%zu", i);
    for (int round = 0; round < 200; round++) {
        size_t count = (size_t)dice_between(&dice, 1, MANY);
        size_t last[MANY] = {0}; /* the node that stands last at each depth */

        for (size_t i = 0; i < count; i++)
            nodes[i] = (struct event_tree_node){
                .id = ids[i],
                .cause = dice_below(&dice, 5) == 0
                             ? NULL
                             : ids[dice_below(&dice, (int64_t)count + 2) % MANY]};
        event_tree_arrange(nodes, count, order);
        for (size_t n = 0; n < count; n++) {
            struct event_tree_node *node = &nodes[order[n]];

            check_case(node->id != NULL, "round %d: twice at %zu", round, n);
            check_case(node->depth == 0 ? node->is_in_circle == node->has_cause
                                        : strcmp(node->cause, ids[last[node->depth - 1]]) == 0,
                       "round %d: %s", round, node->id);
            last[node->depth] = order[n];
            node->id = NULL;
        }
    }
    free(nodes);
    free(ids);
    free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
