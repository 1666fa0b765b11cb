/* SPDX-License-Identifier: MIT */
/*
 * core/event_tree.h: the order in which events are shown so that each stands under its cause.
 *
 * Causes are what applications wrote: an event may name one that is not there, itself, or one that
 * followed from it. Each event gets one place: under its cause, or at the top when that is not among
 * the events. Of those in a circle the first one given stands at the top.
 */
#ifndef POSTRIDER_CORE_EVENT_TREE_H
#define POSTRIDER_CORE_EVENT_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct event_tree_node {
    /* Set by the caller; in the order in which those with one cause are to stand. */
    const char *id;
    const char *cause; /* NULL: none */
    /* Set by event_tree_arrange(). */
    size_t depth;
    bool is_in_circle; /* at the top, although its cause is shown: below it */
    bool has_cause;    /* its cause is among the events */
};

/* Fills order with the places of the count nodes, from the top down. */
void event_tree_arrange(struct event_tree_node *nodes, size_t count, size_t *order);

#endif
