/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * One line a second about a run: redrawn in place on a terminal, plain lines elsewhere, nothing
 * with --progress none. It goes to stderr; stdout is for results.
 *
 * Threads: the control thread.
 * Memory:  inside the caller's struct.
 */
#ifndef PLX_PROGRESS_H
#define PLX_PROGRESS_H

#include <stdio.h>

#include "plx_config.h"

struct plx_progress {
	FILE *out;
	bool off;
	bool redraw; /**< out is a terminal that can move its cursor */
	bool color;  /**< bold allowed: redraw and no NO_COLOR */
	uint64_t next_ns;
	unsigned shown; /**< columns of the line on the screen */
};

/**
 * plx_progress_init() looks at the terminal, NO_COLOR and TERM.
 * @param mode  of the configuration; LINE never redraws
 * Thread: main. Owns: out stays the caller's. Errors: none.
 */
void plx_progress_init(struct plx_progress *p, enum plx_config_progress mode, FILE *out)
        PLX_ON_MAIN;

/**
 * plx_progress_due() says whether a second has passed since the last line. Call it before the
 * numbers are gathered, then plx_progress_line().
 * @param now_ns  monotonic
 * Thread: main. Owns: nothing. Errors: none.
 */
bool plx_progress_due(struct plx_progress *p, uint64_t now_ns) PLX_ON_MAIN;
void plx_progress_line(struct plx_progress *p, const char *fmt, ...) PLX_PRINTF(2, 3)
        PLX_ON_MAIN;

/** plx_progress_end() takes a redrawn line off the screen, so that something else may follow. */
void plx_progress_end(struct plx_progress *p) PLX_ON_MAIN;

#endif
