/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"

/*
 * A binary min-heap of (deadline, slot); each connection knows its place. Reading the next
 * deadline is one load, moving one costs the logarithm of the connections that have one.
 */

static inline void
place(struct plx_quic *q, uint32_t idx, struct plx_heap_item it)
{
	q->heap[idx] = it;
	q->conns[it.slot].heap_idx = idx;
}

static void
sift_up(struct plx_quic *q, uint32_t idx, struct plx_heap_item it)
{
	while (idx > 0) {
		uint32_t parent = (idx - 1) / 2;

		if (q->heap[parent].when <= it.when)
			break;
		place(q, idx, q->heap[parent]);
		idx = parent;
	}
	place(q, idx, it);
}

static void
sift_down(struct plx_quic *q, uint32_t idx, struct plx_heap_item it)
{
	for (;;) {
		uint32_t child = 2 * idx + 1;

		if (child >= q->heap_cnt)
			break;
		if (child + 1 < q->heap_cnt &&
		    q->heap[child + 1].when < q->heap[child].when)
			child++;
		if (q->heap[child].when >= it.when)
			break;
		place(q, idx, q->heap[child]);
		idx = child;
	}
	place(q, idx, it);
}

void
plx_timer_set(struct plx_conn *c, uint64_t when)
{
	struct plx_quic *q = c->q;
	struct plx_heap_item it = {.when = when, .slot = c->slot};

	if (when == PLX_TIME_NEVER) {
		plx_timer_clear(c);
		return;
	}
	if (c->heap_idx == PLX_HEAP_NONE) {
		c->expiry_ns = when;
		sift_up(q, q->heap_cnt++, it);
		return;
	}
	if (when == c->expiry_ns)
		return;
	if (when < c->expiry_ns)
		sift_up(q, c->heap_idx, it);
	else
		sift_down(q, c->heap_idx, it);
	c->expiry_ns = when;
}

void
plx_timer_clear(struct plx_conn *c)
{
	struct plx_quic *q = c->q;
	uint32_t idx = c->heap_idx;
	struct plx_heap_item last;

	c->expiry_ns = PLX_TIME_NEVER;
	if (idx == PLX_HEAP_NONE)
		return;
	c->heap_idx = PLX_HEAP_NONE;
	last = q->heap[--q->heap_cnt];
	if (idx == q->heap_cnt)
		return;
	if (idx > 0 && q->heap[(idx - 1) / 2].when > last.when)
		sift_up(q, idx, last);
	else
		sift_down(q, idx, last);
}

uint64_t
plx_quic_deadline(const struct plx_quic *q)
{
	uint64_t when = q->heap_cnt > 0 ? q->heap[0].when : PLX_TIME_NEVER;
	uint64_t resume = plx_hold_deadline(q);

	return resume < when ? resume : when;
}

/* One connection whose time has come. */
static void
fire(struct plx_conn *c)
{
	int rv;

	if (c->state == PLX_CONN_CLOSING || c->state == PLX_CONN_DRAINING) {
		plx_conn_free(c);
		return;
	}
	plx_tls_trim(c);
	if (plx_unlikely(plx_hold_any(c)) && plx_hold_fire(c))
		return;
	rv = ngtcp2_conn_handle_expiry(c->nc, c->q->now);
	if (rv != 0)
		plx_conn_fail(c, rv);
	else
		plx_tx_join(c); /* its deadline is read again after it wrote */
}

uint32_t
plx_quic_timers_run(struct plx_quic *q, uint64_t now_ns)
{
	uint32_t fired = 0;

	plx_quic_advance(q, now_ns);
	if (plx_unlikely(q->resume_left > 0))
		fired = plx_hold_run(q);
	while (q->heap_cnt > 0 && q->heap[0].when <= q->now) {
		struct plx_conn *c = &q->conns[q->heap[0].slot];

		plx_timer_clear(c);
		fire(c);
		fired++;
	}
	if (fired > 0)
		plx_obs_add(q->d.obs, PLX_COUNT_timers_fired, fired);
	return fired;
}
