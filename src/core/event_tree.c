/* SPDX-License-Identifier: MIT */
#include "core/event_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NOWHERE SIZE_MAX

/* Links between the nodes, by their places. */
struct links {
    size_t cause;
    size_t first_child;
    size_t next; /* with the same cause */
    bool is_placed;
};

/* The few hundred that a person may look at are searched one by one. */
static size_t find(const struct event_tree_node *nodes, size_t count, const char *id)
{
    for (size_t i = 0; id != NULL && i < count; i++)
        if (strcmp(nodes[i].id, id) == 0)
            return i;
    return NOWHERE;
}

static struct links *link_nodes(struct event_tree_node *nodes, size_t count)
{
    struct links *links = memory_new(count + 1, sizeof(*links));

    for (size_t i = 0; i < count; i++) {
        links[i] = (struct links){find(nodes, count, nodes[i].cause), NOWHERE, NOWHERE, false};
        nodes[i].has_cause = links[i].cause != NOWHERE;
    }
    /* From the last one, so that the first one is the first child. */
    for (size_t i = count; i-- > 0;)
        if (links[i].cause != NOWHERE) {
            links[i].next = links[links[i].cause].first_child;
            links[links[i].cause].first_child = i;
        }
    return links;
}

/* Places a node and all that follows from it. Without recursion: a chain may be as long as the
 * list. Returns how many are placed. */
static size_t place(struct event_tree_node *nodes, struct links *links, size_t top, size_t *order,
                    size_t placed)
{
    size_t at = top;
    size_t depth = 0;

    for (;;) {
        size_t next = links[at].first_child;

        if (!links[at].is_placed) {
            links[at].is_placed = true;
            nodes[at].depth = depth;
            order[placed++] = at;
        }
        while (next != NOWHERE && links[next].is_placed)
            next = links[next].next;
        if (next != NOWHERE) {
            at = next;
            depth++;
        } else if (at == top)
            return placed;
        else {
            at = links[at].cause;
            depth--;
        }
    }
}

/* The first one given of the circle that the causes of a node end in. */
static size_t find_circle(const struct links *links, size_t count, size_t from)
{
    size_t first;
    size_t at = from;

    for (size_t steps = 0; steps < count; steps++)
        at = links[at].cause;
    first = at;
    for (size_t i = links[at].cause; i != at; i = links[i].cause)
        first = i < first ? i : first;
    return first;
}

void event_tree_arrange(struct event_tree_node *nodes, size_t count, size_t *order)
{
    struct links *links = link_nodes(nodes, count);
    size_t placed = 0;

    for (size_t i = 0; i < count; i++) {
        nodes[i].is_in_circle = false;
        if (links[i].cause == NOWHERE)
            placed = place(nodes, links, i, order, placed);
    }
    for (size_t i = 0; i < count; i++)
        if (!links[i].is_placed) {
            size_t top = find_circle(links, count, i);

            nodes[top].is_in_circle = true;
            placed = place(nodes, links, top, order, placed);
        }
    free(links);
}
