/* SPDX-License-Identifier: MIT */
/* capture.h: what the process writes to its standard error, kept in a memory file. */
#ifndef POSTRIDER_TESTS_CAPTURE_H
#define POSTRIDER_TESTS_CAPTURE_H

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

struct capture {
    int file;
    int saved; /* the standard error that was there */
};

static inline struct capture capture_begin(void)
{
    struct capture capture = {memfd_create("standard error", MFD_CLOEXEC), dup(STDERR_FILENO)};

    assert_true(capture.file >= 0 && capture.saved >= 0);
    fflush(stderr);
    assert_int_equal(dup2(capture.file, STDERR_FILENO), STDERR_FILENO);
    return capture;
}

/* Puts the old standard error back, then writes what was captured into text, as a string. */
static inline size_t capture_end(struct capture capture, char *text, size_t size)
{
    ssize_t length;

    fflush(stderr);
    dup2(capture.saved, STDERR_FILENO);
    close(capture.saved);
    length = pread(capture.file, text, size - 1, 0);
    close(capture.file);
    assert_true(length >= 0);
    text[length] = '\0';
    return (size_t)length;
}

#endif
