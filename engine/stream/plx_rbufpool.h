/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Receive buffers that a worker lends to application cores: credit is memory.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker that owns the pool. A lent buffer is read by an application thread and
 *          comes back over the return ring.
 * Memory:  two classes, 2 KiB and 16 KiB with their heads, cut from one region (a quarter of it
 *          small, the rest large); larger header blocks are refused. A buffer that is not taken
 *          is poisoned for AddressSanitizer. The budget is the pool's size: flow-control credit given to peers grows
 *          only while it is covered (architecture section 3).
 */
#ifndef PLX_RBUFPOOL_H
#define PLX_RBUFPOOL_H

#include <plx/event.h>

#include "plx_mem.h"

/*
 * AddressSanitizer cannot see inside a region: tell it which bytes may be touched. Without it
 * these are nothing.
 */
#if defined(__SANITIZE_ADDRESS__)
# define PLX_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define PLX_ASAN 1
# endif
#endif
#ifdef PLX_ASAN
# include <sanitizer/asan_interface.h>
# define PLX_POISON(ptr, sz)   ASAN_POISON_MEMORY_REGION((ptr), (sz))
# define PLX_UNPOISON(ptr, sz) ASAN_UNPOISON_MEMORY_REGION((ptr), (sz))
#else
# define PLX_POISON(ptr, sz)   ((void)(ptr), (void)(sz))
# define PLX_UNPOISON(ptr, sz) ((void)(ptr), (void)(sz))
#endif

#define PLX_RBUF_SMALL (2048 - sizeof(struct plx_rbuf))
#define PLX_RBUF_LARGE (16384 - sizeof(struct plx_rbuf))

struct plx_rbufpool;

struct plx_rbufpool_stats {
	uint32_t small_cnt, small_free;
	uint32_t large_cnt, large_free;
	uint64_t fails;
};

/**
 * plx_rbufpool_new() maps bytes of memory on node; plx_rbufpool_free() unmaps them, whatever is
 * still lent.
 * @param bytes   64 KiB at least
 * @param node    NUMA node, -1 none
 * @param worker  number that each buffer carries
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM
 * Thread: main. Owns: the caller owns *out. Errors: as returned, *out is NULL then.
 */
int plx_rbufpool_new(struct plx_rbufpool **out, size_t bytes, int node, uint16_t worker)
        PLX_ON_MAIN;
void plx_rbufpool_free(struct plx_rbufpool *p) PLX_ON_MAIN;

/**
 * plx_rbuf_take() gives a buffer with room for at least len bytes: data points at the room,
 * len is 0.
 * @return NULL when none is free or len is above PLX_RBUF_LARGE
 * Thread: the owner. Owns: caller, until plx_rbuf_give(). Errors: NULL, counted.
 */
struct plx_rbuf *plx_rbuf_take(struct plx_rbufpool *p, size_t len) PLX_ON_WORKER;
void plx_rbuf_give(struct plx_rbufpool *p, struct plx_rbuf *b) PLX_ON_WORKER;

/** Bytes of room behind data. */
size_t plx_rbuf_cap(const struct plx_rbuf *b) PLX_ANY_THREAD;

/** Writable view of data; only before the buffer is lent. */
static inline uint8_t *
plx_rbuf_room(struct plx_rbuf *b)
{
	return (uint8_t *)(b + 1);
}

/**
 * plx_rbuf_seal() is the last step before a buffer is lent: bytes behind len become unreadable
 * in sanitizer builds, as if the buffer were exactly as long as what it holds.
 * Thread: the owner. Errors: none.
 */
static inline void
plx_rbuf_seal(struct plx_rbuf *b)
{
	PLX_POISON(plx_rbuf_room(b) + b->len, plx_rbuf_cap(b) - b->len);
}

void plx_rbufpool_get_stats(const struct plx_rbufpool *p, struct plx_rbufpool_stats *out)
        PLX_ON_WORKER;

/** Free bytes over all bytes, 0..256: the reserve that is checked before credit is given. */
uint32_t plx_rbufpool_level(const struct plx_rbufpool *p) PLX_ON_WORKER;

#endif
