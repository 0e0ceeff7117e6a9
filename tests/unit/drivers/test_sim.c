/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_test.h"

#include <math.h>

#include <plx/err.h>

#include <rte_mempool.h>
#include <rte_thash.h>

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

static struct rte_mempool *pool;

static void
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

static void
rig_open(struct rig *r)
{
	int rc = plx_sim_new(&r->sim, &r->cfg);

	CU_ASSERT_EQUAL_FATAL(rc, 0);
	for (uint16_t i = 0; i < r->cfg.ports; i++) {
		r->port[i] = plx_sim_port(r->sim, i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(r->port[i]);
	}
}

static void
rig_close(struct rig *r)
{
	for (uint16_t i = 0; i < r->cfg.ports; i++)
		r->port[i]->ops->close(r->port[i]);
	plx_sim_free(r->sim);
	CU_ASSERT_TRUE(rte_mempool_full(pool));
}

/** Sends one frame from port 0, queue q. */
static uint16_t
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

static void
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
static void
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

static struct trace *
new_trace(void)
{
	struct trace *t = calloc(1, sizeof(*t));

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static uint64_t
trace_hash(const struct trace *t)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (uint32_t i = 0; i < t->cnt; i++) {
		h = (h ^ t->nr[i]) * UINT64_C(0x100000001b3);
		h = (h ^ t->at[i]) * UINT64_C(0x100000001b3);
	}
	return h;
}

/** Runs a link and gives the trace and, where wanted, the statistics. */
static void
run_link(const struct plx_sim_link *link, uint64_t seed, uint32_t cnt, uint64_t gap_ns,
         struct trace *t, struct plx_sim_stats *stats, uint64_t drops[PLX_DROP_CNT])
{
	struct rig r;

	rig_init(&r);
	r.cfg.seed = seed;
	r.cfg.to[1] = *link;
	rig_open(&r);
	run(&r, t, cnt, gap_ns);
	if (stats != NULL)
		plx_sim_get_stats(r.sim, 1, stats);
	for (int d = 0; drops != NULL && d < PLX_DROP_CNT; d++)
		drops[d] = plx_sim_get_drop(r.sim, 1, (enum plx_drop)d);
	rig_close(&r);
}

/* ---- the plain wire ---- */

static void
test_plain_wire_passes_the_mbuf_itself(void)
{
	struct rte_mbuf *m[PLX_BURST_MAX], *got[PLX_BURST_MAX], *copy;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (uint16_t i = 0; i < PLX_BURST_MAX; i++) {
		r.f.nr = i;
		m[i] = frame_make(pool, &r.f);
		m[i]->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
		m[i]->l2_len = 14;
	}
	copy = rte_pktmbuf_copy(m[3], pool, 0, UINT32_MAX);
	CU_ASSERT_EQUAL(plx_pio_tx(r.port[0], 0, m, PLX_BURST_MAX), PLX_BURST_MAX);
	CU_ASSERT_EQUAL(plx_pio_rx(r.port[0], 0, got, PLX_BURST_MAX), 0);
	CU_ASSERT_EQUAL(plx_sim_next(r.sim), r.clock.last_ns);
	CU_ASSERT_EQUAL_FATAL(plx_pio_rx(r.port[1], 0, got, PLX_BURST_MAX), PLX_BURST_MAX);
	for (uint16_t i = 0; i < PLX_BURST_MAX; i++) {
		CU_ASSERT_PTR_EQUAL(got[i], m[i]);
		CU_ASSERT_EQUAL(got[i]->ol_flags, 0);
		CU_ASSERT_EQUAL(got[i]->l2_len, 0);
	}
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(got[3], void *),
	                       rte_pktmbuf_mtod(copy, void *), copy->pkt_len),
	                0);
	CU_ASSERT_EQUAL(plx_sim_next(r.sim), PLX_TIME_NEVER);
	rte_pktmbuf_free(copy);
	rte_pktmbuf_free_bulk(got, PLX_BURST_MAX);
	rig_close(&r);
}

static void
test_full_ring_refuses_and_loses_nothing(void)
{
	struct plx_sim_stats s;
	struct trace *t = new_trace();
	uint32_t sent = 0;
	struct rig r;

	rig_init(&r);
	r.cfg.ring_cnt = 64;
	rig_open(&r);
	while (sent < 1000 && send_one(&r, 0, sent) == 1)
		sent++;
	CU_ASSERT_EQUAL(sent, 64);
	drain(&r, t);
	CU_ASSERT_EQUAL(t->cnt, 64);
	CU_ASSERT_EQUAL(t->nr[63], 63);
	CU_ASSERT_EQUAL(send_one(&r, 0, 64), 1);
	plx_sim_get_stats(r.sim, 1, &s);
	CU_ASSERT_EQUAL(s.rx_pkts, 64);
	CU_ASSERT_EQUAL(s.rx_bytes, 64 * (42 + 100));
	CU_ASSERT_EQUAL(s.flight, 1);
	plx_sim_get_stats(r.sim, 0, &s);
	CU_ASSERT_EQUAL(s.tx_pkts, 65);
	rig_close(&r);
	free(t);
}

static void
test_close_gives_back_frames_in_flight(void)
{
	struct rig r;

	/* The wire may be freed before, between or after its ports. */
	for (int order = 0; order < 3; order++) {
		rig_init(&r);
		r.cfg.to[1].delay_ns = order == 1 ? MS : 0;
		rig_open(&r);
		for (uint64_t i = 0; i < 50; i++)
			send_one(&r, 0, i);
		CU_ASSERT_NOT_EQUAL(plx_sim_next(r.sim), PLX_TIME_NEVER);
		for (int step = 0; step < 3; step++) {
			if (step == order)
				plx_sim_free(r.sim);
			else
				r.port[step - (step > order)]->ops->close(
				        r.port[step - (step > order)]);
		}
		CU_ASSERT_TRUE(rte_mempool_full(pool));
	}
}

static void
test_frames_to_a_closed_port_are_counted(void)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	r.port[1]->ops->close(r.port[1]);
	CU_ASSERT_EQUAL(send_one(&r, 0, 0), 1);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 0, PLX_DROP_SIM_NO_PORT), 1);
	r.port[0]->ops->close(r.port[0]);
	plx_sim_free(r.sim);
	CU_ASSERT_TRUE(rte_mempool_full(pool));
}

static void
test_own_pool_is_sized_and_freed(void)
{
	struct plx_sim *sim, *same;
	struct plx_sim_cfg cfg = {
	        .ports = 2, .name = "own", .ring_cnt = 256, .flight_cnt = 256};
	unsigned cnt;

	/* Twice: names and memory come back. */
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(plx_sim_new(&sim, &cfg), 0);
		cnt = plx_sim_pool(sim)->size;
		CU_ASSERT_TRUE(plx_sim_mem_need(&cfg) > (size_t)cnt * 2048);
		CU_ASSERT_EQUAL(cnt & (cnt + 1), 0);
		CU_ASSERT_EQUAL(plx_sim_new(&same, &cfg), PLX_E_EXIST);
		CU_ASSERT_PTR_NULL(same);
		plx_sim_free(sim);
	}
	cfg.pool_cnt = 4000000;
	CU_ASSERT_EQUAL(plx_sim_new(&sim, &cfg), PLX_E_NOMEM);
}

static void
test_numbers_out_of_range_are_refused(void)
{
	struct plx_sim_cfg good = {.ports = 2, .pool = pool}, c;
	struct plx_sim *sim;

#define REFUSED(change)                                              \
	do {                                                         \
		c = good;                                            \
		change;                                              \
		CU_ASSERT_EQUAL(plx_sim_new(&sim, &c), PLX_E_INVAL); \
		CU_ASSERT_EQUAL(plx_sim_mem_need(&c), 0);            \
	} while (0)
	REFUSED(c.ports = 1);
	REFUSED(c.ports = PLX_SIM_PORTS_MAX + 1);
	REFUSED(c.queues[1] = PLX_SIM_QUEUES_MAX + 1);
	REFUSED(c.spread[0] = PLX_SIM_SPREAD_CNT);
	REFUSED(c.to[0].loss_ppm = 1000001);
	REFUSED(c.to[1].drop_cnt = PLX_SIM_DROPS_MAX + 1);
	REFUSED((c.to[1].drop_cnt = 2, c.to[1].drop_idx[0] = 5, c.to[1].drop_idx[1] = 5));
	REFUSED((c.to[1].hole_period_ns = 1, c.to[1].hole_len_ns = 2));
	REFUSED(c.ring_cnt = 1);
	REFUSED(c.mtu = 100);
	REFUSED(c.name = "a name that is far too long for a pool");
#undef REFUSED
}

/* ---- the software NIC ---- */

static void
test_rss_queue_is_the_one_predicted(void)
{
	uint32_t seen[4] = {0};
	struct rte_mbuf *m;
	struct rig r;

	rig_init(&r);
	r.cfg.queues[1] = 4;
	rig_open(&r);
	CU_ASSERT_EQUAL(r.port[1]->plan.level, PLX_SPREAD_RSS);
	CU_ASSERT_EQUAL(r.port[1]->plan.hashes_by_flow, 1);
	CU_ASSERT_EQUAL(r.port[0]->plan.level, PLX_SPREAD_SINGLE);
	for (uint32_t i = 0; i < 4000; i++) {
		struct plx_path path;
		int queue;

		r.f.ip6 = i & 1;
		r.f.sport = (uint16_t)(1024 + i * 13);
		r.f.dport = (uint16_t)(2000 + i * 7);
		path = frame_path(&r.f);
		queue = plx_ethdev_predict_queue(&r.port[1]->plan, &path);
		CU_ASSERT_TRUE_FATAL(queue >= 0 && queue < 4);
		CU_ASSERT_EQUAL(send_one(&r, 0, i), 1);
		CU_ASSERT_EQUAL_FATAL(plx_pio_rx(r.port[1], (uint16_t)queue, &m, 1), 1);
		CU_ASSERT_TRUE((m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0);
		rte_pktmbuf_free(m);
		seen[queue]++;
	}
	for (int q = 0; q < 4; q++)
		CU_ASSERT_TRUE(seen[q] > 600);
	rig_close(&r);
}

static void
test_rss_hash_is_that_of_rte_softrss(void)
{
	static const uint8_t key[PLX_SIM_KEY_LEN] = {
	        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	        0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	        0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	        0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	};
	struct rte_mbuf *m = NULL;
	uint32_t tuple[3];
	struct rig r;

	rig_init(&r);
	r.cfg.queues[1] = 2;
	r.cfg.rss_key = key;
	rig_open(&r);
	CU_ASSERT_EQUAL(memcmp(r.port[1]->plan.rss_key, key, sizeof(key)), 0);
	/* Source 10.11.12.13:4433, destination 192.191.190.189:50000. */
	tuple[0] = 0x0a0b0c0d;
	tuple[1] = 0xc0bfbebd;
	tuple[2] = 4433u << 16 | 50000u;
	send_one(&r, 0, 0);
	for (uint16_t q = 0; q < 2 && m == NULL; q++)
		if (plx_pio_rx(r.port[1], q, &m, 1) == 0)
			m = NULL;
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->hash.rss, rte_softrss(tuple, 3, key));
	rte_pktmbuf_free(m);
	rig_close(&r);
}

/** Frames of one flow, 40 from each of four sending queues; counts per receiving queue. */
static void
spread_of(enum plx_sim_spread spread, uint32_t got[4], uint8_t *level)
{
	struct rte_mbuf *m;
	struct rig r;

	rig_init(&r);
	r.cfg.queues[0] = 4;
	r.cfg.queues[1] = 4;
	r.cfg.spread[1] = (uint8_t)spread;
	rig_open(&r);
	*level = r.port[1]->plan.level;
	for (uint64_t i = 0; i < 160; i++)
		send_one(&r, i % 4, i);
	for (uint16_t q = 0; q < 4; q++) {
		got[q] = 0;
		while (plx_pio_rx(r.port[1], q, &m, 1) == 1) {
			if (spread == PLX_SIM_SPREAD_PEER)
				CU_ASSERT_EQUAL(frame_nr(m, &r.f) % 4, q);
			rte_pktmbuf_free(m);
			got[q]++;
		}
	}
	rig_close(&r);
}

static void
test_spread_modes_do_what_they_say_or_lie(void)
{
	uint32_t got[4];
	uint8_t level;
	int used = 0;

	spread_of(PLX_SIM_SPREAD_PEER, got, &level);
	CU_ASSERT_EQUAL(level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_TRUE(got[0] == 40 && got[1] == 40 && got[2] == 40 && got[3] == 40);

	spread_of(PLX_SIM_SPREAD_ZERO, got, &level);
	CU_ASSERT_EQUAL(level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_EQUAL(got[0], 160);

	spread_of(PLX_SIM_SPREAD_RSS, got, &level);
	CU_ASSERT_EQUAL(level, PLX_SPREAD_RSS);
	for (int q = 0; q < 4; q++)
		used += got[q] != 0;
	CU_ASSERT_EQUAL(used, 1);

	spread_of(PLX_SIM_SPREAD_LYING, got, &level);
	CU_ASSERT_EQUAL(level, PLX_SPREAD_RSS);
	CU_ASSERT_TRUE(got[0] > 20 && got[1] > 20 && got[2] > 20 && got[3] > 20);
}

static void
test_frames_without_ports_go_to_queue_0(void)
{
	struct rte_mbuf *m, *got;
	struct rte_ipv4_hdr *ip;
	struct rig r;

	rig_init(&r);
	r.cfg.queues[1] = 4;
	rig_open(&r);
	for (int kind = 0; kind < 5; kind++) {
		m = frame_make(pool, &r.f);
		ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
		if (kind == 0)
			ip->fragment_offset = RTE_BE16(1);
		if (kind == 1)
			ip->next_proto_id = 1;
		if (kind == 2)
			rte_pktmbuf_mtod(m, uint8_t *)[13] = 6;
		if (kind == 3)
			rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - 36));
		if (kind == 4)
			rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - 5));
		CU_ASSERT_EQUAL(plx_pio_tx(r.port[0], 0, &m, 1), 1);
		CU_ASSERT_EQUAL_FATAL(plx_pio_rx(r.port[1], 0, &got, 1), 1);
		CU_ASSERT_EQUAL(got->ol_flags & RTE_MBUF_F_RX_RSS_HASH, 0);
		rte_pktmbuf_free(got);
	}
	rig_close(&r);
}

static void
test_many_queues_share_rings(void)
{
	uint32_t total = 0;
	struct rte_mbuf *m[PLX_BURST_MAX];
	struct rig r;

	rig_init(&r);
	r.cfg.queues[0] = 16;
	r.cfg.queues[1] = 16;
	rig_open(&r);
	for (uint32_t i = 0; i < 1600; i++) {
		r.f.sport = (uint16_t)(1024 + i);
		CU_ASSERT_EQUAL(send_one(&r, i % 16, i), 1);
	}
	for (uint16_t q = 0; q < 16; q++) {
		uint16_t n;

		while ((n = plx_pio_rx(r.port[1], q, m, PLX_BURST_MAX)) != 0) {
			total += n;
			rte_pktmbuf_free_bulk(m, n);
		}
	}
	CU_ASSERT_EQUAL(total, 1600);
	rig_close(&r);
}

static uint32_t
count_at(struct rig *r, uint16_t port)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint32_t n = plx_pio_rx(r->port[port], 0, m, PLX_BURST_MAX);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void
test_switch_delivers_by_destination(void)
{
	struct rig r;

	rig_init(&r);
	r.cfg.ports = 4;
	rig_open(&r);
	memcpy(r.f.dst_mac, r.port[2]->mac, 6);
	send_one(&r, 0, 1);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(count_at(&r, 2), 1);
	memset(r.f.dst_mac, 0xff, 6);
	send_one(&r, 0, 2);
	CU_ASSERT_EQUAL(count_at(&r, 0), 0);
	for (uint16_t i = 1; i < 4; i++)
		CU_ASSERT_EQUAL(count_at(&r, i), 1);
	r.f.dst_mac[0] = 0x0a;
	CU_ASSERT_EQUAL(send_one(&r, 0, 3), 1);
	memcpy(r.f.dst_mac, r.port[0]->mac, 6);
	CU_ASSERT_EQUAL(send_one(&r, 0, 4), 1);
	for (uint16_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(count_at(&r, i), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 0, PLX_DROP_SIM_NO_PORT), 2);
	rig_close(&r);
}

/* ---- impairments ---- */

static void
test_delay_is_exact_and_next_names_it(void)
{
	struct plx_sim_link link = {.delay_ns = 10 * MS};
	struct trace *t = new_trace();
	struct rig r;

	rig_init(&r);
	r.cfg.to[1] = link;
	rig_open(&r);
	send_one(&r, 0, 0);
	CU_ASSERT_EQUAL(plx_sim_next(r.sim), PLX_NS_PER_S + 10 * MS);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 10 * MS - 1);
	drain(&r, t);
	CU_ASSERT_EQUAL(t->cnt, 0);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 10 * MS);
	drain(&r, t);
	CU_ASSERT_EQUAL(t->cnt, 1);
	rig_close(&r);
	free(t);
}

static void
test_rate_spaces_frames_and_overflows_exactly(void)
{
	/* 142 bytes at 1.42 MB/s are 100 us each. */
	struct plx_sim_link link = {.rate_Bps = 1420000, .queue_pkts = 10};
	uint64_t drops[PLX_DROP_CNT];
	struct trace *t = new_trace();

	run_link(&link, 1, 30, 0, t, NULL, drops);
	CU_ASSERT_EQUAL_FATAL(t->cnt, 10);
	for (uint32_t i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(t->nr[i], i);
		CU_ASSERT_TRUE(PLX_NS_PER_S + (i + 1) * 100 * US - t->at[i] <= 2 * (i + 1));
	}
	CU_ASSERT_EQUAL(drops[PLX_DROP_SIM_QUEUE], 20);

	/* Frames that come as slowly as the line takes them lose nothing. */
	run_link(&link, 1, 1000, 100 * US, t, NULL, drops);
	CU_ASSERT_EQUAL(t->cnt, 1000);
	CU_ASSERT_EQUAL(drops[PLX_DROP_SIM_QUEUE], 0);
	free(t);
}

static void
test_rate_is_shared_by_the_queues_of_a_port(void)
{
	uint32_t got = 0;
	struct rig r;

	rig_init(&r);
	r.cfg.queues[1] = 4;
	r.cfg.to[1].rate_Bps = 1420000;
	rig_open(&r);
	for (uint32_t i = 0; i < 1000; i++) {
		r.f.sport = (uint16_t)(1024 + i * 3);
		send_one(&r, 0, i);
	}
	CU_ASSERT_NOT_EQUAL(plx_sim_next(r.sim), PLX_TIME_NEVER);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 50 * MS);
	for (int k = 0; k < 100; k++) {
		for (uint16_t q = 0; q < 4; q++) {
			struct rte_mbuf *m;

			while (plx_pio_rx(r.port[1], q, &m, 1) == 1) {
				rte_pktmbuf_free(m);
				got++;
			}
		}
	}
	CU_ASSERT_TRUE(got >= 499 && got <= 501);
	rig_close(&r);
}

static bool
near(double value, double expected, double tolerance)
{
	if (fabs(value - expected) <= tolerance)
		return true;
	printf("%g is not within %g of %g\n", value, tolerance, expected);
	return false;
}

static void
test_uniform_loss_has_its_rate(void)
{
	struct plx_sim_link link = {.loss_ppm = 100000};
	uint64_t drops[PLX_DROP_CNT];
	struct trace *t = new_trace();

	run_link(&link, 7, 16000, US, t, NULL, drops);
	/* Four standard deviations of 16000 draws. */
	CU_ASSERT_TRUE(near(drops[PLX_DROP_SIM_LOSS] / 16000.0, 0.1, 0.0095));
	CU_ASSERT_EQUAL(t->cnt + drops[PLX_DROP_SIM_LOSS], 16000);
	free(t);
}

static void
test_burst_loss_has_its_rate_and_length(void)
{
	/* Bad a fifth of the time, for 8 frames at a time. */
	struct plx_sim_link link = {.burst_enter_ppm = 31250,
	                            .burst_leave_ppm = 125000,
	                            .burst_loss_ppm = 1000000};
	uint64_t bursts = 0, lost = 0;
	struct trace *t = new_trace();

	run_link(&link, 11, 16000, US, t, NULL, NULL);
	for (uint32_t i = 1; i < t->cnt; i++) {
		uint64_t gap = t->nr[i] - t->nr[i - 1] - 1;

		lost += gap;
		bursts += gap != 0;
	}
	CU_ASSERT_TRUE(near(lost / 16000.0, 0.2, 0.04));
	CU_ASSERT_TRUE(near((double)lost / (double)bursts, 8, 1.5));
	free(t);
}

static void
test_duplicates_are_copies(void)
{
	struct plx_sim_link link = {.dup_ppm = 50000};
	struct plx_sim_stats s;
	struct trace *t = new_trace();
	uint32_t twice = 0;

	run_link(&link, 3, 10000, US, t, &s, NULL);
	CU_ASSERT_TRUE(near(s.dup / 10000.0, 0.05, 0.009));
	CU_ASSERT_EQUAL(t->cnt, 10000 + s.dup);
	for (uint32_t i = 1; i < t->cnt; i++)
		twice += t->nr[i] == t->nr[i - 1];
	CU_ASSERT_EQUAL(twice, s.dup);
	free(t);
}

static void
test_jitter_and_reordering_stay_in_bounds(void)
{
	struct plx_sim_link jitter = {.delay_ns = MS, .jitter_ns = 100 * US};
	struct plx_sim_link late = {
	        .delay_ns = MS, .reorder_ppm = 10000, .reorder_ns = 500 * US};
	struct plx_sim_stats s;
	struct trace *t = new_trace();
	uint64_t base = PLX_NS_PER_S + MS, sum = 0;
	uint32_t swaps = 0;

	run_link(&jitter, 5, 10000, 10 * US, t, NULL, NULL);
	CU_ASSERT_EQUAL_FATAL(t->cnt, 10000);
	for (uint32_t i = 0; i < t->cnt; i++) {
		uint64_t extra = t->at[i] - base - t->nr[i] * 10 * US;

		CU_ASSERT_TRUE_FATAL(extra <= 100 * US);
		sum += extra;
		swaps += i != 0 && t->nr[i] < t->nr[i - 1];
	}
	CU_ASSERT_TRUE(near(sum / 10000.0, 50e3, 1200));
	CU_ASSERT_TRUE(swaps > 3000);

	run_link(&late, 5, 10000, 10 * US, t, &s, NULL);
	CU_ASSERT_TRUE(near(s.reorder / 10000.0, 0.01, 0.004));
	swaps = 0;
	for (uint32_t i = 0; i < t->cnt; i++) {
		uint64_t extra = t->at[i] - base - t->nr[i] * 10 * US;

		CU_ASSERT_TRUE_FATAL(extra == 0 || extra == 500 * US);
		swaps += extra != 0;
	}
	CU_ASSERT_EQUAL(swaps, s.reorder);
	free(t);
}

/** Sends frames through a corrupting link and checks each that comes. @return changed ones */
static uint32_t
corrupted(enum plx_sim_corrupt how, bool shared)
{
	uint32_t changed = 0, diff, first = 0;
	struct rte_mbuf *m, *got, *want;
	struct rig r;

	rig_init(&r);
	r.cfg.to[1].corrupt_ppm = 500000;
	r.cfg.to[1].corrupt_how = (uint8_t)how;
	rig_open(&r);
	for (uint64_t i = 0; i < 2000; i++) {
		r.f.nr = i;
		m = frame_make(pool, &r.f);
		want = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
		if (shared)
			rte_mbuf_refcnt_update(m, 1);
		CU_ASSERT_EQUAL(plx_pio_tx(r.port[0], 0, &m, 1), 1);
		CU_ASSERT_EQUAL_FATAL(plx_pio_rx(r.port[1], 0, &got, 1), 1);
		diff = 0;
		for (uint32_t k = 0; k < want->pkt_len; k++) {
			bool cksum = k == 40 || k == 41;

			if (rte_pktmbuf_mtod(got, uint8_t *)[k] ==
			            rte_pktmbuf_mtod(want, uint8_t *)[k] ||
			    (how == PLX_SIM_CORRUPT_PAYLOAD && cksum))
				continue;
			diff++;
			first = k;
		}
		CU_ASSERT_TRUE(diff <= 1);
		if (diff == 1 && how == PLX_SIM_CORRUPT_PAYLOAD) {
			CU_ASSERT_TRUE(first >= 42 && first < 42 + 50);
			CU_ASSERT_TRUE(frame_cksum_ok(got));
		}
		if (shared) {
			/* What the sender still holds is as it was. */
			CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *),
			                       rte_pktmbuf_mtod(want, void *),
			                       want->pkt_len),
			                0);
			rte_pktmbuf_free(m);
		}
		changed += diff;
		rte_pktmbuf_free(want);
		rte_pktmbuf_free(got);
	}
	rig_close(&r);
	return changed;
}

static void
test_corruption_changes_one_byte_of_its_own_frame(void)
{
	CU_ASSERT_TRUE(near(corrupted(PLX_SIM_CORRUPT_PAYLOAD, false) / 2000.0, 0.5, 0.05));
	CU_ASSERT_TRUE(near(corrupted(PLX_SIM_CORRUPT_PAYLOAD, true) / 2000.0, 0.5, 0.05));
	CU_ASSERT_TRUE(near(corrupted(PLX_SIM_CORRUPT_ANY, false) / 2000.0, 0.5, 0.05));
}

static void
test_corruption_without_a_buffer_is_a_counted_drop(void)
{
	struct rte_mbuf *hold[16384], *m;
	uint32_t held = 0;
	struct rig r;

	rig_init(&r);
	r.cfg.to[1].corrupt_ppm = 1000000;
	rig_open(&r);
	m = frame_make(pool, &r.f);
	rte_mbuf_refcnt_update(m, 1);
	while (held < RTE_DIM(hold) && (hold[held] = rte_pktmbuf_alloc(pool)) != NULL)
		held++;
	CU_ASSERT_EQUAL(plx_pio_tx(r.port[0], 0, &m, 1), 1);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 1, PLX_DROP_NET_NO_MBUF), 1);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(hold, held);
	rig_close(&r);
}

static void
test_listed_frames_are_lost_and_no_others(void)
{
	struct plx_sim_link link = {.drop_idx = {0, 3, 4, 99}, .drop_cnt = 4};
	uint64_t drops[PLX_DROP_CNT];
	struct trace *t = new_trace();

	run_link(&link, 1, 100, US, t, NULL, drops);
	CU_ASSERT_EQUAL(t->cnt, 96);
	CU_ASSERT_EQUAL(drops[PLX_DROP_SIM_LIST], 4);
	CU_ASSERT_EQUAL(t->nr[0], 1);
	CU_ASSERT_EQUAL(t->nr[2], 5);
	CU_ASSERT_EQUAL(t->nr[95], 98);
	free(t);
}

static void
test_dead_windows_repeat(void)
{
	struct plx_sim_link link = {
	        .hole_start_ns = 10 * MS, .hole_len_ns = 5 * MS, .hole_period_ns = 20 * MS};
	uint64_t drops[PLX_DROP_CNT];
	struct trace *t = new_trace();

	/* One frame a millisecond: 10-14, 30-34, 50-54 are lost. */
	run_link(&link, 1, 60, MS, t, NULL, drops);
	CU_ASSERT_EQUAL(drops[PLX_DROP_SIM_HOLE], 15);
	CU_ASSERT_EQUAL_FATAL(t->cnt, 45);
	CU_ASSERT_EQUAL(t->nr[9], 9);
	CU_ASSERT_EQUAL(t->nr[10], 15);
	CU_ASSERT_EQUAL(t->nr[25], 35);
	link.hole_period_ns = 0;
	run_link(&link, 1, 60, MS, t, NULL, drops);
	CU_ASSERT_EQUAL(drops[PLX_DROP_SIM_HOLE], 5);
	free(t);
}

static void
test_frames_above_the_mtu_vanish(void)
{
	struct rig r;

	rig_init(&r);
	r.cfg.to[1].mtu = 1280;
	rig_open(&r);
	r.f.payload_len = 1280 - 28;
	send_one(&r, 0, 0);
	CU_ASSERT_EQUAL(count_at(&r, 1), 1);
	r.f.payload_len = 1280 - 27;
	CU_ASSERT_EQUAL(send_one(&r, 0, 1), 1);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 1, PLX_DROP_SIM_MTU), 1);
	rig_close(&r);
}

static void
test_frames_under_way_are_bounded(void)
{
	struct plx_sim_stats s;
	struct rig r;

	rig_init(&r);
	r.cfg.flight_cnt = 100;
	r.cfg.to[1].delay_ns = PLX_NS_PER_S;
	rig_open(&r);
	for (uint64_t i = 0; i < 150; i++)
		CU_ASSERT_EQUAL(send_one(&r, 0, i), 1);
	CU_ASSERT_EQUAL(plx_sim_next(r.sim), 2 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 1, PLX_DROP_SIM_QUEUE), 50);
	plx_sim_get_stats(r.sim, 1, &s);
	CU_ASSERT_EQUAL(s.flight, 100);
	rig_close(&r);
}

static const struct plx_sim_link everything = {
        .rate_Bps = 12500000,
        .delay_ns = 5 * MS,
        .jitter_ns = 200 * US,
        .queue_pkts = 50,
        .loss_ppm = 10000,
        .burst_enter_ppm = 1000,
        .burst_leave_ppm = 100000,
        .burst_loss_ppm = 500000,
        .reorder_ppm = 5000,
        .reorder_ns = MS,
        .dup_ppm = 3000,
        .corrupt_ppm = 2000,
        .corrupt_how = PLX_SIM_CORRUPT_ANY,
};

static void
test_same_seed_same_order(void)
{
	struct trace *a = new_trace(), *b = new_trace();

	run_link(&everything, 42, 5000, 8 * US, a, NULL, NULL);
	run_link(&everything, 42, 5000, 8 * US, b, NULL, NULL);
	CU_ASSERT_EQUAL(a->cnt, b->cnt);
	CU_ASSERT_EQUAL(trace_hash(a), trace_hash(b));
	run_link(&everything, 43, 5000, 8 * US, b, NULL, NULL);
	CU_ASSERT_NOT_EQUAL(trace_hash(a), trace_hash(b));
	free(a);
	free(b);
}

static void
test_link_may_change_while_frames_are_under_way(void)
{
	struct plx_sim_link slow = {.delay_ns = 10 * MS}, none = {0};
	struct trace *t = new_trace();
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	send_one(&r, 0, 0);
	CU_ASSERT_EQUAL(plx_sim_set_link(r.sim, 1, &slow), 0);
	CU_ASSERT_EQUAL(plx_sim_set_link(r.sim, 2, &slow), PLX_E_INVAL);
	send_one(&r, 0, 1);
	/* What was sent before the change is there at once, the second waits. */
	drain(&r, t);
	CU_ASSERT_EQUAL(t->cnt, 1);
	CU_ASSERT_EQUAL(plx_sim_set_link(r.sim, 1, &none), 0);
	send_one(&r, 0, 2);
	drain(&r, t);
	CU_ASSERT_EQUAL(t->cnt, 2);
	plx_clock_set(&r.clock, plx_sim_next(r.sim));
	drain(&r, t);
	CU_ASSERT_EQUAL_FATAL(t->cnt, 3);
	CU_ASSERT_EQUAL(t->nr[1], 2);
	CU_ASSERT_EQUAL(t->nr[2], 1);
	CU_ASSERT_EQUAL(t->at[2], PLX_NS_PER_S + 10 * MS);
	rig_close(&r);
	free(t);
}

static void
test_port_says_what_the_wire_is(void)
{
	struct plx_pio_link link;
	struct plx_pio_stats stats;
	struct plx_ethdev_row rows[PLX_ETHDEV_ROWS_MAX];
	struct rig r;

	rig_init(&r);
	r.cfg.no_cksum = true;
	r.cfg.to[0].rate_Bps = 125000000;
	rig_open(&r);
	CU_ASSERT_TRUE((r.port[0]->off_got & PLX_OFF_NO_CKSUM) != 0);
	CU_ASSERT_EQUAL(r.port[0]->ops->link(r.port[0], &link), 0);
	CU_ASSERT_TRUE(link.up);
	CU_ASSERT_EQUAL(link.mbps, 1000);
	CU_ASSERT_STRING_EQUAL(r.port[0]->name, "sim0");
	CU_ASSERT_EQUAL(r.port[0]->mtu, 1500);
	send_one(&r, 0, 0);
	CU_ASSERT_EQUAL(count_at(&r, 1), 1);
	CU_ASSERT_EQUAL(r.port[1]->ops->stats(r.port[1], &stats), 0);
	CU_ASSERT_EQUAL(stats.rx_pkts, 1);
	CU_ASSERT_TRUE(plx_ethdev_rows(r.port[0], rows, PLX_ETHDEV_ROWS_MAX) > 3);
	rig_close(&r);

	/* Damage needs checksums. */
	r.cfg.to[1].corrupt_ppm = 1;
	rig_open(&r);
	CU_ASSERT_EQUAL(r.port[0]->off_got & PLX_OFF_NO_CKSUM, 0);
	rig_close(&r);
}

static int
suite_init(void)
{
	pool = rte_pktmbuf_pool_create("test_pool", 16383, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
	                               -1);
	return pool == NULL;
}

#define T(name) {&#name[5], name}

int
main(void)
{
	CU_TestInfo wire[] = {
	        T(test_plain_wire_passes_the_mbuf_itself),
	        T(test_full_ring_refuses_and_loses_nothing),
	        T(test_close_gives_back_frames_in_flight),
	        T(test_frames_to_a_closed_port_are_counted),
	        T(test_own_pool_is_sized_and_freed),
	        T(test_numbers_out_of_range_are_refused),
	        T(test_switch_delivers_by_destination),
	        T(test_port_says_what_the_wire_is),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo nic[] = {
	        T(test_rss_queue_is_the_one_predicted),
	        T(test_rss_hash_is_that_of_rte_softrss),
	        T(test_spread_modes_do_what_they_say_or_lie),
	        T(test_frames_without_ports_go_to_queue_0),
	        T(test_many_queues_share_rings),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo link[] = {
	        T(test_delay_is_exact_and_next_names_it),
	        T(test_rate_spaces_frames_and_overflows_exactly),
	        T(test_rate_is_shared_by_the_queues_of_a_port),
	        T(test_uniform_loss_has_its_rate),
	        T(test_burst_loss_has_its_rate_and_length),
	        T(test_duplicates_are_copies),
	        T(test_jitter_and_reordering_stay_in_bounds),
	        T(test_corruption_changes_one_byte_of_its_own_frame),
	        T(test_corruption_without_a_buffer_is_a_counted_drop),
	        T(test_listed_frames_are_lost_and_no_others),
	        T(test_dead_windows_repeat),
	        T(test_frames_above_the_mtu_vanish),
	        T(test_frames_under_way_are_bounded),
	        T(test_same_seed_same_order),
	        T(test_link_may_change_while_frames_are_under_way),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"sim: the wire", suite_init, NULL, NULL, NULL, wire},
	        {"sim: the software NIC", NULL, NULL, NULL, NULL, nic},
	        {"sim: impairments", NULL, NULL, NULL, NULL, link},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("plx_test_sim", 128) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
