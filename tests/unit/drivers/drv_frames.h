/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * UDP frames for the tests of the drivers.
 *
 * Threads: plain functions.
 */
#ifndef DRV_FRAMES_H
#define DRV_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include <plx/types.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

/** A frame's flow and number. */
struct frame {
	uint16_t sport, dport;
	uint16_t payload_len; /**< at least 8: the number is in front */
	bool ip6;
	uint8_t dst_mac[6];
	uint64_t nr;
};

#define FRAME_DEFAULT        \
	{.sport = 4433,      \
	 .dport = 50000,     \
	 .payload_len = 100, \
	 .dst_mac = {0x02, 0x50, 0x4c, 0x58, 0, 2}}

static inline struct plx_path
frame_path(const struct frame *f)
{
	struct plx_path p;

	/* As the receiver sees it: the frame's source is remote. */
	memset(&p, 0, sizeof(p));
	p.local.family = f->ip6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	p.remote.family = p.local.family;
	for (int i = 0; i < (f->ip6 ? 16 : 4); i++) {
		p.remote.ip[i] = (uint8_t)(10 + i);
		p.local.ip[i] = (uint8_t)(192 - i);
	}
	p.remote.port_be = rte_cpu_to_be_16(f->sport);
	p.local.port_be = rte_cpu_to_be_16(f->dport);
	return p;
}

static inline struct rte_mbuf *
frame_make(struct rte_mempool *pool, const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct plx_path path = frame_path(f);
	struct rte_ether_hdr *eth;
	struct rte_udp_hdr *udp;
	uint16_t udp_len = (uint16_t)(sizeof(*udp) + f->payload_len);
	uint16_t ip_off = sizeof(*eth), ip_len = f->ip6 ? 40 : 20;
	uint8_t *payload, *p;

	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(ip_off + ip_len + udp_len));
	if (p == NULL)
		abort();
	memset(p, 0, ip_off + ip_len);
	eth = (struct rte_ether_hdr *)p;
	memcpy(eth->dst_addr.addr_bytes, f->dst_mac, 6);
	if (f->ip6) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(p + ip_off);

		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
		ip->vtc_flow = RTE_BE32(0x60000000);
		ip->payload_len = rte_cpu_to_be_16(udp_len);
		ip->proto = 17;
		ip->hop_limits = 64;
		memcpy(&ip->src_addr, path.remote.ip, 16);
		memcpy(&ip->dst_addr, path.local.ip, 16);
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(p + ip_off);

		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(ip_len + udp_len));
		ip->time_to_live = 64;
		ip->next_proto_id = 17;
		memcpy(&ip->src_addr, path.remote.ip, 4);
		memcpy(&ip->dst_addr, path.local.ip, 4);
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	udp = (struct rte_udp_hdr *)(p + ip_off + ip_len);
	udp->src_port = path.remote.port_be;
	udp->dst_port = path.local.port_be;
	udp->dgram_len = rte_cpu_to_be_16(udp_len);
	udp->dgram_cksum = 0;
	payload = (uint8_t *)(udp + 1);
	for (uint16_t i = 0; i < f->payload_len; i++)
		payload[i] = (uint8_t)(f->nr + i * UINT64_C(7));
	memcpy(payload, &f->nr, sizeof(f->nr));
	if (f->ip6)
		udp->dgram_cksum = rte_ipv6_udptcp_cksum(
		        (const struct rte_ipv6_hdr *)(const void *)(eth + 1), udp);
	else
		udp->dgram_cksum = rte_ipv4_udptcp_cksum(
		        (const struct rte_ipv4_hdr *)(const void *)(eth + 1), udp);
	return m;
}

/** Offset of the payload of a frame made by frame_make(). */
static inline uint16_t
frame_payload_off(const struct frame *f)
{
	return (uint16_t)(14 + (f->ip6 ? 40 : 20) + 8);
}

static inline uint64_t
frame_nr(const struct rte_mbuf *m, const struct frame *f)
{
	uint64_t nr;

	memcpy(&nr, rte_pktmbuf_mtod_offset(m, const uint8_t *, frame_payload_off(f)),
	       sizeof(nr));
	return nr;
}

/** Whether the UDP checksum of an IPv4 frame holds. */
static inline bool
frame_cksum_ok(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
	        rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, 14);

	return rte_ipv4_udptcp_cksum_verify(ip, ip + 1) == 0;
}

#endif
