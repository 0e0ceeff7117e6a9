/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "plx_endpoint_pvt.h"

/*
 * The send queue. A connection is asked for packets only while the queue has room, so that what
 * congestion control counts as sent is sent, and a CONNECTION_CLOSE is never lost here.
 */

int
plx_ep_sendq_init(struct plx_endpoint *ep)
{
	struct plx_slab_cfg sc = {.region_sz = 1u << 20, .node = -1};

	PLX_ACT_AS_WORKER();
	sc.limit = (plx_endpoint_packet_max(ep) + 64) * ep->cfg.send_queue_capacity * 2;
	ep->sendq = calloc(ep->cfg.send_queue_capacity, sizeof(*ep->sendq));
	if (ep->sendq == NULL || plx_slab_new(&ep->pkt_slab, &sc) != 0)
		return PLX_E_NOMEM;
	return 0;
}

void
plx_ep_sendq_fini(struct plx_endpoint *ep)
{
	PLX_ACT_AS_WORKER();
	while (ep->sendq_len > 0) {
		plx_slab_release(ep->pkt_slab, ep->sendq[ep->sendq_head].buf);
		ep->sendq_head = ep->sendq_head + 1 < ep->cfg.send_queue_capacity
		                         ? ep->sendq_head + 1
		                         : 0;
		ep->sendq_len--;
	}
	plx_slab_free(ep->pkt_slab);
	free(ep->sendq);
}

/* Connection of a path that a packet names; NULL: a stateless answer. */
static struct plx_ep_rec *
rec_of_path(struct plx_endpoint *ep, const struct plx_tx_path *tx)
{
	uintptr_t base = (uintptr_t)ep->q->conns, at = (uintptr_t)tx;

	if (at < base || at >= base + ep->q->cfg.conns_max * sizeof(struct plx_conn))
		return NULL;
	return ep->rec[(at - base) / sizeof(struct plx_conn)];
}

/* How many packets from out[0] on share one entry: k equal ones, the last may be shorter. */
static uint16_t
run_len(const struct plx_endpoint *ep, const struct plx_txpkt *out, uint16_t cnt)
{
	uint16_t n = 1;

	while (n < cnt && n < ep->cfg.max_transmit_datagrams && out[n].tx == out[0].tx &&
	       out[n].ecn == out[0].ecn && out[n].len <= out[0].len) {
		n++;
		if (out[n - 1].len < out[0].len)
			break;
	}
	return n;
}

static void
put(struct plx_endpoint *ep, const struct plx_txpkt *out, uint16_t cnt)
{
	uint32_t idx = ep->sendq_head + ep->sendq_len, len = 0;
	struct plx_ep_rec *rec = rec_of_path(ep, out->tx);
	struct plx_ep_pkt *p;

	for (uint16_t i = 0; i < cnt; i++)
		len += out[i].len;
	if (idx >= ep->cfg.send_queue_capacity)
		idx -= ep->cfg.send_queue_capacity;
	p = &ep->sendq[idx];
	p->buf = plx_slab_alloc(ep->pkt_slab, len);
	if (p->buf == NULL) {
		/* No page left on the machine: to the peer it is loss. */
		plx_obs_drop(ep->obs, PLX_DROP_NET_NO_MBUF, cnt);
		return;
	}
	p->pkt = (struct plx_endpoint_packet){
	        .path = out->tx->path,
	        .len = len,
	        .segment_len = cnt > 1 ? out->len : 0,
	        .ecn = out->ecn,
	};
	len = 0;
	for (uint16_t i = 0; i < cnt; i++) {
		memcpy(p->buf + len, out[i].buf, out[i].len);
		len += out[i].len;
	}
	ep->sendq_len++;
	if (rec != NULL) {
		rec->udp_tx_datagrams += cnt;
		rec->udp_tx_bytes += len;
		rec->udp_tx_ios++;
	}
}

void
plx_ep_drain(struct plx_endpoint *ep)
{
	struct plx_txpkt out[PLX_BURST_MAX];
	uint16_t cnt, n;

	do {
		uint32_t room = ep->cfg.send_queue_capacity - ep->sendq_len;

		cnt = (uint16_t)(room < PLX_BURST_MAX ? room : PLX_BURST_MAX);
		ep->starved = cnt == 0 && plx_quic_has_tx(ep->q);
		if (cnt == 0)
			return;
		for (uint16_t i = 0; i < cnt; i++)
			out[i] = (struct plx_txpkt){.buf = ep->scratch[i],
			                            .cap = PLX_EP_PKT_MAX};
		n = ep->batch > 0 ? plx_resp_take(ep->q, out, cnt)
		                  : plx_quic_tx_burst(ep->q, out, cnt, ep->now);
		for (uint16_t i = 0, k; i < n; i = (uint16_t)(i + k)) {
			k = run_len(ep, &out[i], (uint16_t)(n - i));
			put(ep, &out[i], k);
		}
	} while (n == cnt);
}

int
plx_endpoint_poll_packet(struct plx_endpoint *ep, uint8_t *buf, size_t cap,
                         struct plx_endpoint_packet *pkt)
{
	struct plx_ep_pkt *p = &ep->sendq[ep->sendq_head];

	if (ep->sendq_len == 0)
		return 0;
	*pkt = p->pkt;
	if (cap < p->pkt.len)
		return PLX_E_TOO_LARGE;
	memcpy(buf, p->buf, p->pkt.len);
	plx_slab_release(ep->pkt_slab, p->buf);
	if (++ep->sendq_head == ep->cfg.send_queue_capacity)
		ep->sendq_head = 0;
	ep->sendq_len--;
	return 1;
}

size_t
plx_endpoint_packet_max(const struct plx_endpoint *ep)
{
	return (size_t)ep->cfg.max_transmit_datagrams * PLX_EP_PKT_MAX;
}

uint32_t
plx_endpoint_send_queue_len(const struct plx_endpoint *ep)
{
	return ep->sendq_len;
}
