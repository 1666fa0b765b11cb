/* SPDX-License-Identifier: MIT */
/*
 * base/embedded.h: a file of the source tree that the binary carries (cmake/embed_texts).
 */
#ifndef POSTRIDER_BASE_EMBEDDED_H
#define POSTRIDER_BASE_EMBEDDED_H

/* Tables of them are in the order of their names. */
struct embedded_text {
    const char *name; /* the file's name without its extension; NULL ends the table */
    const char *text;
};

#endif
