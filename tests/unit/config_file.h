/* SPDX-License-Identifier: MIT */
/*
 * A configuration file in a temporary directory, which is the working directory while a test
 * runs, so that messages name it as "c.yaml".
 */
#ifndef POSTRIDER_TESTS_CONFIG_FILE_H
#define POSTRIDER_TESTS_CONFIG_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/load.h"

static inline int enter_directory(void **state)
{
    char path[] = "/tmp/postrider-test-XXXXXX";

    unsetenv("CREDENTIALS_DIRECTORY");
    if (mkdtemp(path) == NULL || chdir(path) != 0)
        return -1;
    *state = memory_copy_string(path);
    return 0;
}

static inline int on_tree_entry(const char *path, const struct stat *status, int type,
                                struct FTW *level)
{
    (void)status;
    (void)type;
    (void)level;
    return remove(path);
}

static inline int leave_directory(void **state)
{
    int failed = chdir("/") != 0 || nftw(*state, on_tree_entry, 8, FTW_DEPTH | FTW_PHYS) != 0;

    free(*state);
    return failed;
}

static inline void write_bytes(const char *file, const char *bytes, size_t length)
{
    FILE *out = fopen(file, "we");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

static inline void write_file(const char *file, const char *text)
{
    write_bytes(file, text, strlen(text));
}

/* All lines of mistakes with a newline after each; the caller frees it. */
static inline char *join_mistakes(const struct config_mistakes *mistakes)
{
    char *all = memory_copy_string("");

    for (size_t i = 0; i < mistakes->count; i++) {
        char *longer = memory_format("%s%s\n", all, mistakes->lines[i]);

        free(all);
        all = longer;
    }
    return all;
}

/* Loads text, which has no mistake. */
static inline struct config *load_text(const char *text)
{
    struct config_mistakes mistakes;
    struct config *config;

    write_file("c.yaml", text);
    config = config_load("c.yaml", &mistakes);
    if (config == NULL)
        fail_msg("%s", mistakes.lines[0]);
    config_mistakes_free(&mistakes);
    return config;
}

#endif
