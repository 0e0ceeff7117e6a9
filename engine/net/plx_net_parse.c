/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_net_parse.h"

#include <plx/err.h>

#include "plx_cksum.h"
#include "plx_wire.h"

enum ip6_next {
	NEXT_HOPOPTS = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_ESP = 50,
	NEXT_AH = 51,
	NEXT_DSTOPTS = 60,
	NEXT_MOBILITY = 135,
	NEXT_HIP = 139,
	NEXT_SHIM6 = 140,
	NEXT_TEST1 = 253,
	NEXT_TEST2 = 254,
};

/* Where an IPv6 packet was sent to. */
enum dst6 {
	DST6_OTHER,
	DST6_OURS,
	DST6_GROUP, /* all nodes, or a solicited-node group of ours: ICMPv6 only */
};

bool
plx_net_rule_ours4(const struct plx_net_rule *r, const uint8_t *ip)
{
	uint32_t a = plx_ld32(ip);

	/* One address is the ordinary case; the loop behind it becomes vector code. */
	if (plx_likely(r->ip4[0] == a))
		return r->ip4_cnt > 0;
	for (unsigned i = 1; i < r->ip4_cnt; i++) {
		if (r->ip4[i] == a)
			return true;
	}
	return false;
}

bool
plx_net_rule_ours6(const struct plx_net_rule *r, const uint8_t *ip)
{
	uint64_t hi = plx_ld64(ip), lo = plx_ld64(ip + 8);

	if (plx_likely(r->ip6[0][0] == hi && r->ip6[0][1] == lo))
		return r->ip6_cnt > 0;
	for (unsigned i = 1; i < r->ip6_cnt; i++) {
		if (r->ip6[i][0] == hi && r->ip6[i][1] == lo)
			return true;
	}
	return false;
}

bool
plx_net_rule_source4(const struct plx_net_rule *r, const uint8_t *ip)
{
	uint32_t a = plx_ld32(ip);

	/* "this network", loopback, multicast, reserved and limited broadcast */
	if (ip[0] == 0 || ip[0] == 127 || ip[0] >= 224)
		return false;
	/* One address again; unused entries hold 0, which no source has any more. */
	if (plx_unlikely(r->ip4[0] == a || r->bcast4[0] == a))
		return false;
	for (unsigned i = 1; i < r->ip4_cnt; i++) {
		if (r->ip4[i] == a || r->bcast4[i] == a)
			return false;
	}
	return true;
}

bool
plx_net_rule_source6(const struct plx_net_rule *r, const uint8_t *ip)
{
	/* With 64 leading zeros it is ::, ::1, IPv4-mapped or IPv4-compatible: none is unicast. */
	if (ip[0] == 0xff || plx_ld64(ip) == 0)
		return false;
	return !plx_net_rule_ours6(r, ip);
}

bool
plx_net_rule_port(const struct plx_net_rule *r, uint16_t port_be)
{
	if (plx_likely(r->port_be[0] == port_be && r->port_cnt > 0))
		return true;
	for (unsigned i = 1; i < r->port_cnt; i++) {
		if (r->port_be[i] == port_be)
			return true;
	}
	return r->any_port && PLX_BE16(port_be) > 1023;
}

static enum plx_drop
parse_eth(const uint8_t *p, size_t len, struct plx_net_pkt *k, uint16_t *type)
{
	size_t off = PLX_ETH_HLEN;
	unsigned tags = 0;

	if (plx_unlikely(len < PLX_ETH_HLEN))
		return PLX_DROP_NET_SHORT;
	*type = plx_ld16_be(p + 12);
	while (*type == PLX_ETHERTYPE_VLAN || *type == PLX_ETHERTYPE_QINQ) {
		if (++tags > PLX_NET_VLAN_MAX)
			return PLX_DROP_NET_VLAN_DEPTH;
		if (len - off < PLX_VLAN_HLEN)
			return PLX_DROP_NET_SHORT;
		*type = plx_ld16_be(p + off + 2);
		off += PLX_VLAN_HLEN;
	}
	k->l2_len = (uint32_t)off;
	return PLX_DROP_NONE;
}

/* ip: l3_len bytes of header, behind them l4_len bytes of IP payload. */
static inline __attribute__((always_inline)) enum plx_drop
parse_udp(const struct plx_net_rule *r, const uint8_t *ip, bool v6, unsigned trust,
          struct plx_net_pkt *k)
{
	const uint8_t *udp = ip + k->l3_len;
	uint16_t len, field;
	uint64_t pseudo;

	if (plx_unlikely(k->l4_len < PLX_UDP_HLEN))
		return PLX_DROP_NET_UDP_LEN;
	len = plx_ld16_be(udp + 4);
	/* 0 would mean a jumbogram (RFC 2675): longer than any frame of ours. */
	if (plx_unlikely(len < PLX_UDP_HLEN || len > k->l4_len))
		return PLX_DROP_NET_UDP_LEN;
	if (plx_unlikely(plx_ld16(udp) == 0 || !plx_net_rule_port(r, plx_ld16(udp + 2))))
		return PLX_DROP_NET_UDP_PORT;
	k->l4_len = len;
	field = plx_ld16(udp + 6);
	if (!(trust & PLX_NET_TRUST_WIRE)) {
		if (field == 0 && v6)
			return PLX_DROP_NET_UDP_CKSUM;
		if (field != 0 && !(trust & PLX_NET_TRUST_UDP)) {
			pseudo = plx_cksum_pseudo(ip, v6, len, PLX_PROTO_UDP);
			if (plx_cksum_fold(plx_cksum_add(pseudo, udp, len)) != 0xffff) {
				k->partial = field == plx_cksum_fold(pseudo);
				return PLX_DROP_NET_UDP_CKSUM;
			}
		}
	}
	if (plx_unlikely(len == PLX_UDP_HLEN))
		return PLX_DROP_NET_EMPTY;
	k->kind = PLX_NET_KIND_DGRAM;
	return PLX_DROP_NONE;
}

static enum plx_drop
parse_ip4(const struct plx_net_rule *r, const uint8_t *ip, size_t left, unsigned trust,
          struct plx_net_pkt *k)
{
	uint16_t hlen, total;
	uint64_t sum;

	if (plx_unlikely(left < PLX_IP4_HLEN))
		return PLX_DROP_NET_SHORT;
	hlen = (uint16_t)((ip[0] & 0xf) * 4);
	if (plx_unlikely(ip[0] >> 4 != 4 || hlen < PLX_IP4_HLEN))
		return PLX_DROP_NET_IP4_VERSION;
	total = plx_ld16_be(ip + 2);
	if (plx_unlikely(total < hlen || total > left))
		return PLX_DROP_NET_IP4_LEN;
	if (plx_unlikely(hlen > PLX_IP4_HLEN && !r->ip4_options))
		return PLX_DROP_NET_IP4_OPTIONS;
	if (!(trust & PLX_NET_TRUST_IP)) {
		sum = plx_cksum_ip4(ip);
		if (plx_unlikely(hlen > PLX_IP4_HLEN))
			sum = plx_cksum_add(sum, ip + PLX_IP4_HLEN, hlen - PLX_IP4_HLEN);
		if (plx_unlikely(plx_cksum_fold(sum) != 0xffff))
			return PLX_DROP_NET_IP4_CKSUM;
	}
	/* more fragments, or an offset; "don't fragment" and the reserved bit do not matter */
	if (plx_unlikely((plx_ld16_be(ip + 6) & 0x3fff) != 0))
		return PLX_DROP_NET_FRAGMENT;
	if (plx_unlikely(ip[8] == 0))
		return PLX_DROP_NET_TTL;
	if (plx_unlikely(!plx_net_rule_source4(r, ip + 12))) {
		k->src_ours = plx_net_rule_ours4(r, ip + 12);
		return PLX_DROP_NET_SRC;
	}
	if (plx_unlikely(!plx_net_rule_ours4(r, ip + 16)))
		return PLX_DROP_NET_NOT_OURS;
	k->family = PLX_FAMILY_IPV4;
	k->ecn = ip[1] & 3;
	k->ttl = ip[8];
	k->l3_len = hlen;
	k->l4_len = (uint32_t)(total - hlen);
	if (plx_likely(ip[9] == PLX_PROTO_UDP))
		return parse_udp(r, ip, false, trust, k);
	if (ip[9] != PLX_PROTO_ICMP4)
		return PLX_DROP_NET_PROTO;
	k->kind = PLX_NET_KIND_ICMP4;
	return PLX_DROP_NONE;
}

/*
 * Options of a hop-by-hop or destination header, RFC 8200 section 4.2: an option we do not know
 * whose two high bits are not 00 forbids that we go on; the jumbo payload (0xc2) is such a one.
 */
static bool
options_ok(const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t sz = 1;

		if (p[0] != 0) {
			if (len < 2 || (p[0] & 0xc0) != 0)
				return false;
			sz = 2 + (size_t)p[1];
			if (sz > len)
				return false;
		}
		p += sz;
		len -= sz;
	}
	return true;
}

/* Walks to the transport header; p: len bytes behind the fixed header. */
static enum plx_drop
skip_ext(const uint8_t *p, size_t len, uint8_t *next, size_t *ext_len)
{
	size_t off = 0;

	for (unsigned n = 0;; n++) {
		size_t sz;

		switch (*next) {
		case NEXT_HOPOPTS:
			if (n != 0)
				return PLX_DROP_NET_IP6_EXT;
			break;
		case NEXT_ROUTING:
		case NEXT_DSTOPTS:
			break;
		case NEXT_FRAGMENT:
			return PLX_DROP_NET_FRAGMENT;
		case NEXT_ESP:
		case NEXT_AH:
		case NEXT_MOBILITY:
		case NEXT_HIP:
		case NEXT_SHIM6:
		case NEXT_TEST1:
		case NEXT_TEST2:
			return PLX_DROP_NET_IP6_EXT;
		default:
			*ext_len = off;
			return PLX_DROP_NONE;
		}
		if (n == PLX_NET_EXT_MAX || len - off < 8)
			return PLX_DROP_NET_IP6_EXT;
		sz = 8 + 8 * (size_t)p[off + 1];
		if (sz > len - off || off + sz > PLX_NET_EXT_BYTES)
			return PLX_DROP_NET_IP6_EXT;
		/* We are the end of every route: segments left must be 0 (RFC 5095). */
		if (*next == NEXT_ROUTING ? p[off + 3] != 0
		                          : !options_ok(p + off + 2, sz - 2))
			return PLX_DROP_NET_IP6_EXT;
		*next = p[off];
		off += sz;
	}
}

static enum dst6
classify_dst6(const struct plx_net_rule *r, const uint8_t *ip)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t solicited[13] = {0xff, 2, [11] = 1, [12] = 0xff};

	if (plx_likely(plx_net_rule_ours6(r, ip)))
		return DST6_OURS;
	if (ip[0] != 0xff)
		return DST6_OTHER;
	if (memcmp(ip, all_nodes, 16) == 0)
		return DST6_GROUP;
	if (memcmp(ip, solicited, 13) != 0)
		return DST6_OTHER;
	for (unsigned i = 0; i < r->ip6_cnt; i++) {
		if (memcmp((const uint8_t *)r->ip6[i] + 13, ip + 13, 3) == 0)
			return DST6_GROUP;
	}
	return DST6_OTHER;
}

static enum plx_drop
parse_ip6(const struct plx_net_rule *r, const uint8_t *ip, size_t left, unsigned trust,
          struct plx_net_pkt *k)
{
	static const uint8_t none[16];
	enum plx_drop drop;
	size_t plen, ext_len = 0;
	enum dst6 dst;
	uint8_t next;

	if (plx_unlikely(left < PLX_IP6_HLEN))
		return PLX_DROP_NET_SHORT;
	if (plx_unlikely(ip[0] >> 4 != 6))
		return PLX_DROP_NET_IP6_VERSION;
	plen = plx_ld16_be(ip + 4);
	if (plx_unlikely(plen > left - PLX_IP6_HLEN))
		return PLX_DROP_NET_IP6_LEN;
	if (plx_unlikely(ip[7] == 0))
		return PLX_DROP_NET_TTL;
	if (plx_unlikely(!plx_net_rule_source6(r, ip + 8))) {
		if (memcmp(ip + 8, none, 16) != 0) {
			k->src_ours = plx_net_rule_ours6(r, ip + 8);
			return PLX_DROP_NET_SRC;
		}
		k->src_none = true;
	}
	dst = classify_dst6(r, ip + 24);
	if (plx_unlikely(dst == DST6_OTHER))
		return PLX_DROP_NET_NOT_OURS;
	next = ip[6];
	if (plx_unlikely(next != PLX_PROTO_UDP)) {
		drop = skip_ext(ip + PLX_IP6_HLEN, plen, &next, &ext_len);
		if (drop != PLX_DROP_NONE)
			return drop;
	}
	k->family = PLX_FAMILY_IPV6;
	k->ecn = ip[1] >> 4 & 3;
	k->ttl = ip[7];
	k->l3_len = (uint32_t)(PLX_IP6_HLEN + ext_len);
	k->l4_len = (uint32_t)(plen - ext_len);
	if (next == PLX_PROTO_ICMP6) {
		k->mcast = dst == DST6_GROUP;
		k->kind = PLX_NET_KIND_ICMP6;
		return PLX_DROP_NONE;
	}
	/* The exceptions above are for neighbour discovery alone. */
	if (plx_unlikely(k->src_none))
		return PLX_DROP_NET_SRC;
	if (plx_unlikely(dst != DST6_OURS))
		return PLX_DROP_NET_NOT_OURS;
	if (plx_unlikely(next != PLX_PROTO_UDP))
		return PLX_DROP_NET_PROTO;
	return parse_udp(r, ip, true, trust, k);
}

void
plx_net_parse(const struct plx_net_rule *r, const uint8_t *p, size_t len, unsigned trust,
              struct plx_net_pkt *k)
{
	enum plx_drop drop;
	uint16_t type;

	*k = (struct plx_net_pkt){.kind = PLX_NET_KIND_DROP};
	if (plx_unlikely(len > r->frame_max)) {
		k->drop = PLX_DROP_NET_TOO_LARGE;
		return;
	}
	drop = parse_eth(p, len, k, &type);
	if (plx_likely(drop == PLX_DROP_NONE)) {
		const uint8_t *l3 = p + k->l2_len;
		size_t left = len - k->l2_len;

		switch (type) {
		case PLX_ETHERTYPE_IP4:
			drop = parse_ip4(r, l3, left, trust, k);
			break;
		case PLX_ETHERTYPE_IP6:
			drop = parse_ip6(r, l3, left, trust, k);
			break;
		case PLX_ETHERTYPE_ARP:
			if (left < PLX_ARP_LEN)
				drop = PLX_DROP_NET_SHORT;
			else
				k->kind = PLX_NET_KIND_ARP;
			break;
		default:
			drop = PLX_DROP_NET_NOT_IP;
		}
	}
	k->drop = (uint16_t)drop;
}

static int
rule_add4(struct plx_net_rule *r, const struct plx_net_addr *a)
{
	uint32_t host;

	if (a->prefix_len > 32 || !plx_net_rule_source4(r, a->addr.ip))
		return PLX_E_CONFIG;
	r->ip4[r->ip4_cnt] = plx_ld32(a->addr.ip);
	/* Prefixes of 31 and 32 bits have no broadcast address (RFC 3021), nor has "all". */
	if (a->prefix_len > 0 && a->prefix_len < 31) {
		host = UINT32_MAX >> a->prefix_len;
		r->bcast4[r->ip4_cnt] = plx_ld32(a->addr.ip) | PLX_BE32(host);
	}
	r->ip4_cnt++;
	return 0;
}

int
plx_net_rule_init(struct plx_net_rule *r, const struct plx_net_cfg *cfg, uint16_t mtu)
{
	const uint32_t frame_max =
	        (uint32_t)mtu + PLX_ETH_HLEN + PLX_NET_VLAN_MAX * PLX_VLAN_HLEN;

	*r = (struct plx_net_rule){.any_port = cfg->accept_any_port,
	                           .ip4_options = cfg->ip4_options};
	r->frame_max = (uint16_t)(frame_max < UINT16_MAX ? frame_max : UINT16_MAX);
	if (cfg->addr_cnt > PLX_NET_ADDRS_MAX || cfg->port_cnt > PLX_NET_PORTS_MAX)
		return PLX_E_CONFIG;
	memcpy(r->port_be, cfg->port_be, sizeof(r->port_be));
	r->port_cnt = cfg->port_cnt;
	for (unsigned i = 0; i < cfg->addr_cnt; i++) {
		const struct plx_net_addr *a = &cfg->addr[i];

		if (a->addr.family == PLX_FAMILY_IPV4) {
			if (rule_add4(r, a) != 0)
				return PLX_E_CONFIG;
		} else if (a->addr.family == PLX_FAMILY_IPV6) {
			if (a->prefix_len > 128 || !plx_net_rule_source6(r, a->addr.ip))
				return PLX_E_CONFIG;
			memcpy(r->ip6[r->ip6_cnt++], a->addr.ip, 16);
		} else {
			return PLX_E_CONFIG;
		}
	}
	return 0;
}
