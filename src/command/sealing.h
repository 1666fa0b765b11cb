/* SPDX-License-Identifier: MIT */
/*
 * sealing.h: random bytes for new secrets, and the form in which a command stores one: sealed with
 * the first key of signing.key_file, plain where there is none.
 */
#ifndef POSTRIDER_COMMAND_SEALING_H
#define POSTRIDER_COMMAND_SEALING_H

#include <stddef.h>

#include "core/sealed_secret.h"

/* From the kernel; false with error when it gives none. */
bool sealing_random(unsigned char *bytes, size_t size, struct error *error) MUST_USE;

/* Seals secret, whether or not it must be: there is a key. */
bool sealing_seal(const struct sealing_keys *keys, const struct secret_scope *scope,
                  const char *secret, char text[SEALED_TEXT_SIZE], struct error *error) MUST_USE;

/* What is to be stored of secret; the caller wipes text. */
bool sealing_store(const struct sealing_keys *keys, const struct secret_scope *scope,
                   const char *secret, char text[SEALED_TEXT_SIZE], struct error *error) MUST_USE;

#endif
