/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h: what the targets share. A target is given any bytes and demands what must hold for all.
 */
#ifndef POSTRIDER_TESTS_FUZZ_H
#define POSTRIDER_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void demand(bool is_so, const char *what)
{
    if (!is_so)
        bug("%s", what);
}

/* The bytes up to the first NUL as a string in memory of its own, for the caller to free(). */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = memory_new(size + 1, 1);

    memcpy(text, data, size);
    return memory_resize(text, strlen(text) + 1, 1);
}

#endif
