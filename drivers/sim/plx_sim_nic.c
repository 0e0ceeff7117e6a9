/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_thash.h>
#include <rte_udp.h>

#include "plx_sim_pvt.h"

/** Words of the tuple a NIC hashes. */
#define TUPLE4_WORDS 3
#define TUPLE6_WORDS 9

/** Offset of the IP header behind up to two VLAN tags; *type_be is what it is. 0 = too short. */
static uint32_t
skip_ether(const uint8_t *p, uint32_t len, uint16_t *type_be)
{
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)p;
	const struct rte_vlan_hdr *vlan;
	uint32_t off = sizeof(*eth);

	if (len < off)
		return 0;
	*type_be = eth->ether_type;
	for (int i = 0; i < 2; i++) {
		if (*type_be != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
		    *type_be != RTE_BE16(RTE_ETHER_TYPE_QINQ))
			break;
		if (len - off < sizeof(*vlan))
			return 0;
		vlan = (const struct rte_vlan_hdr *)(p + off);
		*type_be = vlan->eth_proto;
		off += sizeof(*vlan);
	}
	return off;
}

/** The tuple of an unfragmented TCP or UDP packet. @return its words, 0 = none. */
static uint32_t
tuple_of(const struct rte_mbuf *m, uint32_t *tuple, uint8_t *proto, uint32_t *l4_off)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip4;
	const struct rte_ipv6_hdr *ip6;
	uint32_t len = m->data_len, words;
	uint16_t type_be = 0;
	uint32_t off = skip_ether(p, len, &type_be);

	if (off == 0)
		return 0;
	if (type_be == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		ip4 = (const struct rte_ipv4_hdr *)(p + off);
		if (len - off < sizeof(*ip4) || rte_ipv4_hdr_len(ip4) < sizeof(*ip4) ||
		    (ip4->fragment_offset & RTE_BE16(0x3fff)) != 0)
			return 0;
		tuple[0] = rte_be_to_cpu_32(ip4->src_addr);
		tuple[1] = rte_be_to_cpu_32(ip4->dst_addr);
		words = TUPLE4_WORDS;
		*proto = ip4->next_proto_id;
		off += rte_ipv4_hdr_len(ip4);
	} else if (type_be == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		ip6 = (const struct rte_ipv6_hdr *)(p + off);
		if (len - off < sizeof(*ip6))
			return 0;
		memcpy(tuple, &ip6->src_addr,
		       32); /* source and destination are neighbours */
		for (int i = 0; i < 8; i++)
			tuple[i] = rte_be_to_cpu_32(tuple[i]);
		words = TUPLE6_WORDS;
		*proto = ip6->proto;
		off += sizeof(*ip6);
	} else {
		return 0;
	}
	if ((*proto != IPPROTO_UDP && *proto != IPPROTO_TCP) || len < off || len - off < 4)
		return 0;
	tuple[words - 1] = (uint32_t)p[off] << 24 | (uint32_t)p[off + 1] << 16 |
	                   (uint32_t)p[off + 2] << 8 | p[off + 3];
	*l4_off = off;
	return words;
}

uint32_t
plx_sim_nic_payload(const struct rte_mbuf *m, uint32_t *udp_off)
{
	uint32_t tuple[TUPLE6_WORDS];
	uint8_t proto = 0;

	if (tuple_of(m, tuple, &proto, udp_off) == 0 || proto != IPPROTO_UDP ||
	    m->data_len - *udp_off < sizeof(struct rte_udp_hdr))
		return 0;
	return *udp_off + (uint32_t)sizeof(struct rte_udp_hdr);
}

static uint16_t
rss_queue(struct plx_simport *dst, struct rte_mbuf *m)
{
	uint32_t tuple[TUPLE6_WORDS], l4_off = 0, words;
	uint8_t proto = 0;

	words = tuple_of(m, tuple, &proto, &l4_off);
	if (words == 0)
		return 0;
	m->hash.rss = rte_softrss_be(tuple, words, dst->key_be);
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	return dst->pio.plan.reta[m->hash.rss % PLX_SIM_RETA_LEN];
}

uint16_t
plx_sim_nic_queue(struct plx_simport *dst, struct plx_simq *from, struct rte_mbuf *m)
{
	if (dst->queues == 1)
		return 0;
	switch (dst->spread) {
	case PLX_SIM_SPREAD_RSS:
		return rss_queue(dst, m);
	case PLX_SIM_SPREAD_PEER:
		return from->idx % dst->queues;
	case PLX_SIM_SPREAD_LYING:
		/* A full-period generator: any queue, the same in every run. */
		from->lie = from->lie * UINT64_C(6364136223846793005) + 1442695040888963407;
		return (uint16_t)(((from->lie >> 32) * dst->queues) >> 32);
	default:
		return 0;
	}
}

void
plx_sim_nic_plan(struct plx_simport *port, const uint8_t key[PLX_SIM_KEY_LEN])
{
	struct plx_steer_plan *plan = &port->pio.plan;
	uint32_t orig[PLX_SIM_KEY_LEN / 4], conv[PLX_SIM_KEY_LEN / 4];

	memcpy(orig, key, sizeof(orig));
	rte_convert_rss_key(orig, conv, sizeof(orig));
	memcpy(port->key_be, conv, sizeof(conv));
	for (uint16_t i = 0; i < PLX_SIM_RETA_LEN; i++)
		plan->reta[i] = i % port->queues;

	if (port->queues == 1) {
		plan->level = PLX_SPREAD_SINGLE;
		return;
	}
	plan->level = PLX_SPREAD_UNKNOWN;
	if (port->spread == PLX_SIM_SPREAD_RSS || port->spread == PLX_SIM_SPREAD_LYING) {
		plan->level = PLX_SPREAD_RSS;
		plan->hashes_by_flow = 1;
		plan->rss_key_len = PLX_SIM_KEY_LEN;
		memcpy(plan->rss_key, key, PLX_SIM_KEY_LEN);
		plan->reta_len = PLX_SIM_RETA_LEN;
	}
}

int
plx_sim_nic_pick(const struct plx_pio *p, const struct plx_path *path, uint16_t queue,
                 const struct plx_pio_ports *range, uint64_t seed)
{
	return plx_pio_pick_port(&p->plan, path, queue, range, seed);
}
