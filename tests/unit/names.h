/* SPDX-License-Identifier: MIT */
/*
 * names.h: names below .test, which are resolved by this library's own getaddrinfo(): libcurl's
 * resolver thread calls it instead of the C library's.
 */
#ifndef POSTRIDER_TESTS_NAMES_H
#define POSTRIDER_TESTS_NAMES_H

#include <semaphore.h>
#include <stdatomic.h>

extern sem_t slow_names; /* posted to let a resolution of slow.test go on */
extern atomic_int slow_ended;
extern atomic_int asked_family; /* AF_..., for loopback.test */

/* Before the first test: links the program with the names. */
void names_begin(void);

#endif
