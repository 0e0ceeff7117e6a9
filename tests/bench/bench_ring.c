/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hand-over costs: a mailbox from worker to worker, events from worker to application, commands
 * back. Two threads, each pinned to a core of its own. Every call that moved something is timed;
 * the median over all calls, divided by what the call moved, is what one side pays, cache misses
 * on the other side's lines included and time in which the machine ran something else not. A turn
 * of a worker is about a microsecond of other work between two calls. Medians of 5.
 *
 *     ring case=mailbox put_ns=… take_ns=… sum_ns=…   per packet, bursts of 32
 *     ring case=mailbox_shared …                       the same, one ring per destination
 *     ring case=event …                                worker to application, per event
 *     ring case=command …                              application to worker, one at a time
 *
 * Arguments: two cores, default 0 and 1.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "plx_ring.h"
#include "plx_test_eal.h"

#define BURST   32
#define ITEMS   (UINT64_C(1) << 20)
/** Other work between two calls, ns. */
#define TURN_NS 1000
#define ROUNDS  5

static int core[2] = {0, 1};
static _Atomic int gate;
static struct plx_mailboxes *boxes;
static struct plx_attach *attach;
static struct plx_appside side;
static struct plx_obs obs;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		fprintf(stderr, "core %d is not ours; the thread is not pinned\n", cpu);
}

/* Both threads begin together. */
static void
meet(void)
{
	int turn = atomic_fetch_add(&gate, 1) / 2;

	while (atomic_load(&gate) < 2 * (turn + 1))
		rte_pause();
}

/* What one side paid, per item, call by call. */
struct cost {
	double ns[ITEMS];
	size_t cnt;
};
static struct cost put_cost, take_cost;
static double ns_per_tick;

static void
account(struct cost *c, uint64_t ticks, uint64_t items)
{
	c->ns[c->cnt++] = (double)ticks * ns_per_tick / (double)items;
}

static int
cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t cnt)
{
	qsort(v, cnt, sizeof(*v), cmp);
	return v[cnt / 2];
}

static void
other_work(void)
{
	uint64_t end = rte_rdtsc() + (uint64_t)(TURN_NS / ns_per_tick);

	while (rte_rdtsc() < end)
		rte_pause();
}

/* One call, timed; op is inlined into it. @return items */
static __rte_always_inline uint64_t
timed(struct cost *c, uint32_t (*op)(void *arg), void *arg)
{
	uint64_t begin = rte_rdtsc();
	uint32_t n = op(arg);

	if (n > 0)
		account(c, rte_rdtsc() - begin, n);
	return n;
}

static __rte_always_inline void
run(struct cost *c, uint32_t (*op)(void *arg), void *arg)
{
	meet();
	for (uint64_t n = 0; n < ITEMS;) {
		n += timed(c, op, arg);
		other_work();
	}
}

static uint32_t
mailbox_put_op(void *m)
{
	return plx_mailbox_put(boxes, 1, 0, m, BURST);
}

static void *
mailbox_put(void *arg)
{
	static uint64_t pkt[BURST];
	struct rte_mbuf *m[BURST];

	(void)arg;
	pin(core[1]);
	for (int i = 0; i < BURST; i++)
		m[i] = (struct rte_mbuf *)(void *)&pkt[i];
	run(&put_cost, mailbox_put_op, m);
	return NULL;
}

static uint32_t
mailbox_take_op(void *m)
{
	return plx_mailbox_take(boxes, 0, m, BURST);
}

static void
mailbox_take(void)
{
	struct rte_mbuf *m[BURST];

	run(&take_cost, mailbox_take_op, m);
}

/* A source that always has one more event. */
static uint64_t left;

static bool
next_event(struct plx_evsrc *src, struct plx_event *ev)
{
	ev->type = PLX_EV_STREAM_DATA;
	ev->stream_id = 4;
	ev->code = left;
	if (--left == 0)
		src->mask = 0;
	return true;
}

static uint32_t
event_put_op(void *p)
{
	return plx_pair_publish(p, &side);
}

static void *
event_put(void *arg)
{
	struct plx_pair *p = plx_attach_pair(attach, 0);
	struct plx_evsrc src[8];

	(void)arg;
	pin(core[1]);
	plx_evq_init(&side.evq);
	side.obs = &obs;
	for (int i = 0; i < 8; i++)
		plx_evsrc_init(&src[i], next_event, NULL);
	meet();
	for (uint64_t n = 0; n < ITEMS;) {
		left = BURST;
		plx_evq_mark(&side.evq, &src[(n / BURST) % 8], 1);
		while (left > 0) {
			n += timed(&put_cost, event_put_op, p);
			other_work();
		}
	}
	return NULL;
}

static uint32_t
event_take_op(void *ev)
{
	return plx_events_take(attach, ev, BURST);
}

static void
event_take(void)
{
	struct plx_event ev[BURST];

	run(&take_cost, event_take_op, ev);
}

static uint32_t
cmd_put_op(void *c)
{
	uint32_t put = 0;

	while (put < BURST && plx_cmd_put(attach, 0, c) == 0)
		put++;
	return put;
}

static void *
cmd_put(void *arg)
{
	struct plx_cmd c = {.type = PLX_CMD_SET_USER, .conn = plx_conn_id_make(0, 1, 1)};

	(void)arg;
	pin(core[1]);
	run(&put_cost, cmd_put_op, &c);
	return NULL;
}

static uint32_t
cmd_take_op(void *c)
{
	return plx_pair_cmds(plx_attach_pair(attach, 0), c, BURST);
}

static void
cmd_take(void)
{
	struct plx_cmd c[BURST];

	run(&take_cost, cmd_take_op, c);
}

static void
measure(const char *name, void *(*put)(void *arg), void (*take)(void))
{
	double p[ROUNDS], t[ROUNDS], sum[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread;

		put_cost.cnt = take_cost.cnt = 0;
		if (pthread_create(&thread, NULL, put, NULL) != 0)
			exit(EXIT_FAILURE);
		take();
		pthread_join(thread, NULL);
		p[i] = median(put_cost.ns, put_cost.cnt);
		t[i] = median(take_cost.ns, take_cost.cnt);
		sum[i] = p[i] + t[i];
	}
	printf("ring case=%s put_ns=%.1f take_ns=%.1f sum_ns=%.1f\n", name,
	       median(p, ROUNDS), median(t, ROUNDS), median(sum, ROUNDS));
}

/* The producer may be a burst ahead at the end; what is in the rings are no real packets, and
 * plx_mailboxes_free() would give them to a pool. */
static void
empty_boxes(void)
{
	struct rte_mbuf *m[BURST];

	while (plx_mailbox_take(boxes, 0, m, BURST) > 0)
		;
	plx_mailboxes_free(boxes);
}

int
main(int argc, char **argv)
{
	if (argc == 3) {
		core[0] = atoi(argv[1]);
		core[1] = atoi(argv[2]);
	}
	if (plx_test_eal("bench_ring", 64) != 0)
		return EXIT_FAILURE;
	pin(core[0]);
	ns_per_tick = 1e9 / (double)rte_get_tsc_hz();

	if (plx_mailboxes_new(&boxes, "bench", 4, 1023, -1) != 0)
		return EXIT_FAILURE;
	measure("mailbox", mailbox_put, mailbox_take);
	empty_boxes();

	if (plx_mailboxes_new(&boxes, "bench", PLX_MAILBOX_SPSC_MAX + 1, 1023, -1) != 0)
		return EXIT_FAILURE;
	measure("mailbox_shared", mailbox_put, mailbox_take);
	empty_boxes();

	if (plx_attach_new(&attach, "bench", 0, 1, 1024, 1024, -1) != 0)
		return EXIT_FAILURE;
	measure("event", event_put, event_take);
	measure("command", cmd_put, cmd_take);
	plx_attach_free(attach);
	return EXIT_SUCCESS;
}
