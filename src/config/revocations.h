/* SPDX-License-Identifier: MIT */
/*
 * config/revocations.h: the file of revoked certificates that a configuration names.
 *
 * Read once, with the configuration, and again at a reload; what is wrong with it is a mistake of
 * the configuration. A list that has ended is none: a worker that would not start for it harms
 * more than one whose receivers of that authority are refused until there is a newer list.
 */
#ifndef POSTRIDER_CONFIG_REVOCATIONS_H
#define POSTRIDER_CONFIG_REVOCATIONS_H

#include "config/config.h"
#include "config/mistakes.h"
#include "config/reading.h"

/* Of network.crl_file, whose path is found and kept as named_files.h says. */
void revocations_load(struct reading *reading, const struct config_option *option);

/* Adds lines about lists that have ended or not begun at now_s (since 1970). */
void revocations_warnings(const struct config *config, int64_t now_s,
                          struct config_mistakes *warnings);

#endif
