/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A program that links plx_heap.c has a malloc family of its own, which counts calls and passes
 * them on to glibc; the libraries that it loads use it too. A sanitizer brings its own, so such a
 * program has no place in those builds.
 */
#ifndef PLX_HEAP_H
#define PLX_HEAP_H

#include <stdint.h>

/** Calls of malloc, calloc, realloc, free and their kind by this process so far. Any thread. */
uint64_t plx_heap_calls(void);

#endif
