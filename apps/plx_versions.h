/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What this program is made of: version of every library as found at run time, and how it was
 * built. Used by --version, doctor and result files.
 *
 * Threads: any.
 * Memory:  constant strings.
 */
#ifndef PLX_VERSIONS_H
#define PLX_VERSIONS_H

#include <plx/defs.h>

struct plx_version {
	const char *name;
	char version[64];    /**< at run time */
	const char *minimum; /**< what the code relies on; "" = nothing special */
	const char *built;   /**< version of the headers; "" = unknown */
};

#define PLX_VERSION_CNT 9

/** plx_versions() fills the table. Thread: main. Owns: nothing. Errors: none. */
void plx_versions(struct plx_version v[PLX_VERSION_CNT]) PLX_ON_MAIN;

/**
 * plx_version_cmp() compares "3.5.10" with "3.5.5" number by number; letters end a version.
 * @return below, at or above 0
 * Thread: any. Owns: nothing. Errors: none.
 */
int plx_version_cmp(const char *a, const char *b) PLX_ANY_THREAD;

/** plx_build_flags() is "gcc 14.2.0, release, …". Thread: any. */
const char *plx_build_flags(void) PLX_ANY_THREAD;

#endif
