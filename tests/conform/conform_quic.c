/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair_test.h"
#include "plx_quic_pvt.h"

/*
 * RFC 9001 section 8.1: "endpoints MUST immediately close a connection (see Section 10.2 of
 * [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error code 0x0178)".
 */
static void
no_protocol_in_common_closes_with_0x178(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("T30");
	plx_pair_cfg_init(&cfg);
	cfg.server_alpn = "other";
	p = pair(&cfg);
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[1].app.why.code, 0x178);
	CU_ASSERT_EQUAL(p->end[0].app.established, 0);
	plx_pair_free(p);
}

static const uint8_t key_update[5] = {24, 0, 0, 1, 1};

static void
update_in_1rtt(struct plx_conn *c)
{
	ngtcp2_conn_submit_crypto_data(c->nc, NGTCP2_ENCRYPTION_LEVEL_1RTT, key_update,
	                               sizeof(key_update));
	plx_conn_want_write(c);
}

static void
update_in_handshake(struct plx_conn *c)
{
	ngtcp2_conn_submit_crypto_data(c->nc, NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, key_update,
	                               sizeof(key_update));
	plx_conn_want_write(c);
}

/*
 * RFC 9001 section 6: "Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
 * connection error of type 0x010a".
 */
static void
a_tls_key_update_closes_with_0x10a(void)
{
	PLX_COVERS("T28", "T29");
	for (int i = 0; i < 3; i++) {
		struct plx_pair_cfg cfg;
		struct plx_pair *p;
		int from = i == 2 ? PLX_PAIR_SERVER : PLX_PAIR_CLIENT, to = from ^ 1;

		plx_pair_cfg_init(&cfg);
		p = pair(&cfg);
		p->end[1].app.up = 100 * MIB;
		p->end[from].app.on_up = i == 0 ? update_in_handshake : update_in_1rtt;
		plx_pair_dial(p, true, NULL);
		plx_pair_run(p, plx_pair_both_over, 5 * SEC);
		CU_ASSERT_EQUAL(p->end[from].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
		CU_ASSERT_EQUAL(p->end[from].app.why.code, 0x10a);
		CU_ASSERT_EQUAL(p->end[to].app.established, p->end[to].app.closed);
		plx_pair_free(p);
	}
}

static void
flood_crypto(struct plx_conn *c)
{
	/* Session tickets of 16 KiB each: a type that is skipped, and too many of them. */
	static uint8_t msg[16388] = {4, 0, 0x40, 0};

	for (int i = 0; i < 5; i++)
		ngtcp2_conn_submit_crypto_data(c->nc, NGTCP2_ENCRYPTION_LEVEL_1RTT, msg,
		                               sizeof(msg));
	plx_conn_want_write(c);
}

/*
 * RFC 9000 section 7.5: "If an endpoint's buffer is exceeded ... it MUST close the connection
 * with a CRYPTO_BUFFER_EXCEEDED error code." Ours is an absolute bound per level.
 */
static void
crypto_bytes_above_the_bound_close_with_crypto_buffer_exceeded(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("A12");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	p->end[1].app.streams = 0;
	p->end[0].app.on_up = flood_crypto;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, 10 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[0].app.why.code, NGTCP2_CRYPTO_BUFFER_EXCEEDED);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_TRANSPORT_ERROR);
	plx_pair_free(p);
}

/* Lets the client's first flight through and nothing after it, and adds up both ways. */
struct silence {
	uint32_t pass; /* client packets that arrive */
	uint16_t junk; /* bytes of noise behind each */
	uint64_t in, out, worst_permille;
};

static bool
silence(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct silence *s = arg;

	(void)p;
	if (pkt->from == PLX_PAIR_SERVER) {
		s->out += pkt->len;
		if (s->out * 1000 / s->in > s->worst_permille)
			s->worst_permille = s->out * 1000 / s->in;
		return false;
	}
	if (s->pass == 0)
		return false;
	s->pass--;
	memset(pkt->data + pkt->len, 0x33, s->junk);
	pkt->len = (uint16_t)(pkt->len + s->junk);
	s->in += pkt->len;
	return true;
}

/*
 * RFC 9000 section 8.1: "an endpoint MUST limit the amount of data it sends to the unvalidated
 * address to three times the amount of data received from that address."
 */
static void
no_more_than_three_times_goes_to_an_address_not_validated(void)
{
	PLX_COVERS("A1");
	for (int i = 0; i < 4; i++) {
		struct silence s = {.pass = i == 1 ? 2 : 1, .junk = i == 2 ? 40 : 0};
		struct plx_pair_cfg cfg;
		struct plx_pair *p;

		plx_pair_cfg_init(&cfg);
		cfg.chain = 18; /* the flight is longer than three datagrams */
		cfg.quic[0].handshake_timeout_ms = 60000;
		if (i == 1)
			cfg.groups[1] = "X25519MLKEM768";
		if (i == 3)
			cfg.server_alpn = "other"; /* a close is not exempt */
		cfg.tap = silence;
		cfg.tap_arg = &s;
		p = pair(&cfg);
		plx_pair_dial(p, true, NULL);
		plx_pair_run(p, NULL, 70 * SEC);
		CU_ASSERT_TRUE(s.out > 0);
		CU_ASSERT_TRUE(s.worst_permille <= 3000);
		if (i != 3)
			CU_ASSERT_TRUE(s.worst_permille >=
			               2000); /* the limit was the limit */
		CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 0);
		plx_pair_free(p);
	}
}

/* Joins another packet, for another connection, to each of the client's first datagrams. */
static bool
coalesce_foreign(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg;
	(void)p;
	if (pkt->from == PLX_PAIR_CLIENT && (pkt->data[0] & 0x80) != 0 &&
	    pkt->len <= 1452) {
		uint8_t *q = pkt->data + pkt->len;

		memset(q, 0x11, 48);
		q[0] = 0xe0;
		memcpy(q + 1, "\0\0\0\1\10", 5);
		q[6 + 8] = 0;
		q[6 + 8 + 1] = 32;
		pkt->len = (uint16_t)(pkt->len + 48);
	}
	return true;
}

/*
 * RFC 9000 section 12.2: "Senders MUST NOT coalesce QUIC packets with different connection IDs
 * into a single UDP datagram. Receivers SHOULD ignore any subsequent packets with a different
 * Destination Connection ID than the first packet in the datagram."
 */
static void
coalesced_packets_of_another_connection_are_ignored(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	PLX_COVERS("A7");
	plx_pair_cfg_init(&cfg);
	cfg.tap = coalesce_foreign;
	p = pair(&cfg);
	p->end[1].app.up = p->end[1].app.down = 10000;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
	CU_ASSERT_EQUAL(p->end[0].app.mismatches, 0);
	plx_pair_free(p);
}

/*
 * RFC 9000 section 10.2.3: "Sending a CONNECTION_CLOSE of type 0x1d in an Initial or Handshake
 * packet could expose application state ... A CONNECTION_CLOSE of type 0x1d MUST be replaced by
 * a CONNECTION_CLOSE of type 0x1c when sending the frame in Initial or Handshake packets.
 * Endpoints ... SHOULD use the APPLICATION_ERROR code".
 */
static void
an_application_close_in_the_handshake_shows_nothing_of_the_application(void)
{
	struct plx_pair_cfg cfg;
	struct plx_conn_id id;
	struct plx_pair *p;

	PLX_COVERS("S2-49");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	plx_pair_dial(p, true, &id);
	/* Let the server answer, then close while its flight is under way. */
	while (plx_quic_conn_cnt(p->end[0].quic) == 0)
		plx_pair_step(p);
	plx_conn_close(plx_quic_find(p->end[1].quic, id), 0x77, "secret");
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[0].quic->conns[0].why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[0].quic->conns[0].why.code, NGTCP2_APPLICATION_ERROR);
	CU_ASSERT_EQUAL(p->end[0].quic->conns[0].why.reason_len, 0);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"no protocol in common closes with 0x178",
	         no_protocol_in_common_closes_with_0x178},
	        {"a TLS KeyUpdate closes with 0x10a", a_tls_key_update_closes_with_0x10a},
	        {"CRYPTO bytes above the bound close with CRYPTO_BUFFER_EXCEEDED",
	         crypto_bytes_above_the_bound_close_with_crypto_buffer_exceeded},
	        {"no more than three times goes to an address not validated",
	         no_more_than_three_times_goes_to_an_address_not_validated},
	        {"coalesced packets of another connection are ignored",
	         coalesced_packets_of_another_connection_are_ignored},
	        {"an application close in the handshake shows nothing of the application",
	         an_application_close_in_the_handshake_shows_nothing_of_the_application},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"RFC 9000, RFC 9001", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
