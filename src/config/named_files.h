/* SPDX-License-Identifier: MIT */
/*
 * config/named_files.h: the files that a configuration names: secrets, keys and certificates.
 *
 * Read once, with the configuration; a reload reads them again. What is wrong with one is said at
 * the place where it is named. Nothing of what a secret file holds is ever shown.
 */
#ifndef POSTRIDER_CONFIG_NAMED_FILES_H
#define POSTRIDER_CONFIG_NAMED_FILES_H

#include "config/reading.h"

/* Needs config->file. An option that is wrong already has its default, which names no file. */
void named_files_load(struct reading *reading);

#endif
