/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of an attachment, shared by the files of this folder.
 */
#ifndef PLX_RING_PVT_H
#define PLX_RING_PVT_H

/*
 * Acquire and release on the tails instead of compiler barriers around volatile: the same
 * instructions on x86, and ThreadSanitizer understands what orders the elements. The choice is
 * per caller; it does not change the ring.
 */
#ifndef RTE_USE_C11_MEM_MODEL
# define RTE_USE_C11_MEM_MODEL
#endif
#include <rte_atomic.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include <stdatomic.h>

#include "plx_ring.h"

struct plx_pair {
	/* Read-only after start. */
	struct plx_attach *attach;
	struct rte_ring *events;   /* struct plx_event, worker to application */
	struct rte_ring *commands; /* struct plx_cmd, application to worker */
	struct rte_ring *returns;  /* struct plx_rbuf *, application to worker */
	struct rte_ring *sent;     /* struct plx_sbuf *, worker to application */
	uint32_t cmd_reserve;      /* slots of commands that ordinary ones leave free */
	uint16_t worker;

	/*
	 * Set by the application when it met a full command ring, cleared by the worker when it
	 * made room; see plx_pair_cmds().
	 */
	PLX_CACHE_ALIGNED _Atomic bool cmd_wanted;

	/* The worker's. */
	PLX_CACHE_ALIGNED uint32_t deferred; /* sources that found the event ring full */

	/* The application's. */
	PLX_CACHE_ALIGNED uint32_t cmd_free; /* slots known to be free, at least */
	uint32_t over_cnt, over_max, over_head;
	struct plx_cmd *over; /* ends of owners that met a full ring, in order */
};

struct plx_attach {
	/* Read-only after start. */
	int fd; /* eventfd */
	uint16_t number;
	uint16_t worker_cnt;

	/*
	 * Written by the application when it falls asleep and wakes, by a worker that wakes it.
	 * Workers read it after each publish: it is alone in its line.
	 */
	PLX_CACHE_ALIGNED _Atomic bool asleep;

	/* Written by any thread, rarely. */
	PLX_CACHE_ALIGNED _Atomic bool woken; /* plx_events_wake() */
	_Atomic bool room;                    /* a worker took commands after PLX_E_FULL */
	_Atomic bool closed;

	/* The application's. */
	PLX_CACHE_ALIGNED uint16_t next; /* worker whose events are taken first */
	uint16_t next_sent;
	bool armed;    /* asleep was left set for the application's own epoll */
	bool over_any; /* a pair has commands in `over` */

	PLX_CACHE_ALIGNED struct plx_pair pair[];
};

/** Entries waiting. Exact for the consumer; for the producer an upper bound. */
static inline uint32_t
plx_ring_used(const struct rte_ring *r)
{
	/* Acquire: pairs with the release store of the tail in rte_ring_c11_pvt.h (R0). */
	uint32_t prod = rte_atomic_load_explicit(&r->prod.tail, rte_memory_order_acquire);
	uint32_t cons = rte_atomic_load_explicit(&r->cons.tail, rte_memory_order_acquire);

	return prod - cons;
}

/** Makes a ring; 0, PLX_E_EXIST, PLX_E_NOMEM. cnt is a power of two, cnt - 1 entries fit. */
int plx_ring_make(struct rte_ring **out, const char *name, unsigned esize, uint32_t cnt,
                  int node, unsigned flags);

/** Is the prefix fit for EAL object names? */
bool plx_ring_prefix_ok(const char *prefix);

/** Wakes the application if it sleeps; call after what it sleeps for was stored. */
void plx_attach_wake(struct plx_attach *a);

#endif
