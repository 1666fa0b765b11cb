/* SPDX-License-Identifier: MIT */
/*
 * config/files.h: the files that a configuration names, and its own.
 *
 * Whole files into memory, with a limit. Regular files and pipes are read, directories refused.
 */
#ifndef POSTRIDER_CONFIG_FILES_H
#define POSTRIDER_CONFIG_FILES_H

#include <stddef.h>

#include "base/error.h"

#define FILES_SECRET_MAX_BYTES ((size_t)64 * 1024)
#define FILES_CA_MAX_BYTES     ((size_t)16 * 1024 * 1024)
#define FILES_CRL_MAX_BYTES    ((size_t)64 * 1024 * 1024)

/*
 * The file's bytes and a NUL that is not counted; the caller frees them, and wipes all of
 * max_bytes when they are secret. NULL with an error such as "cannot be read: Permission denied".
 */
char *files_read(const char *path, size_t max_bytes, size_t *ret_length,
                 struct error *error) MUST_USE;

/*
 * Where the file called name in config_file is: name itself when it begins with "/", else in
 * $CREDENTIALS_DIRECTORY if it is there (systemd's LoadCredential=), else beside config_file.
 */
char *files_resolve(const char *config_file, const char *name) MUST_USE;

#endif
