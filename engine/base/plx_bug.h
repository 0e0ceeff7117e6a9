/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * PLX_BUG_ON(): a condition that only a bug of ours can make true. Ends the process with file,
 * line and condition; never used on input from outside.
 *
 * Threads: any.
 */
#ifndef PLX_BUG_H
#define PLX_BUG_H

#include <plx/defs.h>

/** Prints and aborts. */
__attribute__((noreturn, cold)) void plx_bug(const char *file, int line, const char *cond);

#define PLX_BUG_ON(cond)                                    \
	do {                                                \
		if (plx_unlikely(cond))                     \
			plx_bug(__FILE__, __LINE__, #cond); \
	} while (0)

#endif
