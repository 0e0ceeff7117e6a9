/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Files and directories that the configuration names: are they there, readable, of the right
 * kind, and do certificate and key belong together. Nothing is changed or kept.
 *
 * Threads: the control thread.
 * Memory:  none is kept.
 */
#ifndef PLX_FILES_H
#define PLX_FILES_H

#include "plx_config.h"

enum plx_verdict {
	PLX_VERDICT_OK = 0,
	PLX_VERDICT_WARN,
	PLX_VERDICT_FAIL,
};

/**
 * Called for each finding.
 * @param topic  the key, "tls.cert"
 * @param text   one sentence
 * @param fix    what to do, a command where there is one; "" for OK
 */
typedef void (*plx_finding_fn)(void *arg, enum plx_verdict v, const char *topic,
                               const char *text, const char *fix);

/**
 * plx_files_check() reports on every key that names a file or directory and is set.
 * Thread: main. Owns: nothing. Errors: none; findings go to fn.
 */
void plx_files_check(const struct plx_config *c, plx_finding_fn fn, void *arg) PLX_ON_MAIN;

#endif
