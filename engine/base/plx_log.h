/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Log of what the operator did or must do. What a remote peer can trigger is counted, not
 * logged; no call stands on the path of a packet.
 *
 * Threads: any.
 * Memory:  one line on the stack.
 */
#ifndef PLX_LOG_H
#define PLX_LOG_H

#include <plx/defs.h>

enum plx_log_level {
	PLX_LOG_ERROR = 0,
	PLX_LOG_WARN,
	PLX_LOG_INFO,
	PLX_LOG_DEBUG,
};

/** A sink takes a finished line without newline. Default: stderr, "pollux: <level>: line". */
typedef void (*plx_log_fn)(void *arg, enum plx_log_level level, const char *line);

/** plx_log_set() sets sink and level for the process; before threads start. Thread: main. */
void plx_log_set(plx_log_fn fn, void *arg, enum plx_log_level level) PLX_ON_MAIN;

/** plx_log() writes one line, cut at 1 KiB. Thread: any. Errors: none. */
void plx_log(enum plx_log_level level, const char *fmt, ...) PLX_PRINTF(2, 3)
        PLX_ANY_THREAD;

#endif
