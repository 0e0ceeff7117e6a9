/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair_test.h"
#include "plx_quic_pvt.h"

/* Stories of two endpoints over a link that misbehaves, in virtual time and by a seed. */

static void
set_links(struct plx_pair_cfg *cfg, uint32_t loss_ppm, uint32_t corrupt_ppm,
          uint64_t jitter_ns)
{
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		cfg->link[s].loss_ppm = loss_ppm;
		cfg->link[s].corrupt_ppm = corrupt_ppm;
		cfg->link[s].dup_ppm = corrupt_ppm;
		cfg->link[s].jitter_ns = jitter_ns;
	}
}

static void
bytes_are_right_through_loss_reordering_and_corruption(void)
{
	PLX_COVERS("S1-1", "S1-16");
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct plx_pair_cfg cfg;
		struct plx_pair *p;

		plx_pair_cfg_init(&cfg);
		cfg.seed = seed;
		set_links(&cfg, 50000, 10000, 15 * MS);
		p = pair(&cfg);
		p->end[1].app.streams = 4;
		p->end[1].app.up = p->end[1].app.down = MIB / 2;
		p->end[1].app.close_when_done = true;
		plx_pair_dial(p, true, NULL);
		if (!plx_pair_run(p, plx_pair_both_over, 300 * SEC) ||
		    p->end[1].app.rx_bytes != 2 * MIB ||
		    p->end[0].app.mismatches + p->end[1].app.mismatches != 0) {
			printf("  seed %lu failed\n", (unsigned long)seed);
			CU_FAIL("a transfer over a bad link");
		}
		CU_ASSERT_TRUE(p->lost > 0 && p->corrupted > 0 && p->duplicated > 0);
		plx_pair_free(p);
	}
}

static uint64_t
trace_of(uint64_t seed, bool retry)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint64_t trace;

	plx_pair_cfg_init(&cfg);
	cfg.seed = seed;
	cfg.quic[0].retry = retry ? PLX_RETRY_ON : PLX_RETRY_OFF;
	set_links(&cfg, 30000, 5000, 5 * MS);
	p = pair(&cfg);
	p->end[1].app.streams = 8;
	p->end[1].app.up = p->end[1].app.down = 100000;
	p->end[1].app.close_when_done = true;
	plx_pair_dial(p, true, NULL);
	plx_pair_run(p, plx_pair_idle, 300 * SEC);
	trace = p->trace ^ p->end[0].app.closed ^ p->now;
	plx_pair_free(p);
	return trace;
}

static void
one_seed_gives_one_story(void)
{
	uint64_t a = trace_of(7, false);

	PLX_COVERS("S1-2");
	CU_ASSERT_EQUAL(a, trace_of(7, false));
	CU_ASSERT_NOT_EQUAL(a, trace_of(8, false));
	CU_ASSERT_EQUAL(trace_of(9, true), trace_of(9, true));
}

static void
many_streams_share_a_connection(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S0-4", "S1-37", "S1-56");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].max_streams_bidi = 100;
	p = pair(&cfg);
	p->end[1].app.streams = 2000;
	p->end[1].app.up = 333;
	p->end[1].app.down = 777;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.rx_bytes, 2000 * 777);
	CU_ASSERT_EQUAL(p->end[0].app.mismatches + p->end[1].app.mismatches, 0);
	/* Small streams share packets: fewer packets than streams. */
	CU_ASSERT_TRUE(p->end[1].tx_pkts < 2000);
	plx_pair_free(p);
}

static void
credit_that_is_not_returned_stops_the_peer(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("F5", "S0-5", "S0-6");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].max_data = 100000;
	cfg.quic[0].max_stream_data = 60000;
	p = pair(&cfg);
	p->end[0].app.hold = true;
	p->end[1].app.streams = 3;
	p->end[1].app.up = MIB;
	plx_pair_dial(p, true, NULL);
	plx_pair_run(p, NULL, 20 * SEC);
	CU_ASSERT_EQUAL(p->end[0].app.rx_bytes, 100000);
	/* Given back, the rest comes: consume what was held. */
	p->end[0].app.hold = false;
	plx_conn_consume(p->end[0].app.conn, 0, 60000);
	plx_conn_consume(p->end[0].app.conn, 4, 40000);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.mismatches, 0);
	plx_pair_free(p);
}

/* Both Initials of a large ClientHello, exchanged, apart by as much as wanted. */
struct swap {
	uint8_t pkt[1500];
	uint16_t len;
	struct plx_path path;
	int seen;
	bool later; /* the first comes in a burst of its own */
};

static bool
swap_first_two(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct swap *s = arg;

	if (pkt->from != PLX_PAIR_CLIENT || s->seen > 1)
		return true;
	if (s->seen++ == 0) {
		memcpy(s->pkt, pkt->data, pkt->len);
		s->len = pkt->len;
		s->path = *pkt->path;
		return false;
	}
	p->cfg.tap = NULL;
	plx_pair_send(p, PLX_PAIR_CLIENT, pkt->path, pkt->data, pkt->len);
	if (s->later)
		p->now += 3 * MS;
	plx_pair_send(p, PLX_PAIR_CLIENT, &s->path, s->pkt, s->len);
	return false;
}

static void
a_client_hello_over_two_initials_arrives_in_either_order(void)
{
	for (int how = 0; how < 3; how++) {
		struct swap s = {.later = how == 2};
		struct plx_pair_cfg cfg;
		struct plx_pair *p;

		plx_pair_cfg_init(&cfg);
		cfg.groups[1] = "X25519MLKEM768:X25519";
		if (how > 0) {
			cfg.tap = swap_first_two;
			cfg.tap_arg = &s;
		}
		p = pair(&cfg);
		p->end[1].app.up = p->end[1].app.down = 10000;
		plx_pair_dial(p, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
		CU_ASSERT_EQUAL(plx_obs_get(p->end[0].obs, PLX_COUNT_conns_accepted), 1);
		if (how > 0)
			CU_ASSERT_EQUAL(s.seen, 2); /* it did take two */
		plx_pair_free(p);
	}
}

static void
a_group_the_server_lacks_costs_a_round_trip_only(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.groups[1] = "P-384:X25519"; /* a share for P-384: HelloRetryRequest */
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 10000;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
	CU_ASSERT_TRUE(p->end[1].app.info.handshake_ns >= 40 * MS);
	plx_pair_free(p);
}

/* A translator that gives the client another port from some moment on. */
struct nat {
	uint64_t from_ns;
	uint16_t port_be, old_be;
	uint64_t to_old;
};

static bool
nat(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct nat *n = arg;

	n->old_be = p->end[PLX_PAIR_CLIENT].addr.port_be;
	if (p->now < n->from_ns)
		return true;
	if (pkt->from == PLX_PAIR_CLIENT) {
		pkt->path->local.port_be = n->port_be;
		return true;
	}
	if (pkt->path->remote.port_be == n->port_be) {
		pkt->path->remote.port_be = n->old_be;
		return true;
	}
	n->to_old++;
	return false;
}

static void
a_client_whose_port_changes_in_mid_transfer_completes(void)
{
	struct plx_pair_cfg cfg;
	struct nat n = {.from_ns = 1000 * SEC + 120 * MS, .port_be = 0x1111};
	struct plx_pair *p;

	PLX_COVERS("S1-60");
	plx_pair_cfg_init(&cfg);
	cfg.tap = nat;
	cfg.tap_arg = &n;
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 20 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 120 * SEC));
	CU_ASSERT_TRUE(p->now > n.from_ns + 50 * MS); /* it was in the middle */
	CU_ASSERT_EQUAL(plx_obs_get(p->end[0].obs, PLX_COUNT_path_changes), 1);
	CU_ASSERT_EQUAL(p->end[0].app.mismatches + p->end[1].app.mismatches, 0);
	CU_ASSERT_EQUAL(p->end[0].app.closed, 0);
	plx_pair_free(p);
}

static void
without_migration_packets_of_a_new_address_are_dropped(void)
{
	struct plx_pair_cfg cfg;
	struct nat n = {.from_ns = 1000 * SEC + 120 * MS, .port_be = 0x1111};
	struct plx_pair *p;

	PLX_COVERS("S0-11", "S1-60");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].migration = false;
	cfg.tap = nat;
	cfg.tap_arg = &n;
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 200 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_FALSE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
	CU_ASSERT_EQUAL(plx_obs_get(p->end[0].obs, PLX_COUNT_path_changes), 0);
	CU_ASSERT_TRUE(plx_obs_get_drop(p->end[0].obs, PLX_DROP_QUIC_MIGRATION) > 0);
	plx_pair_free(p);
}

static void
keys_are_updated_in_mid_transfer(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	for (int side = 0; side < 2; side++) {
		plx_pair_cfg_init(&cfg);
		set_links(&cfg, 20000, 0, 2 * MS);
		p = pair(&cfg);
		p->end[1].app.up = p->end[1].app.down = 4 * MIB;
		plx_pair_dial(p, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
		for (int i = 0; i < 5; i++) {
			plx_pair_run(p, NULL, 200 * MS);
			if (p->end[side].app.conn != NULL)
				ngtcp2_conn_initiate_key_update(p->end[side].app.conn->nc,
				                                p->now);
		}
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 120 * SEC));
		CU_ASSERT_EQUAL(p->end[0].app.mismatches + p->end[1].app.mismatches, 0);
		plx_pair_free(p);
	}
}

static void
handshakes_survive_a_link_that_loses_a_third(void)
{
	uint64_t up = 0;

	for (uint64_t seed = 100; seed < 130; seed++) {
		struct plx_pair_cfg cfg;
		struct plx_pair *p;

		plx_pair_cfg_init(&cfg);
		cfg.seed = seed;
		cfg.groups[1] = "X25519MLKEM768:X25519";
		cfg.quic[0].handshake_timeout_ms = cfg.quic[1].handshake_timeout_ms = 60000;
		set_links(&cfg, 330000, 0, 0);
		p = pair(&cfg);
		plx_pair_dial(p, true, NULL);
		up += plx_pair_run(p, plx_pair_both_up, 60 * SEC);
		plx_pair_free(p);
	}
	CU_ASSERT_EQUAL(up, 30);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"bytes are right through loss, reordering and corruption",
	         bytes_are_right_through_loss_reordering_and_corruption},
	        {"one seed gives one story", one_seed_gives_one_story},
	        {"many streams share a connection", many_streams_share_a_connection},
	        {"credit that is not returned stops the peer",
	         credit_that_is_not_returned_stops_the_peer},
	        {"a ClientHello over two Initials arrives in either order",
	         a_client_hello_over_two_initials_arrives_in_either_order},
	        {"a group the server lacks costs a round trip only",
	         a_group_the_server_lacks_costs_a_round_trip_only},
	        {"a client whose port changes in mid-transfer completes",
	         a_client_whose_port_changes_in_mid_transfer_completes},
	        {"without migration packets of a new address are dropped",
	         without_migration_packets_of_a_new_address_are_dropped},
	        {"keys are updated in mid-transfer", keys_are_updated_in_mid_transfer},
	        {"handshakes survive a link that loses a third",
	         handshakes_survive_a_link_that_loses_a_third},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"two endpoints", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
