/* SPDX-License-Identifier: MIT */
/*
 * process.h: what this process lets others see of its memory.
 */
#ifndef POSTRIDER_BASE_PROCESS_H
#define POSTRIDER_BASE_PROCESS_H

#include "base/error.h"

/*
 * No core dumps (which would hold secrets and payloads), and nobody but root may read this memory,
 * attach a debugger, or see /proc/PID/environ: PR_SET_DUMPABLE and RLIMIT_CORE. The files of
 * /proc/PID belong to root from then on; what everyone may read there (status, stat, cmdline) stays
 * so. It is for the whole life of the process: nothing here starts another program.
 */
bool process_hide_memory(struct error *error) MUST_USE;

#endif
