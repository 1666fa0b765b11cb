/* SPDX-License-Identifier: MIT */
/*
 * config/modes.h: files that hold secrets and are open to everybody on this machine.
 *
 * Only a warning: the file may lie in a directory that nobody else can enter, and a service that
 * stops over a mode harms more than it helps. A file's group is not looked at, since that is how a
 * service gets to read what root owns. systemd's credentials have modes that are not warned of.
 */
#ifndef POSTRIDER_CONFIG_MODES_H
#define POSTRIDER_CONFIG_MODES_H

#include "config/config.h"
#include "config/mistakes.h"

/* Adds lines that name the file, its mode and what to do. */
void modes_warnings(const struct config *config, struct config_mistakes *warnings);

#endif
