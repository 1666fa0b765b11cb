/* SPDX-License-Identifier: MIT */
/*
 * config/redact.h: URLs without their passwords, for people and programs to read.
 *
 * Whatever could be a password is replaced by ***, rather too much than too little: in a URI all
 * from the first colon to the last @ of its authority, and parameters with secret names; in
 * keyword=value pairs the values of these keywords. What can't be taken apart is hidden whole.
 */
#ifndef POSTRIDER_CONFIG_REDACT_H
#define POSTRIDER_CONFIG_REDACT_H

#include <stdbool.h>

#include "base/buffer.h"

/* url as in database.url or network.proxy. */
void redact_append_url(const char *url, struct buffer *out);

/* It holds a password, or may. */
bool redact_has_password(const char *url);

#endif
