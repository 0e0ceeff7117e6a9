/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ring_pvt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "plx_bug.h"
#include "plx_ringapp.h"

#define DEPTH_LEAST 64
#define DEPTH_MAX   65536
#define RBUF_MAX    (1u << 24)

bool
plx_ring_prefix_ok(const char *prefix)
{
	return prefix != NULL && prefix[0] != '\0' && strlen(prefix) <= PLX_RING_PREFIX_MAX;
}

int
plx_ring_make(struct rte_ring **out, const char *name, unsigned esize, uint32_t cnt,
              int node, unsigned flags)
{
	*out = rte_ring_create_elem(name, esize, cnt, node, flags);
	if (*out != NULL)
		return 0;
	return rte_errno == EEXIST ? PLX_E_EXIST : PLX_E_NOMEM;
}

static uint32_t
pow2_above(uint32_t n)
{
	uint32_t p = 1;

	while (p <= n)
		p *= 2;
	return p;
}

static int
pair_init(struct plx_pair *p, const char *prefix, uint32_t depth, uint32_t rbuf_max,
          int node)
{
	const struct {
		struct rte_ring **ring;
		const char *name;
		unsigned esize;
		uint32_t cnt;
	} make[] = {
	        {&p->events, "ev", sizeof(struct plx_event), depth},
	        /* Twice: one half for ordinary commands, one that only ends of owners use. */
	        {&p->commands, "cm", sizeof(struct plx_cmd), 2 * depth},
	        {&p->returns, "rt", sizeof(void *), pow2_above(rbuf_max)},
	        {&p->sent, "st", sizeof(void *), depth},
	};
	char name[RTE_RING_NAMESIZE];

	for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++) {
		int rc;

		snprintf(name, sizeof(name), "%s_a%u_w%u_%s", prefix, p->attach->number,
		         p->worker, make[i].name);
		rc = plx_ring_make(make[i].ring, name, make[i].esize, make[i].cnt, node,
		                   RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (rc != 0)
			return rc;
	}
	p->cmd_reserve = depth - 1;
	p->cmd_free = rte_ring_get_capacity(p->commands);
	return 0;
}

int
plx_attach_new(struct plx_attach **out, const char *prefix, uint16_t number,
               uint16_t worker_cnt, uint32_t depth, uint32_t rbuf_max, int node)
{
	struct plx_attach *a;
	size_t sz;

	*out = NULL;
	if (!plx_ring_prefix_ok(prefix) || worker_cnt == 0 ||
	    worker_cnt > PLX_WORKERS_MAX || depth < DEPTH_LEAST || depth > DEPTH_MAX ||
	    (depth & (depth - 1)) != 0 || rbuf_max == 0 || rbuf_max > RBUF_MAX)
		return PLX_E_INVAL;
	sz = sizeof(*a) + worker_cnt * sizeof(a->pair[0]);
	a = rte_zmalloc_socket("plx_attach", sz, PLX_CACHE_LINE, node);
	if (a == NULL)
		return PLX_E_NOMEM;
	a->number = number;
	a->worker_cnt = worker_cnt;
	a->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (a->fd < 0) {
		rte_free(a);
		return PLX_E_NOMEM;
	}
	for (uint16_t w = 0; w < worker_cnt; w++) {
		int rc;

		a->pair[w].attach = a;
		a->pair[w].worker = w;
		rc = pair_init(&a->pair[w], prefix, depth, rbuf_max, node);
		if (rc != 0) {
			plx_attach_free(a);
			return rc;
		}
	}
	*out = a;
	return 0;
}

void
plx_attach_free(struct plx_attach *a)
{
	if (a == NULL)
		return;
	for (uint16_t w = 0; w < a->worker_cnt; w++) {
		struct plx_pair *p = &a->pair[w];
		struct plx_cmd cmd;

		/* What the worker did not come to any more. */
		while (p->commands != NULL &&
		       rte_ring_sc_dequeue_elem(p->commands, &cmd, sizeof(cmd)) == 0)
			plx_cmd_discard(&cmd);
		rte_ring_free(p->events);
		rte_ring_free(p->commands);
		rte_ring_free(p->returns);
		rte_ring_free(p->sent);
		free(p->over);
	}
	close(a->fd);
	rte_free(a);
}

struct plx_pair *
plx_attach_pair(struct plx_attach *a, uint16_t worker)
{
	return worker < a->worker_cnt ? &a->pair[worker] : NULL;
}

void
plx_attach_close(struct plx_attach *a)
{
	atomic_store_explicit(&a->closed, true, memory_order_release);
	plx_events_wake(a);
}

uint16_t
plx_attach_workers(const struct plx_attach *a)
{
	return a->worker_cnt;
}

/*
 * Sleeping and waking. Each side first says what it did, then looks at what the other said:
 *
 *     application                            worker
 *     S0  asleep = true                      W0  tail of a ring (release), or room = true
 *     S1  fence seq_cst                      W1  fence seq_cst
 *     S2  load tails, room                   W2  load asleep; true: write the eventfd
 *
 * S1 pairs with W1: at least one side sees the other's store, so either the application finds
 * the entry and does not sleep, or the worker finds it asleep. Without a fence both loads may be
 * done before both stores, and the wake-up is lost.
 */

static void
signal_fd(const struct plx_attach *a)
{
	uint64_t one = 1;
	ssize_t n;

	/* EAGAIN: the counter is at its end, so the descriptor is readable all the same. */
	do
		n = write(a->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static void
drain_fd(const struct plx_attach *a)
{
	uint64_t cnt;
	ssize_t n;

	do
		n = read(a->fd, &cnt, sizeof(cnt));
	while (n < 0 && errno == EINTR);
}

void
plx_attach_wake(struct plx_attach *a)
{
	rte_atomic_thread_fence(rte_memory_order_seq_cst); /* W1 */
	if (plx_likely(!atomic_load_explicit(&a->asleep, memory_order_relaxed)))
		return;
	/* Of several workers one writes. */
	if (atomic_exchange_explicit(&a->asleep, false, memory_order_relaxed))
		signal_fd(a);
}

void
plx_events_wake(struct plx_attach *a)
{
	atomic_store_explicit(&a->woken, true, memory_order_release);
	signal_fd(a);
}

int
plx_events_fd(const struct plx_attach *a)
{
	return a->fd;
}

static bool
something_waits(struct plx_attach *a)
{
	/* Acquire: pairs with the release store in plx_events_wake(). */
	bool yes = atomic_exchange_explicit(&a->woken, false, memory_order_acquire);

	if (atomic_load_explicit(&a->room, memory_order_relaxed)) {
		atomic_store_explicit(&a->room, false, memory_order_relaxed);
		yes = true;
	}
	for (uint16_t w = 0; w < a->worker_cnt && !yes; w++)
		yes = plx_ring_used(a->pair[w].events) > 0 ||
		      plx_ring_used(a->pair[w].sent) > 0;
	return yes;
}

/* Ends a sleep. A worker may have written in between: the next sleep finds that harmless. */
static void
get_up(struct plx_attach *a)
{
	atomic_store_explicit(&a->asleep, false, memory_order_relaxed);
	a->armed = false;
}

static struct timespec
until(uint64_t left_us)
{
	/* A year is as good as for ever and fits every time_t. */
	if (left_us > UINT64_C(31536000000000))
		left_us = UINT64_C(31536000000000);
	return (struct timespec){
	        .tv_sec = (time_t)(left_us / 1000000),
	        .tv_nsec = (long)(left_us % 1000000) * 1000,
	};
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void over_flush_all(struct plx_attach *a);

int
plx_events_wait(struct plx_attach *a, uint64_t timeout_us)
{
	uint64_t begin = 0, passed;

	if (a->over_any)
		over_flush_all(a);
	/* What came in the meantime needs neither clock nor system call. */
	if (something_waits(a)) {
		get_up(a);
		return 1;
	}
	/* Asleep already, for the application's own epoll, and nobody came. */
	if (timeout_us == 0 && a->armed &&
	    atomic_load_explicit(&a->asleep, memory_order_relaxed))
		return 0;
	if (timeout_us != 0 && timeout_us != UINT64_MAX)
		begin = now_us();
	for (;;) {
		struct pollfd pfd = {.fd = a->fd, .events = POLLIN};
		struct timespec t;
		int rc;

		/* Before asleep is set: what is drained here no longer announces anything. */
		drain_fd(a);
		atomic_store_explicit(&a->asleep, true, memory_order_relaxed); /* S0 */
		rte_atomic_thread_fence(rte_memory_order_seq_cst);             /* S1 */
		if (something_waits(a)) {                                      /* S2 */
			get_up(a);
			return 1;
		}
		if (timeout_us == 0) {
			a->armed = true; /* the application sleeps in its own epoll */
			return 0;
		}
		passed = timeout_us != UINT64_MAX ? now_us() - begin : 0;
		if (passed >= timeout_us) {
			get_up(a);
			return 0;
		}
		t = until(timeout_us - passed);
		rc = ppoll(&pfd, 1, &t, NULL);
		if (rc < 0) {
			get_up(a);
			return something_waits(a);
		}
	}
}

/* Taking. */

uint32_t
plx_events_take(struct plx_attach *a, struct plx_event *ev, uint32_t max)
{
	uint16_t w = a->next;
	uint32_t n = 0;

	if (a->armed)
		get_up(a);
	if (plx_unlikely(a->over_any))
		over_flush_all(a);
	for (uint16_t i = 0; i < a->worker_cnt && n < max; i++) {
		n += rte_ring_sc_dequeue_burst_elem(a->pair[w].events, &ev[n], sizeof(*ev),
		                                    max - n, NULL);
		if (++w == a->worker_cnt)
			w = 0;
	}
	/* The first worker may have filled everything: begin with the next one. */
	if (++a->next == a->worker_cnt)
		a->next = 0;
	return n;
}

uint32_t
plx_sent_take(struct plx_attach *a, struct plx_sbuf **b, uint32_t max)
{
	uint16_t w = a->next_sent;
	uint32_t n = 0;

	if (a->armed)
		get_up(a);
	for (uint16_t i = 0; i < a->worker_cnt && n < max; i++) {
		n += rte_ring_sc_dequeue_burst_elem(a->pair[w].sent, &b[n], sizeof(*b),
		                                    max - n, NULL);
		if (++w == a->worker_cnt)
			w = 0;
	}
	if (++a->next_sent == a->worker_cnt)
		a->next_sent = 0;
	return n;
}

void
plx_rbuf_release(struct plx_attach *a, struct plx_rbuf *b)
{
	int rc;

	PLX_BUG_ON(b->worker >= a->worker_cnt);
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the ring holds pointers */
	rc = rte_ring_sp_enqueue_elem(a->pair[b->worker].returns, &b, sizeof(b));
	/* As deep as the pool: only a buffer released twice finds it full. */
	PLX_BUG_ON(rc != 0);
}

/* Commands. */

static bool
ends_owner(const struct plx_cmd *cmd)
{
	return cmd->type == PLX_CMD_CLOSE || cmd->type == PLX_CMD_STREAM_RESET ||
	       cmd->type == PLX_CMD_STREAM_STOP || cmd->type == PLX_CMD_H3_CANCEL;
}

/* Puts a command while more than `keep` slots stay free. */
static bool
cmd_enqueue(struct plx_pair *p, const struct plx_cmd *cmd, uint32_t keep)
{
	unsigned left;

	/* cmd_free is what the last look at the worker's index said; look again only when short. */
	if (p->cmd_free <= keep) {
		p->cmd_free =
		        rte_ring_get_capacity(p->commands) - plx_ring_used(p->commands);
		if (p->cmd_free <= keep)
			return false;
	}
	if (rte_ring_sp_enqueue_bulk_elem(p->commands, cmd, sizeof(*cmd), 1, &left) == 0)
		return false;
	p->cmd_free = left;
	return true;
}

/*
 * Ends of owners that found even the reserved slots taken wait here, in order, in memory of the
 * application: an owner that is gone cannot try again (S0-23).
 */
static bool
over_push(struct plx_pair *p, const struct plx_cmd *cmd)
{
	if (p->over_cnt == p->over_max && p->over_head > 0) {
		p->over_cnt -= p->over_head;
		memmove(p->over, p->over + p->over_head, p->over_cnt * sizeof(*p->over));
		p->over_head = 0;
	} else if (p->over_cnt == p->over_max) {
		uint32_t max = p->over_max != 0 ? 2 * p->over_max : DEPTH_LEAST;
		struct plx_cmd *v = realloc(p->over, max * sizeof(*v));

		if (v == NULL)
			return false;
		p->over = v;
		p->over_max = max;
	}
	p->over[p->over_cnt++] = *cmd;
	return true;
}

static void
over_flush(struct plx_pair *p)
{
	while (p->over_head < p->over_cnt && cmd_enqueue(p, &p->over[p->over_head], 0))
		p->over_head++;
	if (p->over_head == p->over_cnt)
		p->over_head = p->over_cnt = 0;
}

/*
 * The ring is full. cmd_wanted is stored before the last look at the ring and the worker takes
 * commands before it loads cmd_wanted, with a fence between on both sides: either the look finds
 * room, or the worker finds the wish. The same argument as for sleeping, with plx_pair_cmds().
 */
static void
cmd_want(struct plx_pair *p)
{
	atomic_store_explicit(&p->cmd_wanted, true, memory_order_relaxed);
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
}

static void
over_flush_all(struct plx_attach *a)
{
	a->over_any = false;
	for (uint16_t w = 0; w < a->worker_cnt; w++) {
		struct plx_pair *p = &a->pair[w];

		over_flush(p);
		if (p->over_cnt > 0) {
			cmd_want(p);
			over_flush(p);
		}
		a->over_any |= p->over_cnt > 0;
	}
}

int
plx_cmd_put(struct plx_attach *a, uint16_t worker, const struct plx_cmd *cmd)
{
	struct plx_cmd c = *cmd;
	struct plx_pair *p;

	if (c.type == PLX_CMD_NONE || c.type >= PLX_CMD_CNT)
		return PLX_E_INVAL;
	if (c.type != PLX_CMD_DIAL) {
		if (c.conn.v == 0)
			return PLX_E_INVAL;
		worker = plx_conn_id_worker(c.conn);
	}
	if (worker >= a->worker_cnt)
		return PLX_E_INVAL;
	/* Acquire: pairs with the release store in plx_attach_close(). */
	if (atomic_load_explicit(&a->closed, memory_order_acquire))
		return PLX_E_CLOSED;
	p = &a->pair[worker];
	c.attach = a->number;
	if (plx_unlikely(p->over_cnt > 0))
		over_flush(p);
	if (ends_owner(&c)) {
		if (p->over_cnt == 0 && cmd_enqueue(p, &c, 0))
			return 0;
		if (!over_push(p, &c))
			return PLX_E_FULL; /* the application's heap is exhausted */
		a->over_any = true;
		return 0;
	}
	if (p->over_cnt == 0) {
		if (cmd_enqueue(p, &c, p->cmd_reserve))
			return 0;
		cmd_want(p);
		if (cmd_enqueue(p, &c, p->cmd_reserve))
			return 0;
	}
	return PLX_E_FULL;
}
