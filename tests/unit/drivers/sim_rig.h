/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two ports on a wire in virtual time, for the tests of drivers/sim: frames are numbered, and
 * what arrives is written down with its time.
 *
 * Threads: the caller's.
 */
#ifndef SIM_RIG_H
#define SIM_RIG_H

#include "plx_test.h"

#include <rte_mempool.h>

#include "drv_frames.h"
#include "plx_ethdev.h"
#include "plx_sim.h"
#include "plx_test_eal.h"

#define US PLX_NS_PER_US
#define MS PLX_NS_PER_MS

/** Two ports on a wire in virtual time, and a pool that must be full at the end. */
struct rig {
	struct plx_clock clock;
	struct plx_sim_cfg cfg;
	struct plx_sim *sim;
	struct plx_pio *port[PLX_SIM_PORTS_MAX];
	struct frame f;
};

/** All frames of a program are from here. */
static struct rte_mempool *pool;

static inline void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	plx_clock_init(&r->clock, PLX_CLOCK_VIRTUAL);
	plx_clock_set(&r->clock, PLX_NS_PER_S);
	r->cfg.ports = 2;
	r->cfg.seed = 1;
	r->cfg.clock = &r->clock;
	r->cfg.pool = pool;
	r->cfg.flight_cnt = 8192;
	r->f = (struct frame)FRAME_DEFAULT;
}

static inline void
rig_open(struct rig *r)
{
	int rc = plx_sim_new(&r->sim, &r->cfg);

	CU_ASSERT_EQUAL_FATAL(rc, 0);
	for (uint16_t i = 0; i < r->cfg.ports; i++) {
		r->port[i] = plx_sim_port(r->sim, i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(r->port[i]);
	}
}

static inline void
rig_close(struct rig *r)
{
	for (uint16_t i = 0; i < r->cfg.ports; i++)
		r->port[i]->ops->close(r->port[i]);
	plx_sim_free(r->sim);
	CU_ASSERT_TRUE(rte_mempool_full(pool));
}

/** Sends one frame from port 0, queue q. */
static inline uint16_t
send_one(struct rig *r, uint16_t q, uint64_t nr)
{
	struct rte_mbuf *m;
	uint16_t n;

	r->f.nr = nr;
	m = frame_make(pool, &r->f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	n = plx_pio_tx(r->port[0], q, &m, 1);
	if (n == 0)
		rte_pktmbuf_free(m);
	return n;
}

/** What arrived: numbers and times. */
struct trace {
	uint64_t nr[16384], at[16384];
	uint32_t cnt;
};

static inline void
drain(struct rig *r, struct trace *t)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t n;

	do {
		n = plx_pio_rx(r->port[1], 0, m, PLX_BURST_MAX);
		for (uint16_t i = 0; i < n; i++) {
			if (t->cnt < RTE_DIM(t->nr)) {
				t->nr[t->cnt] = frame_nr(m[i], &r->f);
				t->at[t->cnt++] = r->clock.last_ns;
			}
			rte_pktmbuf_free(m[i]);
		}
	} while (n != 0);
}

/** Sends cnt frames, gap_ns apart, receives everything, moving the clock as plx_sim_next() says. */
static inline void
run(struct rig *r, struct trace *t, uint32_t cnt, uint64_t gap_ns)
{
	uint64_t next_tx = r->clock.last_ns, next, sent = 0;

	t->cnt = 0;
	while (sent < cnt || plx_sim_next(r->sim) != PLX_TIME_NEVER) {
		next = plx_sim_next(r->sim);
		if (sent < cnt && next_tx <= next) {
			plx_clock_set(&r->clock, next_tx);
			CU_ASSERT_EQUAL(send_one(r, 0, sent), 1);
			sent++;
			next_tx += gap_ns;
		} else {
			plx_clock_set(&r->clock, next);
		}
		drain(r, t);
	}
}

static inline struct trace *
new_trace(void)
{
	struct trace *t = calloc(1, sizeof(*t));

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static inline uint32_t
count_at(struct rig *r, uint16_t port)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint32_t n = plx_pio_rx(r->port[port], 0, m, PLX_BURST_MAX);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static inline int
sim_pool_init(void)
{
	pool = rte_pktmbuf_pool_create("test_pool", 16383, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
	                               -1);
	return pool == NULL;
}

#endif
