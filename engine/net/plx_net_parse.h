/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The parser: Ethernet, VLAN, IPv4, IPv6 and UDP, from bytes to one verdict.
 *
 * Path:    nic -> [net] -> steer -> quic -> stream -> app
 * Threads: a pure function of the rule, the bytes and the trust bits.
 * Memory:  reads only the bytes named, writes only the verdict; no mbuf, no DPDK.
 * Spec:    IEEE 802.1Q, RFC 791, 1122 section 3.2.1.3, 8200, 5095, 768, 6936
 *
 * This is the one place in the project that reads headers of frames. It is total: for every
 * rule and every sequence of bytes it returns a verdict, and what the verdict names lies inside
 * the frame:
 *
 *     0          l2_len              +l3_len         +8                 +l4_len     len
 *     | Ethernet | IPv4 or IPv6      | UDP header    | payload          | padding  |
 *     | 14..22   | 20..60, 40..296   |  <- l4_len: UDP length, trimmed ->|          |
 */
#ifndef PLX_NET_PARSE_H
#define PLX_NET_PARSE_H

#include "plx_dgram.h"
#include "plx_net.h"
#include "plx_obs.h"
#include "plx_wire.h"

/** VLAN tags skipped at most. A third one is an attack or a provider's trunk. */
#define PLX_NET_VLAN_MAX  2
/**
 * IPv6 extension headers walked at most, and their bytes together. Real traffic has 0 or 1 of
 * 8 to 40 bytes. Below 2 the legal pair hop-by-hop, destination is refused; the byte cap keeps
 * l3_len (40 + 256) inside the 9 bits an mbuf has for it, 471 is the end.
 */
#define PLX_NET_EXT_MAX   8
#define PLX_NET_EXT_BYTES 256

/** What we are, as the parser needs it. Made once by plx_net_rule_init(). */
struct plx_net_rule {
	uint64_t ip6[PLX_NET_ADDRS_MAX][2];
	uint32_t ip4[PLX_NET_ADDRS_MAX]; /**< network order, as all addresses here */
	uint32_t bcast4
	        [PLX_NET_ADDRS_MAX]; /**< directed broadcast of the prefix; 0 = none */
	uint16_t port_be[PLX_NET_PORTS_MAX];
	uint16_t frame_max; /**< bytes; longer frames are PLX_DROP_NET_TOO_LARGE */
	uint8_t ip4_cnt, ip6_cnt, port_cnt;
	bool any_port; /**< besides port_be every port above 1023 */
	bool ip4_options;
};

/** What need not be verified in software, bits of the trust argument. */
#define PLX_NET_TRUST_IP   1u /**< the port verified the IPv4 header checksum */
#define PLX_NET_TRUST_UDP  2u /**< the port verified the UDP checksum */
#define PLX_NET_TRUST_WIRE 4u /**< the wire carries no UDP checksums at all */

enum plx_net_kind {
	PLX_NET_KIND_DROP =
	        0,          /**< drop names the reason; else only src_ours, partial hold */
	PLX_NET_KIND_DGRAM, /**< UDP for us, checksum right, payload not empty */
	PLX_NET_KIND_ARP, /**< 28 bytes at l2_len are there, nothing about them is checked */
	PLX_NET_KIND_ICMP4, /**< for us; message not checked, checksum neither */
	PLX_NET_KIND_ICMP6, /**< the same; mcast and src_none say what was let through */
};

struct plx_net_pkt {
	uint8_t kind;   /**< enum plx_net_kind */
	uint8_t family; /**< enum plx_family */
	uint8_t ecn;    /**< 0..3 */
	uint8_t ttl;    /**< time to live, hop limit; 1..255 */
	uint16_t drop;  /**< enum plx_drop */
	bool mcast;     /**< ICMPv6 to ff02::1 or a solicited-node group of ours */
	bool src_none;  /**< ICMPv6 from :: (duplicate address detection) */
	bool src_ours;  /**< with NET_SRC: the source is an address of ours */
	bool partial; /**< with NET_UDP_CKSUM: the field holds the pseudo header's sum only,
			      as a kernel leaves it for a device to finish */
	/*
	 * Below 65536, and yet of 32 bits: pairs of 16 bits are read back together by one load,
	 * which has to wait until both stores have left the CPU's store buffer.
	 */
	uint32_t l2_len; /**< Ethernet and VLAN, bytes */
	uint32_t l3_len; /**< IP header with options or extension headers, bytes */
	uint32_t l4_len; /**< bytes behind the IP header, trimmed to IP and UDP length */
};

/**
 * plx_net_rule_init() makes the rule of a configuration.
 *
 * @param mtu  largest IP packet, bytes
 * @return 0, PLX_E_CONFIG: too many addresses or ports, an address without family, not unicast,
 *         or with a prefix longer than it
 *
 * Thread: main. Owns: nothing; r is a copy. Errors: as returned.
 */
int plx_net_rule_init(struct plx_net_rule *r, const struct plx_net_cfg *cfg, uint16_t mtu)
        PLX_ON_MAIN;

/**
 * plx_net_parse() gives the verdict on one frame.
 *
 * The checks come in the order of the headers, and inside a header in the order length, syntax,
 * checksum, fragment, TTL, source, destination; the first that fails names the drop.
 *
 * @param p      contiguous frame, from the destination MAC on, without FCS
 * @param len    bytes at p
 * @param trust  PLX_NET_TRUST_*
 * @param k      [out] the verdict, written completely
 *
 * Thread: any.
 * Owns:   nothing.
 * Errors: none; refusals are verdicts.
 * Cost:   <= 15 ns without the UDP checksum; one pass over the payload with it.
 */
void plx_net_parse(const struct plx_net_rule *r, const uint8_t *p, size_t len,
                   unsigned trust, struct plx_net_pkt *k) PLX_ANY_THREAD;

/**
 * plx_net_parse_path() reads the addresses of a frame with the verdict PLX_NET_KIND_DGRAM.
 *
 * Thread: any. Owns: nothing. Errors: none.
 * Cost:   inline, with copies of constant size: it is a fifth of what parsing costs.
 */
static inline void
plx_net_parse_path(const uint8_t *p, const struct plx_net_pkt *k, struct plx_path *path)
{
	const uint8_t *ip = p + k->l2_len, *udp = ip + k->l3_len;
	const uint8_t family = k->family;
	uint64_t from[2] = {0}, to[2] = {0};

	if (family == PLX_FAMILY_IPV4) {
		memcpy(from, ip + 12, 4);
		memcpy(to, ip + 16, 4);
	} else {
		memcpy(from, ip + 8, 16);
		memcpy(to, ip + 24, 16);
	}
	memcpy(path->remote.ip, from, 16);
	memcpy(path->local.ip, to, 16);
	path->remote.port_be = plx_ld16(udp);
	path->local.port_be = plx_ld16(udp + 2);
	path->remote.family = path->local.family = family;
	path->remote.zero = path->local.zero = 0;
}

/** Is this address one of ours? ip: 4 or 16 bytes, network order. */
bool plx_net_rule_ours4(const struct plx_net_rule *r, const uint8_t *ip) PLX_ANY_THREAD;
bool plx_net_rule_ours6(const struct plx_net_rule *r, const uint8_t *ip) PLX_ANY_THREAD;
/** Can this address stand as a source on the wire? (unicast, neither loopback nor ours) */
bool plx_net_rule_source4(const struct plx_net_rule *r, const uint8_t *ip) PLX_ANY_THREAD;
bool plx_net_rule_source6(const struct plx_net_rule *r, const uint8_t *ip) PLX_ANY_THREAD;
/** Do we serve this UDP port? */
bool plx_net_rule_port(const struct plx_net_rule *r, uint16_t port_be) PLX_ANY_THREAD;

#endif
