/* SPDX-License-Identifier: MIT */
/*
 * serve/page_files.h: the files of the page, which cmake/embed_page makes of src/page.
 *
 * Names that begin with "/", and end with a row without one.
 */
#ifndef POSTRIDER_SERVE_PAGE_FILES_H
#define POSTRIDER_SERVE_PAGE_FILES_H

#include "base/embedded.h"

extern const struct embedded_file page_files[];
extern const char page_hash[]; /* of all of them */

#endif
