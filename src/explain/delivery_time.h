/* SPDX-License-Identifier: MIT */
/*
 * explain/delivery_time.h: times as people read them.
 */
#ifndef POSTRIDER_EXPLAIN_DELIVERY_TIME_H
#define POSTRIDER_EXPLAIN_DELIVERY_TIME_H

/* "2031-05-17T12:03:04.123Z" as people read it: "2031-05-17 12:03:04 UTC". */
#define DELIVERY_TIME_SIZE 64
const char *delivery_time(const char *utc, char text[DELIVERY_TIME_SIZE]);

#endif
