/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "plx_rand.h"
#include "plx_ring_fixture.h"
#include "plx_test_eal.h"

#ifdef PLX_SANITIZE
# define SCALE 10
#else
# define SCALE 1
#endif
#define SOURCES 16
#define EVENTS  (400000 / SCALE) /* in all */
#define CMDS    (200000 / SCALE)
#define ROUNDS  (100000 / SCALE)
#define STUCK_US \
	(UINT64_C(20) * 1000 * 1000) /* nothing waits that long but a lost wake-up */

static struct fix fix;
static struct plx_attach *attach;
static struct num src[SOURCES];
static struct plx_sbuf sbuf[DEPTH];

/* A worker: takes commands and returns, gives each command's send buffer back, publishes. */
static void *
worker(void *arg)
{
	struct plx_pair *p = plx_attach_pair(attach, 0);
	uint64_t cmds = 0, owed = 0, *bad = arg;
	struct plx_rand r;

	plx_rand_seed(&r, 5);
	while (cmds < CMDS || owed < EVENTS || fix.side.evq.head != NULL ||
	       fix.side.done_head != NULL) {
		struct plx_cmd cmd[32];
		struct plx_rbuf *b[32];
		uint32_t n = plx_pair_cmds(p, cmd, 32), m;

		for (uint32_t i = 0; i < n; i++) {
			*bad += cmd[i].user != cmds++;
			plx_appside_done(&fix.side, cmd[i].ptr);
		}
		m = plx_pair_returns(p, b, 32);
		for (uint32_t i = 0; i < m; i++)
			plx_rbuf_give(fix.pool, b[i]);
		/* A source that found no buffer tries again now. */
		for (int i = 0; i < SOURCES && m > 0; i++)
			if (src[i].ev.mask != 0)
				plx_evq_mark(&fix.side.evq, &src[i].ev, 0);
		for (int i = 0; i < 8 && owed < EVENTS; i++, owed++)
			num_owe(&fix, &src[plx_rand_below(&r, SOURCES)], 1);
		if (plx_pair_publish(p, &fix.side) + n + m == 0)
			sched_yield();
	}
	/* Sources without a buffer wait for the reader. */
	for (;;) {
		struct plx_rbuf *b[32];
		uint32_t m = plx_pair_returns(p, b, 32), left = 0;

		for (uint32_t i = 0; i < m; i++)
			plx_rbuf_give(fix.pool, b[i]);
		for (int i = 0; i < SOURCES; i++) {
			left += src[i].ev.mask != 0;
			plx_evq_mark(&fix.side.evq, &src[i].ev, 0);
		}
		plx_pair_publish(p, &fix.side);
		if (left == 0 && plx_rbufpool_level(fix.pool) == 256)
			return NULL;
		sched_yield();
	}
}

static void
test_exactly_once(void)
{
	uint64_t next[SOURCES] = {0}, worker_bad = 0, bad = 0;
	uint64_t events = 0, put = 0, back = 0;
	struct plx_sbuf *free_list = NULL;
	pthread_t t;

	PLX_COVERS("S0-22", "S0-52");
	fix_init(&fix, 0);
	CU_ASSERT_EQUAL_FATAL(
	        plx_attach_new(&attach, PREFIX, 0, 1, DEPTH, fix.rbuf_max, -1), 0);
	for (int i = 0; i < SOURCES; i++) {
		num_init(&src[i], i);
		src[i].pool = i % 2 ? fix.pool : NULL;
	}
	for (int i = 0; i < DEPTH; i++) {
		sbuf[i].next = free_list;
		free_list = &sbuf[i];
	}
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, worker, &worker_bad), 0);
	while (events < EVENTS || back < CMDS) {
		struct plx_event ev[32];
		struct plx_sbuf *b[32];
		uint32_t n = plx_events_take(attach, ev, 32), m;
		bool moved = n > 0;

		for (uint32_t i = 0; i < n; i++) {
			bad += ev[i].code != next[ev[i].stream_id]++;
			if (ev[i].buf != NULL) {
				bad += memcmp(ev[i].buf->data, &ev[i].code, 8) != 0;
				plx_rbuf_release(attach, ev[i].buf);
			}
		}
		events += n;
		m = plx_sent_take(attach, b, 32);
		for (uint32_t i = 0; i < m; i++) {
			bad += b[i]->user != back++;
			b[i]->next = free_list;
			free_list = b[i];
		}
		while (free_list != NULL && put < CMDS) {
			struct plx_cmd c = cmd_of(PLX_CMD_STREAM_SEND, 0, put);
			struct plx_sbuf *rest = free_list->next;

			c.ptr = free_list;
			free_list->user = put;
			free_list->next = NULL; /* the worker's from here on */
			if (plx_cmd_put(attach, 0, &c) != 0) {
				free_list->next = rest;
				break;
			}
			free_list = rest;
			put++;
			moved = true;
		}
		if (!moved && m == 0 && plx_events_wait(attach, STUCK_US) == 0) {
			bad++;
			break;
		}
	}
	CU_ASSERT_EQUAL_FATAL(bad, 0); /* else the worker may never end */
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(worker_bad, 0);
	CU_ASSERT_EQUAL(events, EVENTS);
	CU_ASSERT_EQUAL(put, CMDS);
	CU_ASSERT_EQUAL(back, CMDS);
	plx_attach_free(attach);
	fix_fini(&fix);
}

/* Answers each command with one event, after a pause that varies around falling asleep. */
static void *
echo(void *arg)
{
	struct plx_pair *p = plx_attach_pair(attach, 0);
	struct plx_rand r;

	(void)arg;
	plx_rand_seed(&r, 9);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct plx_cmd cmd;

		while (plx_pair_cmds(p, &cmd, 1) == 0)
			sched_yield();
		for (uint64_t i = plx_rand_below(&r, 20000); i > 0; i--)
			__asm__ volatile("" ::: "memory");
		num_owe(&fix, &src[0], 1);
		plx_pair_publish(p, &fix.side);
	}
	return NULL;
}

static void
test_wake(void)
{
	struct timespec begin, end;
	uint32_t round;
	pthread_t t;

	PLX_COVERS("S0-22");
	fix_init(&fix, 0);
	CU_ASSERT_EQUAL_FATAL(
	        plx_attach_new(&attach, PREFIX, 0, 1, DEPTH, fix.rbuf_max, -1), 0);
	num_init(&src[0], 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, echo, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (round = 0; round < ROUNDS; round++) {
		struct plx_cmd c = cmd_of(PLX_CMD_SET_USER, 0, round);
		struct plx_event ev;

		CU_ASSERT_EQUAL_FATAL(plx_cmd_put(attach, 0, &c), 0);
		while (plx_events_take(attach, &ev, 1) == 0)
			if (plx_events_wait(attach, STUCK_US) == 0)
				goto stuck;
		CU_ASSERT_EQUAL_FATAL(ev.code, round);
	}
stuck:
	clock_gettime(CLOCK_MONOTONIC, &end);
	CU_ASSERT_EQUAL_FATAL(round, ROUNDS);
	pthread_join(t, NULL);
	printf("%u rounds in %.1f s ", ROUNDS,
	       (double)(end.tv_sec - begin.tv_sec) +
	               1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
	plx_attach_free(attach);
	fix_fini(&fix);
}

/* Takes a few commands whenever the application says that it sleeps on a full ring. */
static void *
slow_taker(void *arg)
{
	struct plx_pair *p = plx_attach_pair(attach, 0);
	uint64_t *bad = arg, taken = 0;

	while (taken < ROUNDS) {
		struct plx_cmd cmd[8];
		uint32_t n = plx_pair_cmds(p, cmd, 8);

		for (uint32_t i = 0; i < n; i++)
			*bad += cmd[i].user != taken++;
		sched_yield();
	}
	return NULL;
}

static void
test_back_pressure(void)
{
	uint64_t bad = 0, waits = 0, put = 0;
	pthread_t t;

	PLX_COVERS("S0-22", "S0-23");
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&attach, PREFIX, 0, 1, DEPTH, 100, -1), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, slow_taker, &bad), 0);
	while (put < ROUNDS) {
		struct plx_cmd c =
		        cmd_of(put % 5 ? PLX_CMD_SET_USER : PLX_CMD_CLOSE, 0, put);

		if (plx_cmd_put(attach, 0, &c) == 0) {
			put++;
			continue;
		}
		waits++;
		CU_ASSERT_EQUAL_FATAL(plx_events_wait(attach, STUCK_US), 1);
	}
	/* What waits behind the ring goes when the worker makes room. */
	while (plx_events_wait(attach, 50000) == 1)
		;
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(waits > 0);
	plx_attach_free(attach);
}

static CU_TestInfo tests[] = {
        {"events, commands and buffers cross two threads exactly once, in order",
         test_exactly_once},
        {"no wake-up is lost", test_wake},
        {"commands meet a slow worker and arrive in order", test_back_pressure},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"pair", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	plx_test_eal("pair", 64);
	return plx_test_main(suites);
}
