/* SPDX-License-Identifier: MIT */
/*
 * suggest.h: "did you mean": the word of a list that a mistyped one was probably meant to be.
 */
#ifndef POSTRIDER_BASE_SUGGEST_H
#define POSTRIDER_BASE_SUGGEST_H

#include <stddef.h>

/* Words longer than this are never suggested nor compared. */
#define SUGGEST_WORD_MAX 32

struct suggestion {
    const char *word; /* NULL: nothing is near */
    size_t distance;
};

/* Replaces best when candidate is nearer to typed, and near enough to be a typing mistake. */
void suggest_consider(struct suggestion *best, const char *typed, const char *candidate);

#endif
