/* SPDX-License-Identifier: MIT */
/*
 * core/rfc3339.h: whether a text is a time as clients give it: 2031-05-17T12:03:04.5+02:00.
 *
 * PostgreSQL would take "tomorrow" and "infinity" as well. At most nine digits of a second.
 */
#ifndef POSTRIDER_CORE_RFC3339_H
#define POSTRIDER_CORE_RFC3339_H

#include <stdbool.h>

/* The shape alone. */
bool rfc3339_has_shape(const char *text);

/* Also whether there is such a moment, so that PostgreSQL takes it. */
bool rfc3339_is_moment(const char *text);

#endif
