/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The impairments of a link of drivers/sim: each does what its numbers say, nothing else, and the
 * same again from the same seed.
 */
#include "sim_rig.h"

#include <math.h>

#include <plx/err.h>

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
	for (uint64_t i = 0; i < 10; i++) {
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

#define T(name) {&#name[5], name}

int
main(void)
{
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
	        {"sim: impairments", sim_pool_init, NULL, NULL, NULL, link},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("plx_test_sim_link", 128) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
