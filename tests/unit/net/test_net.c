/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two nets back to back over arrays: A (10.0.0.1, fd00::1) is a server on port 443, B
 * (10.0.0.2, fd00::2) a client. carry() is the wire.
 */
#include <plx/err.h>

#include "net_rig.h"
#include "plx_test.h"
#include "plx_test_eal.h"

#define S     PLX_NS_PER_S
#define BUFS  2047
#define ROUND 100 /* turns that exchange() lets pass at most */

struct side {
	struct plx_net *net;
	struct plx_neigh *neigh;
	struct plx_obs obs;
	struct rig_port port;
	struct plx_dgram dg[64];
	unsigned dg_cnt;
};

static struct rte_mempool *pool;
static struct side a, b;
static uint64_t now_ns;

static void
open_side(struct side *s, unsigned host, const struct plx_net_cfg *cfg, uint32_t off_got)
{
	memset(s, 0, sizeof(*s));
	rig_port_init(&s->port, host, pool, off_got);
	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&s->neigh, 64), 0);
	CU_ASSERT_EQUAL_FATAL(plx_net_new(&s->net, cfg, &s->port.pio, 0, s->neigh, &s->obs),
	                      0);
}

static void
free_dgrams(struct side *s)
{
	for (unsigned i = 0; i < s->dg_cnt; i++)
		rte_pktmbuf_free(s->dg[i].cookie);
	s->dg_cnt = 0;
}

static void
close_side(struct side *s)
{
	free_dgrams(s);
	plx_net_free(s->net);
	rig_port_drop(&s->port);
	plx_neigh_free(s->neigh);
}

static void
open_both(uint32_t off_got)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);

	now_ns = 10 * S;
	open_side(&a, 1, &ca, off_got);
	open_side(&b, 2, &cb, off_got);
}

/* Nothing of the pool is lost: the last statement of every test. */
static void
close_both(void)
{
	close_side(&a);
	close_side(&b);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), BUFS);
}

/* Gives frames to a side as its port would: without what the sender noted in the mbuf. */
static void
receive(struct side *s, struct rte_mbuf **m, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i += PLX_BURST_MAX) {
		uint16_t n = (uint16_t)RTE_MIN(cnt - i, (unsigned)PLX_BURST_MAX);

		for (unsigned j = 0; j < n; j++) {
			m[i + j]->ol_flags &= ~(RTE_MBUF_F_TX_OFFLOAD_MASK);
			m[i + j]->tx_offload = 0;
		}
		CU_ASSERT_FATAL(s->dg_cnt + n <= RTE_DIM(s->dg));
		s->dg_cnt += plx_net_rx_burst(s->net, m + i, n, s->dg + s->dg_cnt, now_ns);
	}
}

static unsigned
carry(struct side *from, struct side *to)
{
	unsigned cnt;

	plx_net_tx_flush(from->net, now_ns);
	cnt = from->port.sent_cnt;
	from->port.sent_cnt = 0;
	receive(to, from->port.sent, cnt);
	return cnt;
}

/* The wire in both directions until it is silent. */
static void
exchange(void)
{
	unsigned moved = 1;

	for (unsigned i = 0; i < ROUND && moved > 0; i++) {
		moved = carry(&a, &b);
		moved += carry(&b, &a);
	}
	CU_ASSERT_EQUAL(moved, 0);
}

static void
receive_bytes(struct side *s, const uint8_t *p, size_t len)
{
	struct rte_mbuf *m = rig_mbuf(pool, p, len);

	receive(s, &m, 1);
}

static struct plx_tx_path
path_of(unsigned from, bool v6, uint16_t sport, uint16_t dport)
{
	const uint8_t *ip[2] = {v6 ? rig_ip6_a : rig_ip4_a, v6 ? rig_ip6_b : rig_ip4_b};
	const uint8_t family = v6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	struct plx_tx_path tx = {.path.local = rig_addr(ip[from - 1], family, sport),
	                         .path.remote = rig_addr(ip[2 - from], family, dport)};

	return tx;
}

/* Sends cnt packets of len bytes; byte j of packet i is i + j * 13. */
static void
send_some(struct side *s, struct plx_tx_path *tx, uint16_t cnt, uint16_t len, uint8_t ecn)
{
	struct plx_txpkt out[PLX_BURST_MAX];

	CU_ASSERT_EQUAL_FATAL(plx_net_tx_alloc(s->net, out, cnt), cnt);
	for (unsigned i = 0; i < cnt; i++) {
		CU_ASSERT_FATAL(out[i].cap >= len);
		for (unsigned j = 0; j < len; j++)
			out[i].buf[j] = (uint8_t)(i + j * 13);
		out[i].len = len;
		out[i].ecn = ecn;
		out[i].tx = tx;
	}
	plx_net_tx_burst(s->net, out, cnt, now_ns);
}

static void
check_some(const struct side *s, unsigned cnt, uint16_t len, uint8_t ecn)
{
	CU_ASSERT_EQUAL(s->dg_cnt, cnt);
	for (unsigned i = 0; i < s->dg_cnt; i++) {
		unsigned wrong = 0;

		CU_ASSERT_EQUAL(s->dg[i].len, len);
		CU_ASSERT_EQUAL(s->dg[i].ecn, ecn);
		for (unsigned j = 0; j < s->dg[i].len; j++)
			wrong += s->dg[i].data[j] != (uint8_t)(i + j * 13);
		CU_ASSERT_EQUAL(wrong, 0);
	}
}

static uint64_t
drops(const struct side *s, enum plx_drop r)
{
	return plx_obs_get_drop(&s->obs, r);
}

static void
datagrams_cross_with_equal_bytes_ports_and_ecn(void)
{
	static const uint16_t len[] = {1, 2, 25, 1200, 1452};

	PLX_COVERS("S0-53", "S0-36", "S1-11");
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned i = 0; i < RTE_DIM(len); i++) {
			struct plx_tx_path tx = path_of(2, v6, 5000, 443);
			struct plx_dgram *dg = a.dg;

			open_both(0);
			send_some(&b, &tx, 8, len[i], (uint8_t)(i & 3));
			exchange();
			check_some(&a, 8, len[i], (uint8_t)(i & 3));
			CU_ASSERT_EQUAL(memcmp(&dg->path.remote, &tx.path.local, 20), 0);
			CU_ASSERT_EQUAL(memcmp(&dg->path.local, &tx.path.remote, 20), 0);
			CU_ASSERT_EQUAL(rig_accounted(&a.obs),
			                plx_obs_get(&a.obs, PLX_COUNT_rx_pkts));
			close_both();
		}
	}
}

static void
answers_go_back_the_way_the_question_came(void)
{
	open_both(0);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct plx_tx_path there = path_of(2, v6, 5000, 443), back = {0};

		send_some(&b, &there, 1, 100, 0);
		exchange();
		CU_ASSERT_EQUAL_FATAL(a.dg_cnt, 1);
		back.path = a.dg[0].path;
		free_dgrams(&a);
		send_some(&a, &back, 3, 77, 1);
		exchange();
		check_some(&b, 3, 77, 1);
		free_dgrams(&b);
	}
	close_both();
}

static void
vlan_tags_are_sent_as_configured(void)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);
	struct plx_tx_path tx = path_of(2, true, 5000, 443);
	const uint8_t *p;

	PLX_COVERS("D5");
	now_ns = 10 * S;
	ca.vlan = cb.vlan = 100;
	open_side(&a, 1, &ca, 0);
	open_side(&b, 2, &cb, 0);
	send_some(&b, &tx, 2, 1200, 0);
	exchange();
	check_some(&a, 2, 1200, 0);
	free_dgrams(&a);
	send_some(&b, &tx, 1, 10, 0);
	plx_net_tx_flush(b.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(b.port.sent_cnt, 1);
	p = rte_pktmbuf_mtod(b.port.sent[0], const uint8_t *);
	CU_ASSERT_EQUAL(plx_ld32_be(p + 12), 0x81000064);
	CU_ASSERT_EQUAL(plx_ld16_be(p + 16), 0x86dd);
	close_both();
}

static void
a_sent_packet_is_this_frame_byte_by_byte(void)
{
	static const uint8_t want[] = {
	        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00,
	        0x02, 0x08, 0x00, 0x45, 0x02, 0x00, 0x1e, 0x00, 0x00, 0x40, 0x00,
	        0x40, 0x11, 0x26, 0xcb, 0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00,
	        0x01, 0x9c, 0x40, 0x01, 0xbb, 0x00, 0x0a, 0xe5, 0x72, 0x68, 0x69,
	};
	struct plx_tx_path tx = path_of(2, false, 40000, 443);
	struct plx_txpkt out[1];
	struct rte_mbuf *m;

	open_both(0);
	send_some(&b, &tx, 1, 10, 0);
	exchange();
	free_dgrams(&a);
	CU_ASSERT_EQUAL_FATAL(plx_net_tx_alloc(b.net, out, 1), 1);
	memcpy(out[0].buf, "hi", 2);
	out[0].len = 2;
	out[0].ecn = 2;
	out[0].tx = &tx;
	plx_net_tx_burst(b.net, out, 1, now_ns);
	plx_net_tx_flush(b.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(b.port.sent_cnt, 1);
	m = b.port.sent[0];
	CU_ASSERT_EQUAL(m->pkt_len, sizeof(want));
	CU_ASSERT_EQUAL(m->nb_segs, 1);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, uint8_t *), want, sizeof(want)), 0);
	close_both();
}

static void
a_checksum_of_zero_is_sent_as_ffff(void)
{
	struct plx_tx_path tx = path_of(2, false, 40000, 443);
	uint16_t field = 0;

	PLX_COVERS("D4");
	open_both(0);
	/* First with payload 0, then with the payload that brings the sum to zero. */
	for (unsigned i = 0; i < 2; i++) {
		struct plx_txpkt out[1];

		if (i == 0) {
			send_some(&b, &tx, 1, 2, 0);
			exchange();
			free_dgrams(&a);
		}
		CU_ASSERT_EQUAL_FATAL(plx_net_tx_alloc(b.net, out, 1), 1);
		plx_st16(out[0].buf, field);
		out[0].len = 2;
		out[0].tx = &tx;
		plx_net_tx_burst(b.net, out, 1, now_ns);
		plx_net_tx_flush(b.net, now_ns);
		field = plx_ld16(rte_pktmbuf_mtod(b.port.sent[0], uint8_t *) + 40);
		carry(&b, &a);
		CU_ASSERT_EQUAL(a.dg_cnt, 1);
		free_dgrams(&a);
	}
	CU_ASSERT_EQUAL(field, 0xffff);
	close_both();
}

static void
checksums_are_left_to_a_port_that_took_them_over(void)
{
	struct plx_tx_path tx = path_of(2, false, 40000, 443);
	struct rte_mbuf *m;
	uint8_t *p;

	PLX_COVERS("D4");
	open_both(PLX_OFF_TX_IP_CKSUM | PLX_OFF_TX_UDP_CKSUM);
	send_some(&b, &tx, 1, 10, 0);
	carry(&b, &a);
	carry(&a, &b);
	plx_net_tx_flush(b.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(b.port.sent_cnt, 1);
	m = b.port.sent[0];
	p = rte_pktmbuf_mtod(m, uint8_t *);
	CU_ASSERT_EQUAL(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK,
	                RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM |
	                        RTE_MBUF_F_TX_UDP_CKSUM);
	CU_ASSERT_EQUAL(m->l2_len, 14);
	CU_ASSERT_EQUAL(m->l3_len, 20);
	CU_ASSERT_EQUAL(plx_ld16(p + 24), 0);
	CU_ASSERT_EQUAL(plx_ld16(p + 40),
	                plx_cksum_fold(plx_cksum_pseudo(p + 14, false, 18, PLX_PROTO_UDP)));
	close_both();
	/* a wire without checksums: sent as 0, taken as it is, over IPv6 too */
	open_both(PLX_OFF_NO_CKSUM);
	tx = path_of(2, true, 40000, 443);
	send_some(&b, &tx, 1, 10, 0);
	exchange();
	check_some(&a, 1, 10, 0);
	CU_ASSERT_EQUAL(plx_ld16(a.dg[0].data - 2), 0);
	close_both();
}

static void
a_port_is_believed_only_what_it_promised(void)
{
	struct rig_spec spec = {.payload_len = 30};
	struct rig_frame f;

	PLX_COVERS("D4");
	rig_build(&f, &spec);
	f.b[f.l4 + 10] ^= 1;
	for (unsigned promised = 0; promised < 2; promised++) {
		struct rte_mbuf *m;

		open_both(promised ? PLX_OFF_RX_UDP_CKSUM : 0);
		for (unsigned flag = 0; flag < 4; flag++) {
			static const uint64_t flags[] = {
			        RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_BAD,
			        RTE_MBUF_F_RX_L4_CKSUM_NONE, RTE_MBUF_F_RX_L4_CKSUM_GOOD};

			m = rig_mbuf(pool, f.b, f.len);
			m->ol_flags = flags[flag];
			receive(&a, &m, 1);
			CU_ASSERT_EQUAL(a.dg_cnt, promised && flag == 3 ? 1 : 0);
		}
		CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_UDP_CKSUM), promised ? 3 : 4);
		close_both();
	}
}

static void
a_handed_over_datagram_is_rebuilt_from_its_mbuf(void)
{
	struct rig_spec spec = {.payload_len = 33,
	                        .tags = 2,
	                        .ecn = 1,
	                        .pad = 9,
	                        .ext_cnt = 2,
	                        .ext = {{0, 2}, {60, 3}}};
	struct rig_frame f;

	PLX_COVERS("D1");
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct plx_dgram again;

		spec.v6 = v6 != 0;
		rig_build(&f, &spec);
		open_both(0);
		receive_bytes(&a, f.b, f.len);
		CU_ASSERT_EQUAL_FATAL(a.dg_cnt, 1);
		memset(&again, 0xff, sizeof(again));
		plx_net_dgram_of(a.dg[0].cookie, &again);
		CU_ASSERT_PTR_EQUAL(again.data, a.dg[0].data);
		CU_ASSERT_EQUAL(again.len, 33);
		CU_ASSERT_EQUAL(again.ecn, 1);
		CU_ASSERT_EQUAL(again.hops, 0);
		CU_ASSERT_EQUAL(memcmp(&again.path, &a.dg[0].path, sizeof(again.path)), 0);
		close_both();
	}
}

/* --- segments --- */

/* Cuts bytes at random places into cnt segments, some of them empty. */
static struct rte_mbuf *
cut(const uint8_t *p, size_t len, unsigned cnt, uint32_t *seed)
{
	struct rte_mbuf *head = NULL, *last = NULL;
	size_t left = len;

	for (unsigned i = 0; i < cnt; i++) {
		struct rte_mbuf *m;
		size_t n;

		*seed = *seed * 1664525 + 1013904223;
		n = i + 1 == cnt ? left : (*seed >> 8) % (left + 1);
		m = rig_mbuf(pool, p, n);
		p += n;
		left -= n;
		if (last == NULL) {
			head = m;
		} else {
			last->next = m;
			head->nb_segs++;
			head->pkt_len += (uint32_t)n;
		}
		last = m;
	}
	return head;
}

static void
the_number_of_segments_changes_nothing(void)
{
	uint32_t seed = 42;

	PLX_COVERS("D2");
	for (unsigned kind = 0; kind < 6; kind++) {
		struct rig_spec spec = {.payload_len = 700,
		                        .ecn = 2,
		                        .pad = 3,
		                        .v6 = kind & 1,
		                        .tags = (uint8_t)(kind / 2)};
		struct rig_frame f;

		rig_build(&f, &spec);
		for (unsigned n = 1; n <= 9; n++) {
			for (unsigned again = 0; again < 8; again++) {
				struct rte_mbuf *m = cut(f.b, f.len, n, &seed);

				open_both(0);
				receive(&a, &m, 1);
				CU_ASSERT_EQUAL_FATAL(a.dg_cnt, 1);
				CU_ASSERT_EQUAL(a.dg[0].len, 700);
				CU_ASSERT_EQUAL(a.dg[0].ecn, 2);
				CU_ASSERT_EQUAL(memcmp(a.dg[0].data, f.b + f.l4 + 8, 700),
				                0);
				m = a.dg[0].cookie;
				CU_ASSERT_EQUAL(m->nb_segs, 1);
				close_both();
			}
		}
	}
}

static void
every_cut_of_the_headers_gives_the_same_datagram(void)
{
	struct rig_spec spec = {.payload_len = 20, .v6 = true, .tags = 2};
	struct rig_frame f;

	PLX_COVERS("D2");
	rig_build(&f, &spec);
	for (size_t at = 0; at <= f.len; at++) {
		struct rte_mbuf *m = rig_mbuf(pool, f.b, at),
		                *n = rig_mbuf(pool, f.b + at, f.len - at);

		m->next = n;
		m->nb_segs = 2;
		m->pkt_len = (uint32_t)f.len;
		open_both(0);
		receive(&a, &m, 1);
		CU_ASSERT_EQUAL(a.dg_cnt, 1);
		CU_ASSERT_EQUAL(a.dg[0].len, 20);
		close_both();
	}
}

static void
broken_segment_lists_are_refused_and_freed_once(void)
{
	struct rig_spec spec = {.payload_len = 100};
	struct rig_frame f;
	uint32_t seed = 7;

	PLX_COVERS("D2");
	rig_build(&f, &spec);
	open_both(0);
	for (unsigned how = 0; how < 8; how++) {
		struct rte_mbuf *m = cut(f.b, f.len, how == 7 ? 1 : 3, &seed);

		switch (how) {
		case 0:
			m->nb_segs = 2;
			break;
		case 1:
			m->nb_segs = 4;
			break;
		case 2:
			m->nb_segs = 1;
			break;
		case 3:
			m->pkt_len++;
			break;
		case 4:
			m->next->next->next = m; /* the whole list is a cycle */
			break;
		case 5:
			m->next->next->next = m->next; /* a cycle with a tail in front */
			break;
		case 6:
			m->next->next->next = m->next->next; /* a segment follows itself */
			break;
		default:
			m->data_off =
			        (uint16_t)(m->buf_len - 10); /* data past the buffer */
			break;
		}
		receive(&a, &m, 1);
		CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_SEGMENTS), how + 1);
	}
	CU_ASSERT_EQUAL(a.dg_cnt, 0);
	close_both();
}

static void
frames_above_the_mtu_are_refused_and_hint_at_segmentation_offload(void)
{
	static uint8_t big[4000];

	for (unsigned i = 0; i < 4; i++) {
		struct rte_mbuf *m = rig_mbuf(pool, big, 1600),
		                *n = rig_mbuf(pool, big, 1600);

		if (i == 0)
			open_both(0);
		CU_ASSERT_EQUAL(plx_net_hints(a.net), 0);
		if (i % 2 == 0) {
			rte_pktmbuf_chain(m, n);
			receive(&a, &m, 1);
		} else {
			receive(&a, &m, 1);
			rte_pktmbuf_free(n);
		}
	}
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_TOO_LARGE), 4);
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_GSO);
	close_both();
}

static void
unfinished_checksums_raise_a_hint(void)
{
	struct rig_spec spec = {.payload_len = 30};
	struct rig_frame f;

	rig_build(&f, &spec);
	plx_st16(f.b + f.l4 + 6,
	         plx_cksum_fold(plx_cksum_pseudo(f.b + f.l3, false, 38, PLX_PROTO_UDP)));
	open_both(0);
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(plx_net_hints(a.net), 0);
		receive_bytes(&a, f.b, f.len);
	}
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_PARTIAL_CKSUM);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_UDP_CKSUM), 4);
	close_both();
}

static void
a_second_owner_of_our_address_raises_a_hint(void)
{
	struct rig_spec spec = {.payload_len = 30, .src = rig_ip4_a};
	struct rig_frame f;

	PLX_COVERS("D6");
	rig_build(&f, &spec);
	open_both(0);
	memcpy(f.b + 6, rig_mac_a, 6); /* our own packet, reflected */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(plx_net_hints(a.net), 0);
	memcpy(f.b + 6, rig_mac_b, 6);
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_ADDR_IN_USE);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_SRC), 2);
	close_both();
}

/* --- ARP, neighbour discovery, echo --- */

static void
arp_frame(uint8_t f[60], uint16_t oper, const uint8_t *sha, const uint8_t *spa,
          const uint8_t *tpa)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};

	memset(f, 0, 60);
	rig_put_eth(f, all, sha, 0, 0x0806);
	memcpy(f + 14, fixed, 6);
	plx_st16_be(f + 20, oper);
	memcpy(f + 22, sha, 6);
	memcpy(f + 28, spa, 4);
	memcpy(f + 38, tpa, 4);
}

static void
an_arp_request_is_answered_byte_by_byte(void)
{
	static const uint8_t want[42] = {
	        2, 0, 0, 0, 0, 2, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
	        2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2,
	};
	uint8_t f[60];

	PLX_COVERS("D5");
	arp_frame(f, 1, rig_mac_b, rig_ip4_b, rig_ip4_a);
	open_both(0);
	receive_bytes(&a, f, 60);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
	CU_ASSERT_EQUAL(a.port.sent[0]->pkt_len, 60);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(a.port.sent[0], uint8_t *), want, 42), 0);
	CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_arp_rx), 1);
	close_both();
}

static void
who_asked_by_arp_can_be_sent_to_without_asking_back(void)
{
	struct plx_tx_path tx = path_of(1, false, 443, 5000);
	uint8_t f[60];

	arp_frame(f, 1, rig_mac_b, rig_ip4_b, rig_ip4_a);
	open_both(0);
	receive_bytes(&a, f, 60);
	plx_net_tx_flush(a.net, now_ns);
	rig_port_drop(&a.port);
	send_some(&a, &tx, 1, 10, 0);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
	CU_ASSERT_EQUAL(plx_ld16_be(rte_pktmbuf_mtod(a.port.sent[0], uint8_t *) + 12),
	                0x0800);
	close_both();
}

static void
bad_arp_is_dropped_and_teaches_nothing(void)
{
	static const uint8_t group_mac[6] = {3, 0, 0, 0, 0, 2}, c[4] = {10, 0, 0, 3};
	uint8_t f[60];

	PLX_COVERS("D5");
	open_both(0);
	arp_frame(f, 1, rig_mac_b, rig_ip4_b, c); /* not for us */
	receive_bytes(&a, f, 60);
	arp_frame(f, 2, rig_mac_b, rig_ip4_b, rig_ip4_a); /* an answer nobody asked for */
	receive_bytes(&a, f, 60);
	arp_frame(f, 1, rig_mac_b, rig_ip4_b, rig_ip4_b); /* a stranger announces himself */
	receive_bytes(&a, f, 60);
	arp_frame(f, 1, group_mac, rig_ip4_b, rig_ip4_a); /* a group as sender */
	receive_bytes(&a, f, 60);
	arp_frame(f, 3, rig_mac_b, rig_ip4_b, rig_ip4_a); /* another operation */
	receive_bytes(&a, f, 60);
	arp_frame(f, 1, rig_mac_b, rig_ip4_b, rig_ip4_a);
	f[18] = 8; /* another address length */
	receive_bytes(&a, f, 60);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ARP), 6);
	CU_ASSERT_EQUAL(plx_net_hints(a.net), 0);
	arp_frame(f, 1, rig_mac_b, rig_ip4_a, c); /* he says he is us */
	receive_bytes(&a, f, 60);
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_ADDR_IN_USE);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ARP), 7);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL(a.port.sent_cnt, 0);
	close_both();
}

static void
answers_are_limited_per_second(void)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);
	uint8_t f[60];

	PLX_COVERS("D5");
	now_ns = 10 * S;
	ca.icmp_rate = 10;
	open_side(&a, 1, &ca, 0);
	open_side(&b, 2, &cb, 0);
	arp_frame(f, 1, rig_mac_b, rig_ip4_b, rig_ip4_a);
	for (unsigned i = 0; i < 100; i++)
		receive_bytes(&a, f, 60);
	CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_arp_rx), 10);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ARP), 90);
	now_ns += S / 2;
	for (unsigned i = 0; i < 100; i++)
		receive_bytes(&a, f, 60);
	CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_arp_rx), 15);
	close_both();
}

/* A neighbour solicitation or advertisement with one option, from B. */
static void
nd_frame(struct rig_frame *f, uint8_t type, uint8_t flags, const uint8_t *src,
         const uint8_t *dst, const uint8_t *target, uint8_t opt)
{
	uint8_t msg[32] = {type, 0, 0, 0, flags};
	struct rig_spec s = {.v6 = true,
	                     .proto = PLX_PROTO_ICMP6,
	                     .ttl = 255,
	                     .src = src,
	                     .dst = dst,
	                     .payload = msg,
	                     .payload_len = opt != 0 ? 32 : 24};

	memcpy(msg + 8, target, 16);
	msg[24] = opt;
	msg[25] = 1;
	memcpy(msg + 26, rig_mac_b, 6);
	rig_build(f, &s);
}

static const uint8_t none6[16], group_a[16] = {0xff, 2, [11] = 1, [12] = 0xff, [15] = 1},
                                nodes[16] = {0xff, 2, [15] = 1};

static void
a_neighbour_solicitation_is_answered_byte_by_byte(void)
{
	/* fd00::1 to fd00::2: advertisement, solicited, override, our MAC as target address */
	static const uint8_t want[86] = {
	        2, 0, 0,    0, 0,  2,  2,   0,    0,    0,   0, 1,    0x86, 0xdd, 0x60,
	        0, 0, 0,    0, 32, 58, 255, 0xfd, 0,    0,   0, 0,    0,    0,    0,
	        0, 0, 0,    0, 0,  0,  0,   1,    0xfd, 0,   0, 0,    0,    0,    0,
	        0, 0, 0,    0, 0,  0,  0,   0,    2,    136, 0, 0x1c, 0x9c, 0x60, 0,
	        0, 0, 0xfd, 0, 0,  0,  0,   0,    0,    0,   0, 0,    0,    0,    0,
	        0, 0, 1,    2, 1,  2,  0,   0,    0,    0,   1,
	};
	struct rig_frame f;

	PLX_COVERS("D5");
	nd_frame(&f, 135, 0, NULL, group_a, rig_ip6_a, 1);
	open_both(0);
	receive_bytes(&a, f.b, f.len);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_nd_rx), 1);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
	CU_ASSERT_EQUAL(a.port.sent[0]->pkt_len, 86);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(a.port.sent[0], uint8_t *), want, 86), 0);
	close_both();
}

static void
who_is_about_to_take_our_address_hears_that_it_is_taken(void)
{
	struct rig_frame f;
	const uint8_t *p;

	PLX_COVERS("D6");
	nd_frame(&f, 135, 0, none6, group_a, rig_ip6_a, 0);
	open_both(0);
	receive_bytes(&a, f.b, f.len);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
	p = rte_pktmbuf_mtod(a.port.sent[0], uint8_t *);
	CU_ASSERT_EQUAL(plx_ld32_be(p), 0x33330000);
	CU_ASSERT_EQUAL(memcmp(p + 38, nodes, 16), 0);
	CU_ASSERT_EQUAL(p[58], 0x20); /* override, not solicited */
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_ADDR_IN_USE);
	close_both();
}

static void
bad_neighbour_discovery_is_dropped(void)
{
	struct rig_frame f;
	unsigned n = 0;

	PLX_COVERS("D5");
	open_both(0);
	nd_frame(&f, 135, 0, NULL, group_a, rig_ip6_a, 1);
	f.b[f.l3 + 7] = 254; /* it came through a router */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 135, 0, NULL, group_a, rig_ip6_a, 1);
	f.b[f.l4 + 25] = 0; /* an option of length 0 */
	rig_fix(&f, true, PLX_PROTO_ICMP6);
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	f.b[f.l4 + 25] = 2; /* an option past the end */
	rig_fix(&f, true, PLX_PROTO_ICMP6);
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 135, 0, NULL, rig_ip6_a, rig_ip6_b, 1); /* not for us */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 135, 0, none6, group_a, rig_ip6_a, 1); /* :: with an option */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 136, 0x60, NULL, rig_ip6_a, rig_ip6_b, 2); /* nobody asked */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 134, 0, NULL, nodes, rig_ip6_b, 1); /* a router's advertisement */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), ++n);
	nd_frame(&f, 135, 0, NULL, group_a, rig_ip6_a, 1);
	f.b[f.l4 + 3] ^= 1; /* checksum */
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ICMP), 1);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL(a.port.sent_cnt, 0);
	close_both();
}

static void
an_advertisement_without_override_does_not_replace_a_mac(void)
{
	struct plx_tx_path tx = path_of(1, true, 443, 5000);
	struct rig_frame f;

	PLX_COVERS("D5");
	open_both(0);
	send_some(&a, &tx, 1, 10, 0);
	exchange();
	nd_frame(&f, 136, 0x40, NULL, rig_ip6_a, rig_ip6_b, 2);
	f.b[f.l4 + 31] = 9;
	rig_fix(&f, true, PLX_PROTO_ICMP6);
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), 1);
	f.b[f.l4 + 4] = 0x60;
	rig_fix(&f, true, PLX_PROTO_ICMP6);
	receive_bytes(&a, f.b, f.len);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ND), 1);
	send_some(&a, &tx, 1, 10, 0);
	plx_net_tx_flush(a.net, now_ns);
	/* The template made before was dropped with the epoch. */
	send_some(&a, &tx, 1, 10, 0);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(a.port.sent[a.port.sent_cnt - 1], uint8_t *)[5],
	                9);
	close_both();
}

static void
echo_requests_are_answered_with_the_same_bytes(void)
{
	PLX_COVERS("D5");
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint8_t msg[300] = {v6 ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 7};
		struct rig_spec s = {.v6 = v6,
		                     .proto = v6 ? PLX_PROTO_ICMP6 : PLX_PROTO_ICMP4,
		                     .payload = msg,
		                     .payload_len = 299,
		                     .tags = 1};
		const unsigned hlen = 14 + (v6 ? 40 : 20);
		struct rig_frame f;
		uint64_t sum;
		uint8_t *p;

		for (unsigned i = 8; i < 299; i++)
			msg[i] = (uint8_t)(i * 3);
		rig_build(&f, &s);
		open_both(0);
		receive_bytes(&a, f.b, f.len);
		plx_net_tx_flush(a.net, now_ns);
		CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_echo_rx), 1);
		CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
		CU_ASSERT_EQUAL(a.port.sent[0]->pkt_len, hlen + 299);
		p = rte_pktmbuf_mtod(a.port.sent[0], uint8_t *);
		CU_ASSERT_EQUAL(memcmp(p, rig_mac_b, 6), 0);
		CU_ASSERT_EQUAL(memcmp(p + 6, rig_mac_a, 6), 0);
		CU_ASSERT_EQUAL(p[hlen], v6 ? 129 : 0);
		CU_ASSERT_EQUAL(memcmp(p + hlen + 4, msg + 4, 295), 0);
		if (v6) {
			CU_ASSERT_EQUAL(memcmp(p + 22, rig_ip6_a, 16), 0);
			CU_ASSERT_EQUAL(memcmp(p + 38, rig_ip6_b, 16), 0);
		} else {
			CU_ASSERT_EQUAL(plx_cksum_fold(plx_cksum_ip4(p + 14)), 0xffff);
			CU_ASSERT_EQUAL(memcmp(p + 26, rig_ip4_a, 4), 0);
			CU_ASSERT_EQUAL(memcmp(p + 30, rig_ip4_b, 4), 0);
		}
		sum = v6 ? plx_cksum_pseudo(p + 14, true, 299, PLX_PROTO_ICMP6) : 0;
		CU_ASSERT_EQUAL(plx_cksum_fold(plx_cksum_add(sum, p + hlen, 299)), 0xffff);
		/* without a right checksum: no answer; to a group: none either */
		f.b[f.len - 1] ^= 1;
		receive_bytes(&a, f.b, f.len);
		CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ICMP), 1);
		if (v6) {
			s.dst = nodes;
			rig_build(&f, &s);
			receive_bytes(&a, f.b, f.len);
			CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ICMP), 2);
		}
		close_both();
	}
}

struct ptb {
	unsigned cnt;
	struct plx_path path;
	uint16_t mtu;
};

static void
note_ptb(void *arg, const struct plx_path *path, uint16_t ip_mtu)
{
	struct ptb *p = arg;

	p->cnt++;
	p->path = *path;
	p->mtu = ip_mtu;
}

static void
packet_too_big_is_told_when_it_quotes_a_packet_of_ours(void)
{
	PLX_COVERS("D5");
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct rig_spec ours = {.v6 = v6,
		                        .payload_len = 20,
		                        .sport = 443,
		                        .dport = 5000,
		                        .src = v6 ? rig_ip6_a : rig_ip4_a,
		                        .dst = v6 ? rig_ip6_b : rig_ip4_b};
		uint8_t msg[100] = {v6 ? 2 : 3, v6 ? 0 : 4};
		struct rig_spec s = {.v6 = v6,
		                     .proto = v6 ? PLX_PROTO_ICMP6 : PLX_PROTO_ICMP4,
		                     .payload = msg,
		                     .payload_len = 56};
		struct ptb got = {0};
		struct rig_frame q, f;

		open_both(0);
		plx_net_set_ptb(a.net, note_ptb, &got);
		rig_build(&q, &ours);
		memcpy(msg + 8, q.b + 14, 48);
		plx_st16_be(msg + 6, 1400);
		rig_build(&f, &s);
		receive_bytes(&a, f.b, f.len);
		CU_ASSERT_EQUAL(got.cnt, 1);
		CU_ASSERT_EQUAL(got.mtu, 1400);
		CU_ASSERT_EQUAL(got.path.local.port_be, PLX_BE16(443));
		CU_ASSERT_EQUAL(got.path.remote.port_be, PLX_BE16(5000));
		CU_ASSERT_EQUAL(memcmp(got.path.remote.ip, v6 ? rig_ip6_b : rig_ip4_b, 16),
		                0);
		CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_ptb_rx), 1);
		/* below what QUIC needs, not below ours, or of somebody else */
		plx_st16_be(msg + 6, v6 ? 1279 : 1227);
		rig_build(&f, &s);
		receive_bytes(&a, f.b, f.len);
		plx_st16_be(msg + 6, 1500);
		rig_build(&f, &s);
		receive_bytes(&a, f.b, f.len);
		plx_st16_be(msg + 6, 1400);
		msg[8 + (v6 ? 23 : 15)] ^= 4;
		rig_build(&f, &s);
		receive_bytes(&a, f.b, f.len);
		CU_ASSERT_EQUAL(got.cnt, 1);
		CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_ICMP), 3);
		close_both();
	}
}

static void
announcements_are_a_gratuitous_arp_and_an_advertisement_to_all(void)
{
	const uint8_t *p;

	open_both(0);
	plx_net_announce(a.net, now_ns);
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 2);
	p = rte_pktmbuf_mtod(a.port.sent[0], uint8_t *);
	CU_ASSERT_EQUAL(p[0], 0xff);
	CU_ASSERT_EQUAL(memcmp(p + 28, rig_ip4_a, 4), 0);
	CU_ASSERT_EQUAL(memcmp(p + 38, rig_ip4_a, 4), 0);
	p = rte_pktmbuf_mtod(a.port.sent[1], uint8_t *);
	CU_ASSERT_EQUAL(plx_ld32_be(p), 0x33330000);
	CU_ASSERT_EQUAL(p[54], 136);
	CU_ASSERT_EQUAL(p[58], 0x20);
	close_both();
}

/* --- next hops --- */

static void
sixteen_packets_wait_for_a_neighbour_and_go_in_order(void)
{
	struct plx_tx_path tx = path_of(2, false, 5000, 443);

	open_both(0);
	send_some(&b, &tx, 20, 50, 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_NO_NEIGH), 4);
	exchange();
	check_some(&a, 16, 50, 0);
	close_both();
}

static void
packets_to_a_silent_neighbour_are_dropped_in_the_end(void)
{
	struct plx_tx_path tx = path_of(2, true, 5000, 443);
	unsigned asked = 0;

	open_both(0);
	tx.path.remote.ip[15] = 77;
	send_some(&b, &tx, 3, 50, 0);
	for (unsigned i = 0; i < 50; i++, now_ns += S / 10) {
		plx_net_tx_flush(b.net, now_ns);
		plx_net_housekeep(b.net, now_ns);
		plx_net_tx_flush(b.net, now_ns);
		asked += b.port.sent_cnt;
		rig_port_drop(&b.port);
	}
	CU_ASSERT_EQUAL(asked, 3);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_NO_NEIGH), 3);
	send_some(&b, &tx, 1, 50, 0); /* while it is known to be silent: at once */
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_NO_NEIGH), 4);
	close_both();
}

static void
far_destinations_go_to_the_gateway(void)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);
	struct plx_tx_path tx = path_of(2, false, 5000, 443);
	const uint8_t *p;

	tx.path.remote.ip[0] = 99;
	open_both(0);
	send_some(&b, &tx, 1, 50, 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_NO_ROUTE), 1);
	close_both();
	/* an address of a gateway: it is resolved, the packet keeps its own destination */
	cb.gateway4 = rig_addr(rig_ip4_a, PLX_FAMILY_IPV4, 0);
	open_side(&a, 1, &ca, 0);
	open_side(&b, 2, &cb, 0);
	tx.tmpl_len = 0;
	send_some(&b, &tx, 1, 50, 0);
	carry(&b, &a);
	carry(&a, &b);
	plx_net_tx_flush(b.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(b.port.sent_cnt, 1);
	p = rte_pktmbuf_mtod(b.port.sent[0], uint8_t *);
	CU_ASSERT_EQUAL(memcmp(p, rig_mac_a, 6), 0);
	CU_ASSERT_EQUAL(p[30], 99);
	close_both();
	/* a fixed MAC: nobody is asked */
	memcpy(cb.gateway_mac, rig_mac_a, 6);
	open_side(&a, 1, &ca, 0);
	open_side(&b, 2, &cb, 0);
	tx.tmpl_len = 0;
	send_some(&b, &tx, 1, 50, 0);
	plx_net_tx_flush(b.net, now_ns);
	CU_ASSERT_EQUAL(b.port.sent_cnt, 1);
	close_both();
}

static void
destinations_that_are_not_unicast_have_no_route(void)
{
	static const uint8_t bad[][4] = {{224, 0, 0, 1}, {10, 0, 0, 255}, {10, 0, 0, 2}};

	open_both(0);
	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		struct plx_tx_path tx = path_of(2, false, 5000, 443);

		memcpy(tx.path.remote.ip, bad[i], 4);
		send_some(&b, &tx, 1, 50, 0);
		CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_NO_ROUTE), i + 1);
	}
	close_both();
}

static void
a_wire_without_neighbours_sends_to_all(void)
{
	struct plx_net_cfg c = rig_cfg(2);
	struct plx_tx_path tx = path_of(2, false, 5000, 443);
	struct side s = {0};

	c.no_neigh = true;
	rig_port_init(&s.port, 2, pool, 0);
	CU_ASSERT_EQUAL_FATAL(plx_net_new(&s.net, &c, &s.port.pio, 0, NULL, &s.obs), 0);
	send_some(&s, &tx, 1, 50, 0);
	CU_ASSERT_EQUAL(plx_net_tx_flush(s.net, now_ns), 0);
	CU_ASSERT_EQUAL_FATAL(s.port.sent_cnt, 1);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(s.port.sent[0], uint8_t *)[0], 0xff);
	plx_net_housekeep(s.net, now_ns);
	close_side(&s);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), BUFS);
}

static void
the_local_address_is_one_that_reaches_the_remote(void)
{
	static const uint8_t ll[16] = {0xfe, 0x80, [15] = 9}, far[16] = {0x20, 1, [15] = 9};
	struct plx_net_cfg c = rig_cfg(1);
	struct plx_addr remote, local;
	struct side s;

	/* fe80::5/64 in front of fd00::1/64 */
	c.addr[2] = c.addr[1];
	c.addr[1].addr = rig_addr(ll, PLX_FAMILY_IPV6, 0);
	c.addr[1].addr.ip[15] = 5;
	c.addr_cnt = 3;
	open_side(&s, 1, &c, 0);
	remote = rig_addr(rig_ip6_b, PLX_FAMILY_IPV6, 443);
	CU_ASSERT_EQUAL(plx_net_pick_local(s.net, &remote, &local), 0);
	CU_ASSERT_EQUAL(memcmp(local.ip, rig_ip6_a, 16), 0);
	CU_ASSERT_EQUAL(local.port_be, 0);
	remote = rig_addr(ll, PLX_FAMILY_IPV6, 443);
	CU_ASSERT_EQUAL(plx_net_pick_local(s.net, &remote, &local), 0);
	CU_ASSERT_EQUAL(local.ip[0], 0xfe);
	remote = rig_addr(far, PLX_FAMILY_IPV6, 443);
	CU_ASSERT_EQUAL(plx_net_pick_local(s.net, &remote, &local), PLX_E_NOENT);
	close_side(&s);
	c.gateway6 = rig_addr(ll, PLX_FAMILY_IPV6, 0);
	open_side(&s, 1, &c, 0);
	CU_ASSERT_EQUAL(plx_net_pick_local(s.net, &remote, &local), 0);
	CU_ASSERT_EQUAL(memcmp(local.ip, rig_ip6_a, 16), 0);
	close_side(&s);
}

static void
what_another_worker_learns_serves_all(void)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);
	struct plx_tx_path tx = path_of(2, false, 5000, 443);
	struct plx_obs obs1 = {0};
	struct plx_net *second;
	struct side w1 = {0};

	/* B has a second worker; it wants to send, and the answer reaches it, not the first */
	now_ns = 10 * S;
	open_side(&a, 1, &ca, 0);
	open_side(&b, 2, &cb, 0);
	CU_ASSERT_EQUAL_FATAL(plx_net_new(&second, &cb, &b.port.pio, 1, b.neigh, &obs1), 0);
	w1.net = second;
	send_some(&w1, &tx, 2, 50, 0);
	CU_ASSERT_EQUAL(plx_net_tx_flush(second, now_ns), 0);
	CU_ASSERT_EQUAL(b.port.sent_cnt, 0);
	carry(&b, &a); /* the first worker asks */
	plx_net_tx_flush(a.net, now_ns);
	CU_ASSERT_EQUAL_FATAL(a.port.sent_cnt, 1);
	receive(&w1, a.port.sent, 1);
	a.port.sent_cnt = 0;
	plx_net_tx_flush(b.net, now_ns); /* the first worker takes the message */
	CU_ASSERT_EQUAL(b.port.sent_cnt, 0);
	plx_net_tx_flush(second, now_ns);
	CU_ASSERT_EQUAL(b.port.sent_cnt, 2);
	CU_ASSERT_EQUAL(plx_obs_get(&obs1, PLX_COUNT_arp_rx), 1);
	plx_net_free(second);
	close_both();
}

/* --- shortage --- */

static void
frames_refused_for_a_millisecond_are_dropped(void)
{
	struct plx_tx_path tx = path_of(2, false, 5000, 443);

	PLX_COVERS("S0-46");
	open_both(0);
	send_some(&b, &tx, 1, 50, 0);
	exchange();
	free_dgrams(&a);
	b.port.take_max = 0;
	send_some(&b, &tx, 5, 50, 0);
	CU_ASSERT_EQUAL(plx_net_tx_flush(b.net, now_ns), 5);
	CU_ASSERT_EQUAL(plx_net_tx_flush(b.net, now_ns + PLX_NET_TX_HOLD_NS - 1), 5);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_TX_FULL), 0);
	b.port.take_max = 2;
	CU_ASSERT_EQUAL(plx_net_tx_flush(b.net, now_ns + PLX_NET_TX_HOLD_NS), 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_TX_FULL), 3);
	CU_ASSERT_EQUAL(b.port.sent_cnt, 2);
	CU_ASSERT_EQUAL(plx_obs_get(&b.obs, PLX_COUNT_tx_retries), 5);
	close_both();
}

static void
a_queue_that_is_full_drops_and_counts(void)
{
	struct plx_tx_path tx = path_of(2, false, 5000, 443);

	open_both(0);
	send_some(&b, &tx, 1, 50, 0);
	exchange();
	free_dgrams(&a);
	b.port.take_max = 0;
	for (unsigned i = 0; i < 5; i++)
		send_some(&b, &tx, 32, 50, 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_TX_FULL), 32);
	CU_ASSERT_EQUAL(plx_net_tx_flush(b.net, now_ns), 128);
	b.port.take_max = UINT32_MAX;
	CU_ASSERT_EQUAL(plx_net_tx_flush(b.net, now_ns), 0);
	CU_ASSERT_EQUAL(b.port.sent_cnt, 128);
	close_both();
}

static void
without_buffers_answers_and_copies_are_dropped_as_such(void)
{
	struct rig_spec spec = {.payload_len = 100};
	struct rte_mbuf *all[BUFS], *m;
	struct plx_txpkt out[4];
	struct rig_frame f;
	uint32_t seed = 1;
	uint8_t arp[60];
	unsigned cnt = 0;

	PLX_COVERS("F2");
	open_both(0);
	rig_build(&f, &spec);
	arp_frame(arp, 1, rig_mac_b, rig_ip4_b, rig_ip4_a);
	m = rig_mbuf(pool, arp, 60);
	while (cnt < BUFS && (all[cnt] = rte_pktmbuf_alloc(pool)) != NULL)
		cnt++;
	receive(&a, &m, 1);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_NO_MBUF), 1);
	CU_ASSERT_EQUAL(plx_obs_get(&a.obs, PLX_COUNT_arp_rx), 0);
	for (unsigned i = 0; i < 3; i++)
		rte_pktmbuf_free(all[--cnt]);
	while ((m = rte_pktmbuf_alloc(pool)) != NULL && cnt < BUFS - 3)
		all[cnt++] = m;
	rte_pktmbuf_free(m);
	m = cut(f.b, f.len, 3, &seed);
	while ((all[cnt] = rte_pktmbuf_alloc(pool)) != NULL)
		cnt++;
	receive(&a, &m, 1);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_NO_MBUF), 2);
	CU_ASSERT_EQUAL(a.dg_cnt, 0);
	rte_pktmbuf_free_bulk(all, cnt);
	CU_ASSERT_EQUAL(plx_net_tx_alloc(a.net, out, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		rte_pktmbuf_free(out[i].cookie);
	close_both();
}

static void
packets_above_the_mtu_are_not_sent(void)
{
	struct plx_tx_path tx = path_of(2, true, 5000, 443);

	open_both(0);
	send_some(&b, &tx, 1, 1452, 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_TOO_LARGE), 0);
	send_some(&b, &tx, 1, 1453, 0);
	CU_ASSERT_EQUAL(drops(&b, PLX_DROP_NET_TOO_LARGE), 1);
	close_both();
}

static void
set_ups_that_cannot_work_are_refused(void)
{
	struct plx_net_cfg c = rig_cfg(1);
	struct plx_neigh *neigh;
	struct rig_port port;
	struct plx_obs obs;
	struct plx_net *n;

	rig_port_init(&port, 1, pool, 0);
	CU_ASSERT_EQUAL(plx_net_new(&n, &c, &port.pio, 0, NULL, &obs), PLX_E_INVAL);
	CU_ASSERT_PTR_NULL(n);
	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&neigh, 16), 0);
	CU_ASSERT_EQUAL(plx_net_new(&n, &c, &port.pio, 2, neigh, &obs), PLX_E_INVAL);
	port.pio.mtu = 1227;
	CU_ASSERT_EQUAL(plx_net_new(&n, &c, &port.pio, 0, neigh, &obs), PLX_E_CONFIG);
	port.pio.mtu = 1500;
	c.addr[0].prefix_len = 40;
	CU_ASSERT_EQUAL(plx_net_new(&n, &c, &port.pio, 0, neigh, &obs), PLX_E_CONFIG);
	plx_neigh_free(neigh);
	CU_ASSERT_EQUAL(plx_neigh_new(&neigh, 0), PLX_E_INVAL);
}

int
main(void)
{
#define T(f, name) {name, f}
	CU_TestInfo cross[] = {
	        T(datagrams_cross_with_equal_bytes_ports_and_ecn,
	          "datagrams cross with equal bytes, ports and ECN"),
	        T(answers_go_back_the_way_the_question_came,
	          "answers go back the way the question came"),
	        T(vlan_tags_are_sent_as_configured, "VLAN tags are sent as configured"),
	        T(a_sent_packet_is_this_frame_byte_by_byte,
	          "a sent packet is this frame, byte by byte"),
	        T(a_checksum_of_zero_is_sent_as_ffff, "a checksum of zero is sent as ffff"),
	        T(checksums_are_left_to_a_port_that_took_them_over,
	          "checksums are left to a port that took them over"),
	        T(a_port_is_believed_only_what_it_promised,
	          "a port is believed only what it promised"),
	        T(a_handed_over_datagram_is_rebuilt_from_its_mbuf,
	          "a handed-over datagram is rebuilt from its mbuf"),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo segments[] = {
	        T(the_number_of_segments_changes_nothing,
	          "the number of segments changes nothing"),
	        T(every_cut_of_the_headers_gives_the_same_datagram,
	          "every cut of the headers gives the same datagram"),
	        T(broken_segment_lists_are_refused_and_freed_once,
	          "broken segment lists are refused and freed once"),
	        T(frames_above_the_mtu_are_refused_and_hint_at_segmentation_offload,
	          "frames above the MTU are refused and hint at segmentation offload"),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo control[] = {
	        T(unfinished_checksums_raise_a_hint, "unfinished checksums raise a hint"),
	        T(a_second_owner_of_our_address_raises_a_hint,
	          "a second owner of our address raises a hint"),
	        T(an_arp_request_is_answered_byte_by_byte,
	          "an ARP request is answered, byte by byte"),
	        T(who_asked_by_arp_can_be_sent_to_without_asking_back,
	          "who asked by ARP can be sent to without asking back"),
	        T(bad_arp_is_dropped_and_teaches_nothing,
	          "bad ARP is dropped and teaches nothing"),
	        T(answers_are_limited_per_second, "answers are limited per second"),
	        T(a_neighbour_solicitation_is_answered_byte_by_byte,
	          "a neighbour solicitation is answered, byte by byte"),
	        T(who_is_about_to_take_our_address_hears_that_it_is_taken,
	          "who is about to take our address hears that it is taken"),
	        T(bad_neighbour_discovery_is_dropped, "bad neighbour discovery is dropped"),
	        T(an_advertisement_without_override_does_not_replace_a_mac,
	          "an advertisement without override does not replace a MAC"),
	        T(echo_requests_are_answered_with_the_same_bytes,
	          "echo requests are answered with the same bytes"),
	        T(packet_too_big_is_told_when_it_quotes_a_packet_of_ours,
	          "packet too big is told when it quotes a packet of ours"),
	        T(announcements_are_a_gratuitous_arp_and_an_advertisement_to_all,
	          "announcements are a gratuitous ARP and an advertisement to all"),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo hops[] = {
	        T(sixteen_packets_wait_for_a_neighbour_and_go_in_order,
	          "sixteen packets wait for a neighbour and go in order"),
	        T(packets_to_a_silent_neighbour_are_dropped_in_the_end,
	          "packets to a silent neighbour are dropped in the end"),
	        T(far_destinations_go_to_the_gateway, "far destinations go to the gateway"),
	        T(destinations_that_are_not_unicast_have_no_route,
	          "destinations that are not unicast have no route"),
	        T(a_wire_without_neighbours_sends_to_all,
	          "a wire without neighbours sends to all"),
	        T(the_local_address_is_one_that_reaches_the_remote,
	          "the local address is one that reaches the remote"),
	        T(what_another_worker_learns_serves_all,
	          "what another worker learns serves all"),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo shortage[] = {
	        T(frames_refused_for_a_millisecond_are_dropped,
	          "frames refused for a millisecond are dropped"),
	        T(a_queue_that_is_full_drops_and_counts,
	          "a queue that is full drops and counts"),
	        T(without_buffers_answers_and_copies_are_dropped_as_such,
	          "without buffers answers and copies are dropped as such"),
	        T(packets_above_the_mtu_are_not_sent, "packets above the MTU are not sent"),
	        T(set_ups_that_cannot_work_are_refused,
	          "set-ups that cannot work are refused"),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {.pName = "datagrams", .pTests = cross},
	        {.pName = "segments", .pTests = segments},
	        {.pName = "control messages and hints", .pTests = control},
	        {.pName = "next hops", .pTests = hops},
	        {.pName = "shortage", .pTests = shortage},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	if (plx_test_eal("plx-test-net", 64) != 0)
		return EXIT_FAILURE;
	pool = rte_pktmbuf_pool_create("net", BUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (pool == NULL)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return rc;
}
