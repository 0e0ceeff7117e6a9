/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Echo and packet too big, RFC 792 and 4443:
 *
 *      0      1      2          4            8
 *      | type | code | checksum | 4 bytes    | data, or the beginning of the packet meant |
 *
 * IPv4 "fragmentation needed" has the MTU in bytes 6..7, ICMPv6 "packet too big" in 4..7.
 */
#include "plx_net_pvt.h"

#define HLEN 8

enum { ICMP4_REPLY = 0, ICMP4_UNREACHABLE = 3, ICMP4_ECHO = 8, ICMP4_CODE_FRAG = 4 };
enum { ICMP6_TOO_BIG = 2, ICMP6_ECHO = 128, ICMP6_REPLY = 129 };
enum { ICMP6_ND_FIRST = 133, ICMP6_ND_LAST = 137 };

/* Paths narrower than this cannot carry QUIC: nothing to tell (RFC 9000 section 14.2.1). */
#define PTB_MIN4 (1200 + PLX_IP4_HLEN + PLX_UDP_HLEN)
#define PTB_MIN6 1280

/* Sends the message back with another type; the checksum is made anew. */
static PLX_ON_WORKER enum plx_drop
echo(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k, uint64_t now_ns)
{
	const bool v6 = k->family == PLX_FAMILY_IPV6;
	const uint8_t *ip = p + k->l2_len, *msg = ip + k->l3_len;
	const uint16_t l3_len = v6 ? PLX_IP6_HLEN : PLX_IP4_HLEN;
	const uint16_t len = (uint16_t)k->l4_len;
	struct rte_mbuf *m;
	uint8_t *to, *out;
	uint64_t sum = 0;

	if (!plx_net_mac_ok(p + 6) || l3_len + len > n->mtu || !plx_net_spend(n, now_ns))
		return PLX_DROP_NET_ICMP;
	m = plx_net_tx_frame(n, p + 6, v6 ? PLX_ETHERTYPE_IP6 : PLX_ETHERTYPE_IP4,
	                     l3_len + len, &to);
	if (m == NULL)
		return PLX_DROP_NET_NO_MBUF;
	if (v6) {
		plx_net_tx_ip6(to, ip + 24, ip + 8, len, n->cfg.ttl);
		sum = plx_cksum_pseudo(to, true, len, PLX_PROTO_ICMP6);
	} else {
		to[0] = 0x45;
		plx_st16_be(to + 2, (uint16_t)(l3_len + len));
		plx_st16_be(to + 6, 0x4000);
		to[8] = n->cfg.ttl;
		to[9] = PLX_PROTO_ICMP4;
		memcpy(to + 12, ip + 16, 4);
		memcpy(to + 16, ip + 12, 4);
		plx_st16(to + 10, (uint16_t)~plx_cksum_fold(plx_cksum_ip4(to)));
	}
	out = to + l3_len;
	memcpy(out, msg, len);
	out[0] = v6 ? ICMP6_REPLY : ICMP4_REPLY;
	plx_st16(out + 2, 0);
	plx_st16(out + 2, (uint16_t)~plx_cksum_fold(plx_cksum_add(sum, out, len)));
	plx_net_tx_queue(n, m, now_ns);
	plx_obs_add(n->obs, PLX_COUNT_echo_rx, 1);
	return PLX_DROP_NONE;
}

/* udp: the ports of the quoted packet, whose addresses are in the path. */
static PLX_ON_WORKER enum plx_drop
too_big(struct plx_net *n, struct plx_path *path, const uint8_t *udp, uint32_t mtu)
{
	path->local.port_be = plx_ld16(udp);
	path->remote.port_be = plx_ld16(udp + 2);
	if (n->on_ptb != NULL)
		n->on_ptb(n->ptb_arg, path, (uint16_t)mtu);
	plx_obs_add(n->obs, PLX_COUNT_ptb_rx, 1);
	return PLX_DROP_NONE;
}

/* q: the quoted packet, len bytes of it; told only when we could have sent it. */
static PLX_ON_WORKER enum plx_drop
too_big4(struct plx_net *n, const uint8_t *q, size_t len, uint32_t mtu)
{
	struct plx_path path;
	size_t hlen;

	if (len < PLX_IP4_HLEN || q[0] >> 4 != 4)
		return PLX_DROP_NET_ICMP;
	hlen = (size_t)(q[0] & 0xf) * 4;
	if (hlen < PLX_IP4_HLEN || len < hlen + 4 || q[9] != PLX_PROTO_UDP ||
	    mtu < PTB_MIN4 || mtu >= n->mtu || !plx_net_rule_ours4(&n->rule, q + 12) ||
	    !plx_net_rule_source4(&n->rule, q + 16) ||
	    !plx_net_rule_port(&n->rule, plx_ld16(q + hlen)))
		return PLX_DROP_NET_ICMP;
	path.local = plx_net_addr_of(q + 12, PLX_FAMILY_IPV4);
	path.remote = plx_net_addr_of(q + 16, PLX_FAMILY_IPV4);
	return too_big(n, &path, q + hlen, mtu);
}

static PLX_ON_WORKER enum plx_drop
too_big6(struct plx_net *n, const uint8_t *q, size_t len, uint32_t mtu)
{
	struct plx_path path;

	/* We send no extension headers: UDP follows at once in a packet of ours. */
	if (len < PLX_IP6_HLEN + 4 || q[0] >> 4 != 6 || q[6] != PLX_PROTO_UDP ||
	    mtu < PTB_MIN6 || mtu >= n->mtu || !plx_net_rule_ours6(&n->rule, q + 8) ||
	    !plx_net_rule_source6(&n->rule, q + 24) ||
	    !plx_net_rule_port(&n->rule, plx_ld16(q + PLX_IP6_HLEN)))
		return PLX_DROP_NET_ICMP;
	path.local = plx_net_addr_of(q + 8, PLX_FAMILY_IPV6);
	path.remote = plx_net_addr_of(q + 24, PLX_FAMILY_IPV6);
	return too_big(n, &path, q + PLX_IP6_HLEN, mtu);
}

enum plx_drop
plx_icmp4_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
             uint64_t now_ns)
{
	const uint8_t *msg = p + k->l2_len + k->l3_len;

	if (k->l4_len < HLEN || plx_cksum_fold(plx_cksum_add(0, msg, k->l4_len)) != 0xffff)
		return PLX_DROP_NET_ICMP;
	if (msg[0] == ICMP4_ECHO && msg[1] == 0)
		return echo(n, p, k, now_ns);
	if (msg[0] == ICMP4_UNREACHABLE && msg[1] == ICMP4_CODE_FRAG)
		return too_big4(n, msg + HLEN, k->l4_len - HLEN, plx_ld16_be(msg + 6));
	return PLX_DROP_NET_ICMP;
}

enum plx_drop
plx_icmp6_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
             uint64_t now_ns)
{
	const uint8_t *ip = p + k->l2_len, *msg = ip + k->l3_len;
	uint64_t sum = plx_cksum_pseudo(ip, true, (uint16_t)k->l4_len, PLX_PROTO_ICMP6);

	if (k->l4_len < HLEN ||
	    plx_cksum_fold(plx_cksum_add(sum, msg, k->l4_len)) != 0xffff)
		return PLX_DROP_NET_ICMP;
	if (msg[0] >= ICMP6_ND_FIRST && msg[0] <= ICMP6_ND_LAST)
		return plx_nd_rx(n, p, k, now_ns);
	/* Only neighbour discovery may come to a group or from nobody. */
	if (k->mcast || k->src_none)
		return PLX_DROP_NET_ICMP;
	if (msg[0] == ICMP6_ECHO && msg[1] == 0)
		return echo(n, p, k, now_ns);
	if (msg[0] == ICMP6_TOO_BIG)
		return too_big6(n, msg + HLEN, k->l4_len - HLEN, plx_ld32_be(msg + 4));
	return PLX_DROP_NET_ICMP;
}
