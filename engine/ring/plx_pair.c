/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ring_pvt.h"

#include "plx_recvq.h"

/*
 * Elements moved with one look at the other side's index. A burst per look keeps the line of the
 * indexes with its writer; larger ones would only delay the first event.
 */
#define MOVE_MAX 64

static uint32_t
publish_sent(struct plx_pair *p, struct plx_appside *side)
{
	struct rte_ring_zc_data z;
	uint32_t total = 0;

	while (side->done_head != NULL) {
		unsigned room = rte_ring_enqueue_zc_burst_elem_start(
		        p->sent, sizeof(struct plx_sbuf *), MOVE_MAX, &z, NULL);
		uint32_t n;

		if (room == 0)
			break;
		n = plx_appside_take_done(side, z.ptr1, z.n1);
		if (n == z.n1 && room > z.n1)
			n += plx_appside_take_done(side, z.ptr2, room - z.n1);
		rte_ring_enqueue_zc_elem_finish(p->sent, n);
		total += n;
	}
	return total;
}

/* A source that waits is counted when it begins to wait, not in each turn that finds it there. */
static void
count_deferred(struct plx_pair *p, struct plx_appside *side)
{
	if (side->evq.ready > p->deferred)
		plx_obs_add(side->obs, PLX_COUNT_events_deferred,
		            side->evq.ready - p->deferred);
	p->deferred = side->evq.ready;
}

/* Events are written where the application reads them: filled once, copied once. */
static uint32_t
publish_events(struct plx_pair *p, struct plx_appside *side)
{
	struct rte_ring_zc_data z;
	uint32_t total = 0;

	while (side->evq.head != NULL) {
		unsigned room = rte_ring_enqueue_zc_burst_elem_start(
		        p->events, sizeof(struct plx_event), MOVE_MAX, &z, NULL);
		uint32_t n;

		if (room == 0) {
			count_deferred(p, side);
			break;
		}
		n = plx_evq_publish(&side->evq, z.ptr1, z.n1);
		if (n == z.n1 && room > z.n1)
			n += plx_evq_publish(&side->evq, z.ptr2, room - z.n1);
		rte_ring_enqueue_zc_elem_finish(p->events, n);
		total += n;
	}
	if (side->evq.head == NULL)
		p->deferred = 0;
	if (total > 0)
		plx_obs_add(side->obs, PLX_COUNT_events, total);
	return total;
}

uint32_t
plx_pair_publish(struct plx_pair *p, struct plx_appside *side)
{
	uint32_t n = 0;

	if (side->starved_head != NULL)
		plx_appside_refill(side);
	/* Send buffers first: whoever reads STREAM_CLOSED finds those of the stream there, unless
	 * the ring is full. */
	if (side->done_head != NULL)
		n += publish_sent(p, side);
	if (side->evq.head != NULL)
		n += publish_events(p, side);
	if (n > 0)
		plx_attach_wake(p->attach);
	return n;
}

uint32_t
plx_pair_cmds(struct plx_pair *p, struct plx_cmd *cmd, uint32_t max)
{
	uint32_t n =
	        rte_ring_sc_dequeue_burst_elem(p->commands, cmd, sizeof(*cmd), max, NULL);

	if (n == 0)
		return 0;
	/* Pairs with the fence in cmd_try_last(): room first, then the wish. */
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	if (plx_unlikely(atomic_load_explicit(&p->cmd_wanted, memory_order_relaxed))) {
		atomic_store_explicit(&p->cmd_wanted, false, memory_order_relaxed);
		atomic_store_explicit(&p->attach->room, true, memory_order_relaxed);
		plx_attach_wake(p->attach);
	}
	return n;
}

uint32_t
plx_pair_returns(struct plx_pair *p, struct plx_rbuf **b, uint32_t max)
{
	return rte_ring_sc_dequeue_burst_elem(p->returns, b, sizeof(*b), max, NULL);
}

bool
plx_pair_pending(const struct plx_pair *p)
{
	return plx_ring_used(p->commands) > 0 || plx_ring_used(p->returns) > 0;
}
