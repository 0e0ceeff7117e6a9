/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_net_pvt.h"

static bool
same_prefix(const uint8_t *a, const uint8_t *b, uint8_t bits)
{
	const uint8_t whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool
link_local(const struct plx_addr *a)
{
	return a->family == PLX_FAMILY_IPV6 && a->ip[0] == 0xfe &&
	       (a->ip[1] & 0xc0) == 0x80;
}

/* Same address; ports do not matter here. */
static bool
same_ip(const struct plx_addr *a, const struct plx_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* The longest prefix of ours in which a lies: its bits, -1 = none. idx: [out] which address. */
static int
on_link(const struct plx_net *n, const struct plx_addr *a, unsigned *idx)
{
	int best = -1;

	for (unsigned i = 0; i < n->cfg.addr_cnt; i++) {
		const struct plx_net_addr *o = &n->cfg.addr[i];

		if (o->addr.family != a->family || o->prefix_len <= best ||
		    !same_prefix(o->addr.ip, a->ip, o->prefix_len))
			continue;
		best = o->prefix_len;
		*idx = i;
	}
	return best;
}

static const struct plx_addr *
gateway_of(const struct plx_net *n, uint8_t family)
{
	return family == PLX_FAMILY_IPV6 ? &n->cfg.gateway6 : &n->cfg.gateway4;
}

bool
plx_net_hop_near(const struct plx_net *n, const struct plx_addr *a)
{
	unsigned idx;

	return link_local(a) || on_link(n, a, &idx) >= 0 ||
	       same_ip(a, gateway_of(n, a->family));
}

static bool
unicast(const struct plx_net *n, const struct plx_addr *a)
{
	if (a->family == PLX_FAMILY_IPV4)
		return plx_net_rule_source4(&n->rule, a->ip);
	return a->family == PLX_FAMILY_IPV6 && plx_net_rule_source6(&n->rule, a->ip);
}

enum plx_net_hop
plx_net_hop_find(struct plx_net *n, const struct plx_addr *remote, struct plx_addr *hop,
                 uint8_t mac[6])
{
	const struct plx_addr *gw = gateway_of(n, remote->family);
	enum plx_neigh_state s;
	unsigned idx;

	/* Not even to ourselves: a port does not send to its own worker. */
	if (!unicast(n, remote))
		return PLX_NET_HOP_NOROUTE;
	if (n->neigh == NULL) {
		memset(mac, 0xff, 6);
		return PLX_NET_HOP_MAC;
	}
	*hop = *remote;
	hop->port_be = 0;
	if (same_ip(remote, gw) || (!link_local(remote) && on_link(n, remote, &idx) < 0)) {
		if (n->has_gw_mac) {
			memcpy(mac, n->cfg.gateway_mac, 6);
			return PLX_NET_HOP_MAC;
		}
		if (gw->family == PLX_FAMILY_NONE)
			return PLX_NET_HOP_NOROUTE;
		*hop = *gw;
		hop->port_be = 0;
	}
	s = plx_neigh_find(n->neigh, hop, mac);
	if (plx_neigh_usable(s))
		return PLX_NET_HOP_MAC;
	return s == PLX_NEIGH_FAILED ? PLX_NET_HOP_FAILED : PLX_NET_HOP_WAIT;
}

int
plx_net_pick_local(const struct plx_net *n, const struct plx_addr *remote,
                   struct plx_addr *local)
{
	const struct plx_addr *pick = NULL;
	const bool any = n->neigh == NULL || n->has_gw_mac ||
	                 gateway_of(n, remote->family)->family != PLX_FAMILY_NONE;
	unsigned idx;

	if (!unicast(n, remote))
		return PLX_E_NOENT;
	if (on_link(n, remote, &idx) >= 0) {
		pick = &n->cfg.addr[idx].addr;
	} else {
		/* Through a gateway from an address that the world can answer, to link-local
		 * neighbours from an address they can see. */
		for (unsigned i = 0; i < n->cfg.addr_cnt && pick == NULL; i++) {
			const struct plx_addr *a = &n->cfg.addr[i].addr;

			if (a->family == remote->family && (any || link_local(remote)) &&
			    link_local(a) == link_local(remote))
				pick = a;
		}
		for (unsigned i = 0; i < n->cfg.addr_cnt && pick == NULL; i++) {
			if (n->cfg.addr[i].addr.family == remote->family && any)
				pick = &n->cfg.addr[i].addr;
		}
	}
	if (pick == NULL)
		return PLX_E_NOENT;
	*local = *pick;
	local->port_be = 0;
	return 0;
}

static struct plx_net_hold *
hold_slot(struct plx_net *n, const struct plx_addr *hop)
{
	struct plx_net_hold *empty = NULL;

	for (unsigned i = 0; i < PLX_NET_HOLD_HOPS; i++) {
		if (same_ip(&n->hold[i].hop, hop))
			return &n->hold[i];
		if (n->hold[i].hop.family == PLX_FAMILY_NONE && empty == NULL)
			empty = &n->hold[i];
	}
	return empty;
}

void
plx_net_hop_hold(struct plx_net *n, const struct plx_addr *hop, struct rte_mbuf *m,
                 uint64_t now_ns)
{
	struct plx_net_hold *h = hold_slot(n, hop);

	if (h == NULL || h->cnt == PLX_NET_HOLD_PKTS) {
		plx_obs_drop(n->obs, PLX_DROP_NET_NO_NEIGH, 1);
		rte_pktmbuf_free(m);
		return;
	}
	if (h->hop.family == PLX_FAMILY_NONE) {
		h->hop = *hop;
		h->until_ns = now_ns + PLX_NET_HOLD_NS;
		n->hold_cnt++;
		/* Should there be no room for the wish, housekeeping repeats it. */
		(void)plx_net_neigh_tell(n, PLX_NEIGH_WANT, hop, NULL);
	}
	h->pkt[h->cnt++] = m;
}

static void
hold_end(struct plx_net *n, struct plx_net_hold *h)
{
	h->hop.family = PLX_FAMILY_NONE;
	h->cnt = 0;
	n->hold_cnt--;
}

static void
hold_drop(struct plx_net *n, struct plx_net_hold *h)
{
	plx_obs_drop(n->obs, PLX_DROP_NET_NO_NEIGH, h->cnt);
	rte_pktmbuf_free_bulk(h->pkt, h->cnt);
	hold_end(n, h);
}

/* Looks every hop up for which packets wait: sends, drops, or leaves them. */
static PLX_ON_WORKER void
hold_run(struct plx_net *n, uint64_t now_ns)
{
	for (unsigned i = 0; i < PLX_NET_HOLD_HOPS && n->hold_cnt > 0; i++) {
		struct plx_net_hold *h = &n->hold[i];
		enum plx_neigh_state s;
		uint8_t mac[6];

		if (h->hop.family == PLX_FAMILY_NONE)
			continue;
		s = plx_neigh_find(n->neigh, &h->hop, mac);
		if (plx_neigh_usable(s)) {
			for (unsigned j = 0; j < h->cnt; j++) {
				memcpy(rte_pktmbuf_mtod(h->pkt[j], uint8_t *), mac, 6);
				plx_net_tx_queue(n, h->pkt[j], now_ns);
			}
			hold_end(n, h);
		} else if (s == PLX_NEIGH_FAILED) {
			hold_drop(n, h);
		}
	}
}

static PLX_ON_WORKER void
ask(struct plx_net *n, const struct plx_neigh_probe *probe, uint16_t cnt, uint64_t now_ns)
{
	for (uint16_t i = 0; i < cnt; i++) {
		const struct plx_addr *ip = &probe[i].ip;
		struct plx_addr src;

		if (plx_net_pick_local(n, ip, &src) != 0)
			continue;
		if (ip->family == PLX_FAMILY_IPV4)
			plx_arp_ask(n, src.ip, ip->ip, probe[i].mac, now_ns);
		else
			plx_nd_ask(n, src.ip, ip->ip, probe[i].mac, now_ns);
	}
}

void
plx_net_hop_run(struct plx_net *n, uint64_t now_ns)
{
	struct plx_neigh_probe probe[PLX_NEIGH_BURST];
	uint32_t epoch;

	if (n->neigh == NULL)
		return;
	if (n->queue == 0 && plx_neigh_pending(n->neigh))
		ask(n, probe, plx_neigh_take(n->neigh, now_ns, probe), now_ns);
	if (n->hold_cnt == 0)
		return;
	epoch = plx_neigh_epoch(n->neigh);
	if (epoch != n->hold_epoch) {
		n->hold_epoch = epoch;
		hold_run(n, now_ns);
	}
}

void
plx_net_link_up(struct plx_net *n, uint64_t now_ns)
{
	if (n->neigh == NULL || n->queue != 0)
		return;
	plx_neigh_recheck(n->neigh, now_ns);
	plx_net_announce(n, now_ns);
	plx_net_hop_age(n, now_ns);
}

void
plx_net_hop_age(struct plx_net *n, uint64_t now_ns)
{
	struct plx_neigh_probe probe[PLX_NEIGH_BURST];

	if (n->neigh == NULL)
		return;
	if (n->queue == 0)
		ask(n, probe, plx_neigh_age(n->neigh, now_ns, probe), now_ns);
	plx_net_hop_run(n, now_ns);
	/* also without a new epoch: a look-up that met the writer may have held in vain */
	hold_run(n, now_ns);
	for (unsigned i = 0; i < PLX_NET_HOLD_HOPS && n->hold_cnt > 0; i++) {
		struct plx_net_hold *h = &n->hold[i];

		if (h->hop.family == PLX_FAMILY_NONE)
			continue;
		if (now_ns >= h->until_ns)
			hold_drop(n, h);
		else if (plx_neigh_peek(n->neigh, &h->hop) == PLX_NEIGH_FREE)
			(void)plx_net_neigh_tell(n, PLX_NEIGH_WANT, &h->hop, NULL);
	}
}
