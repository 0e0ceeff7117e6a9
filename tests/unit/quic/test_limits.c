/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair_test.h"
#include "plx_quic_pvt.h"

static void
a_thousand_short_connections_give_back_slots_and_memory(void)
{
	struct plx_pair_cfg cfg;
	uint64_t base[2] = {0};
	struct plx_pair *p;

	PLX_COVERS("S2-14", "S2-24", "S1-63");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].conns_max = cfg.quic[1].conns_max = 16;
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 1000;
	p->end[1].app.close_when_done = true;
	for (int i = 0; i < 1000; i++) {
		while (plx_pair_dial(p, true, NULL) != 0)
			plx_pair_step(p);
	}
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 600 * SEC));
	for (int s = 0; s < 2; s++) {
		CU_ASSERT_EQUAL(p->end[s].app.established, 1000);
		CU_ASSERT_EQUAL(p->end[s].app.closed, 1000);
		CU_ASSERT_EQUAL(p->end[s].app.mismatches, 0);
		CU_ASSERT_EQUAL(plx_pair_slab_used(p, (enum plx_pair_side)s), base[s]);
		CU_ASSERT_EQUAL(plx_quic_deadline(p->end[s].quic), PLX_TIME_NEVER);
		CU_ASSERT_FALSE(plx_quic_has_tx(p->end[s].quic));
		CU_ASSERT_EQUAL(p->end[s].quic->half_open, 0);
	}
	plx_pair_free(p);
}

/* A link that takes no more than 1300 bytes, and a router that says so. */
static bool
narrow_link(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	unsigned *lost = arg;

	if (pkt->from != PLX_PAIR_SERVER || pkt->len <= 1300)
		return true;
	if (++*lost > 1)
		plx_quic_too_big(p->end[PLX_PAIR_SERVER].quic, pkt->path, 1300, p->now);
	return false;
}

static void
a_packet_too_big_message_narrows_the_path_it_names(void)
{
	struct plx_pair_cfg cfg;
	unsigned lost = 0;
	struct plx_pair *p;

	PLX_COVERS("D5");
	plx_pair_cfg_init(&cfg);
	cfg.tap = narrow_link;
	cfg.tap_arg = &lost;
	p = pair(&cfg);
	p->end[1].app.down = MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_TRUE(lost > 1);
	CU_ASSERT_TRUE(lost < 100);
	CU_ASSERT_EQUAL(p->end[1].app.mismatches, 0);
	plx_pair_free(p);
}

static void
generations_wrap_without_an_id_twice(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.quic[0].conns_max = cfg.quic[1].conns_max = 1;
	p = pair(&cfg);
	p->end[1].app.close_when_done = true;
	/* As after 65534 connections in each slot. */
	p->end[0].quic->conns[0].gen = p->end[1].quic->conns[0].gen = 0xfffe;
	for (int i = 0; i < 4; i++) {
		struct plx_conn_id id;

		CU_ASSERT_EQUAL(plx_pair_dial(p, true, &id), 0);
		CU_ASSERT_NOT_EQUAL(plx_conn_id_gen(id) & 0xffff, 0);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	}
	CU_ASSERT_EQUAL(p->end[0].app.established, 4);
	CU_ASSERT_EQUAL(p->end[0].quic->conns[0].gen, 0x10003);
	plx_pair_free(p);
}

static void
a_draining_endpoint_refuses_new_clients_and_keeps_the_old(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S0-34", "S0-35");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.up = MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_quic_drain(p->end[0].quic);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_CONNECTION_REFUSED);
	CU_ASSERT_EQUAL(count(p, PLX_PAIR_SERVER, PLX_COUNT_conns_refused), 1);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.closed, 0);
	plx_quic_close_all(p->end[0].quic, 3);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.code, 3);
	plx_pair_free(p);
}

static void
limits_of_slots_and_handshakes_refuse_at_once(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.quic[0].conns_max = 1;
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_CONNECTION_REFUSED);
	CU_ASSERT_EQUAL(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_CONN_LIMIT), 1);
	plx_pair_free(p);

	plx_pair_cfg_init(&cfg);
	cfg.quic[0].handshakes_max = 1;
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_CONNECTION_REFUSED);
	CU_ASSERT_EQUAL(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_HS_LIMIT), 1);
	plx_pair_free(p);
}

static void
shortage_refuses_new_connections_first_then_drops(void)
{
	struct plx_pair_cfg cfg;
	struct plx_slab *slab;
	struct plx_pair *p;
	void *hog;

	plx_pair_cfg_init(&cfg);
	cfg.quic[0].slab_limit = 1u << 20;
	p = pair(&cfg);
	p->end[1].app.up = MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	slab = plx_quic_slab(p->end[0].quic);
	/* Between the two reserves: what is there goes on, new ones are refused. */
	hog = NULL;
	while (1) {
		struct plx_slab_stats st;
		void **h;

		plx_slab_get_stats(slab, &st);
		if (cfg.quic[0].slab_limit - st.used < 2 * p->end[0].quic->reserve)
			break;
		h = plx_slab_alloc(slab, 16384);
		CU_ASSERT_PTR_NOT_NULL_FATAL(h);
		*h = hog;
		hog = h;
	}
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_CONNECTION_REFUSED);
	CU_ASSERT_TRUE(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_MEMORY) >= 1);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.mismatches, 0);
	while (hog != NULL) {
		void *next = *(void **)hog;

		plx_slab_release(slab, hog);
		hog = next;
	}
	plx_pair_free(p);
}

static void
below_the_last_reserve_datagrams_are_dropped(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	size_t reserve;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.up = 20 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	reserve = p->end[0].quic->reserve;
	p->end[0].quic->reserve = cfg.quic[0].slab_limit; /* as if all were in use */
	plx_pair_run(p, NULL, SEC / 20);
	CU_ASSERT_TRUE(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_MEMORY) > 0);
	/* The peer sees loss, and goes on when there is room again. */
	p->end[0].quic->reserve = reserve;
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.mismatches, 0);
	plx_pair_free(p);
}

/* A DATAGRAM frame in a packet of the client's, written by ngtcp2 itself. */
static int
send_datagram(struct plx_pair *p, size_t len)
{
	struct plx_conn *c = p->end[1].app.conn;
	uint8_t data[1200] = {0}, pkt[1452];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	int accepted = 0;
	ngtcp2_ssize n;

	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_datagram(c->nc, &ps.path, &pi, pkt, sizeof(pkt), &accepted, 0,
	                               1, data, len, p->now);
	if (n <= 0)
		return (int)n;
	plx_pair_send(p, PLX_PAIR_CLIENT, &c->path[0].tx.path, pkt, (uint16_t)n);
	plx_pair_run(p, NULL, SEC / 10);
	return accepted;
}

static void
datagrams_arrive_where_they_are_configured(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S1-57", "S0-9");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].max_datagram_frame = cfg.quic[1].max_datagram_frame = 1200;
	p = pair(&cfg);
	p->end[1].app.streams = 0;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(send_datagram(p, 1000), 1);
	CU_ASSERT_EQUAL(p->end[0].app.datagrams, 1);
	plx_pair_free(p);

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.streams = 0;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	CU_ASSERT_EQUAL(send_datagram(p, 100), NGTCP2_ERR_INVALID_STATE);
	plx_pair_free(p);
}

static bool
flip_and_copy(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	if (pkt->from == PLX_PAIR_CLIENT && p->end[0].app.established > 0) {
		memcpy(arg, pkt->data, pkt->len);
		pkt->data[pkt->len - 1] ^= 1;
	}
	return true;
}

static void
packets_that_do_not_open_or_name_nobody_are_counted(void)
{
	uint8_t copy[1500] = {0};
	struct plx_pair_cfg cfg;
	struct plx_path path;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.up = MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	p->cfg.tap = flip_and_copy;
	p->cfg.tap_arg = copy;
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_TRUE(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_DECRYPT) > 0);
	p->cfg.tap = NULL;
	/* A long header with an ID of a connection that is gone gets no answer. */
	path = (struct plx_path){.local = p->end[1].addr, .remote = p->end[0].addr};
	memmove(copy + 6, copy + 1, PLX_CID_LEN);
	memcpy(copy, "\xe0\0\0\0\1\x13", 6);
	copy[6 + PLX_CID_LEN] = 0;
	plx_quic_close_all(p->end[0].quic, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	plx_pair_send(p, PLX_PAIR_CLIENT, &path, copy, 100);
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(drops(p, PLX_PAIR_SERVER, PLX_DROP_QUIC_UNKNOWN_CID), 1);
	CU_ASSERT_EQUAL(count(p, PLX_PAIR_SERVER, PLX_COUNT_resets_sent), 0);
	plx_pair_free(p);
}

static void
the_nth_allocation_may_fail_and_only_that_connection_dies(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("F13");
	plx_pair_cfg_init(&cfg);
	for (int side = 0; side < 2; side++) {
		for (uint64_t n = 1; n < 400; n++) {
			uint64_t fails = 0;
			struct plx_slab_stats st;

			p = pair(&cfg);
			p->end[1].app.up = p->end[1].app.down = 20000;
			p->end[1].app.close_when_done = true;
			plx_slab_fail_at(plx_quic_slab(p->end[side].quic), n);
			if (plx_pair_dial(p, true, NULL) == 0)
				CU_ASSERT_TRUE(
				        plx_pair_run(p, plx_pair_client_over, 60 * SEC));
			CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
			plx_slab_get_stats(plx_quic_slab(p->end[side].quic), &st);
			fails = st.fails;
			plx_slab_fail_at(plx_quic_slab(p->end[side].quic), 0);
			/* The endpoint lives: the next connection works. */
			p->end[1].app.established = 0;
			CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
			CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_up, 30 * SEC));
			plx_pair_free(p);
			if (fails == 0)
				break;
			if (n > 60)
				n += 7;
		}
	}
}

int
main(void)
{
	CU_TestInfo limits[] = {
	        {"a packet-too-big message narrows the path it names",
	         a_packet_too_big_message_narrows_the_path_it_names},
	        {"a thousand short connections give back slots and memory",
	         a_thousand_short_connections_give_back_slots_and_memory},
	        {"generations wrap without an ID twice",
	         generations_wrap_without_an_id_twice},
	        {"a draining endpoint refuses new clients and keeps the old",
	         a_draining_endpoint_refuses_new_clients_and_keeps_the_old},
	        {"limits of slots and handshakes refuse at once",
	         limits_of_slots_and_handshakes_refuse_at_once},
	        {"shortage refuses new connections first, then drops",
	         shortage_refuses_new_connections_first_then_drops},
	        {"below the last reserve datagrams are dropped",
	         below_the_last_reserve_datagrams_are_dropped},
	        {"datagrams arrive where they are configured",
	         datagrams_arrive_where_they_are_configured},
	        {"packets that do not open, or name nobody, are counted",
	         packets_that_do_not_open_or_name_nobody_are_counted},
	        {"the n-th allocation may fail and only that connection dies",
	         the_nth_allocation_may_fail_and_only_that_connection_dies},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"limits", NULL, NULL, NULL, NULL, limits},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
