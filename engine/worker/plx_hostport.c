/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_hostport.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

PLX_STATIC_ASSERT((PLX_EMBED_TX_MAX & (PLX_EMBED_TX_MAX - 1)) == 0, "index by mask");

/* One thread turns a worker, gives and takes: nothing here is shared. */
struct host_queue {
	PLX_CACHE_ALIGNED struct rte_mbuf **rx;
	uint16_t rx_cnt;
	uint32_t head, tail; /* of tx; frames between them wait */
	struct rte_mbuf *tx[PLX_EMBED_TX_MAX];
};

struct host_port {
	struct plx_pio pio;
	_Atomic bool up;
	struct host_queue q[];
};

static struct host_queue *
queue_of(struct plx_pio *p, uint16_t queue)
{
	return &((struct host_port *)p->priv)->q[queue];
}

static uint16_t
host_rx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct host_queue *q = queue_of(p, queue);
	uint16_t n = RTE_MIN(q->rx_cnt, cnt);

	if (n == 0)
		return 0;
	memcpy(m, q->rx, n * sizeof(m[0]));
	q->rx += n;
	q->rx_cnt = (uint16_t)(q->rx_cnt - n);
	return n;
}

static uint16_t
host_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct host_queue *q = queue_of(p, queue);
	uint32_t room = PLX_EMBED_TX_MAX - (q->tail - q->head);
	uint16_t n = room < cnt ? (uint16_t)room : cnt;

	for (uint16_t i = 0; i < n; i++)
		q->tx[q->tail++ & (PLX_EMBED_TX_MAX - 1)] = m[i];
	return n;
}

static int
host_link(struct plx_pio *p, struct plx_pio_link *out)
{
	struct host_port *h = p->priv;

	*out = (struct plx_pio_link){.up = atomic_load(&h->up)};
	return 0;
}

/* The host counts at its port; what it gave and took the worker counts. */
static int
host_stats(struct plx_pio *p, struct plx_pio_stats *out)
{
	(void)p;
	*out = (struct plx_pio_stats){0};
	return 0;
}

static void
host_close(struct plx_pio *p)
{
	struct rte_mbuf *m;

	PLX_ACT_AS_WORKER();
	for (uint16_t q = 0; q < p->rxq_cnt; q++)
		while (plx_hostport_take(p, q, &m, 1) == 1)
			rte_pktmbuf_free(m);
	free(p->priv);
}

static const struct plx_pio_ops host_ops = {
        .name = "host",
        .rx_burst = host_rx,
        .tx_burst = host_tx,
        .link = host_link,
        .stats = host_stats,
        .close = host_close,
};

int
plx_hostport_new(struct plx_pio **out, const struct plx_embed_port *cfg, uint16_t queues)
{
	size_t sz = sizeof(struct host_port) + queues * sizeof(struct host_queue);
	struct host_port *h;
	struct plx_pio *p;

	*out = NULL;
	if (cfg->pool == NULL || queues == 0)
		return PLX_E_INVAL;
	h = aligned_alloc(PLX_CACHE_LINE, RTE_ALIGN_CEIL(sz, PLX_CACHE_LINE));
	if (h == NULL)
		return PLX_E_NOMEM;
	memset(h, 0, sz);
	atomic_init(&h->up, true);
	p = &h->pio;
	p->ops = &host_ops;
	p->priv = h;
	p->pool = cfg->pool;
	snprintf(p->name, sizeof(p->name), "%s", cfg->name != NULL ? cfg->name : "host");
	p->port_id = UINT16_MAX;
	p->rxq_cnt = p->txq_cnt = queues;
	p->mtu = cfg->mtu != 0 ? cfg->mtu : 1500;
	p->socket_id = (int16_t)cfg->pool->socket_id;
	memcpy(p->mac, cfg->mac, sizeof(p->mac));
	p->off_got = (cfg->rx_cksum ? PLX_OFF_RX_IP_CKSUM | PLX_OFF_RX_UDP_CKSUM : 0) |
	             (cfg->tx_cksum ? PLX_OFF_TX_IP_CKSUM | PLX_OFF_TX_UDP_CKSUM : 0) |
	             PLX_OFF_RX_SCATTER;
	p->off_want = p->off_got;
	p->plan.level = queues == 1 ? PLX_SPREAD_SINGLE : PLX_SPREAD_UNKNOWN;
	p->plan.hashes_by_flow = queues == 1 || cfg->by_flow;
	*out = p;
	return 0;
}

void
plx_hostport_give(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct host_queue *q = queue_of(p, queue);

	q->rx = m;
	q->rx_cnt = cnt;
}

uint16_t
plx_hostport_take(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct host_queue *q = queue_of(p, queue);
	uint32_t waiting = q->tail - q->head;
	uint16_t n = waiting < cnt ? (uint16_t)waiting : cnt;

	for (uint16_t i = 0; i < n; i++)
		m[i] = q->tx[q->head++ & (PLX_EMBED_TX_MAX - 1)];
	return n;
}

void
plx_hostport_set_link(struct plx_pio *p, bool up)
{
	struct host_port *h = p->priv;

	atomic_store(&h->up, up);
}
