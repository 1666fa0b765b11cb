/* SPDX-License-Identifier: MIT */
#include "link_timer.h"

#include <event2/event.h>

struct search {
    const struct db_link *link;
    struct event *found;
};

static int look_at(const struct event_base *base, const struct event *event, void *argument)
{
    struct search *search = argument;

    (void)base;
    if (event_get_fd(event) != -1 || event_get_callback_arg(event) != search->link)
        return 0;
    search->found = (struct event *)event;
    return 1;
}

bool link_timer_fire(struct event_base *base, const struct db_link *link)
{
    struct search search = {.link = link};

    event_base_foreach_event(base, look_at, &search);
    if (search.found == NULL)
        return false;
    event_active(search.found, EV_TIMEOUT, 0);
    return true;
}
