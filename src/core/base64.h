/* SPDX-License-Identifier: MIT */
/*
 * base64.h: base64 (RFC 4648), read strictly: no blanks, no stray bits. For keys and secrets: what
 * it decodes leaves no copy behind.
 */
#ifndef POSTRIDER_CORE_BASE64_H
#define POSTRIDER_CORE_BASE64_H

#include <stddef.h>

#define BASE64_TEXT_MAX 256 /* characters; a longer text is refused */

/* Of so many bytes, without a NUL. */
#define BASE64_LENGTH(bytes) (((size_t)(bytes) + 2) / 3 * 4)

/* Room for what length characters decode to, before the padding is taken off. */
#define BASE64_DECODED_SIZE(length) ((size_t)(length) / 4 * 3)

/*
 * Of the standard alphabet with padding. The number of bytes that the whole text stands for; 0 when
 * it stands for none, is not base64, or has more characters than BASE64_TEXT_MAX or than decoded[]
 * of size bytes has room for (see BASE64_DECODED_SIZE).
 */
size_t base64_decode(const char *text, unsigned char *decoded, size_t size);

/* The same in the letters for URLs as well (- and _), and with or without padding: what other
 * people's programs call base64. */
size_t base64_decode_any(const char *text, unsigned char *decoded, size_t size);

#endif
