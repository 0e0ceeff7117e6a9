/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <plx/err.h>

#include "plx_sim_pvt.h"

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>

#define RING_CNT_DEFAULT   1024
#define FLIGHT_CNT_DEFAULT 4096
#define MTU_DEFAULT        1500
#define MBUF_ROOM_DEFAULT  2048
#define MBUF_CACHE         256
/** Up to here a receiving queue polls one ring per sending queue: 8 empty polls cost 20 ns. */
#define PRIVATE_RINGS_MAX  8
/** mbufs that a worker holds outside the wire: its cache, a burst each way, what net queues. */
#define HELD_PER_QUEUE     (MBUF_CACHE * 3 / 2 + 8 * PLX_BURST_MAX)
/** DPDK's element header, and what spreads elements over memory channels. */
#define MBUF_OVERHEAD      128
/** Where there are no hugepages an element does not cross a page. */
#define PAGE_SZ            4096

static const uint8_t mac_prefix[5] = {0x02, 0x50, 0x4c, 0x58, 0x00};

/* ---- configuration ---- */

static int
fill_in(struct plx_sim_cfg *c)
{
	if (c->ports < 2 || c->ports > PLX_SIM_PORTS_MAX)
		return PLX_E_INVAL;
	for (uint16_t i = 0; i < c->ports; i++) {
		if (c->queues[i] == 0)
			c->queues[i] = 1;
		if (c->queues[i] > PLX_SIM_QUEUES_MAX ||
		    c->spread[i] >= PLX_SIM_SPREAD_CNT ||
		    plx_sim_link_check(&c->to[i]) != 0)
			return PLX_E_INVAL;
	}
	if (c->name == NULL)
		c->name = "sim";
	if (c->ring_cnt == 0)
		c->ring_cnt = RING_CNT_DEFAULT;
	if (c->flight_cnt == 0)
		c->flight_cnt = FLIGHT_CNT_DEFAULT;
	if (c->mtu == 0)
		c->mtu = MTU_DEFAULT;
	if (c->mbuf_room == 0)
		c->mbuf_room = MBUF_ROOM_DEFAULT;
	if (c->ring_cnt < PLX_BURST_MAX || c->ring_cnt > 1 << 20 ||
	    c->flight_cnt > 1 << 22 || c->mtu < 576 || strlen(c->name) > 16)
		return PLX_E_INVAL;
	return 0;
}

static uint32_t
queues_of_others(const struct plx_sim_cfg *c, uint16_t port)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < c->ports; i++)
		n += i != port ? c->queues[i] : 0;
	return n;
}

static bool
wants_shared_rings(const struct plx_sim_cfg *c)
{
	for (uint16_t i = 0; i < c->ports; i++)
		if (queues_of_others(c, i) > PRIVATE_RINGS_MAX)
			return true;
	return false;
}

static uint32_t
ring_total(const struct plx_sim_cfg *c)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < c->ports; i++)
		n += c->queues[i] * (wants_shared_rings(c) ? 1 : queues_of_others(c, i));
	return n;
}

static size_t
ring_sz(const struct plx_sim_cfg *c)
{
	/* One slot of a ring stays empty. */
	return RTE_ALIGN_CEIL(
	        (size_t)rte_ring_get_memsize(rte_align32pow2(c->ring_cnt + 1)),
	        (size_t)RTE_CACHE_LINE_SIZE);
}

static uint32_t
pool_cnt(const struct plx_sim_cfg *c)
{
	uint32_t n = ring_total(c) * c->ring_cnt;

	if (c->pool_cnt != 0)
		return c->pool_cnt;
	for (uint16_t i = 0; i < c->ports; i++)
		n += c->queues[i] * HELD_PER_QUEUE;
	/* Frames under way at links with impairments; a few more for those set later. */
	n += c->flight_cnt;
	return rte_align32pow2(n + 1) - 1;
}

size_t
plx_sim_mem_need(const struct plx_sim_cfg *cfg)
{
	struct plx_sim_cfg c = *cfg;
	size_t sz, elt;

	if (fill_in(&c) != 0)
		return 0;
	sz = ring_total(&c) * ring_sz(&c);
	if (c.pool != NULL)
		return sz;
	elt = c.mbuf_room + RTE_PKTMBUF_HEADROOM + sizeof(struct rte_mbuf) + MBUF_OVERHEAD;
	if (elt > PAGE_SZ)
		return sz + pool_cnt(&c) * RTE_ALIGN_CEIL(elt, PAGE_SZ);
	return sz + (size_t)pool_cnt(&c) * PAGE_SZ / (PAGE_SZ / elt);
}

/* ---- hot path ---- */

static uint64_t
now_of(struct plx_simq *q)
{
	return plx_clock_now(q->clock);
}

/** An mbuf as a NIC delivers it: nothing of what the sender asked for is left. */
static inline void
strip(struct rte_mbuf *m)
{
	m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
	m->tx_offload = 0;
	m->packet_type = 0;
	m->vlan_tci = 0;
	m->port = RTE_MBUF_PORT_INVALID;
}

static inline void
prepare(struct plx_simport *dst, struct rte_mbuf *m, uint64_t stamp)
{
	strip(m);
	if (dst->impaired)
		*plx_sim_stamp(dst->sim, m) = stamp;
}

/** Two ports, one queue at the other: the whole burst at once. */
static uint16_t
tx_line(struct plx_simport *dst, struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt)
{
	struct rte_ring *r = dst->sim->ring[q->port][q->idx][dst->idx][0];
	uint64_t stamp = dst->impaired ? now_of(q) : 0, bytes = 0;
	uint32_t len[PLX_BURST_MAX];
	uint16_t n;

	for (uint16_t i = 0; i < cnt; i++) {
		len[i] = m[i]->pkt_len;
		prepare(dst, m[i], stamp);
	}
	n = (uint16_t)rte_ring_enqueue_burst(r, (void **)m, cnt, NULL);
	for (uint16_t i = 0; i < n; i++)
		bytes += len[i];
	plx_sim_count(&q->tx_pkts, n);
	plx_sim_count(&q->tx_bytes, bytes);
	return n;
}

/** Frames of one burst for one receiving queue. */
struct stage {
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t cnt;
};

/**
 * Two ports, several queues at the other. Frames of a queue without room go to the end of m, so
 * that a receiver that stands still does not hold up the others.
 */
static uint16_t
tx_spread(struct plx_simport *dst, struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt)
{
	struct rte_ring **ring = dst->sim->ring[q->port][q->idx][dst->idx];
	uint64_t stamp = dst->impaired ? now_of(q) : 0, bytes = 0;
	struct rte_mbuf *back[PLX_BURST_MAX];
	uint32_t len[PLX_BURST_MAX];
	struct stage st[PLX_SIM_QUEUES_MAX];
	uint16_t back_cnt = 0, taken = 0, j, n;

	for (j = 0; j < dst->queues; j++)
		st[j].cnt = 0;
	for (uint16_t i = 0; i < cnt; i++) {
		prepare(dst, m[i], stamp);
		j = plx_sim_nic_queue(dst, q, m[i]);
		st[j].m[st[j].cnt++] = m[i];
	}
	for (j = 0; j < dst->queues; j++) {
		/* After the enqueue a frame is no longer ours to read. */
		for (uint16_t i = 0; i < st[j].cnt; i++)
			len[i] = st[j].m[i]->pkt_len;
		n = (uint16_t)rte_ring_enqueue_burst(ring[j], (void **)st[j].m, st[j].cnt,
		                                     NULL);
		for (uint16_t i = 0; i < n; i++) {
			m[taken++] = st[j].m[i];
			bytes += len[i];
		}
		for (uint16_t i = n; i < st[j].cnt; i++)
			back[back_cnt++] = st[j].m[i];
	}
	memcpy(&m[taken], back, back_cnt * sizeof(*m));
	plx_sim_count(&q->tx_pkts, taken);
	plx_sim_count(&q->tx_bytes, bytes);
	return taken;
}

/** One frame to one port. @return false: no room, m stays the caller's. */
static bool
send_to(struct plx_simport *dst, struct plx_simq *q, struct rte_mbuf *m)
{
	uint16_t j;

	prepare(dst, m, dst->impaired ? now_of(q) : 0);
	j = plx_sim_nic_queue(dst, q, m);
	return rte_ring_enqueue(dst->sim->ring[q->port][q->idx][dst->idx][j], m) == 0;
}

static bool
is_open(const struct plx_simport *p)
{
	return !atomic_load_explicit(&p->closed, memory_order_relaxed);
}

static bool
has_carrier(const struct plx_simport *p)
{
	return !atomic_load_explicit(&p->no_carrier, memory_order_relaxed);
}

/** A copy to every other port that has room; the frame itself is freed. */
static void
flood(struct plx_sim *sim, struct plx_simq *q, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;

	for (uint16_t i = 0; i < sim->cfg.ports; i++) {
		if (i == q->port || !is_open(&sim->port[i]))
			continue;
		/* Not a clone: a receiver may write into what it received. */
		copy = rte_pktmbuf_copy(m, sim->pool, 0, UINT32_MAX);
		if (copy == NULL) {
			plx_obs_drop(&q->obs, PLX_DROP_NET_NO_MBUF, 1);
		} else if (!send_to(&sim->port[i], q, copy)) {
			rte_pktmbuf_free(copy);
			plx_obs_drop(&q->obs, PLX_DROP_SIM_QUEUE, 1);
		}
	}
	rte_pktmbuf_free(m);
}

/** More than two ports: by destination MAC. */
static uint16_t
tx_switch(struct plx_sim *sim, struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt)
{
	const uint8_t *mac;
	uint32_t len;
	uint16_t i, to;

	for (i = 0; i < cnt; i++) {
		mac = rte_pktmbuf_mtod(m[i], const uint8_t *);
		len = m[i]->pkt_len;
		if (m[i]->data_len >= RTE_ETHER_HDR_LEN && (mac[0] & 1) != 0) {
			flood(sim, q, m[i]);
		} else {
			to = UINT16_MAX;
			if (m[i]->data_len >= RTE_ETHER_HDR_LEN &&
			    memcmp(mac, mac_prefix, sizeof(mac_prefix)) == 0)
				to = (uint16_t)(mac[5] - 1);
			if (to >= sim->cfg.ports || to == q->port ||
			    !is_open(&sim->port[to])) {
				rte_pktmbuf_free(m[i]);
				plx_obs_drop(&q->obs, PLX_DROP_SIM_NO_PORT, 1);
			} else if (!send_to(&sim->port[to], q, m[i])) {
				break;
			}
		}
		plx_sim_count(&q->tx_pkts, 1);
		plx_sim_count(&q->tx_bytes, len);
	}
	return i;
}

static uint16_t
sim_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct plx_simport *src = p->priv, *dst;
	struct plx_simq *q = &src->q[queue];
	struct plx_sim *sim = src->sim;

	cnt = RTE_MIN(cnt, (uint16_t)PLX_BURST_MAX);
	if (plx_unlikely(!has_carrier(src))) {
		plx_sim_link_lose(q, m, cnt);
		plx_sim_count(&q->tx_pkts, cnt);
		return cnt;
	}
	if (sim->cfg.ports > 2)
		return tx_switch(sim, q, m, cnt);
	dst = &sim->port[src->idx ^ 1];
	if (plx_unlikely(!is_open(dst))) {
		rte_pktmbuf_free_bulk(m, cnt);
		plx_obs_drop(&q->obs, PLX_DROP_SIM_NO_PORT, cnt);
		return cnt;
	}
	return dst->queues == 1 ? tx_line(dst, q, m, cnt) : tx_spread(dst, q, m, cnt);
}

/** Moves what lies in the rings of a queue behind its impairments. */
static void
pump(struct plx_sim *sim, struct plx_simq *q)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	unsigned took, n;

	for (uint16_t i = 0; i < q->in_cnt; i++) {
		/* A ring's worth at most: a sender that keeps up must not hold us here. */
		for (took = 0; took < sim->cfg.ring_cnt; took += n) {
			n = rte_ring_dequeue_burst(q->in[i], (void **)m, PLX_BURST_MAX,
			                           NULL);
			if (n == 0)
				break;
			for (unsigned k = 0; k < n; k++)
				plx_sim_link_put(sim, q, m[k], *plx_sim_stamp(sim, m[k]));
		}
	}
}

/** Takes turns among the rings, so that no sender starves. */
static uint16_t
rx_rings(struct plx_simq *q, struct rte_mbuf **m, uint16_t cnt)
{
	uint16_t n = 0, at = q->in_next;

	for (uint16_t i = 0; i < q->in_cnt && n < cnt; i++) {
		n += (uint16_t)rte_ring_dequeue_burst(q->in[at], (void **)&m[n], cnt - n,
		                                      NULL);
		at = at + 1 == q->in_cnt ? 0 : at + 1;
	}
	q->in_next = q->in_next + 1 == q->in_cnt ? 0 : q->in_next + 1;
	return n;
}

static uint16_t
sim_rx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct plx_simport *port = p->priv;
	struct plx_simq *q = &port->q[queue];
	uint64_t bytes = 0;
	uint16_t n;

	if (port->impaired) {
		pump(port->sim, q);
		n = plx_sim_link_take(q, m, cnt, now_of(q));
	} else {
		n = rx_rings(q, m, cnt);
	}
	if (n == 0)
		return 0;
	if (plx_unlikely(!has_carrier(port))) {
		plx_sim_link_lose(q, m, n);
		return 0;
	}
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(m[i]);
	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	plx_sim_count(&q->rx_pkts, n);
	plx_sim_count(&q->rx_bytes, bytes);
	return n;
}

/* ---- the other operations ---- */

/** Frames in a ring, as a third thread may ask: rte_ring_count() reads without atomics. */
static uint32_t
ring_used(const struct rte_ring *r)
{
	uint32_t out = __atomic_load_n(&r->cons.tail, __ATOMIC_RELAXED);
	uint32_t in = __atomic_load_n(&r->prod.tail, __ATOMIC_RELAXED);

	return RTE_MIN((in - out) & r->mask, r->capacity);
}

static uint64_t
load(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

void
plx_sim_get_stats(const struct plx_sim *sim, uint16_t i, struct plx_sim_stats *out)
{
	const struct plx_simq *q;

	memset(out, 0, sizeof(*out));
	if (i >= sim->cfg.ports)
		return;
	for (uint16_t j = 0; j < sim->port[i].queues; j++) {
		q = &sim->port[i].q[j];
		out->rx_pkts += load(&q->rx_pkts);
		out->rx_bytes += load(&q->rx_bytes);
		out->tx_pkts += load(&q->tx_pkts);
		out->tx_bytes += load(&q->tx_bytes);
		out->dup += load(&q->dup);
		out->corrupt += load(&q->corrupt);
		out->reorder += load(&q->reorder);
		out->flight += load(&q->flight);
		for (uint16_t k = 0; k < q->in_cnt; k++)
			out->flight += ring_used(q->in[k]);
	}
}

uint64_t
plx_sim_get_drop(const struct plx_sim *sim, uint16_t i, enum plx_drop r)
{
	uint64_t n = 0;

	if (i >= sim->cfg.ports)
		return 0;
	for (uint16_t j = 0; j < sim->port[i].queues; j++)
		n += plx_obs_get_drop(&sim->port[i].q[j].obs, r);
	return n;
}

struct rte_mempool *
plx_sim_pool(const struct plx_sim *sim)
{
	return sim->pool;
}

static int
sim_link(struct plx_pio *p, struct plx_pio_link *out)
{
	struct plx_simport *port = p->priv;

	out->up = is_open(port) && has_carrier(port);
	out->mbps = 0;
	if (port->sim->cfg.to[port->idx].rate_Bps != 0)
		out->mbps = (uint32_t)RTE_MAX(
		        UINT64_C(1), port->sim->cfg.to[port->idx].rate_Bps * 8 / 1000000);
	return 0;
}

static int
sim_stats(struct plx_pio *p, struct plx_pio_stats *out)
{
	const struct plx_simport *port = p->priv;
	struct plx_sim_stats s;

	plx_sim_get_stats(port->sim, port->idx, &s);
	*out = (struct plx_pio_stats){
	        .rx_pkts = s.rx_pkts,
	        .rx_bytes = s.rx_bytes,
	        .tx_pkts = s.tx_pkts,
	        .tx_bytes = s.tx_bytes,
	        .rx_missed = plx_sim_get_drop(port->sim, port->idx, PLX_DROP_SIM_QUEUE),
	        .rx_nombuf = plx_sim_get_drop(port->sim, port->idx, PLX_DROP_NET_NO_MBUF),
	        .tx_errors = plx_sim_get_drop(port->sim, port->idx, PLX_DROP_SIM_NO_PORT),
	};
	return 0;
}

static void release(struct plx_sim *sim);

static void
sim_close(struct plx_pio *p)
{
	struct plx_simport *port = p->priv;

	atomic_store_explicit(&port->closed, true, memory_order_relaxed);
	port->sim->taken--;
	release(port->sim);
}

static const struct plx_pio_ops sim_ops = {
        .name = "sim",
        .rx_burst = sim_rx,
        .tx_burst = sim_tx,
        .pick_port = plx_sim_nic_pick,
        .link = sim_link,
        .stats = sim_stats,
        .close = sim_close,
};

/* ---- life ---- */

/** Frees the wire when its owner and all ports are done with it. */
static void
release(struct plx_sim *sim)
{
	struct plx_simq *q;
	void *m;

	if (!sim->freed || sim->taken != 0)
		return;
	for (uint16_t i = 0; i < sim->cfg.ports; i++) {
		for (uint16_t j = 0; j < sim->port[i].queues; j++) {
			q = &sim->port[i].q[j];
			for (uint16_t k = 0; k < q->in_cnt; k++)
				while (rte_ring_dequeue(q->in[k], &m) == 0)
					rte_pktmbuf_free(m);
			plx_sim_link_fini(&q->link);
			free(q->in);
		}
	}
	rte_free(sim->ring_mem);
	if (sim->pool_ours)
		rte_mempool_free(sim->pool);
	free(sim);
}

void
plx_sim_free(struct plx_sim *sim)
{
	if (sim == NULL)
		return;
	sim->freed = true;
	release(sim);
}

static int
make_pool(struct plx_sim *sim)
{
	const struct plx_sim_cfg *c = &sim->cfg;
	uint32_t cnt = pool_cnt(c);
	char name[RTE_MEMPOOL_NAMESIZE];

	sim->pool = c->pool;
	if (sim->pool != NULL)
		return 0;
	snprintf(name, sizeof(name), "%.16s_pool", sim->name);
	sim->pool = rte_pktmbuf_pool_create(name, cnt, RTE_MIN(MBUF_CACHE, (int)cnt / 8), 0,
	                                    (uint16_t)(c->mbuf_room + RTE_PKTMBUF_HEADROOM),
	                                    c->socket_id);
	if (sim->pool == NULL)
		return rte_errno == EEXIST ? PLX_E_EXIST : PLX_E_NOMEM;
	sim->pool_ours = true;
	return 0;
}

static int
make_rings(struct plx_sim *sim)
{
	const struct plx_sim_cfg *c = &sim->cfg;
	unsigned flags = RING_F_EXACT_SZ | RING_F_SC_DEQ;
	size_t sz = ring_sz(c);
	uint8_t *mem;
	struct rte_ring **r;

	/* Relaxed tail sync: with plain multi-producer a preempted sender stops the others. */
	flags |= sim->shared_rings ? RING_F_MP_RTS_ENQ : RING_F_SP_ENQ;
	mem = rte_zmalloc_socket("plx_sim_rings", ring_total(c) * sz, RTE_CACHE_LINE_SIZE,
	                         c->socket_id);
	if (mem == NULL)
		return PLX_E_NOMEM;
	sim->ring_mem = mem;
	for (uint16_t b = 0; b < c->ports; b++) {
		for (uint16_t j = 0; j < c->queues[b]; j++) {
			struct plx_simq *q = &sim->port[b].q[j];

			q->in = calloc(RTE_MAX(queues_of_others(c, b), 1U),
			               sizeof(struct rte_ring *));
			if (q->in == NULL)
				return PLX_E_NOMEM;
			for (uint16_t a = 0; a < c->ports; a++) {
				for (uint16_t i = 0; a != b && i < c->queues[a]; i++) {
					r = &sim->ring[a][i][b][j];
					if (sim->shared_rings && q->in_cnt != 0) {
						*r = q->in[0];
						continue;
					}
					*r = (struct rte_ring *)mem;
					mem += sz;
					if (rte_ring_init(*r, "plx_sim", c->ring_cnt,
					                  flags) != 0)
						return PLX_E_INVAL;
					q->in[q->in_cnt++] = *r;
				}
			}
		}
	}
	return 0;
}

static void
init_pio(struct plx_simport *port, const uint8_t *key)
{
	const struct plx_sim_cfg *c = &port->sim->cfg;
	struct plx_pio *p = &port->pio;

	p->ops = &sim_ops;
	p->priv = port;
	p->pool = port->sim->pool;
	snprintf(p->name, sizeof(p->name), "%s%u", port->sim->name, port->idx);
	p->port_id = UINT16_MAX;
	p->rxq_cnt = port->queues;
	p->txq_cnt = port->queues;
	p->mtu = c->mtu;
	p->socket_id = c->socket_id;
	memcpy(p->mac, mac_prefix, sizeof(mac_prefix));
	p->mac[5] = (uint8_t)(port->idx + 1);
	p->off_want = PLX_OFF_TX_MULTI_SEGS | (c->no_cksum ? PLX_OFF_NO_CKSUM : 0);
	p->off_got = p->off_want;
	for (uint16_t i = 0; i < c->ports; i++)
		if (c->to[i].corrupt_ppm != 0)
			p->off_got &= ~PLX_OFF_NO_CKSUM;
	plx_sim_nic_plan(port, key);
}

static int
init_port(struct plx_sim *sim, uint16_t i, const uint8_t *key)
{
	struct plx_simport *port = &sim->port[i];
	struct plx_clock *clock = sim->cfg.clock;
	struct plx_simq *q;
	uint64_t id;

	port->sim = sim;
	port->idx = i;
	port->queues = sim->cfg.queues[i];
	port->spread = sim->cfg.spread[i];
	for (uint16_t j = 0; j < port->queues; j++) {
		q = &port->q[j];
		id = (uint64_t)i << 8 | j;
		q->port = i;
		q->idx = j;
		q->lie = sim->cfg.seed ^ id;
		/* Multiples of an odd constant: no two queues share a stream. */
		plx_rand_seed(&q->link.rand,
		              sim->cfg.seed + (id + 1) * UINT64_C(0x9e3779b97f4a7c15));
		if (clock == NULL)
			plx_clock_init(&q->own_clock, PLX_CLOCK_SYSTEM);
		else
			q->own_clock = *clock;
		q->clock = clock != NULL && clock->kind == PLX_CLOCK_VIRTUAL
		                   ? clock
		                   : &q->own_clock;
	}
	init_pio(port, key);
	return 0;
}

/** The hash key: the one given, or one that depends on the seed only. */
static void
make_key(const struct plx_sim_cfg *c, uint8_t key[PLX_SIM_KEY_LEN])
{
	struct plx_rand r;

	if (c->rss_key != NULL) {
		memcpy(key, c->rss_key, PLX_SIM_KEY_LEN);
		return;
	}
	plx_rand_seed(&r, ~c->seed);
	plx_rand_bytes(&r, key, PLX_SIM_KEY_LEN);
}

static int
make_stamp(struct plx_sim *sim)
{
	static const struct rte_mbuf_dynfield stamp = {
	        .name = "plx_sim_stamp",
	        .size = sizeof(uint64_t),
	        .align = _Alignof(uint64_t),
	};

	sim->stamp_off = rte_mbuf_dynfield_register(&stamp);
	return sim->stamp_off < 0 ? PLX_E_NOMEM : 0;
}

int
plx_sim_new(struct plx_sim **out, const struct plx_sim_cfg *cfg)
{
	uint8_t key[PLX_SIM_KEY_LEN];
	struct plx_sim_cfg c = *cfg;
	struct plx_sim *sim;
	int rc = fill_in(&c);

	*out = NULL;
	if (rc != 0)
		return rc;
	sim = aligned_alloc(PLX_CACHE_LINE, sizeof(*sim));
	if (sim == NULL)
		return PLX_E_NOMEM;
	memset(sim, 0, sizeof(*sim));
	sim->cfg = c;
	snprintf(sim->name, sizeof(sim->name), "%s", c.name);
	sim->cfg.name = sim->name;
	sim->cfg.rss_key = NULL;
	sim->shared_rings = wants_shared_rings(&c);
	make_key(&c, key);

	rc = make_pool(sim);
	for (uint16_t i = 0; rc == 0 && i < c.ports; i++)
		rc = init_port(sim, i, key);
	if (rc == 0)
		rc = make_rings(sim);
	if (rc == 0)
		rc = make_stamp(sim);
	sim->start_ns = rc == 0 ? now_of(&sim->port[0].q[0]) : 0;
	for (uint16_t i = 0; rc == 0 && i < c.ports; i++)
		rc = plx_sim_set_link(sim, i, &c.to[i]);
	if (rc != 0) {
		plx_sim_free(sim);
		return rc;
	}
	*out = sim;
	return 0;
}

struct plx_pio *
plx_sim_port(struct plx_sim *sim, uint16_t i)
{
	if (i >= sim->cfg.ports || sim->port[i].taken)
		return NULL;
	sim->port[i].taken = true;
	sim->taken++;
	return &sim->port[i].pio;
}

/** Frames sent before the link had a clock arrive now. */
static void
keep_unstamped(struct plx_simq *q)
{
	uint64_t now = now_of(q);
	void *m;

	for (uint16_t i = 0; i < q->in_cnt; i++)
		while (rte_ring_dequeue(q->in[i], &m) == 0)
			plx_sim_link_keep(q, m, now);
	atomic_store_explicit(&q->flight, q->link.heap_cnt, memory_order_relaxed);
}

int
plx_sim_set_link(struct plx_sim *sim, uint16_t i, const struct plx_sim_link *link)
{
	struct plx_simport *port;
	int rc;

	if (i >= sim->cfg.ports || plx_sim_link_check(link) != 0)
		return PLX_E_INVAL;
	port = &sim->port[i];
	for (uint16_t j = 0; j < port->queues; j++) {
		if (port->impaired)
			pump(sim, &port->q[j]);
		rc = plx_sim_link_set(&port->q[j].link, link, sim->cfg.flight_cnt);
		if (rc != 0)
			return rc;
	}
	if (!port->impaired && port->q[0].link.on)
		for (uint16_t j = 0; j < port->queues; j++)
			keep_unstamped(&port->q[j]);
	port->impaired = port->impaired || port->q[0].link.on;
	sim->cfg.to[i] = *link;
	return 0;
}

uint64_t
plx_sim_next(struct plx_sim *sim)
{
	uint64_t next = PLX_TIME_NEVER, now = now_of(&sim->port[0].q[0]);
	struct plx_simq *q;

	for (uint16_t i = 0; i < sim->cfg.ports; i++) {
		for (uint16_t j = 0; j < sim->port[i].queues; j++) {
			q = &sim->port[i].q[j];
			if (sim->port[i].impaired) {
				pump(sim, q);
				if (q->link.heap_cnt != 0)
					next = RTE_MIN(next, q->link.heap[0].at_ns);
				continue;
			}
			for (uint16_t k = 0; k < q->in_cnt; k++)
				if (!rte_ring_empty(q->in[k]))
					next = now;
		}
	}
	return next < now ? now : next;
}
