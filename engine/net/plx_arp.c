/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP over Ethernet for IPv4, RFC 826:
 *
 *      0       2       4   5   6       8            14          18           24
 *      | htype | ptype | 6 | 4 | oper  | sender MAC | sender IP | target MAC | target IP |
 */
#include "plx_net_pvt.h"

#define OFF_OPER 6
#define OFF_SHA  8
#define OFF_SPA  14
#define OFF_THA  18
#define OFF_TPA  24

enum { OPER_REQUEST = 1, OPER_REPLY = 2 };

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Queues an ARP message from our MAC; false: no buffer. */
static PLX_ON_WORKER bool
send_arp(struct plx_net *n, uint16_t oper, const uint8_t *spa, const uint8_t tha[6],
         const uint8_t *tpa, uint64_t now_ns)
{
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
	const bool all = !plx_net_mac_ok(tha);
	struct rte_mbuf *m;
	uint8_t *a;

	m = plx_net_tx_frame(n, all ? broadcast : tha, PLX_ETHERTYPE_ARP, PLX_ARP_LEN, &a);
	if (m == NULL)
		return false;
	memcpy(a, fixed, sizeof(fixed));
	plx_st16_be(a + OFF_OPER, oper);
	memcpy(a + OFF_SHA, n->pio->mac, 6);
	memcpy(a + OFF_SPA, spa, 4);
	if (!all)
		memcpy(a + OFF_THA, tha, 6);
	memcpy(a + OFF_TPA, tpa, 4);
	plx_net_tx_queue(n, m, now_ns);
	return true;
}

/* A request for an address of ours: answer, and learn who asked (he will want an answer). */
static PLX_ON_WORKER enum plx_drop
answer(struct plx_net *n, const uint8_t *a, const struct plx_addr *sender, uint64_t now_ns)
{
	/* A probe (RFC 5227) comes from 0.0.0.0; there is nobody to learn then. */
	const bool probe = plx_ld32(a + OFF_SPA) == 0;

	if (!probe && !plx_net_rule_source4(&n->rule, a + OFF_SPA))
		return PLX_DROP_NET_ARP;
	if (!plx_net_spend(n, now_ns))
		return PLX_DROP_NET_ARP;
	if (!send_arp(n, OPER_REPLY, a + OFF_TPA, a + OFF_SHA, a + OFF_SPA, now_ns))
		return PLX_DROP_NET_NO_MBUF;
	if (!probe && plx_net_hop_near(n, sender))
		(void)plx_net_neigh_tell(n, PLX_NEIGH_LEARN, sender, a + OFF_SHA);
	return PLX_DROP_NONE;
}

static PLX_ON_WORKER enum plx_drop
take(struct plx_net *n, const uint8_t *a, uint64_t now_ns)
{
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
	const struct plx_addr sender = plx_net_addr_of(a + OFF_SPA, PLX_FAMILY_IPV4);
	const uint16_t oper = plx_ld16_be(a + OFF_OPER);
	const bool for_us = plx_net_rule_ours4(&n->rule, a + OFF_TPA);
	enum plx_neigh_op op = PLX_NEIGH_UPDATE;

	if (memcmp(a, fixed, sizeof(fixed)) != 0 || !plx_net_mac_ok(a + OFF_SHA) ||
	    (oper != OPER_REQUEST && oper != OPER_REPLY))
		return PLX_DROP_NET_ARP;
	if (plx_net_rule_ours4(&n->rule, a + OFF_SPA)) {
		if (memcmp(a + OFF_SHA, n->pio->mac, 6) != 0)
			plx_net_hint(n, PLX_NET_HINT_ADDR_IN_USE);
		return PLX_DROP_NET_ARP;
	}
	if (oper == OPER_REQUEST && for_us)
		return answer(n, a, &sender, now_ns);
	if (oper == OPER_REPLY && for_us)
		op = PLX_NEIGH_REPLY;
	else if (plx_ld32(a + OFF_SPA) != plx_ld32(a + OFF_TPA))
		return PLX_DROP_NET_ARP;
	/* Replies and announcements speak of neighbours we know, or are none of our business. */
	if (n->neigh == NULL || plx_neigh_peek(n->neigh, &sender) == PLX_NEIGH_FREE ||
	    !plx_net_neigh_tell(n, op, &sender, a + OFF_SHA))
		return PLX_DROP_NET_ARP;
	return PLX_DROP_NONE;
}

enum plx_drop
plx_arp_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
           uint64_t now_ns)
{
	enum plx_drop drop = take(n, p + k->l2_len, now_ns);

	if (drop == PLX_DROP_NONE)
		plx_obs_add(n->obs, PLX_COUNT_arp_rx, 1);
	return drop;
}

void
plx_arp_ask(struct plx_net *n, const uint8_t *src, const uint8_t *target,
            const uint8_t mac[6], uint64_t now_ns)
{
	if (!send_arp(n, OPER_REQUEST, src, mac, target, now_ns))
		plx_obs_drop(n->obs, PLX_DROP_NET_NO_MBUF, 1);
}

void
plx_arp_announce(struct plx_net *n, const uint8_t *ip, uint64_t now_ns)
{
	static const uint8_t all[6];

	plx_arp_ask(n, ip, ip, all, now_ns);
}
