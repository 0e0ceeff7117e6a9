/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <rte_mbuf.h>

#include "plx_rand.h"
#include "plx_ring_fixture.h"
#include "plx_test_eal.h"

#define WORKERS 4
#ifdef PLX_SANITIZE
# define PKTS 20000
#else
# define PKTS 100000
#endif

/* Mailboxes carry pointers: packets of the threaded test are numbers in an array. */
static struct pkt {
	uint16_t src;
	uint32_t no;
} pkt[WORKERS][PKTS];

static struct plx_mailboxes *boxes;
static uint16_t worker_cnt;
static _Atomic uint64_t dropped, received, wrong, senders;

struct worker {
	uint16_t no;
};

/* Sends its packets to all others in turn, in bursts; what does not fit is dropped and counted. */
static void
send_some(struct worker *w, uint32_t *at, struct plx_rand *r)
{
	uint16_t n = (uint16_t)(1 + plx_rand_below(r, 32)), sent;
	uint16_t dst = (uint16_t)plx_rand_below(r, WORKERS - 1);
	struct rte_mbuf *m[32];

	if (dst >= w->no)
		dst++;
	if (n > PKTS - *at)
		n = (uint16_t)(PKTS - *at);
	for (uint16_t i = 0; i < n; i++) {
		struct pkt *p = &pkt[w->no][*at + i];

		p->src = w->no;
		p->no = *at + i;
		m[i] = (struct rte_mbuf *)(void *)p;
	}
	sent = plx_mailbox_put(boxes, w->no, dst, m, n);
	atomic_fetch_add_explicit(&dropped, (uint64_t)(n - sent), memory_order_relaxed);
	*at += n;
}

static bool
take_some(struct worker *w, int64_t *last)
{
	struct rte_mbuf *m[32];
	uint16_t n = plx_mailbox_take(boxes, w->no, m, 32);

	for (uint16_t i = 0; i < n; i++) {
		const struct pkt *p = (const struct pkt *)(const void *)m[i];

		if (p->src == w->no || (int64_t)p->no <= last[p->src])
			atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
		last[p->src] = p->no;
	}
	atomic_fetch_add_explicit(&received, n, memory_order_relaxed);
	return n > 0;
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	int64_t last[WORKERS];
	struct plx_rand r;
	uint32_t at = 0;

	plx_rand_seed(&r, w->no);
	for (int i = 0; i < WORKERS; i++)
		last[i] = -1;
	while (at < PKTS) {
		send_some(w, &at, &r);
		if (!take_some(w, last))
			sched_yield();
	}
	/* Acquire: after the last sender is done nothing comes behind an empty look. */
	atomic_fetch_sub_explicit(&senders, 1, memory_order_acq_rel);
	for (;;) {
		bool over = atomic_load_explicit(&senders, memory_order_acquire) == 0;

		if (!take_some(w, last) && over)
			return NULL;
		sched_yield();
	}
}

static void
threads(uint16_t workers)
{
	struct worker w[WORKERS];
	pthread_t t[WORKERS];

	worker_cnt = workers;
	dropped = received = wrong = 0;
	senders = WORKERS;
	CU_ASSERT_EQUAL_FATAL(plx_mailboxes_new(&boxes, PREFIX, worker_cnt, 256, -1), 0);
	for (uint16_t i = 0; i < WORKERS; i++) {
		w[i].no = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, run, &w[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(received + dropped, (uint64_t)WORKERS * PKTS);
	CU_ASSERT(received > 0);
	plx_mailboxes_free(boxes);
}

static void
test_threads(void)
{
	threads(WORKERS);
}

static void
test_threads_shared(void)
{
	threads(PLX_MAILBOX_SPSC_MAX + 1);
}

static void
test_prefix(void)
{
	struct rte_mbuf *m[200], *got[200];
	uint16_t sent, n = 0, k;

	for (size_t i = 0; i < 200; i++)
		m[i] = (struct rte_mbuf *)(void *)&pkt[0][i];
	CU_ASSERT_EQUAL_FATAL(plx_mailboxes_new(&boxes, PREFIX, 3, 100, -1), 0);
	CU_ASSERT_FALSE(plx_mailbox_pending(boxes, 2));
	sent = plx_mailbox_put(boxes, 0, 2, m, 200);
	CU_ASSERT(sent >= 100 && sent < 200);
	CU_ASSERT_EQUAL(plx_mailbox_put(boxes, 0, 2, m + sent, 1), 0);
	/* Another source and another destination have room of their own. */
	CU_ASSERT_EQUAL(plx_mailbox_put(boxes, 1, 2, m + 199, 1), 1);
	CU_ASSERT_EQUAL(plx_mailbox_put(boxes, 0, 1, m + 198, 1), 1);
	CU_ASSERT_TRUE(plx_mailbox_pending(boxes, 2));
	CU_ASSERT_FALSE(plx_mailbox_pending(boxes, 0));
	while ((k = plx_mailbox_take(boxes, 2, got + n, 32)) > 0) {
		CU_ASSERT(k <= 32);
		n = (uint16_t)(n + k);
	}
	CU_ASSERT_EQUAL(n, sent + 1);
	CU_ASSERT_EQUAL(plx_mailbox_take(boxes, 1, got, 32), 1);
	CU_ASSERT_PTR_EQUAL(got[0], m[198]);
	plx_mailboxes_free(boxes);
}

static void
test_rotation(void)
{
	struct rte_mbuf *m[64], *got[32];
	int seen = 0;

	for (size_t i = 0; i < 64; i++)
		m[i] = (struct rte_mbuf *)(void *)&pkt[0][i];
	CU_ASSERT_EQUAL_FATAL(plx_mailboxes_new(&boxes, PREFIX, 3, 128, -1), 0);
	/* A busy source does not keep a quiet one waiting. */
	plx_mailbox_put(boxes, 2, 1, m + 63, 1);
	for (int i = 0; i < 3; i++) {
		uint16_t n;

		plx_mailbox_put(boxes, 0, 1, m, 32);
		n = plx_mailbox_take(boxes, 1, got, 32);
		for (uint16_t k = 0; k < n; k++)
			seen += got[k] == m[63];
	}
	CU_ASSERT_EQUAL(seen, 1);
	while (plx_mailbox_take(boxes, 1, got, 32) > 0)
		;
	plx_mailboxes_free(boxes);
}

static void
test_life(void)
{
	struct rte_mempool *mp = rte_pktmbuf_pool_create("mbox", 255, 0, 0, 128, -1);
	struct plx_mailboxes *other;
	struct rte_mbuf *m[64];

	CU_ASSERT_PTR_NOT_NULL_FATAL(mp);
	for (uint16_t workers = 2; workers <= PLX_MAILBOX_SPSC_MAX + 1;
	     workers = (uint16_t)(workers + 5)) {
		CU_ASSERT_EQUAL_FATAL(plx_mailboxes_new(&boxes, PREFIX, workers, 64, -1),
		                      0);
		CU_ASSERT_EQUAL(plx_mailboxes_new(&other, PREFIX, workers, 64, -1),
		                PLX_E_EXIST);
		CU_ASSERT_PTR_NULL(other);
		CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(mp, m, 64), 0);
		CU_ASSERT_EQUAL(plx_mailbox_put(boxes, 0, 1, m, 32), 32);
		CU_ASSERT_EQUAL(plx_mailbox_put(boxes, 1, 0, m + 32, 32), 32);
		plx_mailboxes_free(boxes);
		CU_ASSERT_EQUAL(rte_mempool_avail_count(mp), 255);
	}
	CU_ASSERT_EQUAL(plx_mailboxes_new(&boxes, PREFIX, 1, 64, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_mailboxes_new(&boxes, PREFIX, PLX_WORKERS_MAX + 1, 64, -1),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_mailboxes_new(&boxes, PREFIX, 2, 1, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_mailboxes_new(&boxes, PREFIX, PLX_WORKERS_MAX, 65535, -1),
	                PLX_E_NOMEM);
	CU_ASSERT_PTR_NULL(boxes);
	plx_mailboxes_free(NULL);
	rte_mempool_free(mp);
}

static CU_TestInfo tests[] = {
        {"packets between workers keep their order, every drop is counted", test_threads},
        {"the same with one ring per destination", test_threads_shared},
        {"a full mailbox takes a prefix and leaves the others alone", test_prefix},
        {"sources take turns", test_rotation},
        {"what is still in a mailbox is freed with it, names are unique", test_life},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"mailbox", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	plx_test_eal("mailbox", 64);
	return plx_test_main(suites);
}
