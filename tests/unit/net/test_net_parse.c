/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx/err.h>

#include "net_rig.h"
#include "plx_test.h"

static struct plx_net_rule rule;

static int
init(void)
{
	struct plx_net_cfg cfg = rig_cfg(1);

	return plx_net_rule_init(&rule, &cfg, 1500);
}

static struct plx_net_pkt
parse(const struct rig_frame *f)
{
	struct plx_net_pkt k;

	plx_net_parse(&rule, f->b, f->len, 0, &k);
	return k;
}

/* The reason for which the frame is dropped; PLX_DROP_NONE when it is not. */
static enum plx_drop
drop_of(const struct rig_frame *f)
{
	struct plx_net_pkt k = parse(f);

	CU_ASSERT((k.kind == PLX_NET_KIND_DROP) == (k.drop != PLX_DROP_NONE));
	return (enum plx_drop)k.drop;
}

static enum plx_drop
drop_of_spec(const struct rig_spec *s)
{
	struct rig_frame f;

	rig_build(&f, s);
	return drop_of(&f);
}

static void
a_golden_ipv4_frame_is_a_datagram(void)
{
	/* "hi" from 10.0.0.2:40000 to 10.0.0.1:443, ECT(0), sums by an independent program, 16 bytes of padding */
	static const uint8_t frame[60] = {
	        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00,
	        0x02, 0x08, 0x00, 0x45, 0x02, 0x00, 0x1e, 0x00, 0x00, 0x40, 0x00,
	        0x40, 0x11, 0x26, 0xcb, 0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00,
	        0x01, 0x9c, 0x40, 0x01, 0xbb, 0x00, 0x0a, 0xe5, 0x72, 0x68, 0x69,
	};
	struct plx_net_pkt k;
	struct plx_path path;

	PLX_COVERS("D1", "S0-53");
	plx_net_parse(&rule, frame, sizeof(frame), 0, &k);
	CU_ASSERT_EQUAL(k.kind, PLX_NET_KIND_DGRAM);
	CU_ASSERT_EQUAL(k.l2_len, 14);
	CU_ASSERT_EQUAL(k.l3_len, 20);
	CU_ASSERT_EQUAL(k.l4_len, 10);
	CU_ASSERT_EQUAL(k.ecn, 2);
	CU_ASSERT_EQUAL(k.family, PLX_FAMILY_IPV4);
	plx_net_parse_path(frame, &k, &path);
	CU_ASSERT_EQUAL(path.remote.port_be, PLX_BE16(40000));
	CU_ASSERT_EQUAL(path.local.port_be, PLX_BE16(443));
	CU_ASSERT_EQUAL(memcmp(path.remote.ip, rig_ip4_b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(path.local.ip, rig_ip4_a, 16), 0);
}

static void
a_golden_ipv6_frame_is_a_datagram(void)
{
	/* "hi" from [fd00::2]:40000 to [fd00::1]:443, CE */
	static const uint8_t frame[64] = {
	        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00,
	        0x02, 0x86, 0xdd, 0x60, 0x30, 0x00, 0x00, 0x00, 0x0a, 0x11, 0x40,
	        0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	        0x00, 0x00, 0x00, 0x00, 0x02, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00,
	        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x9c,
	        0x40, 0x01, 0xbb, 0x00, 0x0a, 0xff, 0x70, 0x68, 0x69,
	};
	struct plx_net_pkt k;
	struct plx_path path;

	PLX_COVERS("D1", "S0-53");
	plx_net_parse(&rule, frame, sizeof(frame), 0, &k);
	CU_ASSERT_EQUAL(k.kind, PLX_NET_KIND_DGRAM);
	CU_ASSERT_EQUAL(k.l3_len, 40);
	CU_ASSERT_EQUAL(k.l4_len, 10);
	CU_ASSERT_EQUAL(k.ecn, 3);
	plx_net_parse_path(frame, &k, &path);
	CU_ASSERT_EQUAL(memcmp(path.remote.ip, rig_ip6_b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(path.local.ip, rig_ip6_a, 16), 0);
}

static void
two_vlan_tags_are_skipped_and_a_third_is_refused(void)
{
	struct rig_spec s = {.payload_len = 50};
	struct rig_frame f;

	PLX_COVERS("D5");
	for (int v6 = 0; v6 < 2; v6++) {
		s.v6 = v6 != 0;
		for (s.tags = 0; s.tags <= 2; s.tags++) {
			rig_build(&f, &s);
			CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_DGRAM);
			CU_ASSERT_EQUAL(parse(&f).l2_len, 14 + 4 * s.tags);
			CU_ASSERT_EQUAL(parse(&f).l4_len, 58);
		}
		for (; s.tags <= 4; s.tags++)
			CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_VLAN_DEPTH);
	}
}

static void
the_datagram_ends_where_the_udp_length_says(void)
{
	struct rig_spec s = {.payload_len = 5, .pad = 30};
	struct rig_frame f;

	PLX_COVERS("D1");
	rig_build(&f, &s);
	CU_ASSERT_EQUAL(parse(&f).l4_len, 13);
	/* UDP shorter than the IP payload: what follows is not ours (RFC 9868 lives there). */
	plx_st16_be(f.b + f.l3 + 2, 20 + 13 + 10);
	rig_fix(&f, false, PLX_PROTO_UDP);
	plx_st16(f.b + f.l4 + 6, 0);
	CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_DGRAM);
	CU_ASSERT_EQUAL(parse(&f).l4_len, 13);
}

static void
ethernet_is_checked(void)
{
	struct rig_spec s = {.payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D1", "D5");
	rig_build(&f, &s);
	plx_st16_be(f.b + 12, 0x8847); /* MPLS */
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_NOT_IP);
	plx_st16_be(f.b + 12, 46); /* LLC */
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_NOT_IP);
	for (f.len = 0; f.len < 14; f.len++)
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_SHORT);
	plx_st16_be(f.b + 12, 0x8100);
	f.len = 17;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_SHORT);
	plx_st16_be(f.b + 12, 0x0806);
	f.len = 14 + 27;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_SHORT);
	f.len = 14 + 28;
	CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_ARP);
	f.len = 1523;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_TOO_LARGE);
}

static void
ipv4_lengths_and_versions_are_checked(void)
{
	struct rig_spec s = {.payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D1");
	rig_build(&f, &s);
	f.b[14] = 0x55;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_VERSION);
	f.b[14] = 0x44;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_VERSION);
	f.b[14] = 0x45;
	plx_st16_be(f.b + 16, 19);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_LEN);
	plx_st16_be(f.b + 16, 49);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_LEN);
	plx_st16_be(f.b + 16, 65535);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_LEN);
	f.b[14] = 0x4f; /* header past the total length */
	plx_st16_be(f.b + 16, 48);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_LEN);
	f.len = 14 + 19;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_SHORT);
}

static void
ipv4_options_are_refused_or_skipped_as_configured(void)
{
	struct rig_spec s = {.payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D1");
	for (s.opt_words = 1; s.opt_words <= 10; s.opt_words++) {
		rig_build(&f, &s);
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_OPTIONS);
		rule.ip4_options = true;
		CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_DGRAM);
		CU_ASSERT_EQUAL(parse(&f).l3_len, 20 + 4 * s.opt_words);
		f.b[f.l3 + 20] ^= 4; /* options are under the checksum too */
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_CKSUM);
		rule.ip4_options = false;
	}
}

static void
fragments_of_every_kind_are_refused(void)
{
	static const uint16_t field[] = {0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff, 0x6000};
	struct rig_spec s = {.payload_len = 40};
	struct rig_frame f;

	PLX_COVERS("D3");
	for (unsigned i = 0; i < RTE_DIM(field); i++) {
		rig_build(&f, &s);
		plx_st16_be(f.b + f.l3 + 6, field[i]);
		rig_fix(&f, false, PLX_PROTO_UDP);
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_FRAGMENT);
	}
	/* "do not fragment" and the reserved bit alone are no fragment */
	plx_st16_be(f.b + f.l3 + 6, 0xc000);
	rig_fix(&f, false, PLX_PROTO_UDP);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NONE);
	/* IPv6: an atomic fragment too, and behind another header */
	s = (struct rig_spec){
	        .v6 = true, .payload_len = 40, .ext_cnt = 1, .ext = {{44, 1}}};
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_FRAGMENT);
	s.ext_cnt = 2;
	s.ext[0] = (struct rig_ext){60, 1};
	s.ext[1] = (struct rig_ext){44, 1};
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_FRAGMENT);
}

static void
ipv6_lengths_and_versions_are_checked(void)
{
	struct rig_spec s = {.v6 = true, .payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D1");
	rig_build(&f, &s);
	f.b[14] = 0x40;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_VERSION);
	f.b[14] = 0x60;
	plx_st16_be(f.b + 18, 29);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_LEN);
	plx_st16_be(f.b + 18,
	            28 + 40); /* the length of the packet instead of the payload */
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_LEN);
	plx_st16_be(f.b + 18, 0);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_LEN);
	f.len = 14 + 39;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_SHORT);
}

static void
ipv6_extension_headers_are_walked_with_bounds(void)
{
	struct rig_spec s = {.v6 = true,
	                     .payload_len = 20,
	                     .ext_cnt = 3,
	                     .ext = {{0, 1}, {60, 2}, {43, 3}}};
	struct rig_frame f;

	PLX_COVERS("D5");
	rig_build(&f, &s);
	CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_DGRAM);
	CU_ASSERT_EQUAL(parse(&f).l3_len, 40 + 48);
	CU_ASSERT_EQUAL(parse(&f).l4_len, 28);
	f.b[f.l3 + 40 + 24 + 3] = 1; /* a routing header with somewhere to go */
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_EXT);
	for (unsigned i = 0; i < 12; i++)
		s.ext[i] = (struct rig_ext){60, 1};
	s.ext_cnt = 8;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NONE);
	s.ext_cnt = 9;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_IP6_EXT);
	s.ext_cnt = 1;
	s.ext[0].units = 32;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NONE);
	s.ext[0].units = 33;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_IP6_EXT);
	s.ext_cnt = 2; /* hop-by-hop stands first or nowhere */
	s.ext[0] = (struct rig_ext){60, 1};
	s.ext[1] = (struct rig_ext){0, 1};
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_IP6_EXT);
	s.ext_cnt = 1;
	for (unsigned t = 50; t < 52; t++) {
		s.ext[0].type = (uint8_t)t;
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_IP6_EXT);
	}
}

static void
ipv6_options_that_forbid_to_go_on_are_refused(void)
{
	struct rig_spec s = {.v6 = true, .payload_len = 20, .ext_cnt = 1, .ext = {{0, 1}}};
	struct rig_frame f;
	uint8_t *opt;

	PLX_COVERS("D1", "D5");
	rig_build(&f, &s);
	opt = f.b + f.l3 + 42;
	opt[0] = 5; /* router alert: may be skipped */
	opt[1] = 2;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NONE);
	opt[1] = 5; /* past the header */
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_EXT);
	opt[0] = 0xc2; /* jumbo payload */
	opt[1] = 4;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP6_EXT);
}

static void
a_packet_without_hops_left_is_refused(void)
{
	struct rig_spec s = {.payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D6");
	rig_build(&f, &s);
	f.b[f.l3 + 8] = 0;
	rig_fix(&f, false, PLX_PROTO_UDP);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_TTL);
	s.v6 = true;
	rig_build(&f, &s);
	f.b[f.l3 + 7] = 0;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_TTL);
}

static void
sources_that_cannot_be_on_a_wire_are_refused(void)
{
	static const uint8_t bad4[][4] = {
	        {10, 0, 0, 1},        {10, 0, 0, 255}, {0, 0, 0, 0},
	        {0, 1, 2, 3},         {127, 0, 0, 1},  {224, 0, 0, 1},
	        {255, 255, 255, 255}, {240, 0, 0, 1},  {239, 1, 2, 3},
	};
	static const uint8_t bad6[][16] = {
	        {0xfd, [15] = 1},                               /* ours */
	        {0},                                            /* :: */
	        {[15] = 1},                                     /* ::1 */
	        {0xff, 2, [15] = 1},                            /* multicast */
	        {[10] = 0xff, [11] = 0xff, [12] = 8, [15] = 8}, /* ::ffff:8.0.0.8 */
	};
	struct rig_spec s = {.payload_len = 20};

	PLX_COVERS("D6");
	for (unsigned i = 0; i < RTE_DIM(bad4); i++) {
		s.src = bad4[i];
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_SRC);
	}
	s.v6 = true;
	for (unsigned i = 0; i < RTE_DIM(bad6); i++) {
		s.src = bad6[i];
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_SRC);
	}
}

static void
a_source_that_is_ours_is_told_apart(void)
{
	struct rig_spec s = {.payload_len = 20, .src = rig_ip4_a};
	struct rig_frame f;

	PLX_COVERS("D6");
	rig_build(&f, &s);
	CU_ASSERT_TRUE(parse(&f).src_ours);
	s.src = (const uint8_t[]){127, 0, 0, 1};
	rig_build(&f, &s);
	CU_ASSERT_FALSE(parse(&f).src_ours);
}

static void
other_destinations_protocols_and_ports_are_refused(void)
{
	static const uint8_t other4[][4] = {
	        {10, 0, 0, 3}, {10, 0, 0, 255}, {255, 255, 255, 255}, {224, 0, 0, 1}};
	static const uint8_t other6[][16] = {{0xfd, [15] = 3}, {0xff, 2, [15] = 1}};
	struct rig_spec s = {.payload_len = 20};
	struct rig_frame f;

	PLX_COVERS("D6");
	for (unsigned i = 0; i < RTE_DIM(other4); i++) {
		s.dst = other4[i];
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_NOT_OURS);
	}
	s.v6 = true;
	for (unsigned i = 0; i < RTE_DIM(other6); i++) {
		s.dst = other6[i];
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_NOT_OURS);
	}
	for (int v6 = 0; v6 < 2; v6++) {
		s = (struct rig_spec){.v6 = v6 != 0, .payload_len = 20, .proto = 6};
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_PROTO);
		s.proto = v6 ? PLX_PROTO_ICMP6 : PLX_PROTO_ICMP4;
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NONE);
		s.proto = 0;
		s.dport = 444;
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_UDP_PORT);
		s.dport = 0;
		rig_build(&f, &s);
		plx_st16(f.b + f.l4, 0);
		rig_fix(&f, s.v6, PLX_PROTO_UDP);
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_PORT);
	}
}

static void
a_client_takes_every_port_above_1023(void)
{
	struct rig_spec s = {.payload_len = 20, .dport = 1024};

	rule.any_port = true;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NONE);
	s.dport = 65535;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NONE);
	s.dport = 1023;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_UDP_PORT);
	rule.any_port = false;
}

static void
udp_lengths_are_checked(void)
{
	struct rig_spec s = {.payload_len = 20, .pad = 8};
	struct rig_frame f;

	PLX_COVERS("D1");
	for (int v6 = 0; v6 < 2; v6++) {
		s.v6 = v6 != 0;
		rig_build(&f, &s);
		for (unsigned len = 0; len < 8; len++) {
			plx_st16_be(f.b + f.l4 + 4, (uint16_t)len);
			CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_LEN);
		}
		plx_st16_be(f.b + f.l4 + 4, 29); /* inside the frame, past the IP payload */
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_LEN);
		s.payload_len = 0;
		CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_EMPTY);
		s.payload_len = 20;
	}
}

static void
every_flipped_bit_under_a_checksum_is_noticed(void)
{
	struct rig_spec s = {.payload_len = 37};
	struct rig_frame f;

	PLX_COVERS("D4");
	for (int v6 = 0; v6 < 2; v6++) {
		s.v6 = v6 != 0;
		rig_build(&f, &s);
		for (size_t i = f.l3; i < f.len; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				/* not under IPv6's only sum: version, class, label, hop limit */
				if (v6 && (i < f.l3 + 4 || i == f.l3 + 7))
					continue;
				f.b[i] ^= (uint8_t)(1u << bit);
				CU_ASSERT_NOT_EQUAL(drop_of(&f), PLX_DROP_NONE);
				f.b[i] ^= (uint8_t)(1u << bit);
			}
		}
		f.b[f.len - 1] ^= 1;
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_CKSUM);
	}
	s.v6 = false;
	rig_build(&f, &s);
	f.b[f.l3 + 1] ^= 1;
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_IP4_CKSUM);
}

static void
a_zero_udp_checksum_is_legal_over_ipv4_only(void)
{
	struct rig_spec s = {.payload_len = 37};
	struct plx_net_pkt k;
	struct rig_frame f;

	PLX_COVERS("D4");
	rig_build(&f, &s);
	plx_st16(f.b + f.l4 + 6, 0);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NONE);
	s.v6 = true;
	rig_build(&f, &s);
	plx_st16(f.b + f.l4 + 6, 0);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_CKSUM);
	/* also when a port calls it good */
	plx_net_parse(&rule, f.b, f.len, PLX_NET_TRUST_UDP, &k);
	CU_ASSERT_EQUAL(k.drop, PLX_DROP_NET_UDP_CKSUM);
	plx_net_parse(&rule, f.b, f.len, PLX_NET_TRUST_WIRE, &k);
	CU_ASSERT_EQUAL(k.kind, PLX_NET_KIND_DGRAM);
}

static void
a_sum_of_zero_travels_as_ffff_and_is_right(void)
{
	struct rig_spec s = {.payload_len = 2, .payload = (const uint8_t[]){0, 0}};
	struct rig_frame f;
	uint16_t field;

	PLX_COVERS("D4");
	/* Choose the payload such that the checksum comes out as 0. */
	rig_build(&f, &s);
	field = plx_ld16(f.b + f.l4 + 6);
	plx_st16(f.b + f.l4 + 8, field);
	rig_fix(&f, false, PLX_PROTO_UDP);
	CU_ASSERT_EQUAL(plx_ld16(f.b + f.l4 + 6), 0xffff);
	CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NONE);
}

static void
what_the_port_verified_is_not_verified_again(void)
{
	struct rig_spec s = {.payload_len = 37};
	struct plx_net_pkt k;
	struct rig_frame f;

	PLX_COVERS("D4");
	rig_build(&f, &s);
	f.b[f.l4 + 10] ^= 1;
	plx_net_parse(&rule, f.b, f.len, PLX_NET_TRUST_UDP, &k);
	CU_ASSERT_EQUAL(k.kind, PLX_NET_KIND_DGRAM);
	plx_net_parse(&rule, f.b, f.len, PLX_NET_TRUST_IP, &k);
	CU_ASSERT_EQUAL(k.drop, PLX_DROP_NET_UDP_CKSUM);
	f.b[f.l3 + 10] ^= 1;
	plx_net_parse(&rule, f.b, f.len, PLX_NET_TRUST_UDP, &k);
	CU_ASSERT_EQUAL(k.drop, PLX_DROP_NET_IP4_CKSUM);
}

static void
an_unfinished_checksum_of_a_kernel_is_recognised(void)
{
	struct rig_spec s = {.payload_len = 37};
	struct rig_frame f;

	for (int v6 = 0; v6 < 2; v6++) {
		s.v6 = v6 != 0;
		rig_build(&f, &s);
		plx_st16(f.b + f.l4 + 6, plx_cksum_fold(plx_cksum_pseudo(
		                                 f.b + f.l3, s.v6, 45, PLX_PROTO_UDP)));
		CU_ASSERT_EQUAL(drop_of(&f), PLX_DROP_NET_UDP_CKSUM);
		CU_ASSERT_TRUE(parse(&f).partial);
		f.b[f.l4 + 7] ^= 1;
		CU_ASSERT_FALSE(parse(&f).partial);
	}
}

static void
the_unspecified_source_and_groups_are_for_icmpv6_alone(void)
{
	static const uint8_t none[16], group[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 1},
	                               other[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 2};
	struct rig_spec s = {.v6 = true,
	                     .payload_len = 24,
	                     .proto = PLX_PROTO_ICMP6,
	                     .src = none,
	                     .dst = group};
	struct rig_frame f;

	PLX_COVERS("D6");
	rig_build(&f, &s);
	CU_ASSERT_EQUAL(parse(&f).kind, PLX_NET_KIND_ICMP6);
	CU_ASSERT_TRUE(parse(&f).mcast);
	CU_ASSERT_TRUE(parse(&f).src_none);
	s.dst = other;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_NOT_OURS);
	s.dst = group;
	s.proto = 0;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_SRC);
	s.src = NULL;
	CU_ASSERT_EQUAL(drop_of_spec(&s), PLX_DROP_NET_NOT_OURS);
}

static void
configurations_that_make_no_sense_are_refused(void)
{
	struct plx_net_rule r;
	struct plx_net_cfg good = rig_cfg(1), c = good;

	c.addr[0].prefix_len = 33;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	c = good;
	c.addr[1].prefix_len = 129;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	c = good;
	c.addr[0].addr.ip[0] = 224;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	c = good;
	c.addr[1].addr.ip[0] = 0xff;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	c = good;
	c.addr_cnt = PLX_NET_ADDRS_MAX + 1;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	c = good;
	c.port_cnt = PLX_NET_PORTS_MAX + 1;
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &c, 1500), PLX_E_CONFIG);
	CU_ASSERT_EQUAL(plx_net_rule_init(&r, &good, 65535), 0);
	CU_ASSERT_EQUAL(r.frame_max, 65535);
}

int
main(void)
{
#define T(f, name) {name, f}
	CU_TestInfo tests[] = {
	        T(a_golden_ipv4_frame_is_a_datagram, "a golden IPv4 frame is a datagram"),
	        T(a_golden_ipv6_frame_is_a_datagram, "a golden IPv6 frame is a datagram"),
	        T(two_vlan_tags_are_skipped_and_a_third_is_refused,
	          "two VLAN tags are skipped and a third is refused"),
	        T(the_datagram_ends_where_the_udp_length_says,
	          "the datagram ends where the UDP length says"),
	        T(ethernet_is_checked, "Ethernet is checked"),
	        T(ipv4_lengths_and_versions_are_checked,
	          "IPv4 lengths and versions are checked"),
	        T(ipv4_options_are_refused_or_skipped_as_configured,
	          "IPv4 options are refused or skipped as configured"),
	        T(fragments_of_every_kind_are_refused,
	          "fragments of every kind are refused"),
	        T(ipv6_lengths_and_versions_are_checked,
	          "IPv6 lengths and versions are checked"),
	        T(ipv6_extension_headers_are_walked_with_bounds,
	          "IPv6 extension headers are walked with bounds"),
	        T(ipv6_options_that_forbid_to_go_on_are_refused,
	          "IPv6 options that forbid to go on are refused"),
	        T(a_packet_without_hops_left_is_refused,
	          "a packet without hops left is refused"),
	        T(sources_that_cannot_be_on_a_wire_are_refused,
	          "sources that cannot be on a wire are refused"),
	        T(a_source_that_is_ours_is_told_apart,
	          "a source that is ours is told apart"),
	        T(other_destinations_protocols_and_ports_are_refused,
	          "other destinations, protocols and ports are refused"),
	        T(a_client_takes_every_port_above_1023,
	          "a client takes every port above 1023"),
	        T(udp_lengths_are_checked, "UDP lengths are checked"),
	        T(every_flipped_bit_under_a_checksum_is_noticed,
	          "every flipped bit under a checksum is noticed"),
	        T(a_zero_udp_checksum_is_legal_over_ipv4_only,
	          "a zero UDP checksum is legal over IPv4 only"),
	        T(a_sum_of_zero_travels_as_ffff_and_is_right,
	          "a sum of zero travels as ffff and is right"),
	        T(what_the_port_verified_is_not_verified_again,
	          "what the port verified is not verified again"),
	        T(an_unfinished_checksum_of_a_kernel_is_recognised,
	          "an unfinished checksum of a kernel is recognised"),
	        T(the_unspecified_source_and_groups_are_for_icmpv6_alone,
	          "the unspecified source and groups are for ICMPv6 alone"),
	        T(configurations_that_make_no_sense_are_refused,
	          "configurations that make no sense are refused"),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {.pName = "parser", .pInitFunc = init, .pTests = tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
