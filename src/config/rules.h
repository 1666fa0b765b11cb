/* SPDX-License-Identifier: MIT */
/*
 * config/rules.h: what must hold between options, each of which is right by itself.
 *
 * rules_apply() is called once, when a file has been read. Options that are wrong already take no
 * part, so a mistake is never said twice. rules_warnings() finds what is allowed but rarely meant;
 * "postrider check" prints it. rules_file_warnings() has those of them that say how the files lie
 * on this machine; the worker logs these too.
 */
#ifndef POSTRIDER_CONFIG_RULES_H
#define POSTRIDER_CONFIG_RULES_H

#include "config/config.h"
#include "config/mistakes.h"
#include "config/reading.h"

void rules_apply(struct reading *reading);

/* The caller frees them with config_mistakes_free(). */
void rules_warnings(const struct config *config, struct config_mistakes *ret_warnings);
void rules_file_warnings(const struct config *config, struct config_mistakes *ret_warnings);

#endif
