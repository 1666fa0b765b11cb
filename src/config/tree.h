/* SPDX-License-Identifier: MIT */
/*
 * config/tree.h: from the text of a file, mapping by mapping, to the options that stand in it.
 *
 * Every pair is read, whatever was wrong with those before it. Section and option keys are those
 * of the table; each may stand once.
 */
#ifndef POSTRIDER_CONFIG_TREE_H
#define POSTRIDER_CONFIG_TREE_H

#include <stddef.h>

#include "config/reading.h"

void tree_read(struct reading *reading, const char *text, size_t length);

#endif
