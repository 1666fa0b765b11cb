/* SPDX-License-Identifier: MIT */
#include "core/window.h"

static void set_size(struct window *window, double size)
{
    if (size > window->limit)
        size = window->limit;
    window->size = size < 1 ? 1 : size;
}

void window_init(struct window *window, int limit, int size)
{
    *window = (struct window){.limit = limit, .is_doubling = true};
    set_size(window, size);
}

void window_set_limit(struct window *window, int limit)
{
    window->limit = limit;
    set_size(window, window->size);
}

void window_note_success(struct window *window)
{
    set_size(window, window->size + (window->is_doubling ? 1 : 1 / window->size));
}

void window_note_failure(struct window *window)
{
    window->is_doubling = false;
    set_size(window, window->size - 1);
}

void window_restart(struct window *window)
{
    window->is_doubling = false;
    set_size(window, 1);
}

int window_size(const struct window *window)
{
    /* A sum of fractions may end just below a whole number. */
    return (int)(window->size + 1e-6);
}
