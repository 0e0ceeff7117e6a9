/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames go round between threads for a million hops; each hop writes to the frame, so that
 * ThreadSanitizer sees whether a ring hands over what was written. The frames are allocated
 * before the threads start and freed after they ended, since the sanitizer cannot see into the
 * rings of the pool.
 */
#include "plx_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <plx/err.h>

#include <rte_mempool.h>

#include "drv_frames.h"
#include "plx_sim.h"
#include "plx_test_eal.h"

#define HOPS    1000000
#define FRAMES  512
#define QUEUES  2
#define THREADS (2 * QUEUES)

static struct rte_mempool *pool;

struct turn {
	pthread_t thread;
	struct plx_pio *port;
	uint16_t queue;
	uint64_t hops;         /**< frames received and sent on by this thread */
	_Atomic uint64_t *all; /**< by all threads */
	_Atomic bool *stop;
	/* Frames that the wire did not take. */
	struct rte_mbuf *hold[FRAMES];
	uint32_t hold_cnt;
};

static uint64_t *
hops_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, uint64_t *, 42 + 8 + 6);
}

static void *
work(void *arg)
{
	struct turn *t = arg;
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t n, sent;

	while (!atomic_load_explicit(t->stop, memory_order_relaxed)) {
		n = plx_pio_rx(t->port, t->queue, m, PLX_BURST_MAX);
		for (uint16_t i = 0; i < n; i++)
			(*hops_of(m[i]))++;
		t->hops += n;
		atomic_fetch_add_explicit(t->all, n, memory_order_relaxed);
		memcpy(&t->hold[t->hold_cnt], m, n * sizeof(*m));
		t->hold_cnt += n;
		n = (uint16_t)RTE_MIN(t->hold_cnt, (uint32_t)PLX_BURST_MAX);
		sent = n != 0 ? plx_pio_tx(t->port, t->queue, t->hold, n) : 0;
		t->hold_cnt -= sent;
		memmove(t->hold, &t->hold[sent], t->hold_cnt * sizeof(*t->hold));
		if (sent == 0)
			sched_yield();
	}
	return NULL;
}

/** Lets frames go round. @return hops that the frames themselves counted, lost frames in *lost */
static uint64_t
go_round(const struct plx_sim_cfg *cfg, uint64_t hops, uint64_t *lost)
{
	struct turn *t = calloc(THREADS, sizeof(*t));
	_Atomic uint64_t all = 0;
	_Atomic bool stop = false;
	struct frame f = FRAME_DEFAULT;
	struct rte_mbuf *m;
	struct plx_sim *sim;
	struct plx_pio *port[2];
	struct plx_sim_stats s;
	uint64_t in_frames = 0, by_threads = 0, left = 0;
	uint32_t cnt = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL_FATAL(plx_sim_new(&sim, cfg), 0);
	for (uint16_t i = 0; i < 2; i++)
		port[i] = plx_sim_port(sim, i);
	for (uint16_t i = 0; i < THREADS; i++) {
		t[i].port = port[i / QUEUES];
		t[i].queue = i % QUEUES;
		t[i].all = &all;
		t[i].stop = &stop;
	}
	for (; cnt < FRAMES; cnt++) {
		f.sport = (uint16_t)(1000 + cnt * 7);
		m = frame_make(pool, &f);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		*hops_of(m) = 0;
		CU_ASSERT_EQUAL_FATAL(plx_pio_tx(port[cnt & 1], cnt / 2 % QUEUES, &m, 1),
		                      1);
	}
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i].thread, NULL, work, &t[i]), 0);
	while (atomic_load_explicit(&all, memory_order_relaxed) < hops) {
		plx_sim_get_stats(sim, 0, &s);
		sched_yield();
	}
	atomic_store_explicit(&stop, true, memory_order_relaxed);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i].thread, NULL);

	for (int i = 0; i < THREADS; i++) {
		by_threads += t[i].hops;
		for (uint32_t k = 0; k < t[i].hold_cnt; k++) {
			in_frames += *hops_of(t[i].hold[k]);
			rte_pktmbuf_free(t[i].hold[k]);
			left++;
		}
	}
	for (int round = 0; round < 1000 && left < cnt; round++) {
		for (int i = 0; i < THREADS; i++) {
			while (plx_pio_rx(t[i].port, t[i].queue, &m, 1) == 1) {
				in_frames += *hops_of(m);
				rte_pktmbuf_free(m);
				left++;
			}
		}
		usleep(100);
	}
	CU_ASSERT_EQUAL(atomic_load(&all), by_threads);
	*lost = cnt - left;
	for (uint16_t i = 0; i < 2; i++)
		port[i]->ops->close(port[i]);
	plx_sim_free(sim);
	CU_ASSERT_TRUE(rte_mempool_full(pool));
	free(t);
	return by_threads - in_frames;
}

static void
test_a_million_frames_between_threads(void)
{
	struct plx_sim_cfg cfg = {.ports = 2, .queues = {QUEUES, QUEUES}, .seed = 1};
	uint64_t lost;

	cfg.pool = pool;
	cfg.ring_cnt = 128;
	CU_ASSERT_EQUAL(go_round(&cfg, HOPS, &lost), 0);
	CU_ASSERT_EQUAL(lost, 0);
}

#ifndef PLX_TSAN
/* The sanitizer cannot follow DPDK's multi-producer rings: see drivers/sim/plx_sim_pvt.h. */
static void
test_shared_rings_between_threads(void)
{
	/* More queues than threads poll would leave frames lying: the NIC uses the first two. */
	struct plx_sim_cfg cfg = {.ports = 2,
	                          .queues = {16, 16},
	                          .seed = 1,
	                          .spread = {PLX_SIM_SPREAD_PEER, PLX_SIM_SPREAD_PEER}};
	uint64_t lost;

	cfg.pool = pool;
	CU_ASSERT_EQUAL(go_round(&cfg, HOPS / 5, &lost), 0);
	CU_ASSERT_EQUAL(lost, 0);
}
#endif

static void
test_impaired_frames_between_threads(void)
{
	struct plx_sim_cfg cfg = {.ports = 2, .queues = {QUEUES, QUEUES}, .seed = 1};
	uint64_t lost;

	cfg.pool = pool;
	cfg.to[0] = (struct plx_sim_link){.rate_Bps = UINT64_C(1) << 30, .jitter_ns = 2000};
	cfg.to[1] = (struct plx_sim_link){
	        .delay_ns = 1000, .reorder_ppm = 1000, .reorder_ns = 5000};
	CU_ASSERT_EQUAL(go_round(&cfg, HOPS / 10, &lost), 0);
	CU_ASSERT_EQUAL(lost, 0);
}

static int
suite_init(void)
{
	cpu_set_t cpus;

	/* EAL pinned this thread; its children go where there is room. */
	memset(&cpus, 0xff, sizeof(cpus));
	sched_setaffinity(0, sizeof(cpus), &cpus);
	pool = rte_pktmbuf_pool_create("threads_pool", 2047, 0, 0,
	                               RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	return pool == NULL;
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a million frames go round between four threads and none is lost",
	         test_a_million_frames_between_threads},
#ifndef PLX_TSAN
	        {"rings shared by many senders lose nothing",
	         test_shared_rings_between_threads},
#endif
	        {"impaired queues of one port may be polled by different threads",
	         test_impaired_frames_between_threads},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"sim: threads", suite_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("plx_test_sim_threads", 32) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
