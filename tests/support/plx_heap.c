/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_heap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/*
 * These functions have no context, hence the mutable global. They are declared here and not by
 * <stdlib.h>, whose names of the parameters nobody else may use.
 */
static _Atomic uint64_t calls;

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t sz);
EXPORTED void *calloc(size_t n, size_t sz);
EXPORTED void *realloc(void *p, size_t sz);
EXPORTED void *memalign(size_t align, size_t sz);
EXPORTED void *aligned_alloc(size_t align, size_t sz);
EXPORTED int posix_memalign(void **out, size_t align, size_t sz);
EXPORTED void free(void *p);

void *__libc_malloc(size_t sz);
void *__libc_calloc(size_t n, size_t sz);
void *__libc_realloc(void *p, size_t sz);
void *__libc_memalign(size_t align, size_t sz);
void __libc_free(void *p);

static inline void
count_call(void)
{
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

void *
malloc(size_t sz)
{
	count_call();
	return __libc_malloc(sz);
}

void *
calloc(size_t n, size_t sz)
{
	count_call();
	return __libc_calloc(n, sz);
}

void *
realloc(void *p, size_t sz)
{
	count_call();
	return __libc_realloc(p, sz);
}

void *
memalign(size_t align, size_t sz)
{
	count_call();
	return __libc_memalign(align, sz);
}

void *
aligned_alloc(size_t align, size_t sz)
{
	return memalign(align, sz);
}

int
posix_memalign(void **out, size_t align, size_t sz)
{
	*out = memalign(align, sz);
	return *out != NULL ? 0 : ENOMEM;
}

void
free(void *p)
{
	if (p != NULL)
		count_call();
	__libc_free(p);
}

uint64_t
plx_heap_calls(void)
{
	return atomic_load_explicit(&calls, memory_order_relaxed);
}
