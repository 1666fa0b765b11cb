/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance: letters added, dropped, changed, or swapped with their neighbour. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t d[SUGGEST_WORD_MAX + 1][SUGGEST_WORD_MAX + 1];

    for (size_t i = 0; i <= a_length; i++)
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = smaller(smaller(d[i - 1][j], d[i][j - 1]) + 1,
                              d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a_length][b_length];
}

void suggest_consider(struct suggestion *best, const char *typed, const char *candidate)
{
    size_t typed_length = strlen(typed);
    size_t length = strlen(candidate);
    size_t distance;

    if (typed_length > SUGGEST_WORD_MAX || length > SUGGEST_WORD_MAX)
        return;
    distance = edit_distance(typed, typed_length, candidate, length);
    /* "stat" for "status": a beginning counts as one mistake. */
    if (distance > 1 && typed_length >= 2 && strncmp(typed, candidate, typed_length) == 0)
        distance = 1;
    if (distance > 2 || distance * 2 > length)
        return;
    if (best->word == NULL || distance < best->distance)
        *best = (struct suggestion){candidate, distance};
}
