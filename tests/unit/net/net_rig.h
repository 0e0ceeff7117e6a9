/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What the tests of engine/net share: frames built from a few numbers, and a port made of an
 * array that records what was sent.
 */
#ifndef NET_RIG_H
#define NET_RIG_H

#include <stdlib.h>

#include <rte_mbuf.h>

#include "plx_cksum.h"
#include "plx_net.h"
#include "plx_net_parse.h"
#include "plx_wire.h"

#define RIG_FRAME_MAX 2048

static const uint8_t rig_mac_a[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t rig_mac_b[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t rig_ip4_a[16] = {10, 0, 0, 1};
static const uint8_t rig_ip4_b[16] = {10, 0, 0, 2};
static const uint8_t rig_ip6_a[16] = {0xfd, 0, [15] = 1};
static const uint8_t rig_ip6_b[16] = {0xfd, 0, [15] = 2};

/** An IPv6 extension header: type, and length in units of 8 bytes. */
struct rig_ext {
	uint8_t type;
	uint8_t units; /**< 1.. */
};

/** A frame from B to A; zero means the ordinary value. */
struct rig_spec {
	bool v6;
	uint8_t tags; /**< VLAN tags in front, 0..4; the outer is 88a8 when there are two */
	uint8_t opt_words; /**< IPv4 options, 0..10 */
	uint8_t ext_cnt;
	struct rig_ext ext[12];
	uint8_t ecn, ttl, proto;
	uint16_t sport, dport; /**< default 40000 -> 443 */
	uint16_t payload_len;
	uint16_t pad; /**< bytes of Ethernet padding behind */
	const uint8_t *src, *dst;
	const uint8_t *payload; /**< default: a pattern */
};

struct rig_frame {
	size_t len, l3, l4; /**< length, and where the IP and the UDP header begin */
	uint8_t b[RIG_FRAME_MAX];
};

/** Makes the checksums of a frame right: IPv4 header and UDP or ICMPv6. */
static inline void
rig_fix(struct rig_frame *f, bool v6, uint8_t proto)
{
	uint8_t *ip = f->b + f->l3, *l4 = f->b + f->l4;
	uint16_t len;
	uint64_t sum = 0;
	uint8_t *field;

	if (!v6) {
		plx_st16(ip + 10, 0);
		sum = plx_cksum_add(0, ip, f->l4 - f->l3);
		plx_st16(ip + 10, (uint16_t)~plx_cksum_fold(sum));
		len = (uint16_t)(plx_ld16_be(ip + 2) - (f->l4 - f->l3));
	} else {
		len = (uint16_t)(plx_ld16_be(ip + 4) - (f->l4 - f->l3 - PLX_IP6_HLEN));
	}
	field = l4 + (proto == PLX_PROTO_UDP ? 6 : 2);
	plx_st16(field, 0);
	sum = proto == PLX_PROTO_ICMP4 ? 0 : plx_cksum_pseudo(ip, v6, len, proto);
	sum = plx_cksum_add(sum, l4, len);
	plx_st16(field,
	         plx_cksum_fold(sum) == 0xffff ? 0xffff : (uint16_t)~plx_cksum_fold(sum));
}

static inline size_t
rig_put_eth(uint8_t *b, const uint8_t *dst, const uint8_t *src, unsigned tags,
            uint16_t type)
{
	size_t off = 12;

	memcpy(b, dst, 6);
	memcpy(b + 6, src, 6);
	for (unsigned i = 0; i < tags; i++) {
		plx_st16_be(b + off, tags >= 2 && i == 0 ? 0x88a8 : 0x8100);
		plx_st16_be(b + off + 2, (uint16_t)(100 + i));
		off += 4;
	}
	plx_st16_be(b + off, type);
	return off + 2;
}

/** Builds the frame; l4 bytes that are not UDP are the payload itself. */
static inline void
rig_build(struct rig_frame *f, const struct rig_spec *s)
{
	const uint8_t proto = s->proto != 0 ? s->proto : PLX_PROTO_UDP;
	const uint16_t udp_hlen = proto == PLX_PROTO_UDP ? PLX_UDP_HLEN : 0;
	const uint16_t l4_len = (uint16_t)(udp_hlen + s->payload_len);
	uint8_t *p;

	memset(f->b, 0, 200);
	f->l3 = rig_put_eth(f->b, rig_mac_a, rig_mac_b, s->tags, s->v6 ? 0x86dd : 0x0800);
	p = f->b + f->l3;
	if (s->v6) {
		uint8_t *next = p + 6;
		size_t off = PLX_IP6_HLEN;

		p[0] = 0x60;
		p[1] = (uint8_t)(s->ecn << 4);
		p[7] = s->ttl != 0 ? s->ttl : 64;
		memcpy(p + 8, s->src != NULL ? s->src : rig_ip6_b, 16);
		memcpy(p + 24, s->dst != NULL ? s->dst : rig_ip6_a, 16);
		for (unsigned i = 0; i < s->ext_cnt; i++) {
			*next = s->ext[i].type;
			next = p + off;
			p[off + 1] = (uint8_t)(s->ext[i].units - 1);
			memset(p + off + 2, 0, 8u * s->ext[i].units - 2);
			off += (size_t)8 * s->ext[i].units;
		}
		*next = proto;
		plx_st16_be(p + 4, (uint16_t)(off - PLX_IP6_HLEN + l4_len));
		f->l4 = f->l3 + off;
	} else {
		f->l4 = f->l3 + PLX_IP4_HLEN + (size_t)4 * s->opt_words;
		p[0] = (uint8_t)(0x45 + s->opt_words);
		p[1] = s->ecn;
		plx_st16_be(p + 2, (uint16_t)(f->l4 - f->l3 + l4_len));
		p[8] = s->ttl != 0 ? s->ttl : 64;
		p[9] = proto;
		memcpy(p + 12, s->src != NULL ? s->src : rig_ip4_b, 4);
		memcpy(p + 16, s->dst != NULL ? s->dst : rig_ip4_a, 4);
		memset(p + PLX_IP4_HLEN, 1, (size_t)4 * s->opt_words); /* "no operation" */
	}
	p = f->b + f->l4;
	if (udp_hlen != 0) {
		plx_st16_be(p, s->sport != 0 ? s->sport : 40000);
		plx_st16_be(p + 2, s->dport != 0 ? s->dport : 443);
		plx_st16_be(p + 4, l4_len);
		p += udp_hlen;
	}
	if (s->payload != NULL)
		memcpy(p, s->payload, s->payload_len);
	else
		for (unsigned i = 0; i < s->payload_len; i++)
			p[i] = (uint8_t)(i * 7 + 1);
	memset(p + s->payload_len, 0xee, s->pad);
	f->len = f->l4 + l4_len + s->pad;
	rig_fix(f, s->v6, proto);
}

/** The configuration of A (host 1) or B (host 2): /24 and /64, port 443 and any above 1023. */
static inline struct plx_net_cfg
rig_cfg(unsigned host)
{
	struct plx_net_cfg c = {.addr_cnt = 2, .port_cnt = 1, .accept_any_port = host != 1};

	c.addr[0].addr.family = PLX_FAMILY_IPV4;
	memcpy(c.addr[0].addr.ip, host == 1 ? rig_ip4_a : rig_ip4_b, 16);
	c.addr[0].prefix_len = 24;
	c.addr[1].addr.family = PLX_FAMILY_IPV6;
	memcpy(c.addr[1].addr.ip, host == 1 ? rig_ip6_a : rig_ip6_b, 16);
	c.addr[1].prefix_len = 64;
	c.port_be[0] = PLX_BE16(443);
	return c;
}

static inline struct plx_addr
rig_addr(const uint8_t *ip, uint8_t family, uint16_t port)
{
	struct plx_addr a = {.family = family, .port_be = PLX_BE16(port)};

	memcpy(a.ip, ip, family == PLX_FAMILY_IPV6 ? 16 : 4);
	return a;
}

/** A port that keeps what is sent. */
struct rig_port {
	struct plx_pio pio;
	unsigned take_max; /**< frames taken per call, UINT_MAX = all */
	unsigned sent_cnt;
	struct rte_mbuf *sent[512];
};

static uint16_t
rig_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct rig_port *port = p->priv;
	uint16_t n = 0;

	(void)queue;
	while (n < cnt && n < port->take_max && port->sent_cnt < RTE_DIM(port->sent))
		port->sent[port->sent_cnt++] = m[n++];
	return n;
}

static const struct plx_pio_ops rig_ops = {.name = "rig", .tx_burst = rig_tx};

static inline void
rig_port_init(struct rig_port *port, unsigned host, struct rte_mempool *pool,
              uint32_t off_got)
{
	memset(port, 0, sizeof(*port));
	port->take_max = UINT32_MAX;
	port->pio = (struct plx_pio){.ops = &rig_ops,
	                             .priv = port,
	                             .pool = pool,
	                             .port_id = UINT16_MAX,
	                             .rxq_cnt = 2,
	                             .txq_cnt = 2,
	                             .mtu = 1500,
	                             .socket_id = -1,
	                             .off_got = off_got};
	memcpy(port->pio.mac, host == 1 ? rig_mac_a : rig_mac_b, 6);
}

static inline void
rig_port_drop(struct rig_port *port)
{
	rte_pktmbuf_free_bulk(port->sent, port->sent_cnt);
	port->sent_cnt = 0;
}

/** A buffer with these bytes; a rig that has none left is a broken test. */
static inline struct rte_mbuf *
rig_mbuf(struct rte_mempool *pool, const uint8_t *b, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL || len > rte_pktmbuf_tailroom(m))
		abort();
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), b, len);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return m;
}

/** Everything that the receive side of a worker counted, in frames. */
static inline uint64_t
rig_accounted(const struct plx_obs *o)
{
	uint64_t sum = plx_obs_get(o, PLX_COUNT_rx_dgrams) +
	               plx_obs_get(o, PLX_COUNT_arp_rx) + plx_obs_get(o, PLX_COUNT_nd_rx) +
	               plx_obs_get(o, PLX_COUNT_echo_rx) + plx_obs_get(o, PLX_COUNT_ptb_rx);

	for (unsigned i = 1; i < PLX_DROP_CNT; i++)
		sum += plx_obs_get_drop(o, (enum plx_drop)i);
	return sum;
}

#endif
