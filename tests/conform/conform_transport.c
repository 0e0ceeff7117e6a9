/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"
#include "plx_rogue.h"
#include "plx_test.h"

/*
 * A client that breaks RFC 9000 in one packet, and the exact code that the server closes with.
 * The server must have told its application nothing but the close, and must serve the next.
 */

#define SEC PLX_NS_PER_S

/** Longer than any stream or window allows. */
#define FAR_OFF         UINT64_C(100000000)
#define COUNT_TOO_LARGE ((UINT64_C(1) << 60) + 1)

static struct plx_pair *
pair(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;

	plx_pair_cfg_init(&cfg);
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	p->end[PLX_PAIR_CLIENT].app.up = p->end[PLX_PAIR_CLIENT].app.down = 5000;
	return p;
}

static struct plx_rogue *
connected(struct plx_pair *p)
{
	struct plx_rogue *r = plx_rogue_new(p, NULL);

	CU_ASSERT_TRUE_FATAL(plx_rogue_connect(r));
	return r;
}

/* A handshake in which the client's Finished is still to come. */
static struct plx_rogue *
half_way(struct plx_pair *p)
{
	struct plx_rogue_cfg rc = {.hold_finished = true};
	struct plx_rogue *r = plx_rogue_new(p, &rc);

	plx_rogue_hello(r);
	CU_ASSERT_TRUE_FATAL(plx_rogue_run(r, plx_rogue_has_handshake_keys, 5 * SEC));
	return r;
}

/* The server closed with this, and lives. Frees both. */
static void
closed_with(struct plx_rogue *r, uint64_t code)
{
	struct plx_pair *p = r->p;

	CU_ASSERT_TRUE(plx_rogue_wait_close(r));
	CU_ASSERT_EQUAL(r->close.code, code);
	CU_ASSERT_FALSE(r->close.app);
	if (p->end[PLX_PAIR_SERVER].app.established > 0) {
		CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed, 1);
		CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.why.code, code);
		CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.why.by,
		                PLX_CLOSE_TRANSPORT_ERROR);
	}
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
	plx_quic_close_all(p->end[PLX_PAIR_CLIENT].quic, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	plx_rogue_free(r);
	plx_pair_free(p);
}

/* The client ends a connection that lives. Frees both. */
static void
leave(struct plx_rogue *r)
{
	struct plx_pair *p = r->p;

	CU_ASSERT_FALSE(r->close.got);
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1c, 0, 0, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 10 * SEC));
	plx_rogue_free(r);
	plx_pair_free(p);
}

#define AFTER_HANDSHAKE(code, ...)                               \
	do {                                                     \
		struct plx_rogue *r_ = connected(pair());        \
		PLX_ROGUE_SEND(r_, PLX_ROGUE_1RTT, __VA_ARGS__); \
		closed_with(r_, (code));                         \
	} while (0)

/*
 * RFC 9000 section 4.1: "A receiver MUST close the connection with an error of type
 * FLOW_CONTROL_ERROR if the sender violates the advertised connection or stream data limits".
 */
static void
stream_data_beyond_the_limit(void)
{
	PLX_COVERS("T1", "C4");
	AFTER_HANDSHAKE(NGTCP2_FLOW_CONTROL_ERROR, 0x0e, 0, FAR_OFF, 1, 1);
}

/*
 * RFC 9000 section 4.1, and section 4.5: the final size of RESET_STREAM counts as data.
 */
static void
a_final_size_beyond_the_limit(void)
{
	PLX_COVERS("C4");
	AFTER_HANDSHAKE(NGTCP2_FLOW_CONTROL_ERROR, 0x04, 0, 7, FAR_OFF);
}

/*
 * RFC 9000 section 4.6: "An endpoint that receives a frame with a stream ID exceeding the limit
 * it has sent MUST treat this as a connection error of type STREAM_LIMIT_ERROR".
 */
static void
a_stream_beyond_the_limit(void)
{
	PLX_COVERS("T2");
	AFTER_HANDSHAKE(NGTCP2_STREAM_LIMIT_ERROR, 0x0a, 1000000000, 1, 1);
}

/* The same sentence: every frame that names a stream of the client's, not only STREAM. */
static void
a_stream_beyond_the_limit_in_any_frame(void)
{
	PLX_COVERS("C2");
	AFTER_HANDSHAKE(NGTCP2_STREAM_LIMIT_ERROR, 0x04, 1000000000, 7, 0);
	AFTER_HANDSHAKE(NGTCP2_STREAM_LIMIT_ERROR, 0x05, 1000000000, 7);
	AFTER_HANDSHAKE(NGTCP2_STREAM_LIMIT_ERROR, 0x11, 1000000000, 7);
	AFTER_HANDSHAKE(NGTCP2_STREAM_LIMIT_ERROR, 0x15, 1000000000, 7);
}

/*
 * RFC 9000 section 12.4: "An endpoint MUST treat the receipt of a frame of unknown type as a
 * connection error of type FRAME_ENCODING_ERROR."
 */
static void
a_frame_of_unknown_type(void)
{
	PLX_COVERS("T11");
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x20);
}

/*
 * RFC 9000 section 12.4: "An endpoint MUST treat receipt of a packet containing no frames as a
 * connection error of type PROTOCOL_VIOLATION."
 */
static void
a_packet_without_frames(void)
{
	struct plx_rogue *r = connected(pair());

	PLX_COVERS("T12");
	plx_rogue_send(r, PLX_ROGUE_1RTT, NULL, 0);
	closed_with(r, NGTCP2_PROTOCOL_VIOLATION);
}

static void
send_reserved(struct plx_rogue *r, enum plx_rogue_level level, uint8_t bits)
{
	struct plx_rogue_pkt pkt = {.level = level,
	                            .frames = (const uint8_t *)"\1",
	                            .len = 1,
	                            .reserved = bits};
	uint8_t out[200];

	plx_rogue_send_raw(r, out, plx_rogue_seal(r, &pkt, out, sizeof(out)));
}

/*
 * RFC 9000 section 17.2: "An endpoint MUST treat receipt of a packet that has a non-zero value
 * for these bits after removing both packet and header protection as a connection error of type
 * PROTOCOL_VIOLATION."
 */
static void
reserved_bits_in_a_handshake_packet(void)
{
	PLX_COVERS("T13");
	for (uint8_t bits = 1; bits < 4; bits++) {
		struct plx_rogue *r = half_way(pair());

		send_reserved(r, PLX_ROGUE_HANDSHAKE, bits);
		closed_with(r, NGTCP2_PROTOCOL_VIOLATION);
	}
}

/*
 * RFC 9000 section 17.2.4: "Endpoints MUST treat receipt of Handshake packets with other frames
 * as a connection error of type PROTOCOL_VIOLATION."
 */
static void
a_path_challenge_in_a_handshake_packet(void)
{
	struct plx_rogue *r = half_way(pair());

	PLX_COVERS("T14");
	plx_rogue_send(r, PLX_ROGUE_HANDSHAKE,
	               (const uint8_t *)"\x1a"
	                                "12345678",
	               9);
	closed_with(r, NGTCP2_PROTOCOL_VIOLATION);
}

/*
 * RFC 9000 section 17.3.1: "An endpoint MUST treat receipt of a packet that has a non-zero value
 * for these bits, after removing both packet and header protection, as a connection error of
 * type PROTOCOL_VIOLATION."
 */
static void
reserved_bits_in_a_short_header(void)
{
	PLX_COVERS("T15");
	for (uint8_t bits = 1; bits < 4; bits++) {
		struct plx_rogue *r = connected(pair());

		send_reserved(r, PLX_ROGUE_1RTT, bits);
		closed_with(r, NGTCP2_PROTOCOL_VIOLATION);
	}
}

/*
 * RFC 9000 section 19.4: "An endpoint that receives a RESET_STREAM frame for a send-only stream
 * MUST terminate the connection with error STREAM_STATE_ERROR."
 */
static void
a_reset_of_a_stream_that_only_the_server_sends_on(void)
{
	PLX_COVERS("T16");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x04, 3, 0, 0);
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x01, 0x05, 0, 0, 0x04, 3, 0, 0);
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x04, 101, 0, 0);
}

/*
 * RFC 9000 section 19.5: "Receiving a STOP_SENDING frame for a locally initiated stream that has
 * not yet been created MUST be treated as a connection error of type STREAM_STATE_ERROR."
 */
static void
stop_sending_for_a_stream_not_created(void)
{
	PLX_COVERS("T17");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x05, 101, 0);
}

/*
 * RFC 9000 section 19.7: "A server MUST treat receipt of a NEW_TOKEN frame as a connection error
 * of type PROTOCOL_VIOLATION."
 */
static void
a_new_token_from_a_client(void)
{
	PLX_COVERS("T18");
	AFTER_HANDSHAKE(NGTCP2_PROTOCOL_VIOLATION, 0x07, 4, 1, 2, 3, 4);
}

/*
 * RFC 9000 section 19.8: "An endpoint MUST terminate the connection with error
 * STREAM_STATE_ERROR if it receives a STREAM frame for a locally initiated stream that has not
 * yet been created, or for a send-only stream."
 */
static void
stream_data_on_a_stream_not_created(void)
{
	PLX_COVERS("T19");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x0a, 1, 1, 1);
}

static void
stream_data_on_a_stream_that_only_the_server_sends_on(void)
{
	PLX_COVERS("T20");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x0a, 3, 1, 1);
}

/*
 * RFC 9000 section 19.10: "Receiving a MAX_STREAM_DATA frame for a locally initiated stream that
 * has not yet been created MUST be treated as a connection error of type STREAM_STATE_ERROR. An
 * endpoint that receives a MAX_STREAM_DATA frame for a receive-only stream MUST terminate the
 * connection with error STREAM_STATE_ERROR."
 */
static void
max_stream_data_for_a_stream_not_created(void)
{
	PLX_COVERS("T21");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x11, 101, 1000);
}

static void
max_stream_data_for_a_stream_that_only_the_client_sends_on(void)
{
	PLX_COVERS("T22");
	AFTER_HANDSHAKE(NGTCP2_STREAM_STATE_ERROR, 0x11, 2, 1000);
}

/*
 * RFC 9000 section 19.11: "This value cannot exceed 2^60 ... Receipt of a frame that permits
 * opening of a stream larger than this limit MUST be treated as a connection error of type
 * FRAME_ENCODING_ERROR."
 */
static void
max_streams_above_the_largest_stream(void)
{
	PLX_COVERS("T23");
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x12, COUNT_TOO_LARGE);
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x13, COUNT_TOO_LARGE);
}

/*
 * RFC 9000 section 19.14: "Receipt of a frame that encodes a larger stream ID MUST be treated as
 * a connection error of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR."
 */
static void
streams_blocked_above_the_largest_stream(void)
{
	PLX_COVERS("T24");
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x16, COUNT_TOO_LARGE);
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x17, COUNT_TOO_LARGE);
}

#define TOKEN_16 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

/*
 * RFC 9000 section 19.15: "Receiving a value in the Retire Prior To field that is greater than
 * that in the Sequence Number field MUST be treated as a connection error of type
 * FRAME_ENCODING_ERROR."
 */
static void
a_connection_id_that_retires_its_successors(void)
{
	PLX_COVERS("T25");
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x18, 1, 2, 4, 1, 2, 3, 4, TOKEN_16);
}

/*
 * RFC 9000 section 19.15: "Values less than 1 and greater than 20 are invalid and MUST be
 * treated as a connection error of type FRAME_ENCODING_ERROR."
 */
static void
a_connection_id_of_a_bad_length(void)
{
	PLX_COVERS("T26");
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x18, 1, 0, 0, TOKEN_16);
	AFTER_HANDSHAKE(NGTCP2_FRAME_ENCODING_ERROR, 0x18, 1, 0, 21, TOKEN_16, 1, 2, 3, 4,
	                5, TOKEN_16);
}

/*
 * RFC 9000 section 19.20: "A server MUST treat receipt of a HANDSHAKE_DONE frame as a connection
 * error of type PROTOCOL_VIOLATION."
 */
static void
handshake_done_from_a_client(void)
{
	PLX_COVERS("T27");
	AFTER_HANDSHAKE(NGTCP2_PROTOCOL_VIOLATION, 0x1e);
}

/*
 * RFC 9000 section 13.1: "An endpoint SHOULD treat receipt of an acknowledgment for a packet it
 * did not send as a connection error of type PROTOCOL_VIOLATION".
 */
static void
an_acknowledgment_of_a_packet_never_sent(void)
{
	PLX_COVERS("B8");
	AFTER_HANDSHAKE(NGTCP2_PROTOCOL_VIOLATION, 0x02, 1000, 0, 0, 0);
}

/*
 * RFC 9000 section 4.5: "If a RESET_STREAM or STREAM frame is received indicating a change in the
 * final size for the stream, an endpoint SHOULD respond with an error of type FINAL_SIZE_ERROR".
 */
static void
a_final_size_that_changes(void)
{
	PLX_COVERS("C4");
	AFTER_HANDSHAKE(NGTCP2_FINAL_SIZE_ERROR, 0x0f, 0, 0, 1, 1, 0x04, 0, 7, 20);
}

/*
 * RFC 9000 section 19.16: "Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number
 * greater than any previously sent to the peer MUST be treated as a connection error of type
 * PROTOCOL_VIOLATION. The sequence number ... MUST NOT refer to the Destination Connection ID
 * field of the packet in which the frame is contained."
 */
static void
retirement_of_an_id_never_issued_or_in_use(void)
{
	AFTER_HANDSHAKE(NGTCP2_PROTOCOL_VIOLATION, 0x19, 1000);
	AFTER_HANDSHAKE(NGTCP2_PROTOCOL_VIOLATION, 0x19, 0);
}

/*
 * RFC 9001 section 8.3: "A server MUST treat receipt of a CRYPTO frame in a 0-RTT packet as a
 * connection error of type PROTOCOL_VIOLATION." Section 4.6.2: "When rejecting 0-RTT, a server MUST
 * NOT process any 0-RTT packets, even if it could." This server rejects it: such a packet changes
 * nothing. conform_early.c has a server that accepts it.
 */
static void
crypto_in_0rtt_is_never_opened(void)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = plx_rogue_new(p, NULL);
	uint8_t secret[32] = {1}, out[1500];
	struct plx_rogue_pkt initial = {.level = PLX_ROGUE_INITIAL};
	struct plx_rogue_pkt early = {.level = PLX_ROGUE_0RTT,
	                              .frames = (const uint8_t *)"\6\0\4\5\0\0\0",
	                              .len = 7};
	uint8_t hello[1000] = {6, 0};
	size_t n;

	PLX_COVERS("T34");
	plx_rogue_set_keys(&r->sp[PLX_ROGUE_0RTT].tx, secret, sizeof(secret), true);
	plx_rogue_make_hello(r);
	n = 2 + plx_rogue_varint(hello + 2, r->sp[PLX_ROGUE_INITIAL].out_len);
	memcpy(hello + n, r->sp[PLX_ROGUE_INITIAL].out, r->sp[PLX_ROGUE_INITIAL].out_len);
	initial.frames = hello;
	initial.len = n + r->sp[PLX_ROGUE_INITIAL].out_len;
	initial.pad_to = 1100;
	r->sp[PLX_ROGUE_INITIAL].out_sent = r->sp[PLX_ROGUE_INITIAL].out_len;
	n = plx_rogue_seal(r, &initial, out, sizeof(out));
	early.pad_to = 1200 - n;
	n += plx_rogue_seal(r, &early, out + n, sizeof(out) - n);
	plx_rogue_send_raw(r, out, n);
	CU_ASSERT_TRUE(plx_rogue_run(r, plx_rogue_is_confirmed, 5 * SEC));
	CU_ASSERT_FALSE(r->close.got);
	/* Alone, behind the handshake, too. */
	n = plx_rogue_seal(r, &early, out, sizeof(out));
	plx_rogue_send_raw(r, out, n);
	plx_pair_run(p, NULL, SEC);
	CU_ASSERT_FALSE(r->close.got);
	leave(r);
}

/*
 * RFC 9000 section 12.2: "The receiver of coalesced QUIC packets MUST individually process each QUIC
 * packet", by the Length of each. One that does not fit is discarded: nothing that anybody on the
 * path can write into a header ends the connection.
 */
static void
a_length_that_is_not_the_packets_is_dropped(void)
{
	static const int lies[] = {-2000, -30, -21, -20, -1, 1, 4, 300, 10000};
	struct plx_pair *p = pair();
	struct plx_rogue *r = half_way(p);

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct plx_rogue_pkt pkt = {.level = PLX_ROGUE_HANDSHAKE,
		                            .frames = (const uint8_t *)"\1",
		                            .len = 1,
		                            .length_lie = lies[i]};
		uint8_t out[200];

		plx_rogue_send_raw(r, out, plx_rogue_seal(r, &pkt, out, sizeof(out)));
	}
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_FALSE(r->close.got);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established, 0);
	r->cfg.hold_finished = false;
	CU_ASSERT_TRUE(plx_rogue_connect(r));
	leave(r);
}

/*
 * RFC 9000 section 12.3: "A receiver MUST discard a newly unprotected packet unless it is certain
 * that it has not processed another packet with the same packet number".
 */
static void
a_packet_number_counts_once(void)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = connected(p);
	struct plx_rogue_pkt pkt = {.level = PLX_ROGUE_1RTT,
	                            .frames = (const uint8_t *)"\x1a"
	                                                       "12345678",
	                            .len = 9,
	                            .pn_given = true,
	                            .pn = 1000};
	uint8_t out[200];
	size_t n = plx_rogue_seal(r, &pkt, out, sizeof(out));

	for (int i = 0; i < 20; i++) {
		plx_rogue_send_raw(r, out, n);
		plx_pair_run(p, NULL, 30 * PLX_NS_PER_MS);
	}
	CU_ASSERT_EQUAL(r->frames[0x1b], 1);
	CU_ASSERT_FALSE(r->close.got);
	leave(r);
}

/*
 * RFC 9001 section 5.7: "a server MUST NOT process incoming 1-RTT protected packets before the TLS
 * handshake is complete."
 */
static void
data_before_the_clients_finished_reaches_nobody(void)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = half_way(p);

	CU_ASSERT_PTR_NOT_NULL(r->sp[PLX_ROGUE_1RTT].tx.aead);
	for (int i = 0; i < 20; i++)
		PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x0a, 0, 4, 1, 2, 3, 4);
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established, 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.rx_bytes, 0);
	r->cfg.hold_finished = false;
	CU_ASSERT_TRUE(plx_rogue_connect(r));
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established, 1);
	leave(r);
}

/*
 * RFC 9000 section 10.2.1: "An endpoint SHOULD limit the rate at which it generates packets in the
 * closing state", section 10.2: "the closing and draining connection states ... SHOULD persist for
 * at least three times the current PTO interval".
 */
static void
a_closed_connection_answers_ever_more_rarely(void)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = connected(p);

	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1e);
	CU_ASSERT_TRUE(plx_rogue_wait_close(r));
	for (int i = 0; i < 1000; i++)
		PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x01);
	plx_pair_run(p, NULL, 30 * PLX_NS_PER_MS);
	CU_ASSERT_TRUE(r->close.cnt > 2 && r->close.cnt <= 1 + 10);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[PLX_PAIR_SERVER].quic), 1);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 10 * SEC));
	plx_rogue_free(r);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"stream data beyond the limit", stream_data_beyond_the_limit},
	        {"a final size beyond the limit", a_final_size_beyond_the_limit},
	        {"a stream beyond the limit", a_stream_beyond_the_limit},
	        {"a stream beyond the limit in any frame",
	         a_stream_beyond_the_limit_in_any_frame},
	        {"a frame of unknown type", a_frame_of_unknown_type},
	        {"a packet without frames", a_packet_without_frames},
	        {"reserved bits in a Handshake packet",
	         reserved_bits_in_a_handshake_packet},
	        {"a PATH_CHALLENGE in a Handshake packet",
	         a_path_challenge_in_a_handshake_packet},
	        {"reserved bits in a short header", reserved_bits_in_a_short_header},
	        {"a reset of a stream that only the server sends on",
	         a_reset_of_a_stream_that_only_the_server_sends_on},
	        {"STOP_SENDING for a stream not created",
	         stop_sending_for_a_stream_not_created},
	        {"a NEW_TOKEN from a client", a_new_token_from_a_client},
	        {"stream data on a stream not created",
	         stream_data_on_a_stream_not_created},
	        {"stream data on a stream that only the server sends on",
	         stream_data_on_a_stream_that_only_the_server_sends_on},
	        {"MAX_STREAM_DATA for a stream not created",
	         max_stream_data_for_a_stream_not_created},
	        {"MAX_STREAM_DATA for a stream that only the client sends on",
	         max_stream_data_for_a_stream_that_only_the_client_sends_on},
	        {"MAX_STREAMS above the largest stream",
	         max_streams_above_the_largest_stream},
	        {"STREAMS_BLOCKED above the largest stream",
	         streams_blocked_above_the_largest_stream},
	        {"a connection ID that retires its successors",
	         a_connection_id_that_retires_its_successors},
	        {"a connection ID of a bad length", a_connection_id_of_a_bad_length},
	        {"HANDSHAKE_DONE from a client", handshake_done_from_a_client},
	        {"an acknowledgment of a packet never sent",
	         an_acknowledgment_of_a_packet_never_sent},
	        {"a final size that changes", a_final_size_that_changes},
	        {"retirement of an ID never issued or in use",
	         retirement_of_an_id_never_issued_or_in_use},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo lives[] = {
	        {"a Length that is not the packet's is dropped",
	         a_length_that_is_not_the_packets_is_dropped},
	        {"a packet number counts once", a_packet_number_counts_once},
	        {"data before the client's Finished reaches nobody",
	         data_before_the_clients_finished_reaches_nobody},
	        {"CRYPTO in 0-RTT is never opened", crypto_in_0rtt_is_never_opened},
	        {"a closed connection answers ever more rarely",
	         a_closed_connection_answers_ever_more_rarely},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"RFC 9000 closes for", NULL, NULL, NULL, NULL, tests},
	        {"RFC 9000 goes on, or stays silent", NULL, NULL, NULL, NULL, lives},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
