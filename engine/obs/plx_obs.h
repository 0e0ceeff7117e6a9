/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Counters and drop reasons of a worker.
 *
 * Threads: one writer (the worker); any thread reads with relaxed loads.
 * Memory:  plain cache lines inside the worker; no allocation.
 *
 * The lists are plx_count_list.h and plx_drop_list.h; nothing else names a counter.
 */
#ifndef PLX_OBS_H
#define PLX_OBS_H

#include <stdatomic.h>

#include <plx/defs.h>

#include "plx_count_list.h"
#include "plx_drop_list.h"

enum plx_drop {
	PLX_DROP_NONE = 0,
#define PLX_DROP_ENUM(name, text) PLX_DROP_##name,
	PLX_DROP_LIST(PLX_DROP_ENUM)
#undef PLX_DROP_ENUM
	        PLX_DROP_CNT
};

enum plx_count {
#define PLX_COUNT_ENUM(name, text) PLX_COUNT_##name,
	PLX_COUNT_LIST(PLX_COUNT_ENUM)
#undef PLX_COUNT_ENUM
	        PLX_COUNT_CNT
};

/** All counters of one worker. Written by the worker only. */
struct plx_obs {
	_Atomic uint64_t count[PLX_COUNT_CNT];
	_Atomic uint64_t drop[PLX_DROP_CNT];
} PLX_CACHE_ALIGNED;

/**
 * plx_obs_add() adds to a counter; plx_obs_drop() counts n drops under one reason. A plain
 * load and store, no locked instruction: there is one writer.
 *
 * Thread: the worker that owns o.
 * Owns:   nothing.
 * Errors: none.
 */
static inline void
plx_obs_add(struct plx_obs *o, enum plx_count c, uint64_t n)
{
	atomic_store_explicit(&o->count[c],
	                      atomic_load_explicit(&o->count[c], memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

static inline void
plx_obs_drop(struct plx_obs *o, enum plx_drop r, uint64_t n)
{
	atomic_store_explicit(&o->drop[r],
	                      atomic_load_explicit(&o->drop[r], memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

/** plx_obs_get() reads a counter. Thread: any. Errors: none. */
static inline uint64_t
plx_obs_get(const struct plx_obs *o, enum plx_count c)
{
	return atomic_load_explicit(&o->count[c], memory_order_relaxed);
}

static inline uint64_t
plx_obs_get_drop(const struct plx_obs *o, enum plx_drop r)
{
	return atomic_load_explicit(&o->drop[r], memory_order_relaxed);
}

/**
 * Names and sentences of the lists. An index outside the list gives "?".
 *
 * Thread: any.
 * Owns:   nothing; constant strings.
 * Errors: none.
 */
const char *plx_drop_name(enum plx_drop r) PLX_ANY_THREAD;
const char *plx_drop_text(enum plx_drop r) PLX_ANY_THREAD;
const char *plx_count_name(enum plx_count c) PLX_ANY_THREAD;
const char *plx_count_text(enum plx_count c) PLX_ANY_THREAD;

#endif
