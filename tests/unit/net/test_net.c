/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams between two nets: bytes, checksums, segments, shortage. */
#include "plx_net_pvt.h"

#include "net_pair.h"

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
		struct rte_mbuf *m;

		spec.v6 = v6 != 0;
		rig_build(&f, &spec);
		open_both(0);
		receive_bytes(&a, f.b, f.len);
		CU_ASSERT_EQUAL_FATAL(a.dg_cnt, 1);
		m = a.dg[0].cookie;
		CU_ASSERT_EQUAL(m->data_len, f.len - spec.pad);
		CU_ASSERT_EQUAL(m->pkt_len, m->data_len);
		memset(&again, 0xff, sizeof(again));
		plx_net_hand_over(&a.dg[0]);
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

	for (unsigned i = 0; i < PLX_NET_HINT_MIN; i++) {
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
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_TOO_LARGE), PLX_NET_HINT_MIN);
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
	for (unsigned i = 0; i < PLX_NET_HINT_MIN; i++) {
		CU_ASSERT_EQUAL(plx_net_hints(a.net), 0);
		receive_bytes(&a, f.b, f.len);
	}
	CU_ASSERT_EQUAL(plx_net_hints(a.net), PLX_NET_HINT_PARTIAL_CKSUM);
	CU_ASSERT_EQUAL(drops(&a, PLX_DROP_NET_UDP_CKSUM), PLX_NET_HINT_MIN);
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

/* --- shortage --- */

static void
frames_refused_for_the_hold_time_are_dropped(void)
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
	CU_TestInfo hints[] = {
	        T(unfinished_checksums_raise_a_hint, "unfinished checksums raise a hint"),
	        T(a_second_owner_of_our_address_raises_a_hint,
	          "a second owner of our address raises a hint"),
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo shortage[] = {
	        T(frames_refused_for_the_hold_time_are_dropped,
	          "frames refused for the hold time are dropped"),
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
	        {.pName = "hints", .pTests = hints},
	        {.pName = "shortage", .pTests = shortage},
	        CU_SUITE_INFO_NULL,
	};

	return pair_main("plx-test-net", suites);
}
