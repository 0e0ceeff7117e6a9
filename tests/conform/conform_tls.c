/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"
#include "plx_rogue.h"
#include "plx_test.h"

/*
 * A client whose TLS bytes or transport parameters break RFC 9000 or RFC 9001, and the exact code
 * that the server closes with.
 */

#define SEC PLX_NS_PER_S

#define TLS_UNEXPECTED_MESSAGE      0x10a
#define TLS_MISSING_EXTENSION       0x16d
#define TLS_NO_APPLICATION_PROTOCOL 0x178

static struct plx_pair *
pair(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;

	plx_pair_cfg_init(&cfg);
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	return p;
}

/* The server closes with code, in the handshake, and forgets. Frees both. */
static void
refused_with(struct plx_rogue *r, uint64_t code)
{
	struct plx_pair *p = r->p;

	CU_ASSERT_TRUE(plx_rogue_wait_close(r));
	CU_ASSERT_EQUAL(r->close.code, code);
	CU_ASSERT_FALSE(r->close.app);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established,
	                p->end[PLX_PAIR_SERVER].app.closed);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	plx_rogue_free(r);
	plx_pair_free(p);
}

static void
hello_is_refused(const struct plx_rogue_cfg *rc, uint64_t code)
{
	struct plx_rogue *r = plx_rogue_new(pair(), rc);

	plx_rogue_hello(r);
	refused_with(r, code);
}

static void
params_are_refused(const void *params, size_t len)
{
	struct plx_rogue_cfg rc = {.extra_params = params, .extra_len = len};

	hello_is_refused(&rc, NGTCP2_TRANSPORT_PARAMETER_ERROR);
}

/* The good client of this file is one: else every refusal above could have another cause. */
static void
a_client_that_keeps_the_rules_is_served(void)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = plx_rogue_new(p, NULL);

	CU_ASSERT_TRUE(plx_rogue_connect(r));
	CU_ASSERT_TRUE(r->tls_done);
	CU_ASSERT_FALSE(r->close.got);
	CU_ASSERT_EQUAL(r->bad, 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.established, 1);
	plx_rogue_free(r);
	plx_pair_free(p);
}

/*
 * RFC 9000 section 7.3: "An endpoint MUST treat the absence of the initial_source_connection_id
 * transport parameter from either endpoint ... as a connection error of type
 * TRANSPORT_PARAMETER_ERROR."
 */
static void
no_initial_source_connection_id(void)
{
	struct plx_rogue_cfg rc = {.no_iscid = true};

	PLX_COVERS("T3");
	hello_is_refused(&rc, NGTCP2_TRANSPORT_PARAMETER_ERROR);
}

/*
 * The same section: "An endpoint MUST treat the following as a connection error of type
 * TRANSPORT_PARAMETER_ERROR or PROTOCOL_VIOLATION: ... a mismatch between values received from a
 * peer in these transport parameters and the value sent".
 */
static void
an_initial_source_connection_id_of_another(void)
{
	static const uint8_t params[] = {0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8};
	struct plx_rogue_cfg rc = {
	        .no_iscid = true, .extra_params = params, .extra_len = sizeof(params)};

	hello_is_refused(&rc, NGTCP2_TRANSPORT_PARAMETER_ERROR);
}

/*
 * RFC 9000 section 18.2: "A client MUST NOT include any server-only transport parameter:
 * original_destination_connection_id, preferred_address, retry_source_connection_id, or
 * stateless_reset_token. A server MUST treat receipt of any of these transport parameters as a
 * connection error of type TRANSPORT_PARAMETER_ERROR."
 */
static void
an_original_destination_connection_id(void)
{
	PLX_COVERS("T4");
	params_are_refused("\x00\x08"
	                   "12345678",
	                   10);
}

static void
a_preferred_address(void)
{
	uint8_t params[2 + 4 + 2 + 16 + 2 + 1 + 8 + 16] = {0x0d, sizeof(params) - 2};

	PLX_COVERS("T5");
	memset(params + 2, 7, sizeof(params) - 2);
	params[2 + 24] = 8;
	params_are_refused(params, sizeof(params));
}

static void
a_retry_source_connection_id(void)
{
	PLX_COVERS("T6");
	params_are_refused("\x10\x08"
	                   "12345678",
	                   10);
}

static void
a_stateless_reset_token(void)
{
	PLX_COVERS("T7");
	params_are_refused("\x02\x10"
	                   "0123456789abcdef",
	                   18);
}

/*
 * RFC 9000 section 18.2, max_udp_payload_size: "Values below 1200 are invalid." Section 7.4: "An
 * endpoint MUST treat receipt of a transport parameter with an invalid value as a connection
 * error of type TRANSPORT_PARAMETER_ERROR."
 */
static void
a_max_udp_payload_size_of_1090(void)
{
	PLX_COVERS("T8");
	params_are_refused("\x03\x02\x44\x42", 4);
}

/* RFC 9000 section 18.2, ack_delay_exponent: "Values above 20 are invalid." */
static void
an_ack_delay_exponent_of_30(void)
{
	PLX_COVERS("T9");
	params_are_refused("\x0a\x01\x1e", 3);
}

/* RFC 9000 section 18.2, max_ack_delay: "Values of 2^14 or greater are invalid." */
static void
a_max_ack_delay_of_2_to_the_15(void)
{
	PLX_COVERS("T10");
	params_are_refused("\x0b\x04\x80\x00\x80\x00", 6);
	params_are_refused("\x0b\x04\x80\x00\x40\x00", 6);
}

/* RFC 9000 section 18.2, active_connection_id_limit: "MUST be at least 2"; and what is cut off. */
static void
other_parameters_out_of_range_or_malformed(void)
{
	params_are_refused("\x0e\x01\x01", 3); /* limit of 1 */
	params_are_refused("\x08\x08\xd0\x00\x00\x00\x00\x00\x00\x01",
	                   10);                    /* 2^60 + 1 streams */
	params_are_refused("\x0a\x05\x01", 3);     /* longer than it is */
	params_are_refused("\x0a\x02\x01\x01", 4); /* a byte behind the number */
}

/* A client that sends msg where its Finished belongs. */
static void
handshake_message_is_refused(const uint8_t *msg, size_t len, uint64_t code)
{
	struct plx_rogue_cfg rc = {.hold_finished = true};
	struct plx_rogue *r = plx_rogue_new(pair(), &rc);

	plx_rogue_hello(r);
	CU_ASSERT_TRUE_FATAL(plx_rogue_run(r, plx_rogue_has_handshake_keys, 5 * SEC));
	plx_rogue_crypto(r, PLX_ROGUE_HANDSHAKE, 0, msg, len);
	refused_with(r, code);
}

/*
 * RFC 9001 section 6: "Endpoints MUST NOT send a TLS KeyUpdate message. Endpoints MUST treat the
 * receipt of a TLS KeyUpdate message as a connection error of type 0x010a".
 */
static void
a_key_update_in_the_handshake(void)
{
	PLX_COVERS("T28");
	handshake_message_is_refused((const uint8_t *)"\x18\0\0\1\1", 5,
	                             TLS_UNEXPECTED_MESSAGE);
	handshake_message_is_refused((const uint8_t *)"\x18\0\0\1\0", 5,
	                             TLS_UNEXPECTED_MESSAGE);
}

static void
a_key_update_behind_the_handshake(void)
{
	PLX_COVERS("T29");
	for (uint8_t ask = 0; ask < 2; ask++) {
		const uint8_t msg[] = {24, 0, 0, 1, ask};
		struct plx_rogue *r = plx_rogue_new(pair(), NULL);

		CU_ASSERT_TRUE_FATAL(plx_rogue_connect(r));
		plx_rogue_crypto(r, PLX_ROGUE_1RTT, 0, msg, sizeof(msg));
		refused_with(r, TLS_UNEXPECTED_MESSAGE);
	}
}

/*
 * RFC 9001 section 8.1: "endpoints MUST immediately close a connection ... with a
 * no_application_protocol TLS alert (QUIC error code 0x0178) if an application protocol is not
 * negotiated".
 */
static void
no_protocol_but_one_nobody_speaks(void)
{
	struct plx_rogue_cfg rc = {.alpn = "dummy"};

	PLX_COVERS("T30");
	hello_is_refused(&rc, TLS_NO_APPLICATION_PROTOCOL);
}

/* The same section: "Unless another mechanism is used ..., endpoints MUST use ALPN for this purpose." */
static void
no_alpn_at_all(void)
{
	struct plx_rogue_cfg rc = {.hello = PLX_ROGUE_HELLO_NO_ALPN};

	hello_is_refused(&rc, TLS_NO_APPLICATION_PROTOCOL);
}

/*
 * RFC 9001 section 8.2: "endpoints that receive ClientHello or EncryptedExtensions messages
 * without the quic_transport_parameters extension MUST close the connection with an error of
 * type 0x016d (equivalent to a fatal TLS missing_extension alert".
 */
static void
no_transport_parameters(void)
{
	struct plx_rogue_cfg rc = {.hello = PLX_ROGUE_HELLO_NO_PARAMS};

	PLX_COVERS("T31");
	hello_is_refused(&rc, TLS_MISSING_EXTENSION);
}

static void
transport_parameters_under_the_number_of_the_drafts(void)
{
	struct plx_rogue_cfg rc = {.hello = PLX_ROGUE_HELLO_DRAFT_PARAMS};

	PLX_COVERS("T32");
	hello_is_refused(&rc, TLS_MISSING_EXTENSION);
}

/*
 * RFC 9001 section 8.3: "The TLS EndOfEarlyData message is not used with QUIC ... Clients MUST NOT
 * send the EndOfEarlyData message. A server MUST treat receipt of a CRYPTO frame in a 0-RTT
 * packet as a connection error of type PROTOCOL_VIOLATION." RFC 8446 section 6.2 has
 * unexpected_message for what has no place.
 */
static void
an_end_of_early_data(void)
{
	PLX_COVERS("T33");
	handshake_message_is_refused((const uint8_t *)"\5\0\0\0", 4,
	                             TLS_UNEXPECTED_MESSAGE);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a client that keeps the rules is served",
	         a_client_that_keeps_the_rules_is_served},
	        {"no initial_source_connection_id", no_initial_source_connection_id},
	        {"an initial_source_connection_id of another",
	         an_initial_source_connection_id_of_another},
	        {"an original_destination_connection_id",
	         an_original_destination_connection_id},
	        {"a preferred_address", a_preferred_address},
	        {"a retry_source_connection_id", a_retry_source_connection_id},
	        {"a stateless_reset_token", a_stateless_reset_token},
	        {"a max_udp_payload_size of 1090", a_max_udp_payload_size_of_1090},
	        {"an ack_delay_exponent of 30", an_ack_delay_exponent_of_30},
	        {"a max_ack_delay of 2^15", a_max_ack_delay_of_2_to_the_15},
	        {"other parameters out of range or malformed",
	         other_parameters_out_of_range_or_malformed},
	        {"a KeyUpdate in the handshake", a_key_update_in_the_handshake},
	        {"a KeyUpdate behind the handshake", a_key_update_behind_the_handshake},
	        {"no protocol but one nobody speaks", no_protocol_but_one_nobody_speaks},
	        {"no ALPN at all", no_alpn_at_all},
	        {"no transport parameters", no_transport_parameters},
	        {"transport parameters under the number of the drafts",
	         transport_parameters_under_the_number_of_the_drafts},
	        {"an EndOfEarlyData", an_end_of_early_data},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"a handshake and what must end it", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
