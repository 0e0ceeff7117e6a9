/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "plx_net_pvt.h"

/* The smallest MTU through which a QUIC packet of 1200 bytes fits (IPv4). */
#define MTU_MIN      (1200 + PLX_IP4_HLEN + PLX_UDP_HLEN)
#define RATE_DEFAULT 1000
#define TTL_DEFAULT  64

static void
set_offloads(struct plx_net *n)
{
	const uint32_t got = n->pio->off_got;

	if (got & PLX_OFF_RX_IP_CKSUM)
		n->rx_ip_msk = RTE_MBUF_F_RX_IP_CKSUM_MASK;
	if (got & PLX_OFF_RX_UDP_CKSUM)
		n->rx_udp_msk = RTE_MBUF_F_RX_L4_CKSUM_MASK;
	if (got & PLX_OFF_NO_CKSUM)
		n->rx_trust = PLX_NET_TRUST_IP | PLX_NET_TRUST_WIRE;
	n->tx_no_cksum = (got & PLX_OFF_NO_CKSUM) != 0;
	n->tx_ip_off = (got & PLX_OFF_TX_IP_CKSUM) != 0;
	n->tx_udp_off = (got & PLX_OFF_TX_UDP_CKSUM) != 0 && !n->tx_no_cksum;
}

int
plx_net_new(struct plx_net **out, const struct plx_net_cfg *cfg, struct plx_pio *pio,
            uint16_t queue, struct plx_neigh *neigh, struct plx_obs *obs)
{
	struct plx_net *n;
	uint32_t room;
	int rc;

	*out = NULL;
	if ((neigh == NULL && !cfg->no_neigh) || queue >= pio->txq_cnt || pio->pool == NULL)
		return PLX_E_INVAL;
	room = rte_pktmbuf_data_room_size(pio->pool);
	if (pio->mtu < MTU_MIN || room < RTE_PKTMBUF_HEADROOM + MTU_MIN)
		return PLX_E_CONFIG;
	n = aligned_alloc(PLX_CACHE_LINE, RTE_ALIGN_CEIL(sizeof(*n), PLX_CACHE_LINE));
	if (n == NULL)
		return PLX_E_NOMEM;
	memset(n, 0, sizeof(*n));
	n->obs = obs;
	n->pio = pio;
	n->pool = pio->pool;
	n->neigh = cfg->no_neigh ? NULL : neigh;
	n->queue = queue;
	n->mtu = pio->mtu;
	n->room = (uint16_t)(room - RTE_PKTMBUF_HEADROOM);
	n->cfg = *cfg;
	n->has_gw_mac = plx_net_mac_ok(cfg->gateway_mac);
	if (n->cfg.ttl == 0)
		n->cfg.ttl = TTL_DEFAULT;
	n->bucket.cost_ns =
	        PLX_NS_PER_S / (cfg->icmp_rate != 0 ? cfg->icmp_rate : RATE_DEFAULT);
	n->bucket.credit_ns = PLX_NS_PER_S;
	set_offloads(n);
	rc = plx_net_rule_init(&n->rule, cfg, pio->mtu);
	if (rc != 0) {
		free(n);
		return rc;
	}
	*out = n;
	return 0;
}

void
plx_net_free(struct plx_net *n)
{
	if (n == NULL)
		return;
	rte_pktmbuf_free_bulk(n->txq, n->txq_cnt);
	for (unsigned i = 0; i < PLX_NET_HOLD_HOPS; i++)
		rte_pktmbuf_free_bulk(n->hold[i].pkt, n->hold[i].cnt);
	free(n);
}

void
plx_net_set_ptb(struct plx_net *n, plx_net_ptb_fn fn, void *arg)
{
	n->on_ptb = fn;
	n->ptb_arg = arg;
}

uint32_t
plx_net_hints(const struct plx_net *n)
{
	return atomic_load_explicit(&n->hints, memory_order_relaxed);
}

void
plx_net_hint(struct plx_net *n, uint32_t bits)
{
	uint32_t old = atomic_load_explicit(&n->hints, memory_order_relaxed);

	atomic_store_explicit(&n->hints, old | bits, memory_order_relaxed);
}

bool
plx_net_spend(struct plx_net *n, uint64_t now_ns)
{
	struct plx_net_bucket *b = &n->bucket;

	if (now_ns > b->last_ns) {
		b->credit_ns += RTE_MIN(now_ns - b->last_ns, PLX_NS_PER_S);
		b->credit_ns = RTE_MIN(b->credit_ns, PLX_NS_PER_S);
		b->last_ns = now_ns;
	}
	if (b->credit_ns < b->cost_ns)
		return false;
	b->credit_ns -= b->cost_ns;
	return true;
}

/* Frames that only a veth pair delivers, and a second owner of our address. */
static PLX_ON_WORKER void
look_for_traps(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k)
{
	if (k->partial && ++n->partial_cnt == PLX_NET_HINT_MIN)
		plx_net_hint(n, PLX_NET_HINT_PARTIAL_CKSUM);
	if (k->drop == PLX_DROP_NET_TOO_LARGE && ++n->gso_cnt == PLX_NET_HINT_MIN)
		plx_net_hint(n, PLX_NET_HINT_GSO);
	if (k->src_ours && memcmp(p + 6, n->pio->mac, 6) != 0)
		plx_net_hint(n, PLX_NET_HINT_ADDR_IN_USE);
}

/* Everything that is not a datagram ends here, under one counter. */
static __attribute__((noinline)) PLX_ON_WORKER void
rx_other(struct plx_net *n, struct rte_mbuf *m, struct plx_net_pkt *k, uint64_t now_ns)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	enum plx_drop drop = (enum plx_drop)k->drop;

	switch (k->kind) {
	case PLX_NET_KIND_ARP:
		drop = plx_arp_rx(n, p, k, now_ns);
		break;
	case PLX_NET_KIND_ICMP4:
		drop = plx_icmp4_rx(n, p, k, now_ns);
		break;
	case PLX_NET_KIND_ICMP6:
		drop = plx_icmp6_rx(n, p, k, now_ns);
		break;
	default:
		look_for_traps(n, p, k);
		break;
	}
	if (drop != PLX_DROP_NONE)
		plx_obs_drop(n->obs, drop, 1);
	rte_pktmbuf_free(m);
}

static inline unsigned
trust_of(const struct plx_net *n, uint64_t ol_flags)
{
	unsigned trust = n->rx_trust;

	/* A port that did not promise the check has masks of 0, and 0 is never GOOD. */
	if ((ol_flags & n->rx_ip_msk) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		trust |= PLX_NET_TRUST_IP;
	if ((ol_flags & n->rx_udp_msk) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		trust |= PLX_NET_TRUST_UDP;
	return trust;
}

static inline void
fill_dgram(struct rte_mbuf *m, const uint8_t *p, const struct plx_net_pkt *k,
           struct plx_dgram *dg)
{
	const uint32_t off = k->l2_len + k->l3_len;

	/* Only the first line of the mbuf is touched: the second would be one more miss. */
	dg->l2_len = (uint16_t)k->l2_len;
	dg->l3_len = (uint16_t)k->l3_len;
	/* Cut Ethernet padding and what follows the UDP length. */
	if (plx_unlikely(m->data_len != off + k->l4_len)) {
		m->data_len = (uint16_t)(off + k->l4_len);
		m->pkt_len = m->data_len;
	}
	dg->data = p + off + PLX_UDP_HLEN;
	dg->cookie = m;
	dg->len = (uint16_t)(k->l4_len - PLX_UDP_HLEN);
	dg->ecn = k->ecn;
	dg->verdict = PLX_VERDICT_NONE;
	dg->worker = 0;
	dg->hops = 0;
	dg->drop = PLX_DROP_NONE;
	dg->slot = 0;
	dg->cid_seq = 0;
	plx_net_parse_path(p, k, &dg->path);
}

/* How far ahead headers are fetched: a miss (80 ns) is about four packets of parsing. */
#define AHEAD 4

uint16_t
plx_net_rx_burst(struct plx_net *n, struct rte_mbuf **m, uint16_t cnt, struct plx_dgram *dg,
                 uint64_t now_ns)
{
	uint64_t bytes = 0;
	uint16_t got = 0;

	for (uint16_t i = 0; i < cnt; i++)
		rte_prefetch0(m[i]);
	for (uint16_t i = 0; i < cnt && i < AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], const void *));
	for (uint16_t i = 0; i < cnt; i++) {
		struct rte_mbuf *b = m[i];
		struct plx_net_pkt k;
		const uint8_t *p;

		if (i + AHEAD < cnt)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], const void *));
		bytes += b->pkt_len;
		if (plx_unlikely(!plx_net_seg_whole(b))) {
			enum plx_drop drop;

			b = plx_net_seg_join(n, b, &drop);
			if (b == NULL) {
				k = (struct plx_net_pkt){.drop = (uint16_t)drop};
				look_for_traps(n, NULL, &k);
				plx_obs_drop(n->obs, drop, 1);
				continue;
			}
		}
		p = rte_pktmbuf_mtod(b, const uint8_t *);
		plx_net_parse(&n->rule, p, b->data_len, trust_of(n, b->ol_flags), &k);
		if (plx_likely(k.kind == PLX_NET_KIND_DGRAM))
			fill_dgram(b, p, &k, &dg[got++]);
		else
			rx_other(n, b, &k, now_ns);
	}
	plx_obs_add(n->obs, PLX_COUNT_rx_pkts, cnt);
	plx_obs_add(n->obs, PLX_COUNT_rx_bytes, bytes);
	plx_obs_add(n->obs, PLX_COUNT_rx_dgrams, got);
	return got;
}

void
plx_net_hand_over(const struct plx_dgram *dg)
{
	struct rte_mbuf *m = dg->cookie;

	m->tx_offload = 0;
	m->l2_len = dg->l2_len & 0x7f;
	m->l3_len = dg->l3_len & 0x1ff;
}

void
plx_net_dgram_of(struct rte_mbuf *m, struct plx_dgram *dg)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *ip = p + m->l2_len;
	struct plx_net_pkt k = {
	        .kind = PLX_NET_KIND_DGRAM, .l2_len = m->l2_len, .l3_len = m->l3_len};

	/* The frame was parsed once: what is read here lies inside it. */
	k.family = ip[0] >> 4 == 6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	k.ecn = k.family == PLX_FAMILY_IPV6 ? ip[1] >> 4 & 3 : ip[1] & 3;
	k.l4_len = m->data_len - k.l2_len - k.l3_len;
	fill_dgram(m, p, &k, dg);
}

void
plx_net_housekeep(struct plx_net *n, uint64_t now_ns)
{
	plx_net_hop_age(n, now_ns);
}

void
plx_net_announce(struct plx_net *n, uint64_t now_ns)
{
	for (unsigned i = 0; i < n->cfg.addr_cnt; i++) {
		const struct plx_addr *a = &n->cfg.addr[i].addr;

		if (a->family == PLX_FAMILY_IPV4)
			plx_arp_announce(n, a->ip, now_ns);
		else
			plx_nd_announce(n, a->ip, now_ns);
	}
}
