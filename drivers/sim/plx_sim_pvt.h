/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Insides of the in-process wire: queues, rings, frames under way.
 *
 * Threads: struct simq belongs to the thread that polls the queue, except its rings.
 * Memory:  see plx_sim.h.
 */
#ifndef PLX_SIM_PVT_H
#define PLX_SIM_PVT_H

/*
 * On x86 the rings of DPDK order by compiler barriers, which ThreadSanitizer does not see; their
 * C11 form it does. Only single-producer rings: in the multi-producer forms one thread publishes
 * for another in ways the sanitizer cannot follow.
 */
#if defined(PLX_TSAN) && !defined(RTE_USE_C11_MEM_MODEL)
# define RTE_USE_C11_MEM_MODEL 1
#endif

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

#include "plx_rand.h"
#include "plx_sim.h"

/** A frame under way. */
struct plx_flight {
	uint64_t at_ns; /**< can be received from then on */
	uint64_t seq;   /**< order among equals */
	struct rte_mbuf *m;
};

/** Probabilities as bounds of a 32-bit draw: an event happens when draw < bound. */
struct plx_sim_bounds {
	uint64_t loss, enter, leave, burst_loss, reorder, dup, corrupt;
};

/** Impairments of one receiving queue; its thread only. */
struct plx_simlink {
	struct plx_sim_link cfg;
	struct plx_sim_bounds bound;
	bool on; /**< anything configured */

	struct plx_rand rand;
	bool bad;           /**< Gilbert-Elliott state */
	uint64_t arrived;   /**< frames seen, the number of the next one */
	uint32_t drop_next; /**< first entry of drop_idx not reached yet */

	/** Departure times of the frames that wait for the rate; a circle of queue_pkts. */
	uint64_t *depart;
	uint32_t depart_cap, depart_head, depart_cnt;
	uint64_t byte_q32; /**< ns one byte takes at the rate, 32 fraction bits */

	struct plx_flight *heap; /**< binary heap by (at_ns, seq) */
	uint32_t heap_cap, heap_cnt;
	uint64_t seq;
};

struct plx_simq {
	struct rte_ring **in; /**< rings to poll */
	uint16_t in_cnt, in_next;
	uint16_t port, idx;
	struct plx_clock *clock; /**< own, or the virtual one of all */
	struct plx_clock own_clock;
	uint64_t lie; /**< state of PLX_SIM_SPREAD_LYING, for frames this queue sends */

	struct plx_simlink link;

	/* Written by the thread of the queue, summed by others. */
	struct plx_obs obs;
	_Atomic uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes, dup, corrupt, reorder;
	/** Frames under way behind the rings; the rings count themselves. */
	_Atomic uint64_t flight;
} PLX_CACHE_ALIGNED;

struct plx_simport {
	struct plx_pio pio;
	struct plx_sim *sim;
	uint16_t idx, queues;
	uint8_t spread;
	bool taken;    /**< main only */
	bool impaired; /**< frames to it are stamped; changes while nobody polls */
	_Atomic bool closed;
	_Atomic bool no_carrier;
	/** Converted for rte_softrss_be(), which reads words. */
	_Alignas(uint32_t) uint8_t key_be[PLX_SIM_KEY_LEN];

	/** When the rate lets the next frame depart, ns; the queues of the port share it. */
	_Atomic uint64_t line_free_ns PLX_CACHE_ALIGNED;

	struct plx_simq q[PLX_SIM_QUEUES_MAX];
};

struct plx_sim {
	struct plx_sim_cfg cfg; /**< with defaults filled in */
	uint64_t start_ns;
	int stamp_off; /**< offset of the time of sending in an mbuf */
	bool pool_ours;
	bool freed;        /**< plx_sim_free() was called */
	uint16_t taken;    /**< ports out */
	bool shared_rings; /**< one multi-producer ring per receiving queue */
	struct rte_mempool *pool;
	char name[24];
	/** ring of sending queue (a, i) to (b, j); the same for all (a, i) when shared. */
	struct rte_ring *ring[PLX_SIM_PORTS_MAX][PLX_SIM_QUEUES_MAX][PLX_SIM_PORTS_MAX]
	                     [PLX_SIM_QUEUES_MAX];
	void *ring_mem;
	struct plx_simport port[PLX_SIM_PORTS_MAX];
};

static inline void
plx_sim_count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

static inline uint64_t *
plx_sim_stamp(const struct plx_sim *sim, struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, sim->stamp_off, uint64_t *);
}

/* plx_sim_nic.c */

/** The receiving queue of a frame, and what a NIC would write into its mbuf. */
uint16_t plx_sim_nic_queue(struct plx_simport *dst, struct plx_simq *from,
                           struct rte_mbuf *m);

/** Fills in pio.plan of a port. */
void plx_sim_nic_plan(struct plx_simport *port, const uint8_t key[PLX_SIM_KEY_LEN]);

/** struct plx_pio_ops.pick_port of the software NIC. */
int plx_sim_nic_pick(const struct plx_pio *p, const struct plx_path *path, uint16_t queue,
                     const struct plx_pio_ports *range, uint64_t seed);

/** Where the UDP payload of a frame begins, bytes from its first; 0 = no UDP in its first part. */
uint32_t plx_sim_nic_payload(const struct rte_mbuf *m, uint32_t *udp_off);

/* plx_sim_link.c */

int plx_sim_link_check(const struct plx_sim_link *c);
int plx_sim_link_set(struct plx_simlink *l, const struct plx_sim_link *cfg,
                     uint32_t flights);
void plx_sim_link_fini(struct plx_simlink *l);

/** Decides the fate of a frame sent at stamp; m leaves the caller. */
void plx_sim_link_put(struct plx_sim *sim, struct plx_simq *q, struct rte_mbuf *m,
                      uint64_t stamp);

/** Frees frames that a port without carrier was to send or receive. */
void plx_sim_link_lose(struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt);

/** Puts a frame behind all impairments, to arrive at at_ns; m leaves the caller. */
void plx_sim_link_keep(struct plx_simq *q, struct rte_mbuf *m, uint64_t at_ns);

/** Takes up to cnt frames that have arrived by now_ns. */
uint16_t plx_sim_link_take(struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt,
                           uint64_t now_ns);

#endif
