/* SPDX-License-Identifier: MIT */
/*
 * base/embedded.h: a file of the source tree that the binary carries (cmake/embed_texts,
 * cmake/embed_page).
 */
#ifndef POSTRIDER_BASE_EMBEDDED_H
#define POSTRIDER_BASE_EMBEDDED_H

#include <stddef.h>

/* Tables of them are in the order of their names. */
struct embedded_text {
    const char *name; /* the file's name without its extension; NULL ends the table */
    const char *text;
};

/* Any bytes. */
struct embedded_file {
    const char *path; /* that it is asked for by; NULL ends the table */
    const unsigned char *bytes;
    size_t length;
};

#endif
