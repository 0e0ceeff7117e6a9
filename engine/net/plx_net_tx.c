/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_mbuf.h>

#include "plx_net_pvt.h"

#define FRAME_MIN 60 /* shortest Ethernet frame without FCS */

uint16_t
plx_net_tx_alloc(struct plx_net *n, struct plx_txpkt *out, uint16_t cnt)
{
	const uint16_t cap =
	        RTE_MIN(n->room, (uint16_t)(n->mtu - PLX_IP4_HLEN - PLX_UDP_HLEN));
	struct rte_mbuf *m[PLX_BURST_MAX];

	if (cnt > PLX_BURST_MAX || rte_pktmbuf_alloc_bulk(n->pool, m, cnt) != 0)
		return 0;
	for (uint16_t i = 0; i < cnt; i++) {
		/* The payload begins at the end of the headroom, on a cache line of its own;
		 * headers are written backwards from there. */
		out[i] = (struct plx_txpkt){.buf = rte_pktmbuf_mtod(m[i], uint8_t *),
		                            .cookie = m[i],
		                            .cap = cap};
	}
	return cnt;
}

/* Writes Ethernet and VLAN at p; returns their length. */
static uint8_t
put_eth(const struct plx_net *n, uint8_t *p, const uint8_t dst[6], uint16_t type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, n->pio->mac, 6);
	if (n->cfg.vlan == 0) {
		plx_st16_be(p + 12, type);
		return PLX_ETH_HLEN;
	}
	plx_st16_be(p + 12, PLX_ETHERTYPE_VLAN);
	plx_st16_be(p + 14, n->cfg.vlan & 0xfff);
	plx_st16_be(p + 16, type);
	return PLX_ETH_HLEN + PLX_VLAN_HLEN;
}

/*
 * The template lies at the end of tx->tmpl, so that it can be copied with one move of constant
 * size that ends where the payload begins. Its checksum fields hold sums of what does not
 * change: the IPv4 header with length and ECN 0, and the pseudo header without the length.
 */
static void
make_template(const struct plx_net *n, struct plx_tx_path *tx, const uint8_t mac[6])
{
	const struct plx_path *path = &tx->path;
	const bool v6 = path->remote.family == PLX_FAMILY_IPV6;
	const uint8_t l3_len = v6 ? PLX_IP6_HLEN : PLX_IP4_HLEN;
	const uint8_t l2_len =
	        n->cfg.vlan == 0 ? PLX_ETH_HLEN : PLX_ETH_HLEN + PLX_VLAN_HLEN;
	uint8_t *udp = tx->tmpl + PLX_NET_TMPL - PLX_UDP_HLEN, *ip = udp - l3_len;

	memset(tx->tmpl, 0, sizeof(tx->tmpl));
	put_eth(n, ip - l2_len, mac, v6 ? PLX_ETHERTYPE_IP6 : PLX_ETHERTYPE_IP4);
	if (v6) {
		ip[0] = 0x60;
		ip[6] = PLX_PROTO_UDP;
		ip[7] = n->cfg.ttl;
		memcpy(ip + 8, path->local.ip, 16);
		memcpy(ip + 24, path->remote.ip, 16);
	} else {
		ip[0] = 0x45;
		/* Identification 0 is right for a datagram that is never cut (RFC 6864). */
		plx_st16_be(ip + 6, 0x4000);
		ip[8] = n->cfg.ttl;
		ip[9] = PLX_PROTO_UDP;
		memcpy(ip + 12, path->local.ip, 4);
		memcpy(ip + 16, path->remote.ip, 4);
		plx_st16(ip + 10, plx_cksum_fold(plx_cksum_ip4(ip)));
	}
	plx_st16(udp, path->local.port_be);
	plx_st16(udp + 2, path->remote.port_be);
	plx_st16(udp + 6, plx_cksum_fold(plx_cksum_pseudo(ip, v6, 0, PLX_PROTO_UDP)));
	tx->l2_len = l2_len;
	tx->tmpl_len = (uint8_t)(l2_len + l3_len + PLX_UDP_HLEN);
}

/* The UDP checksum of a packet whose field holds the pseudo header's sum without the length. */
static inline void
put_udp_cksum(const struct plx_net *n, uint8_t *udp, uint16_t udp_len)
{
	uint64_t sum = (uint64_t)plx_ld16(udp + 6) + PLX_BE16(udp_len);
	uint16_t field;

	if (n->tx_no_cksum) {
		field = 0;
	} else if (n->tx_udp_off) {
		field = plx_cksum_fold(sum);
	} else {
		sum += (uint64_t)plx_ld32(udp) + PLX_BE16(udp_len);
		field = (uint16_t)~plx_cksum_fold(
		        plx_cksum_add(sum, udp + PLX_UDP_HLEN, udp_len - PLX_UDP_HLEN));
		/* 0 would say "no checksum" (RFC 768). */
		if (field == 0)
			field = 0xffff;
	}
	plx_st16(udp + 6, field);
}

/* Puts the template in front of the payload and finishes it; the mbuf becomes the frame. */
static inline void
put_headers(const struct plx_net *n, const struct plx_tx_path *tx,
            const struct plx_txpkt *pkt)
{
	struct rte_mbuf *m = pkt->cookie;
	uint8_t *udp = pkt->buf - PLX_UDP_HLEN;
	const uint16_t udp_len = (uint16_t)(pkt->len + PLX_UDP_HLEN);
	const uint8_t hdr_len = tx->tmpl_len;
	const bool v6 = tx->path.remote.family == PLX_FAMILY_IPV6;
	const uint8_t l3_len = v6 ? PLX_IP6_HLEN : PLX_IP4_HLEN;
	uint8_t *ip = udp - l3_len;

	memcpy(pkt->buf - PLX_NET_TMPL, tx->tmpl, PLX_NET_TMPL);
	plx_st16_be(udp + 4, udp_len);
	put_udp_cksum(n, udp, udp_len);
	m->data_off = (uint16_t)(m->data_off - hdr_len);
	m->data_len = (uint16_t)(hdr_len + pkt->len);
	m->pkt_len = m->data_len;
	m->tx_offload = 0;
	m->l2_len = tx->l2_len & 0x7f;
	m->l3_len = l3_len;
	m->ol_flags = n->tx_udp_off ? RTE_MBUF_F_TX_UDP_CKSUM : 0;
	if (v6) {
		m->ol_flags |= RTE_MBUF_F_TX_IPV6;
		plx_st16_be(ip + 4, udp_len);
		ip[1] = (uint8_t)((pkt->ecn & 3) << 4);
	} else {
		const uint16_t total = (uint16_t)(udp_len + PLX_IP4_HLEN);
		const uint64_t sum = (uint64_t)plx_ld16(ip + 10) + PLX_BE16(total) +
		                     PLX_BE16(pkt->ecn & 3);

		m->ol_flags |= RTE_MBUF_F_TX_IPV4;
		plx_st16_be(ip + 2, total);
		ip[1] = pkt->ecn & 3;
		plx_st16(ip + 10, (uint16_t)~plx_cksum_fold(sum));
		if (n->tx_ip_off) {
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
			plx_st16(ip + 10, 0);
		}
	}
}

/* A path without a template that holds: looks the way up. Consumes the packet unless true. */
static __attribute__((noinline)) PLX_ON_WORKER bool
tx_resolve(struct plx_net *n, struct plx_txpkt *pkt, uint32_t epoch, uint64_t now_ns)
{
	static const uint8_t unknown[6];
	struct plx_tx_path *tx = pkt->tx;
	enum plx_drop drop = PLX_DROP_NET_NO_ROUTE;
	enum plx_net_hop hop = PLX_NET_HOP_NOROUTE;
	struct plx_addr via;
	uint8_t mac[6];

	tx->tmpl_len = 0;
	if (tx->path.local.family == tx->path.remote.family)
		hop = plx_net_hop_find(n, &tx->path.remote, &via, mac);
	switch (hop) {
	case PLX_NET_HOP_MAC:
		make_template(n, tx, mac);
		tx->epoch = epoch;
		return true;
	case PLX_NET_HOP_WAIT:
		/* The frame is finished now but for its first six bytes: the path may be gone
		 * when the answer comes. */
		make_template(n, tx, unknown);
		put_headers(n, tx, pkt);
		tx->tmpl_len = 0;
		plx_net_hop_hold(n, &via, pkt->cookie, now_ns);
		return false;
	case PLX_NET_HOP_FAILED:
		drop = PLX_DROP_NET_NO_NEIGH;
		break;
	default:
		break;
	}
	plx_obs_drop(n->obs, drop, 1);
	rte_pktmbuf_free(pkt->cookie);
	return false;
}

void
plx_net_tx_burst(struct plx_net *n, struct plx_txpkt *out, uint16_t cnt, uint64_t now_ns)
{
	const uint32_t epoch = n->neigh != NULL ? plx_neigh_epoch(n->neigh) : 1;

	for (uint16_t i = 0; i < cnt; i++) {
		struct plx_txpkt *pkt = &out[i];
		struct plx_tx_path *tx = pkt->tx;
		const uint16_t ip_hdr = tx->path.remote.family == PLX_FAMILY_IPV6
		                                ? PLX_IP6_HLEN
		                                : PLX_IP4_HLEN;

		if (plx_unlikely((uint32_t)pkt->len + ip_hdr + PLX_UDP_HLEN > n->mtu)) {
			plx_obs_drop(n->obs, PLX_DROP_NET_TOO_LARGE, 1);
			rte_pktmbuf_free(pkt->cookie);
			continue;
		}
		if (plx_unlikely(tx->tmpl_len == 0 || tx->epoch != epoch) &&
		    !tx_resolve(n, pkt, epoch, now_ns))
			continue;
		put_headers(n, tx, pkt);
		plx_net_tx_queue(n, pkt->cookie, now_ns);
	}
}

/* Offers the queue to the port once. */
static void
offer(struct plx_net *n)
{
	uint64_t bytes = 0;
	uint16_t sent = 0;

	while (sent < n->txq_cnt) {
		uint16_t want =
		        RTE_MIN((uint16_t)(n->txq_cnt - sent), (uint16_t)PLX_BURST_MAX);
		uint16_t got = plx_pio_tx(n->pio, n->queue, n->txq + sent, want);

		for (uint16_t i = 0; i < got; i++)
			bytes += n->txq_len[sent + i];
		sent = (uint16_t)(sent + got);
		if (got < want)
			break;
	}
	if (sent == 0)
		return;
	n->stall_ns = 0;
	plx_obs_add(n->obs, PLX_COUNT_tx_pkts, sent);
	plx_obs_add(n->obs, PLX_COUNT_tx_bytes, bytes);
	n->txq_cnt = (uint16_t)(n->txq_cnt - sent);
	n->refused_cnt = (uint16_t)(n->refused_cnt > sent ? n->refused_cnt - sent : 0);
	if (n->txq_cnt > 0) {
		memmove(n->txq, n->txq + sent, n->txq_cnt * sizeof(n->txq[0]));
		memmove(n->txq_len, n->txq_len + sent, n->txq_cnt * sizeof(n->txq_len[0]));
	}
}

/* Drops the frames that were refused before and again now, PLX_NET_TX_HOLD_NS later. */
static void
drop_refused(struct plx_net *n)
{
	const uint16_t cnt = n->refused_cnt;

	plx_obs_drop(n->obs, PLX_DROP_NET_TX_FULL, cnt);
	rte_pktmbuf_free_bulk(n->txq, cnt);
	n->txq_cnt = (uint16_t)(n->txq_cnt - cnt);
	memmove(n->txq, n->txq + cnt, n->txq_cnt * sizeof(n->txq[0]));
	memmove(n->txq_len, n->txq_len + cnt, n->txq_cnt * sizeof(n->txq_len[0]));
	n->refused_cnt = 0;
}

static void
flush(struct plx_net *n, uint64_t now_ns)
{
	uint16_t had = n->txq_cnt;

	offer(n);
	if (plx_likely(n->txq_cnt == 0))
		return;
	if (n->txq_cnt == had && n->stall_ns == 0)
		n->stall_ns = now_ns;
	if (n->refused_cnt > 0 && now_ns - n->refused_ns >= PLX_NET_TX_HOLD_NS)
		drop_refused(n);
	if (n->refused_cnt == 0 && n->txq_cnt > 0) {
		plx_obs_add(n->obs, PLX_COUNT_tx_retries, n->txq_cnt);
		n->refused_cnt = n->txq_cnt;
		n->refused_ns = now_ns;
	}
}

void
plx_net_tx_queue(struct plx_net *n, struct rte_mbuf *m, uint64_t now_ns)
{
	if (plx_unlikely(n->txq_cnt == PLX_NET_TXQ)) {
		flush(n, now_ns);
		if (n->txq_cnt == PLX_NET_TXQ) {
			plx_obs_drop(n->obs, PLX_DROP_NET_TX_FULL, 1);
			rte_pktmbuf_free(m);
			return;
		}
	}
	n->txq[n->txq_cnt] = m;
	n->txq_len[n->txq_cnt++] = m->data_len;
}

uint16_t
plx_net_tx_flush(struct plx_net *n, uint64_t now_ns)
{
	plx_net_hop_run(n, now_ns);
	if (n->txq_cnt > 0)
		flush(n, now_ns);
	return n->txq_cnt;
}

bool
plx_net_tx_stalled(const struct plx_net *n, uint64_t now_ns)
{
	return n->stall_ns != 0 && now_ns - n->stall_ns >= PLX_NET_TX_HOLD_NS;
}

struct rte_mbuf *
plx_net_tx_frame(struct plx_net *n, const uint8_t dst[6], uint16_t type, uint16_t len,
                 uint8_t **l3)
{
	const uint16_t l2_len = PLX_ETH_HLEN + (n->cfg.vlan != 0 ? PLX_VLAN_HLEN : 0);
	const uint16_t sz = RTE_MAX((uint16_t)(l2_len + len), (uint16_t)FRAME_MIN);
	struct rte_mbuf *m;
	uint8_t *p;

	if (sz > n->room)
		return NULL;
	m = rte_pktmbuf_alloc(n->pool);
	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, sz);
	*l3 = p + put_eth(n, p, dst, type);
	memset(*l3, 0, sz - l2_len);
	return m;
}

void
plx_net_tx_ip6(uint8_t *ip, const uint8_t *src, const uint8_t *dst, uint16_t len,
               uint8_t hop_limit)
{
	ip[0] = 0x60;
	plx_st16_be(ip + 4, len);
	ip[6] = PLX_PROTO_ICMP6;
	ip[7] = hop_limit;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
}
