/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour solicitation and advertisement, RFC 4861 sections 4.3 and 4.4:
 *
 *      0      1      2          4           8                24
 *      | type | code | checksum | R S O ... | target address | options: type, len / 8, ... |
 */
#include "plx_net_pvt.h"

#define MSG_LEN   24
#define OPT_LEN   8
#define OFF_FLAGS 4
#define OFF_TGT   8

enum { TYPE_RS = 133, TYPE_RA = 134, TYPE_NS = 135, TYPE_NA = 136, TYPE_REDIRECT = 137 };
enum { OPT_SOURCE = 1, OPT_TARGET = 2 };
enum { FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20 };

static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

/* The MAC of an IPv6 group: 33:33 and its last four bytes (RFC 2464 section 7). */
static void
group_mac(const uint8_t *ip, uint8_t mac[6])
{
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(mac + 2, ip + 12, 4);
}

/*
 * Walks the options. *mac: the link-layer address of the type looked for, NULL = none.
 * @return false: an option of length 0 or past the end, the message must be discarded
 */
static bool
find_mac(const uint8_t *p, size_t len, uint8_t type, const uint8_t **mac)
{
	*mac = NULL;
	while (len > 0) {
		size_t sz;

		if (len < OPT_LEN)
			return false;
		sz = OPT_LEN * (size_t)p[1];
		if (sz == 0 || sz > len)
			return false;
		if (p[0] == type && sz == OPT_LEN && *mac == NULL)
			*mac = p + 2;
		p += sz;
		len -= sz;
	}
	return *mac == NULL || plx_net_mac_ok(*mac);
}

/* Queues a message with our MAC as its option; false: no buffer. */
static PLX_ON_WORKER bool
send_nd(struct plx_net *n, uint8_t type, uint8_t flags, const uint8_t *src,
        const uint8_t *dst, const uint8_t *target, const uint8_t mac[6], uint64_t now_ns)
{
	const uint16_t len = MSG_LEN + OPT_LEN;
	struct rte_mbuf *m;
	uint8_t *ip, *msg;
	uint64_t sum;

	m = plx_net_tx_frame(n, mac, PLX_ETHERTYPE_IP6, PLX_IP6_HLEN + len, &ip);
	if (m == NULL)
		return false;
	plx_net_tx_ip6(ip, src, dst, len, 255);
	msg = ip + PLX_IP6_HLEN;
	msg[0] = type;
	msg[OFF_FLAGS] = flags;
	memcpy(msg + OFF_TGT, target, 16);
	msg[MSG_LEN] = type == TYPE_NS ? OPT_SOURCE : OPT_TARGET;
	msg[MSG_LEN + 1] = 1;
	memcpy(msg + MSG_LEN + 2, n->pio->mac, 6);
	sum = plx_cksum_pseudo(ip, true, len, PLX_PROTO_ICMP6);
	plx_st16(msg + 2, (uint16_t)~plx_cksum_fold(plx_cksum_add(sum, msg, len)));
	plx_net_tx_queue(n, m, now_ns);
	return true;
}

/* RFC 4861 section 7.2.3, 7.2.4 */
static PLX_ON_WORKER enum plx_drop
take_ns(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k, uint64_t now_ns)
{
	const uint8_t *ip = p + k->l2_len, *msg = ip + k->l3_len, *mac;
	const uint8_t *target = msg + OFF_TGT;
	struct plx_addr sender;
	uint8_t group[6];

	if (!find_mac(msg + MSG_LEN, k->l4_len - MSG_LEN, OPT_SOURCE, &mac))
		return PLX_DROP_NET_ND;
	if (!plx_net_rule_ours6(&n->rule, target))
		return PLX_DROP_NET_ND;
	if (k->src_none) {
		/* Somebody is about to take our address: everybody is told that it is ours. */
		if (mac != NULL || !k->mcast || memcmp(ip + 24, all_nodes, 16) == 0)
			return PLX_DROP_NET_ND;
		plx_net_hint(n, PLX_NET_HINT_ADDR_IN_USE);
		group_mac(all_nodes, group);
		if (!plx_net_spend(n, now_ns))
			return PLX_DROP_NET_ND;
		return send_nd(n, TYPE_NA, FLAG_OVERRIDE, target, all_nodes, target, group,
		               now_ns)
		               ? PLX_DROP_NONE
		               : PLX_DROP_NET_NO_MBUF;
	}
	if (mac == NULL && k->mcast)
		return PLX_DROP_NET_ND;
	/* Without the option the question was unicast, and its sender's MAC stands in front. */
	if (!plx_net_mac_ok(mac != NULL ? mac : p + 6) || !plx_net_spend(n, now_ns))
		return PLX_DROP_NET_ND;
	if (!send_nd(n, TYPE_NA, FLAG_SOLICITED | FLAG_OVERRIDE, target, ip + 8, target,
	             mac != NULL ? mac : p + 6, now_ns))
		return PLX_DROP_NET_NO_MBUF;
	sender = plx_net_addr_of(ip + 8, PLX_FAMILY_IPV6);
	if (mac != NULL && plx_net_hop_near(n, &sender))
		(void)plx_net_neigh_tell(n, PLX_NEIGH_LEARN, &sender, mac);
	return PLX_DROP_NONE;
}

/* RFC 4861 section 7.2.5 */
static PLX_ON_WORKER enum plx_drop
take_na(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k)
{
	const uint8_t *msg = p + k->l2_len + k->l3_len, *mac;
	const struct plx_addr target = plx_net_addr_of(msg + OFF_TGT, PLX_FAMILY_IPV6);
	const uint8_t flags = msg[OFF_FLAGS];
	enum plx_neigh_op op = flags & FLAG_SOLICITED ? PLX_NEIGH_REPLY : PLX_NEIGH_UPDATE;
	enum plx_neigh_state s;
	uint8_t known[6];

	if (!find_mac(msg + MSG_LEN, k->l4_len - MSG_LEN, OPT_TARGET, &mac) || k->src_none)
		return PLX_DROP_NET_ND;
	if ((flags & FLAG_SOLICITED) && k->mcast)
		return PLX_DROP_NET_ND;
	if (plx_net_rule_ours6(&n->rule, target.ip)) {
		if (memcmp(p + 6, n->pio->mac, 6) != 0)
			plx_net_hint(n, PLX_NET_HINT_ADDR_IN_USE);
		return PLX_DROP_NET_ND;
	}
	if (n->neigh == NULL)
		return PLX_DROP_NET_ND;
	s = plx_neigh_peek(n->neigh, &target);
	if (s == PLX_NEIGH_FREE || (mac == NULL && op == PLX_NEIGH_UPDATE))
		return PLX_DROP_NET_ND;
	/* Without "override" an answer may fill a gap, but not replace a MAC we use. */
	if (!(flags & FLAG_OVERRIDE) && mac != NULL && plx_neigh_usable(s) &&
	    plx_neigh_usable(plx_neigh_find(n->neigh, &target, known)) &&
	    memcmp(known, mac, 6) != 0)
		return PLX_DROP_NET_ND;
	return plx_net_neigh_tell(n, op, &target, mac) ? PLX_DROP_NONE : PLX_DROP_NET_ND;
}

enum plx_drop
plx_nd_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k, uint64_t now_ns)
{
	const uint8_t *msg = p + k->l2_len + k->l3_len;
	enum plx_drop drop = PLX_DROP_NET_ND;

	/* A hop limit of 255 proves that no router forwarded it (RFC 4861 section 7.1). */
	if (k->ttl == 255 && msg[1] == 0 && k->l4_len >= MSG_LEN && msg[OFF_TGT] != 0xff) {
		if (msg[0] == TYPE_NS)
			drop = take_ns(n, p, k, now_ns);
		else if (msg[0] == TYPE_NA)
			drop = take_na(n, p, k);
	}
	if (drop == PLX_DROP_NONE)
		plx_obs_add(n->obs, PLX_COUNT_nd_rx, 1);
	return drop;
}

void
plx_nd_ask(struct plx_net *n, const uint8_t *src, const uint8_t *target,
           const uint8_t mac[6], uint64_t now_ns)
{
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff}, dst[6];
	bool ok;

	if (plx_net_mac_ok(mac)) {
		ok = send_nd(n, TYPE_NS, 0, src, target, target, mac, now_ns);
	} else {
		memcpy(group + 13, target + 13, 3);
		group_mac(group, dst);
		ok = send_nd(n, TYPE_NS, 0, src, group, target, dst, now_ns);
	}
	if (!ok)
		plx_obs_drop(n->obs, PLX_DROP_NET_NO_MBUF, 1);
}

void
plx_nd_announce(struct plx_net *n, const uint8_t *ip, uint64_t now_ns)
{
	uint8_t dst[6];

	group_mac(all_nodes, dst);
	if (!send_nd(n, TYPE_NA, FLAG_OVERRIDE, ip, all_nodes, ip, dst, now_ns))
		plx_obs_drop(n->obs, PLX_DROP_NET_NO_MBUF, 1);
}
