/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair_test.h"
#include "plx_quic_pvt.h"

static void
a_mebibyte_goes_both_ways_and_both_sides_close(void)
{
	struct plx_pair_cfg cfg;

	PLX_COVERS("S1-1", "S1-39");
	plx_pair_cfg_init(&cfg);
	for (int v6 = 0; v6 < 2; v6++) {
		struct plx_testapp *c, *s;
		struct plx_pair *p;

		cfg.ipv6 = v6 != 0;
		p = pair(&cfg);
		c = &p->end[PLX_PAIR_CLIENT].app;
		s = &p->end[PLX_PAIR_SERVER].app;
		c->up = c->down = MIB;
		c->close_when_done = true;
		c->close_code = 7;
		c->close_reason = "done";
		CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 60 * SEC));
		CU_ASSERT_EQUAL(c->established, 1);
		CU_ASSERT_EQUAL(s->established, 1);
		CU_ASSERT_EQUAL(c->rx_bytes, MIB);
		CU_ASSERT_EQUAL(s->rx_bytes, MIB + 16);
		CU_ASSERT_EQUAL(c->mismatches + s->mismatches, 0);
		CU_ASSERT_EQUAL(c->why.by, PLX_CLOSE_LOCAL);
		CU_ASSERT_EQUAL(s->why.by, PLX_CLOSE_PEER_APPLICATION);
		CU_ASSERT_EQUAL(s->why.code, 7);
		CU_ASSERT_TRUE(s->why.is_app);
		CU_ASSERT_TRUE(s->why.reason_len == 4 &&
		               memcmp(s->why.reason, "done", 4) == 0);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
		plx_pair_free(p);
	}
}

static void
every_suite_and_back_end_carries_data(void)
{
	static const char *const suites[] = {"TLS_AES_128_GCM_SHA256",
	                                     "TLS_AES_256_GCM_SHA384",
	                                     "TLS_CHACHA20_POLY1305_SHA256"};
	struct plx_pair_cfg cfg;

	plx_pair_cfg_init(&cfg);
	for (int i = 0; i < 6; i++) {
		struct plx_pair *p;

		cfg.ciphers = suites[i / 2];
		cfg.backend = i % 2 == 0 ? PLX_CRYPT_AUTO : PLX_CRYPT_EVP;
		p = pair(&cfg);
		p->end[1].app.up = p->end[1].app.down = MIB / 4;
		plx_pair_dial(p, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
		CU_ASSERT_STRING_EQUAL(p->end[1].app.info.cipher, suites[i / 2]);
		CU_ASSERT_STRING_EQUAL(p->end[0].app.info.sni, "server.example");
		CU_ASSERT_STRING_EQUAL(p->end[0].app.info.alpn, "plx-test");
		CU_ASSERT_EQUAL(p->end[0].app.mismatches + p->end[1].app.mismatches, 0);
		plx_pair_free(p);
	}
}

static void
the_user_value_and_the_handle_reach_the_application(void)
{
	struct plx_pair_cfg cfg;
	struct plx_conn_id id;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, &id), 0);
	/* Nothing happens inside the dial. */
	CU_ASSERT_EQUAL(p->end[1].app.established + p->end[1].app.failed, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	CU_ASSERT_EQUAL(plx_conn_user(p->end[1].app.conn), 42);
	CU_ASSERT_EQUAL(plx_conn_user(p->end[0].app.conn), 0);
	CU_ASSERT_EQUAL(plx_conn_id_of(p->end[1].app.conn).v, id.v);
	CU_ASSERT_PTR_EQUAL(plx_quic_find(p->end[1].quic, id), p->end[1].app.conn);
	CU_ASSERT_TRUE(plx_conn_is_server(p->end[0].app.conn));
	CU_ASSERT_FALSE(plx_conn_is_server(p->end[1].app.conn));
	CU_ASSERT_TRUE(p->end[1].app.info.handshake_ns >= 20 * PLX_NS_PER_MS);
	plx_pair_free(p);
}

static void
a_handle_of_a_connection_that_is_gone_names_no_other(void)
{
	struct plx_conn_id first, second;
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S1-3");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].conns_max = cfg.quic[1].conns_max = 1;
	p = pair(&cfg);
	p->end[1].app.close_when_done = true;
	plx_pair_dial(p, true, &first);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_PTR_NULL(plx_quic_find(p->end[1].quic, first));
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[1].quic),
	                1); /* still in use: it lingers */
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, &second), PLX_E_FULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, &second), 0);
	CU_ASSERT_EQUAL(plx_conn_id_slot(first), plx_conn_id_slot(second));
	CU_ASSERT_NOT_EQUAL(first.v, second.v);
	CU_ASSERT_PTR_NULL(plx_quic_find(p->end[1].quic, first));
	CU_ASSERT_PTR_NOT_NULL(plx_quic_find(p->end[1].quic, second));
	plx_pair_free(p);
}

static void
connected_is_told_once_to_each_side(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S1-48", "S1-50", "S2-34");
	plx_pair_cfg_init(&cfg);
	/* Every packet twice: nothing is told twice. */
	cfg.link[0].dup_ppm = cfg.link[1].dup_ppm = 1000000;
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 100000;
	p->end[1].app.close_when_done = true;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 30 * SEC));
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 30 * SEC));
	for (int s = 0; s < 2; s++) {
		CU_ASSERT_EQUAL(p->end[s].app.established, 1);
		CU_ASSERT_EQUAL(p->end[s].app.closed, 1);
		CU_ASSERT_EQUAL(p->end[s].app.failed, 0);
		CU_ASSERT_EQUAL(p->end[s].app.mismatches, 0);
	}
	plx_pair_free(p);
}

static void
each_side_can_close_with_code_and_reason(void)
{
	struct plx_pair_cfg cfg;

	PLX_COVERS("S1-39", "S1-40");
	plx_pair_cfg_init(&cfg);
	for (int s = 0; s < 2; s++) {
		struct plx_pair *p = pair(&cfg);
		struct plx_testapp *self = &p->end[s].app, *peer = &p->end[s ^ 1].app;
		struct plx_conn *c;

		p->end[1].app.up = 100 * MIB;
		plx_pair_dial(p, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
		plx_pair_run(p, NULL, 100 * PLX_NS_PER_MS);
		c = self->conn;
		plx_conn_close(c, 0x1234, "enough of this");
		plx_conn_close(c, 0x9999, "a second call changes nothing");
		CU_ASSERT_EQUAL(self->closed, 0); /* not from inside the call */
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 5 * SEC));
		CU_ASSERT_EQUAL(self->why.by, PLX_CLOSE_LOCAL);
		CU_ASSERT_EQUAL(self->why.code, 0x1234);
		CU_ASSERT_EQUAL(peer->why.by, PLX_CLOSE_PEER_APPLICATION);
		CU_ASSERT_EQUAL(peer->why.code, 0x1234);
		CU_ASSERT_EQUAL(peer->why.reason_len, 14);
		CU_ASSERT_EQUAL(memcmp(peer->why.reason, "enough of this", 14), 0);
		CU_ASSERT_EQUAL(self->closed, 1);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
		plx_pair_free(p);
	}
}

static void
resets_and_stops_reach_the_other_side_with_their_code(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S1-35", "S1-36", "S1-55");
	plx_pair_cfg_init(&cfg);
	cfg.link[0].dup_ppm = cfg.link[1].dup_ppm = 1000000; /* and only once */
	p = pair(&cfg);
	p->end[1].app.streams = 2;
	p->end[1].app.up = p->end[1].app.down = 1000 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(plx_conn_reset_stream(p->end[1].app.conn, 0, 21), 0);
	CU_ASSERT_EQUAL(plx_conn_stop_stream(p->end[1].app.conn, 4, 22), 0);
	CU_ASSERT_EQUAL(plx_conn_reset_stream(p->end[1].app.conn, 400, 1), PLX_E_NOENT);
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(p->end[0].app.resets, 1);
	CU_ASSERT_EQUAL(p->end[0].app.stops, 1);
	CU_ASSERT_EQUAL(p->end[0].app.stop_code, 22);
	CU_ASSERT_EQUAL(p->end[1].app.resets, 1); /* what STOP_SENDING asked for */
	CU_ASSERT_EQUAL(p->end[1].app.stops, 0);
	CU_ASSERT_EQUAL(plx_conn_shut_stream(p->end[1].app.conn, 4, 23), 0);
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(p->end[0].app.resets, 2);
	CU_ASSERT_EQUAL(p->end[0].app.closed + p->end[1].app.closed, 0);
	plx_pair_free(p);
}

/* Frames of RFC 9000 section 19 that may stand before a STOP_SENDING, one of each kind. */
static const struct {
	const char *bytes;
	size_t len;
} frames[] = {
        {"\0\0\0", 3},
        {"\1", 1},
        {"\2\5\0\1\0\1\2", 7},
        {"\3\5\0\0\0\1\2\3", 8},
        {"\4\0\1\2", 4},
        {"\6\0\2ab", 5},
        {"\7\3tok", 5},
        {"\x0a\4\2xy", 5},
        {"\x0f\4\x40\x10\1z", 6},
        {"\x10\x80\1\2\3", 5},
        {"\x11\4\x41\0", 4},
        {"\x12\1", 2},
        {"\x15\4\7", 3},
        {"\x17\1", 2},
        {"\x18\1\0\4abcdtokentokentoken!", 8 + 16},
        {"\x19\0", 2},
        {"\x1a"
         "12345678",
         9},
        {"\x1b"
         "12345678",
         9},
        {"\x1e", 1},
        {"\x31\2dg", 4},
};

static void
stop_sending_is_found_behind_any_frame_and_in_no_noise(void)
{
	static const uint8_t stop[] = {0x05, 4, 0x41, 0x02};
	struct plx_pair_cfg cfg;
	struct plx_quic *q;
	struct plx_pair *p;
	uint8_t pkt[64];

	PLX_COVERS("S1-55");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.up = 100 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	q = p->end[0].quic;
	q->stop_conn = p->end[0].app.conn;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		size_t n = frames[i].len;

		memcpy(pkt, frames[i].bytes, n);
		memcpy(pkt + n, stop, sizeof(stop));
		q->stop_cnt = 0;
		plx_stop_scan(q, pkt, n + sizeof(stop));
		CU_ASSERT_EQUAL(q->stop_cnt, 1);
		CU_ASSERT_EQUAL(q->stop[0].stream_id, 4);
		CU_ASSERT_EQUAL(q->stop[0].code, 0x102);
		/* Cut short anywhere it is no frame, and nothing behind it is read. */
		for (size_t len = 0; len < n + 4; len++) {
			uint8_t *exact = malloc(len + 1);

			CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
			memcpy(exact + 1, pkt, len);
			q->stop_cnt = 0;
			plx_stop_scan(q, exact + 1, len);
			CU_ASSERT_EQUAL(q->stop_cnt, 0);
			free(exact);
		}
	}
	for (int i = 0; i < 200000; i++) {
		size_t len = plx_rand_below(&p->rand, sizeof(pkt));

		plx_rand_bytes(&p->rand, pkt, len);
		q->stop_cnt = 0;
		plx_stop_scan(q, pkt, len);
		CU_ASSERT_TRUE_FATAL(q->stop_cnt <= PLX_STOP_MAX);
	}
	/* A packet that ngtcp2 refuses reports nothing, nor does the next connection's. */
	q->stop_cnt = 1;
	CU_ASSERT_EQUAL(plx_stop_tell(q->stop_conn, NGTCP2_ERR_PROTO), NGTCP2_ERR_PROTO);
	CU_ASSERT_EQUAL(q->stop_cnt, 0);
	CU_ASSERT_EQUAL(p->end[0].app.stops, 0);
	q->stop_conn = NULL;
	plx_pair_free(p);
}

static void
close_before_established(struct plx_pair *p, struct plx_conn_id id)
{
	struct plx_conn *c = plx_quic_find(p->end[1].quic, id);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	plx_conn_close(c, 5, "changed my mind");
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.established, 0);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_LOCAL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
}

static void
a_dial_can_be_taken_back_before_it_is_established(void)
{
	struct plx_pair_cfg cfg;
	struct plx_conn_id id;
	struct plx_pair *p;

	PLX_COVERS("S2-49");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	/* Before the first packet, and with the ClientHello under way. */
	plx_pair_dial(p, true, &id);
	close_before_established(p, id);
	memset(&p->end[1].app, 0, sizeof(p->end[1].app));
	plx_pair_dial(p, true, &id);
	plx_pair_step(p);
	close_before_established(p, id);
	CU_ASSERT_EQUAL(p->end[0].app.established, 0);
	plx_pair_free(p);
}

static void
an_application_that_refuses_closes_with_internal_error(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[0].app.refuse = true;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_INTERNAL_ERROR);
	CU_ASSERT_EQUAL(p->end[0].app.closed, 0); /* it never said yes */
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	plx_pair_free(p);
}

static void
an_untrusted_certificate_fails_the_dial_with_a_reason(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.trust = false;
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.established, 0);
	CU_ASSERT_EQUAL(p->end[1].app.why.code, 0x100 + 48); /* unknown_ca */
	CU_ASSERT_TRUE(p->end[1].app.why.reason_len > 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.established, 0);
	CU_ASSERT_EQUAL(count(p, PLX_PAIR_SERVER, PLX_COUNT_handshakes_failed), 1);
	plx_pair_free(p);
	/* Without verification the same certificate will do. */
	p = pair(&cfg);
	plx_pair_dial(p, false, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_free(p);
}

static void
a_certificate_for_another_name_fails_the_dial(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.wrong_name = true;
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.why.code & ~UINT64_C(0xff), 0x100);
	CU_ASSERT_TRUE(p->end[1].app.why.reason_len > 0);
	plx_pair_free(p);
}

static bool
drop_all(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg;
	(void)p;
	(void)pkt;
	return false;
}

static void
a_peer_that_never_answers_ends_the_dial_once_and_in_time(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint64_t start;

	PLX_COVERS("S0-1");
	plx_pair_cfg_init(&cfg);
	cfg.tap = drop_all;
	p = pair(&cfg);
	start = p->now;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 30 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_HANDSHAKE_TIMEOUT);
	CU_ASSERT_EQUAL(p->now - start, 10 * SEC);
	CU_ASSERT_TRUE(p->end[1].tx_pkts > 1);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 1));
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[1].quic), 0);
	CU_ASSERT_EQUAL(plx_quic_deadline(p->end[1].quic), PLX_TIME_NEVER);
	plx_pair_free(p);
}

/* A server that takes no unidirectional streams, and a client that wants one. */
static int uni_rc, bidi_rc;

static void
open_both_kinds(struct plx_conn *c)
{
	int64_t id;

	uni_rc = plx_conn_open_stream(c, false, &id);
	bidi_rc = plx_conn_open_stream(c, true, &id);
}

static void
unidirectional_streams_can_be_off(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S0-8");
	plx_pair_cfg_init(&cfg);
	for (uint32_t uni = 0; uni < 2; uni++) {
		cfg.quic[PLX_PAIR_SERVER].max_streams_uni = uni;
		p = pair(&cfg);
		p->end[PLX_PAIR_CLIENT].app.on_up = open_both_kinds;
		plx_pair_dial(p, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, SEC));
		CU_ASSERT_EQUAL(uni_rc, uni == 0 ? PLX_E_STREAM_LIMIT : 0);
		CU_ASSERT_EQUAL(bidi_rc, 0);
		plx_pair_free(p);
	}
}

/* Counts packets with a short header, and those whose spin bit is set. */
struct spins {
	uint64_t shorts, set;
};

static bool
count_spins(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct spins *s = arg;

	(void)p;
	if ((pkt->data[0] & 0x80) == 0) {
		s->shorts++;
		s->set += (pkt->data[0] & 0x20) != 0;
	}
	return true;
}

static void
the_spin_bit_is_never_set(void)
{
	struct spins seen = {0};
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S0-10");
	plx_pair_cfg_init(&cfg);
	cfg.tap = count_spins;
	cfg.tap_arg = &seen;
	p = pair(&cfg);
	p->end[PLX_PAIR_CLIENT].app.up = p->end[PLX_PAIR_CLIENT].app.down = MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	CU_ASSERT_TRUE(seen.shorts > 1000);
	CU_ASSERT_EQUAL(seen.set, 0);
	plx_pair_free(p);
}

/* Of the client only the first flight arrives, with the token of a Retry. */
static bool
drop_finished(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg;
	return pkt->from == PLX_PAIR_SERVER || p->end[PLX_PAIR_SERVER].tx_pkts <= 1;
}

static void
a_handshake_that_took_too_long_is_closed_with_application_error(void)
{
	const struct plx_close_info *why;
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S2-33");
	plx_pair_cfg_init(&cfg);
	cfg.tap = drop_finished;
	/* An address that is validated: the close may be sent whatever was sent before. */
	cfg.quic[PLX_PAIR_SERVER].retry = PLX_RETRY_ON;
	cfg.quic[PLX_PAIR_SERVER].handshake_timeout_ms = 3000;
	p = pair(&cfg);
	why = &p->end[PLX_PAIR_CLIENT].app.why;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(why->by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(why->code, 0x0c);
	CU_ASSERT_FALSE(why->is_app);
	CU_ASSERT_EQUAL(why->reason_len, 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established, 0);
	plx_pair_free(p);
}

/* The server's packets arrive nowhere. */
static bool
drop_server(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg;
	(void)p;
	return pkt->from == PLX_PAIR_CLIENT;
}

static void
a_half_open_handshake_ends_by_its_timeout_on_the_server_too(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("A11");
	plx_pair_cfg_init(&cfg);
	cfg.tap = drop_server;
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	plx_pair_run(p, NULL, 5 * SEC);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 1);
	/* The client's own timeout comes first, and its word is kept in mind for 3 PTO. */
	plx_pair_run(p, NULL, 20 * SEC);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 0);
	CU_ASSERT_EQUAL(p->end[0].quic->half_open, 0);
	CU_ASSERT_EQUAL(p->end[0].app.established, 0);
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	plx_pair_free(p);
}

static void
silence_ends_the_connection_on_both_sides_without_a_packet(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint64_t pkts;

	PLX_COVERS("S1-61", "S0-2");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].idle_timeout_ms = cfg.quic[1].idle_timeout_ms = 3000;
	p = pair(&cfg);
	p->end[1].app.streams = 0;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC);
	pkts = p->end[0].tx_pkts + p->end[1].tx_pkts;
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.why.by, PLX_CLOSE_IDLE);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_IDLE);
	CU_ASSERT_EQUAL(p->end[0].tx_pkts + p->end[1].tx_pkts, pkts);
	CU_ASSERT_TRUE(plx_pair_idle(p));
	plx_pair_free(p);
}

static void
keep_alive_holds_a_silent_connection(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("S0-3");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].idle_timeout_ms = cfg.quic[1].idle_timeout_ms = 3000;
	cfg.quic[1].keep_alive_ms = 1000;
	p = pair(&cfg);
	p->end[1].app.streams = 0;
	plx_pair_dial(p, true, NULL);
	plx_pair_run(p, NULL, 60 * SEC);
	CU_ASSERT_EQUAL(p->end[0].app.closed + p->end[1].app.closed, 0);
	plx_pair_free(p);
}

static void
the_clock_may_step_back_without_harm(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("F8");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = MIB;
	p->end[1].app.close_when_done = true;
	plx_pair_dial(p, true, NULL);
	for (int i = 0; i < 200000 && !plx_pair_both_over(p); i++) {
		/* Every few steps the caller's clock shows an hour less, then goes on. */
		if (i % 7 == 3) {
			struct plx_txpkt none = {0};

			plx_quic_timers_run(p->end[0].quic, p->now - 3600 * SEC);
			plx_quic_rx_burst(p->end[1].quic, NULL, 0, 0);
			plx_quic_tx_burst(p->end[1].quic, &none, 0, 1);
		}
		plx_pair_step(p);
	}
	CU_ASSERT_TRUE(plx_pair_both_over(p));
	CU_ASSERT_EQUAL(p->end[1].app.rx_bytes, MIB);
	/* And ahead: ten seconds of suspend. */
	plx_pair_free(p);
	p = pair(&cfg);
	p->end[1].app.up = 20 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC / 4);
	p->now += 10 * SEC;
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 120 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.mismatches, 0);
	plx_pair_free(p);
}

static void
two_endpoints_live_and_die_twice_in_one_process(void)
{
	struct plx_pair_cfg cfg;

	plx_pair_cfg_init(&cfg);
	for (int i = 0; i < 2; i++) {
		struct plx_pair *a = pair(&cfg), *b = pair(&cfg);

		plx_pair_dial(a, true, NULL);
		plx_pair_dial(b, true, NULL);
		CU_ASSERT_TRUE(plx_pair_run(a, plx_pair_both_up, 5 * SEC));
		CU_ASSERT_TRUE(plx_pair_run(b, plx_pair_both_up, 5 * SEC));
		/* Freed with connections open: each application hears of its end. */
		plx_pair_free(a);
		plx_pair_free(b);
	}
}

static void
what_cannot_work_is_refused_at_the_start(void)
{
	struct plx_quic_deps deps;
	struct plx_pair_cfg cfg;
	struct plx_quic_cfg qc;
	struct plx_quic *q;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	deps = p->end[0].deps;
	plx_quic_cfg_init(&qc);
	qc.handshake_timeout_ms = 0;
	CU_ASSERT_EQUAL(plx_quic_new(&q, &qc, &deps), PLX_E_CONFIG);
	plx_quic_cfg_init(&qc);
	qc.max_tx_udp_payload = 1199;
	CU_ASSERT_EQUAL(plx_quic_new(&q, &qc, &deps), PLX_E_CONFIG);
	plx_quic_cfg_init(&qc);
	qc.conns_max = 0;
	CU_ASSERT_EQUAL(plx_quic_new(&q, &qc, &deps), PLX_E_CONFIG);
	plx_quic_cfg_init(&qc);
	qc.server = true;
	deps.tls_server = NULL;
	CU_ASSERT_EQUAL(plx_quic_new(&q, &qc, &deps), PLX_E_CONFIG);
	CU_ASSERT_PTR_NULL(q);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo life[] = {
	        {"a mebibyte goes both ways and both sides close",
	         a_mebibyte_goes_both_ways_and_both_sides_close},
	        {"every suite and back end carries data",
	         every_suite_and_back_end_carries_data},
	        {"the user value and the handle reach the application",
	         the_user_value_and_the_handle_reach_the_application},
	        {"a handle of a connection that is gone names no other",
	         a_handle_of_a_connection_that_is_gone_names_no_other},
	        {"connected is told once to each side",
	         connected_is_told_once_to_each_side},
	        {"each side can close with code and reason",
	         each_side_can_close_with_code_and_reason},
	        {"resets and stops reach the other side with their code",
	         resets_and_stops_reach_the_other_side_with_their_code},
	        {"STOP_SENDING is found behind any frame, and in no noise",
	         stop_sending_is_found_behind_any_frame_and_in_no_noise},
	        {"a dial can be taken back before it is established",
	         a_dial_can_be_taken_back_before_it_is_established},
	        {"an application that refuses closes with internal error",
	         an_application_that_refuses_closes_with_internal_error},
	        {"unidirectional streams can be off", unidirectional_streams_can_be_off},
	        {"the spin bit is never set", the_spin_bit_is_never_set},
	        {"two endpoints live and die twice in one process",
	         two_endpoints_live_and_die_twice_in_one_process},
	        {"what cannot work is refused at the start",
	         what_cannot_work_is_refused_at_the_start},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo failures[] = {
	        {"an untrusted certificate fails the dial with a reason",
	         an_untrusted_certificate_fails_the_dial_with_a_reason},
	        {"a certificate for another name fails the dial",
	         a_certificate_for_another_name_fails_the_dial},
	        {"a peer that never answers ends the dial once and in time",
	         a_peer_that_never_answers_ends_the_dial_once_and_in_time},
	        {"a handshake that took too long is closed with APPLICATION_ERROR",
	         a_handshake_that_took_too_long_is_closed_with_application_error},
	        {"a half-open handshake ends by its timeout on the server too",
	         a_half_open_handshake_ends_by_its_timeout_on_the_server_too},
	        {"silence ends the connection on both sides without a packet",
	         silence_ends_the_connection_on_both_sides_without_a_packet},
	        {"keep-alive holds a silent connection",
	         keep_alive_holds_a_silent_connection},
	        {"the clock may step back without harm",
	         the_clock_may_step_back_without_harm},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"life of a connection", NULL, NULL, NULL, NULL, life},
	        {"failures and time", NULL, NULL, NULL, NULL, failures},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
