/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include <plx/err.h>

#include <rte_byteorder.h>
#include <rte_udp.h>

#include "plx_bug.h"
#include "plx_sim_pvt.h"

#define PPM_ONE            1000000
/** Frames that wait for the rate when the configuration does not say: 12 ms at 1 Gbit/s. */
#define QUEUE_PKTS_DEFAULT 1000
/** Bytes of the payload in which quic-network-simulator corrupts: the QUIC header is there. */
#define CORRUPT_SPAN       50

/** A draw of 32 bits is below this with the probability given. */
static uint64_t
bound_of(uint32_t ppm)
{
	return ((uint64_t)ppm << 32) / PPM_ONE;
}

static bool
happens(struct plx_rand *r, uint64_t bound)
{
	return bound != 0 && plx_rand_u64(r) >> 32 < bound;
}

int
plx_sim_link_check(const struct plx_sim_link *c)
{
	if (c->loss_ppm > PPM_ONE || c->burst_enter_ppm > PPM_ONE ||
	    c->burst_leave_ppm > PPM_ONE || c->burst_loss_ppm > PPM_ONE ||
	    c->reorder_ppm > PPM_ONE || c->dup_ppm > PPM_ONE || c->corrupt_ppm > PPM_ONE ||
	    c->drop_cnt > PLX_SIM_DROPS_MAX || c->corrupt_how > PLX_SIM_CORRUPT_ANY)
		return PLX_E_INVAL;
	if (c->hole_period_ns != 0 && c->hole_period_ns < c->hole_len_ns)
		return PLX_E_INVAL;
	for (uint32_t i = 1; i < c->drop_cnt; i++)
		if (c->drop_idx[i] <= c->drop_idx[i - 1])
			return PLX_E_INVAL;
	return 0;
}

static bool
impairs(const struct plx_sim_link *c)
{
	return c->rate_Bps != 0 || c->delay_ns != 0 || c->jitter_ns != 0 ||
	       c->loss_ppm != 0 || c->burst_enter_ppm != 0 || c->reorder_ppm != 0 ||
	       c->dup_ppm != 0 || c->corrupt_ppm != 0 || c->mtu != 0 ||
	       c->hole_len_ns != 0 || c->drop_cnt != 0;
}

int
plx_sim_link_set(struct plx_simlink *l, const struct plx_sim_link *cfg, uint32_t flights)
{
	uint32_t waits = cfg->queue_pkts != 0 ? cfg->queue_pkts : QUEUE_PKTS_DEFAULT;
	bool on = impairs(cfg);
	uint64_t *depart = NULL;

	if (on && l->heap == NULL) {
		l->heap = calloc(flights, sizeof(*l->heap));
		if (l->heap == NULL)
			return PLX_E_NOMEM;
		l->heap_cap = flights;
	}
	if (cfg->rate_Bps != 0) {
		depart = calloc(waits, sizeof(*depart));
		if (depart == NULL)
			return PLX_E_NOMEM;
	}
	free(l->depart);
	l->depart = depart;
	l->depart_cap = depart != NULL ? waits : 0;
	l->depart_head = 0;
	l->depart_cnt = 0;
	l->byte_q32 = cfg->rate_Bps != 0 ? (PLX_NS_PER_S << 32) / cfg->rate_Bps : 0;

	l->cfg = *cfg;
	/* Frames under way must still come out: an emptied link stays on until it is empty. */
	l->on = on || l->heap_cnt != 0;
	l->drop_next = 0;
	while (l->drop_next < cfg->drop_cnt && cfg->drop_idx[l->drop_next] < l->arrived)
		l->drop_next++;
	l->bound = (struct plx_sim_bounds){
	        .loss = bound_of(cfg->loss_ppm),
	        .enter = bound_of(cfg->burst_enter_ppm),
	        .leave = bound_of(cfg->burst_leave_ppm),
	        .burst_loss = bound_of(cfg->burst_loss_ppm),
	        .reorder = bound_of(cfg->reorder_ppm),
	        .dup = bound_of(cfg->dup_ppm),
	        .corrupt = bound_of(cfg->corrupt_ppm),
	};
	return 0;
}

void
plx_sim_link_fini(struct plx_simlink *l)
{
	for (uint32_t i = 0; i < l->heap_cnt; i++)
		rte_pktmbuf_free(l->heap[i].m);
	free(l->heap);
	free(l->depart);
	l->heap = NULL;
	l->depart = NULL;
	l->heap_cnt = 0;
}

static bool
before(const struct plx_flight *a, const struct plx_flight *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void
heap_push(struct plx_simlink *l, uint64_t at_ns, struct rte_mbuf *m)
{
	struct plx_flight f = {.at_ns = at_ns, .seq = l->seq++, .m = m};
	uint32_t i = l->heap_cnt++, up;

	for (; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(&f, &l->heap[up]))
			break;
		l->heap[i] = l->heap[up];
	}
	l->heap[i] = f;
}

static struct rte_mbuf *
heap_pop(struct plx_simlink *l)
{
	struct rte_mbuf *m = l->heap[0].m;
	struct plx_flight last = l->heap[--l->heap_cnt];
	uint32_t i = 0, down;

	for (;; i = down) {
		down = 2 * i + 1;
		if (down >= l->heap_cnt)
			break;
		if (down + 1 < l->heap_cnt && before(&l->heap[down + 1], &l->heap[down]))
			down++;
		if (!before(&l->heap[down], &last))
			break;
		l->heap[i] = l->heap[down];
	}
	l->heap[i] = last;
	return m;
}

static bool
in_hole(const struct plx_sim_link *c, uint64_t since_ns)
{
	uint64_t t;

	if (c->hole_len_ns == 0 || since_ns < c->hole_start_ns)
		return false;
	t = since_ns - c->hole_start_ns;
	if (c->hole_period_ns != 0)
		t %= c->hole_period_ns;
	return t < c->hole_len_ns;
}

static bool
loses(struct plx_simlink *l)
{
	if (l->bad ? happens(&l->rand, l->bound.leave) : happens(&l->rand, l->bound.enter))
		l->bad = !l->bad;
	return happens(&l->rand, l->bad ? l->bound.burst_loss : l->bound.loss);
}

/** Why a frame does not even enter the line; PLX_DROP_NONE when it does. */
static enum plx_drop
refuse(struct plx_sim *sim, struct plx_simlink *l, const struct rte_mbuf *m, uint64_t stamp)
{
	uint64_t n = l->arrived++;

	if (l->drop_next < l->cfg.drop_cnt && l->cfg.drop_idx[l->drop_next] == n) {
		l->drop_next++;
		return PLX_DROP_SIM_LIST;
	}
	if (l->cfg.mtu != 0 && m->pkt_len > (uint32_t)l->cfg.mtu + RTE_ETHER_HDR_LEN)
		return PLX_DROP_SIM_MTU;
	if (in_hole(&l->cfg, stamp - RTE_MIN(stamp, sim->start_ns)))
		return PLX_DROP_SIM_HOLE;
	if (loses(l))
		return PLX_DROP_SIM_LOSS;
	return PLX_DROP_NONE;
}

static uint8_t *
byte_at(struct rte_mbuf *m, uint32_t off)
{
	while (off >= m->data_len) {
		off -= m->data_len;
		m = m->next;
	}
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

/** Corrects a UDP checksum for one byte that changed. RFC 1624 equation 3. */
static void
fix_cksum(struct rte_mbuf *m, uint32_t udp_off, uint32_t off, uint8_t was, uint8_t is)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, udp_off);
	unsigned shift = (off - udp_off) % 2 == 0 ? 8 : 0;
	uint32_t sum;

	if (udp->dgram_cksum == 0)
		return;
	sum = (uint16_t)~rte_be_to_cpu_16(udp->dgram_cksum);
	sum += (uint16_t)~((uint32_t)was << shift);
	sum += (uint32_t)is << shift;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (uint16_t)~sum;
	udp->dgram_cksum = rte_cpu_to_be_16(sum != 0 ? (uint16_t)sum : UINT16_MAX);
}

/** Whether nobody else can see the frame's bytes. */
static bool
exclusive(const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next)
		if (rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m))
			return false;
	return true;
}

/** Changes one byte. @return the frame, another one when m was shared, NULL without a buffer. */
static struct rte_mbuf *
corrupt(struct plx_sim *sim, struct plx_simq *q, struct rte_mbuf *m)
{
	struct plx_simlink *l = &q->link;
	uint32_t udp_off = 0, first = 0, span = m->pkt_len;
	struct rte_mbuf *copy;
	uint32_t off;
	uint8_t *b, was;

	if (l->cfg.corrupt_how == PLX_SIM_CORRUPT_PAYLOAD) {
		first = plx_sim_nic_payload(m, &udp_off);
		span = first != 0 ? RTE_MIN(m->pkt_len - first, (uint32_t)CORRUPT_SPAN) : 0;
	}
	if (span == 0)
		return m;
	if (!exclusive(m)) {
		copy = rte_pktmbuf_copy(m, sim->pool, 0, UINT32_MAX);
		rte_pktmbuf_free(m);
		if (copy == NULL)
			return NULL;
		m = copy;
	}
	off = first + (uint32_t)plx_rand_below(&l->rand, span);
	b = byte_at(m, off);
	was = *b;
	*b ^= (uint8_t)(1 + plx_rand_below(&l->rand, UINT8_MAX));
	if (first != 0)
		fix_cksum(m, udp_off, off, was, *b);
	plx_sim_count(&q->corrupt, 1);
	return m;
}

/** Waits for the line. @return when the last bit leaves, PLX_TIME_NEVER when there is no room. */
static uint64_t
depart(struct plx_sim *sim, struct plx_simq *q, uint32_t len, uint64_t stamp)
{
	struct plx_simlink *l = &q->link;
	_Atomic uint64_t *line = &sim->port[q->port].line_free_ns;
	uint64_t took = (uint64_t)(((unsigned __int128)len * l->byte_q32) >> 32);
	uint64_t busy, end;
	uint32_t tail;

	while (l->depart_cnt != 0 && l->depart[l->depart_head] <= stamp) {
		l->depart_head =
		        l->depart_head + 1 == l->depart_cap ? 0 : l->depart_head + 1;
		l->depart_cnt--;
	}
	if (l->depart_cnt == l->depart_cap)
		return PLX_TIME_NEVER;

	busy = atomic_load_explicit(line, memory_order_relaxed);
	do {
		end = RTE_MAX(busy, stamp) + took;
	} while (!atomic_compare_exchange_weak_explicit(
	        line, &busy, end, memory_order_relaxed, memory_order_relaxed));
	tail = l->depart_head + l->depart_cnt++;
	l->depart[tail < l->depart_cap ? tail : tail - l->depart_cap] = end;
	return end;
}

/** When a frame that left the line at t arrives. */
static uint64_t
arrive(struct plx_simq *q, uint64_t t)
{
	struct plx_simlink *l = &q->link;

	t += l->cfg.delay_ns;
	if (l->cfg.jitter_ns != 0)
		t += plx_rand_below(&l->rand, l->cfg.jitter_ns + 1);
	if (happens(&l->rand, l->bound.reorder)) {
		t += l->cfg.reorder_ns;
		plx_sim_count(&q->reorder, 1);
	}
	return t;
}

static void
lose(struct plx_simq *q, struct rte_mbuf *m, enum plx_drop why)
{
	rte_pktmbuf_free(m);
	plx_obs_drop(&q->obs, why, 1);
}

void
plx_sim_link_keep(struct plx_simq *q, struct rte_mbuf *m, uint64_t at_ns)
{
	if (q->link.heap_cnt == q->link.heap_cap)
		lose(q, m, PLX_DROP_SIM_QUEUE);
	else
		heap_push(&q->link, at_ns, m);
}

void
plx_sim_link_put(struct plx_sim *sim, struct plx_simq *q, struct rte_mbuf *m,
                 uint64_t stamp)
{
	struct plx_simlink *l = &q->link;
	enum plx_drop why = refuse(sim, l, m, stamp);
	uint64_t left = stamp;
	struct rte_mbuf *copy;

	if (why != PLX_DROP_NONE) {
		lose(q, m, why);
		return;
	}
	if (l->cfg.rate_Bps != 0) {
		left = depart(sim, q, m->pkt_len, stamp);
		if (left == PLX_TIME_NEVER) {
			lose(q, m, PLX_DROP_SIM_QUEUE);
			return;
		}
	}
	if (happens(&l->rand, l->bound.corrupt)) {
		m = corrupt(sim, q, m);
		if (m == NULL) {
			plx_obs_drop(&q->obs, PLX_DROP_NET_NO_MBUF, 1);
			return;
		}
	}
	plx_sim_link_keep(q, m, arrive(q, left));
	if (happens(&l->rand, l->bound.dup) && l->heap_cnt < l->heap_cap) {
		copy = rte_pktmbuf_copy(m, sim->pool, 0, UINT32_MAX);
		if (copy == NULL)
			return;
		heap_push(l, arrive(q, left), copy);
		plx_sim_count(&q->dup, 1);
	}
}

uint16_t
plx_sim_link_take(struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt, uint64_t now_ns)
{
	struct plx_simlink *l = &q->link;
	uint16_t n = 0;

	while (n < cnt && l->heap_cnt != 0 && l->heap[0].at_ns <= now_ns)
		m[n++] = heap_pop(l);
	atomic_store_explicit(&q->flight, l->heap_cnt, memory_order_relaxed);
	return n;
}

void
plx_sim_link_lose(struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt)
{
	rte_pktmbuf_free_bulk(m, cnt);
	plx_obs_drop(&q->obs, PLX_DROP_SIM_HOLE, cnt);
}

void
plx_sim_set_carrier(struct plx_sim *sim, uint16_t i, bool up)
{
	if (i < sim->cfg.ports)
		atomic_store_explicit(&sim->port[i].no_carrier, !up, memory_order_relaxed);
}
