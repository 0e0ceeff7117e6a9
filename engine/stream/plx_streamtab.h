/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Streams of a connection by id: a small open-addressing table.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker that owns the connection.
 * Memory:  one slab block, twice as long as needed at most; empty until the first stream.
 *
 * Linear probing over 16-byte entries; deletion moves entries back instead of leaving marks, so
 * a connection that opens a million streams one after the other keeps probes short. A peer
 * cannot choose colliding ids: ids count up.
 */
#ifndef PLX_STREAMTAB_H
#define PLX_STREAMTAB_H

#include <plx/err.h>

#include "plx_mem.h"

struct plx_streamtab_entry {
	int64_t id;
	void *obj; /**< NULL = free */
};

struct plx_streamtab {
	struct plx_streamtab_entry *tab;
	uint32_t cap; /**< entries, 0 or a power of two */
	uint32_t cnt; /**< in use */
};

/** plx_streamtab_get() finds a stream. @return NULL when there is none. Thread: the owner. */
void *plx_streamtab_get(const struct plx_streamtab *t, int64_t id) PLX_ON_WORKER;

/**
 * plx_streamtab_put() adds a stream that is not there.
 * @return 0, PLX_E_NOMEM
 * Thread: the owner. Owns: obj stays the caller's. Errors: as returned, nothing changed.
 */
int plx_streamtab_put(struct plx_streamtab *t, struct plx_slab *slab, int64_t id, void *obj)
        PLX_ON_WORKER;

/** plx_streamtab_del() takes a stream out. @return its object, NULL. Thread: the owner. */
void *plx_streamtab_del(struct plx_streamtab *t, int64_t id) PLX_ON_WORKER;

/** plx_streamtab_drain() empties the table, calling fn for each stream. Thread: the owner. */
void plx_streamtab_drain(struct plx_streamtab *t,
                         void (*fn)(void *arg, int64_t id, void *obj), void *arg)
        PLX_ON_WORKER;

/** plx_streamtab_fini() frees the block. Thread: the owner. */
void plx_streamtab_fini(struct plx_streamtab *t, struct plx_slab *slab) PLX_ON_WORKER;

#endif
