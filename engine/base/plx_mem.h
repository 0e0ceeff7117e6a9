/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Memory of a worker: a region from libnuma and mmap, and a slab on top of it.
 *
 * A region is mapped once: hugepages, else transparent ones, else plain, bound to a NUMA node.
 * The slab hands out blocks in size classes (every 16 B, above 128 B eight in each doubling, 32 B
 * to 64 KiB; larger blocks come straight from the tail of a region) and keeps freed blocks in
 * lists per class, so that what ngtcp2 and nghttp3 allocate while packets flow costs a push and
 * a pop and never the heap (R16). A block:
 *
 *     -16 header: class, state, size (or the next free block)      0 .. class size: the caller's
 *
 * The header is checked on every release: a block given back twice, or to a slab after it was
 * overrun from below, ends the process with PLX_BUG_ON.
 *
 * Threads: a slab has one owner. Regions are made by the main thread.
 * Memory:  with PLX_SANITIZE the slab passes through to malloc so that sanitizers see each
 *          block; the limits hold all the same.
 */
#ifndef PLX_MEM_H
#define PLX_MEM_H

#include <plx/defs.h>
#include <plx/err.h>

/** How a region got its pages. */
enum plx_pages {
	PLX_PAGES_HUGE = 0,
	PLX_PAGES_THP,
	PLX_PAGES_PLAIN,
};

/** Regions below this size are mapped with plain pages: a huge one would be mostly air. */
#define PLX_REGION_HUGE_MIN (UINT64_C(1) << 20)

struct plx_region {
	void *base;
	size_t sz;     /**< bytes, a multiple of the page size */
	int node;      /**< NUMA node bound to, -1 none */
	uint8_t pages; /**< enum plx_pages */
	bool far;      /**< a node was asked for and could not be had */
};

/**
 * The NUMA topology that regions are placed on. NULL where a function takes one stands for
 * this machine's (libnuma); tests give a topology of their own.
 */
struct plx_numa {
	/** Says whether a node has memory. */
	bool (*has_node)(void *arg, int node);
	/** Asks for pages of a mapping on a node, before they are touched; false = refused. */
	bool (*bind)(void *arg, void *base, size_t sz, int node);
	void *arg;
	/** Node of an EAL lcore; NULL = what EAL says (engine/worker asks). */
	int (*lcore_node)(void *arg, unsigned lcore);
};

/**
 * plx_region_map() maps memory.
 *
 * @param r     [out]
 * @param sz    bytes, > 0; rounded up
 * @param node  NUMA node to bind to, -1 = none. The node is preferred, not forced: where it
 *              does not exist or has no page left, memory far away is better than none.
 *              r->far says that the node does not exist or the binding was refused; slabs
 *              count such regions in plx_slab_stats.
 * @return 0, PLX_E_INVAL when sz is 0, PLX_E_NOMEM
 *
 * Thread: any.
 * Owns:   the caller unmaps with plx_region_unmap().
 * Errors: as returned; r is zeroed then. Memory is zero, and hugepages are touched, so that a
 *         shortage of them shows here and not as a SIGBUS later.
 */
int plx_region_map(struct plx_region *r, size_t sz, int node) PLX_ANY_THREAD;

/** plx_region_map_on() does the same on a given topology; NULL = this machine's. */
int plx_region_map_on(struct plx_region *r, size_t sz, int node,
                      const struct plx_numa *numa) PLX_ANY_THREAD;

/**
 * plx_region_touch() has the kernel supply every page of a region now, so that none is supplied,
 * zeroed and waited for while packets flow. What the region holds stays.
 *
 * @return 0, PLX_E_NOMEM
 * Thread: any. Owns: nothing. Errors: as returned; the region is whole.
 */
int plx_region_touch(const struct plx_region *r) PLX_ANY_THREAD;

/** plx_region_unmap() gives the pages back; a zeroed region is left alone. Thread: any. */
void plx_region_unmap(struct plx_region *r) PLX_ANY_THREAD;

struct plx_slab;

struct plx_slab_cfg {
	size_t limit; /**< bytes handed out at most, 0 = region_sz; mapped at most is twice
			     that and one region, for headers and classes out of balance */
	size_t region_sz; /**< bytes mapped at a time when it grows; 0 = 4 MiB, least 128 KiB */
	size_t ready; /**< bytes mapped and touched at once; 0 = a region, not touched */
	int node;     /**< NUMA node, -1 none */
	const struct plx_numa *numa; /**< NULL = this machine's; outlives the slab */
};

struct plx_slab_stats {
	uint64_t used; /**< bytes in blocks handed out, rounded up to their classes */
	uint64_t peak;
	uint64_t mapped; /**< bytes of regions */
	uint64_t allocs, frees, fails;
	uint32_t regions;     /**< regions mapped */
	uint32_t regions_far; /**< of these, not on the node asked for */
};

/**
 * plx_slab_new() makes a slab; plx_slab_free() unmaps everything, whatever is still handed out.
 *
 * @return 0, PLX_E_NOMEM, PLX_E_INVAL
 *
 * Thread: main or the owner.
 * Owns:   the caller owns *out.
 * Errors: as returned, *out is NULL then.
 */
int plx_slab_new(struct plx_slab **out, const struct plx_slab_cfg *cfg) PLX_ANY_THREAD;
void plx_slab_free(struct plx_slab *s) PLX_ANY_THREAD;

/**
 * plx_slab_alloc(), _calloc(), _realloc(), _release(): as malloc and friends, 16-byte aligned.
 * NULL when the limit is reached or a planned failure is due. release(NULL) does nothing.
 * A size of 0 gives a block of the least class. realloc stays in place while the class fits,
 * also when the block shrinks; on failure the old block is unchanged.
 *
 * Thread: the owner.
 * Owns:   the caller; give back to the same slab.
 * Errors: NULL.
 */
void *plx_slab_alloc(struct plx_slab *s, size_t sz) PLX_ON_WORKER;
void *plx_slab_calloc(struct plx_slab *s, size_t n, size_t sz) PLX_ON_WORKER;
void *plx_slab_realloc(struct plx_slab *s, void *p, size_t sz) PLX_ON_WORKER;
void plx_slab_release(struct plx_slab *s, void *p) PLX_ON_WORKER;

void plx_slab_get_stats(const struct plx_slab *s, struct plx_slab_stats *out) PLX_ON_WORKER;

/**
 * plx_slab_fail_at() plans a failure: the n-th allocation from now returns NULL, once (n = 0
 * takes the plan back). A realloc that stays in place is no allocation. Tests of shortage use
 * it; without a plan it costs one comparison.
 *
 * Thread: the owner. Owns: nothing. Errors: none.
 */
void plx_slab_fail_at(struct plx_slab *s, uint64_t n) PLX_ON_WORKER;

#endif
