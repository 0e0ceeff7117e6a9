/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_bug.h"

#include <stdio.h>
#include <stdlib.h>

void
plx_bug(const char *file, int line, const char *cond)
{
	/* Not through the log: its sink may be the very thing that is broken. */
	fprintf(stderr, "pollux: bug: %s:%d: %s\n", file, line, cond);
	abort();
}
