/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * OpenSSL's allocator with a fuse: the n-th request from now fails, once.
 *
 * Threads: one. One program, one fuse: CRYPTO_set_mem_functions(fuse_malloc, fuse_realloc,
 *          fuse_free) before anything of OpenSSL is used.
 * Memory:  the heap's.
 */
#ifndef PLX_FUSE_H
#define PLX_FUSE_H

#include <stdbool.h>
#include <stdlib.h>

#include <openssl/crypto.h>

/** Requests until one fails; 0 = none will. */
static uint64_t fuse;

static bool
blown(void)
{
	return fuse > 0 && --fuse == 0;
}

static void *
fuse_malloc(size_t sz, const char *file, int line)
{
	(void)file;
	(void)line;
	return blown() ? NULL : malloc(sz);
}

static void *
fuse_realloc(void *p, size_t sz, const char *file, int line)
{
	(void)file;
	(void)line;
	return blown() ? NULL : realloc(p, sz);
}

static void
fuse_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

#endif
