/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rogue.h"
#include "plx_test.h"

/*
 * A server that breaks RFC 9000, and what our client makes of it: the exact code, one word to its
 * application, and the next connection, to an honest server, works.
 */

#define SEC  PLX_NS_PER_S
#define DONE 0x1e /* HANDSHAKE_DONE */

static struct plx_rogue *
server(bool hold)
{
	const struct plx_rogue_cfg rc = {.server = true, .hold_finished = hold};
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;
	struct plx_rogue *r;

	plx_pair_cfg_init(&cfg);
	/* Its ClientHello fits one packet, and this server takes the key share. */
	cfg.groups[PLX_PAIR_CLIENT] = "X25519";
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	p->end[PLX_PAIR_CLIENT].app.up = p->end[PLX_PAIR_CLIENT].app.down = 5000;
	r = plx_rogue_new(p, &rc);
	CU_ASSERT_EQUAL_FATAL(plx_pair_dial(p, true, NULL), 0);
	return r;
}

static bool
can_write_1rtt(const struct plx_rogue *r)
{
	return r->sp[PLX_ROGUE_1RTT].tx.aead != NULL;
}

static bool
has_finished(const struct plx_rogue *r)
{
	return r->tls_done;
}

/* The honest server again; frees all. */
static void
next_connection_works(struct plx_rogue *r)
{
	struct plx_pair *p = r->p;
	struct plx_testapp *app = &p->end[PLX_PAIR_CLIENT].app;

	plx_rogue_free(r);
	app->streams_done = 0;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 10 * SEC));
	CU_ASSERT_EQUAL(app->mismatches, 0);
	plx_quic_close_all(p->end[PLX_PAIR_CLIENT].quic, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 60 * SEC));
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_CLIENT), 0);
	plx_pair_free(p);
}

/* The application was up, and heard once of the end, with this code. */
static void
application_heard(const struct plx_rogue *r, uint64_t code)
{
	const struct plx_testapp *app = &r->p->end[PLX_PAIR_CLIENT].app;

	CU_ASSERT_EQUAL(app->established, 1);
	CU_ASSERT_EQUAL(app->closed, 1);
	CU_ASSERT_EQUAL(app->failed, 0);
	CU_ASSERT_EQUAL(app->why.code, code);
	CU_ASSERT_EQUAL(app->why.by, PLX_CLOSE_TRANSPORT_ERROR);
}

/* What the other tests build on: this server is one that the client speaks with. */
static void
handshake_done_behind_finished_confirms(void)
{
	struct plx_rogue *r = server(false);

	CU_ASSERT_TRUE(plx_rogue_run(r, has_finished, 5 * SEC));
	CU_ASSERT_EQUAL(r->p->end[PLX_PAIR_CLIENT].app.established, 1);
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, DONE);
	plx_pair_run(r->p, NULL, SEC / 2);
	CU_ASSERT_FALSE(r->close.got);
	CU_ASSERT_TRUE(r->acked >= 0);
	CU_ASSERT_TRUE(
	        r->frames[0x08] + r->frames[0x0a] + r->frames[0x0b] + r->frames[0x09] > 0);
	/* Once more: it came already, and is no error. */
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, DONE);
	plx_pair_run(r->p, NULL, SEC / 2);
	CU_ASSERT_FALSE(r->close.got);
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1c, 0, 0, 0);
	CU_ASSERT_TRUE(plx_pair_run(r->p, plx_pair_client_over, 5 * SEC));
	next_connection_works(r);
}

/*
 * RFC 9000 section 19.20: "Servers MUST NOT send a HANDSHAKE_DONE frame before completing the
 * handshake". It comes in one burst with the server's Finished, before the client could answer.
 */
static void
handshake_done_before_our_finished_is_written(void)
{
	struct plx_rogue *r = server(false);

	CU_ASSERT_TRUE(plx_rogue_run(r, can_write_1rtt, 5 * SEC));
	CU_ASSERT_FALSE(r->tls_done);
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, DONE);
	CU_ASSERT_TRUE(plx_rogue_wait_close(r));
	CU_ASSERT_EQUAL(r->close.code, NGTCP2_PROTOCOL_VIOLATION);
	CU_ASSERT_FALSE(r->close.app);
	CU_ASSERT_FALSE(r->tls_done);
	application_heard(r, NGTCP2_PROTOCOL_VIOLATION);
	next_connection_works(r);
}

/*
 * The same, but it overtakes the server's flight and waits in the client for its keys. By then the
 * client gave up its Initial keys, and HANDSHAKE_DONE itself takes those of the handshake from it:
 * the server is not told.
 */
static void
handshake_done_before_the_servers_finished(void)
{
	struct plx_rogue *r = server(true);

	CU_ASSERT_TRUE(plx_rogue_run(r, can_write_1rtt, 5 * SEC));
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, DONE);
	plx_pair_run(r->p, NULL, SEC / 20);
	CU_ASSERT_EQUAL(r->p->end[PLX_PAIR_CLIENT].app.established, 0);
	r->cfg.hold_finished = false;
	plx_rogue_flush(r);
	CU_ASSERT_TRUE(plx_pair_run(r->p, plx_pair_client_over, SEC));
	application_heard(r, NGTCP2_PROTOCOL_VIOLATION);
	CU_ASSERT_FALSE(plx_rogue_wait_close(r));
	CU_ASSERT_FALSE(r->tls_done);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(r->p->end[PLX_PAIR_CLIENT].quic), 0);
	next_connection_works(r);
}

/* Where the handshake goes on to fail nobody asks for the state that HANDSHAKE_DONE discards. */
static void
handshake_done_and_no_server_flight(void)
{
	struct plx_rogue *r = server(true);
	struct plx_pair *p = r->p;

	CU_ASSERT_TRUE(plx_rogue_run(r, can_write_1rtt, 5 * SEC));
	for (int i = 0; i < 50; i++)
		PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, DONE);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 60 * SEC));
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.why.by, PLX_CLOSE_HANDSHAKE_TIMEOUT);
	next_connection_works(r);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"HANDSHAKE_DONE behind our Finished confirms, once more does nothing",
	         handshake_done_behind_finished_confirms},
	        {"HANDSHAKE_DONE before our Finished is written",
	         handshake_done_before_our_finished_is_written},
	        {"HANDSHAKE_DONE before the server's Finished",
	         handshake_done_before_the_servers_finished},
	        {"HANDSHAKE_DONE and no server's flight",
	         handshake_done_and_no_server_flight},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"RFC 9000: what a client may not be told", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
