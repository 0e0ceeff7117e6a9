/* SPDX-License-Identifier: BSD-3-Clause */
/* What is not a datagram: ARP, neighbour discovery, ICMP, and the way to the next hop. */
#include "net_pair.h"

/* --- ARP, neighbour discovery, echo --- */

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

int
main(void)
{
#define T(f, name) {name, f}
	CU_TestInfo control[] = {
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
	CU_SuiteInfo suites[] = {
	        {.pName = "control messages", .pTests = control},
	        {.pName = "next hops", .pTests = hops},
	        CU_SUITE_INFO_NULL,
	};

	return pair_main("plx-test-net-ctl", suites);
}
