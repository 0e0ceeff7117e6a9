/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wire of drivers/sim without impairments, and the software NIC that spreads what it
 * receives over queues.
 */
#include "sim_rig.h"

#include <plx/err.h>

#include <rte_thash.h>

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
		queue = plx_pio_predict_queue(&r.port[1]->plan, &path);
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

static void
test_port_without_carrier_loses_what_it_sends_and_receives(void)
{
	struct plx_pio_link link;
	struct rig r;

	PLX_COVERS("F1");
	rig_init(&r);
	r.cfg.to[1].delay_ns = MS;
	rig_open(&r);
	send_one(&r, 0, 0); /* under way when the carrier goes */
	plx_sim_set_carrier(r.sim, 1, false);
	CU_ASSERT_EQUAL(r.port[1]->ops->link(r.port[1], &link), 0);
	CU_ASSERT_FALSE(link.up);
	CU_ASSERT_EQUAL(r.port[0]->ops->link(r.port[0], &link), 0);
	CU_ASSERT_TRUE(link.up);
	CU_ASSERT_EQUAL(send_one(&r, 0, 1), 1);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 2 * MS);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 1, PLX_DROP_SIM_HOLE), 2);
	plx_sim_set_carrier(r.sim, 0, false);
	plx_sim_set_carrier(r.sim, 1, true);
	CU_ASSERT_EQUAL(send_one(&r, 0, 2), 1);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 4 * MS);
	CU_ASSERT_EQUAL(count_at(&r, 1), 0);
	CU_ASSERT_EQUAL(plx_sim_get_drop(r.sim, 0, PLX_DROP_SIM_HOLE), 1);
	plx_sim_set_carrier(r.sim, 0, true);
	send_one(&r, 0, 3);
	plx_clock_set(&r.clock, PLX_NS_PER_S + 6 * MS);
	CU_ASSERT_EQUAL(count_at(&r, 1), 1);
	rig_close(&r);
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
	        T(test_port_without_carrier_loses_what_it_sends_and_receives),
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
	CU_SuiteInfo suites[] = {
	        {"sim: the wire", sim_pool_init, NULL, NULL, NULL, wire},
	        {"sim: the software NIC", NULL, NULL, NULL, NULL, nic},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("plx_test_sim", 128) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
