/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/3 for application cores that are slow, asleep or short of memory, and connections that
 * are lost: what is owed waits, and comes.
 */
#include "h3_core.h"

static bool
two_done(void)
{
	return cli.r[1].closed && cli.r[2].closed;
}

static void
test_slow(void)
{
	PLX_COVERS("S3-25");
	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_CLIENT].max_stream_data = 65536;
	begin(true, true);
	cli.hold = true;
	CU_ASSERT_EQUAL(request(0, "GET", "/n/1000000", 0), 0);
	for (int i = 0; i < 400; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
		core_turn(&cli);
	}
	CU_ASSERT(cli.r[0].rx > 60000 && cli.r[0].rx <= 65536);
	cli.hold = false;
	CU_ASSERT_EQUAL(request(1, "GET", "/n/300000", 0), 0);
	CU_ASSERT_EQUAL(request(2, "POST", "/echo", 300000), 0);
	upload(2);
	CU_ASSERT(step_until(two_done));
	CU_ASSERT(req_ok(&cli.r[1], 300000));
	CU_ASSERT(req_ok(&cli.r[2], 300000));
	CU_ASSERT(cli.r[0].rx <= 65536);
	/* It gives back what it holds: the rest follows. */
	while (cli.held) {
		struct plx_rbuf *b = cli.held;

		cli.held = b->next;
		release(&cli, b);
	}
	want_closed = 3;
	CU_ASSERT(step_until(both_closed));
	CU_ASSERT(req_ok(&cli.r[0], 1000000));
	end();
}

/* The pool is empty when header lists arrive: they wait, and nothing is lost. */
static void
test_pool_empty(void)
{
	struct plx_rbuf *b, *all = NULL;

	plx_pair_cfg_init(&cfg);
	begin(true, true);
	while ((b = plx_rbuf_take(cli.pool, 1)) || (b = plx_rbuf_take(cli.pool, 4000))) {
		b->next = all;
		all = b;
	}
	for (uint64_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(request(i, "GET", i % 2 ? "/n/5000" : "/early", 0), 0);
	for (int i = 0; i < 300; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
		core_turn(&cli);
	}
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(cli.r[i].heads, 0);
	while (all) {
		b = all;
		all = b->next;
		plx_rbuf_give(cli.pool, b);
		plx_appside_refill(&cli.side);
		core_turn(&cli);
	}
	want_closed = 20;
	CU_ASSERT(step_until(both_closed));
	for (int i = 0; i < 20; i++) {
		CU_ASSERT(req_ok(&cli.r[i], i % 2 ? 5000 : 0));
		CU_ASSERT_EQUAL(cli.r[i].interim, i % 2 ? 0 : 1);
	}
	end();
}

/* An application that takes no events: the connection ends, all is told afterwards in order. */
static void
test_asleep(void)
{
	plx_pair_cfg_init(&cfg);
	begin(true, true);
	for (uint64_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(request(i, "GET", "/n/3000", 0), 0);
	cli.asleep = true;
	for (int i = 0; i < 200; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
	}
	plx_quic_close_all(w.p->end[PLX_PAIR_SERVER].quic, PLX_H3_NO_ERROR);
	CU_ASSERT(step_until(is_idle));
	cli.asleep = false;
	core_turn(&cli);
	for (int i = 0; i < 10; i++)
		CU_ASSERT(req_ok(&cli.r[i], 3000));
	CU_ASSERT_EQUAL(cli.conn_closed, 1);
	end();
}

static void
test_conn_lost(void)
{
	PLX_COVERS("C7");
	plx_pair_cfg_init(&cfg);
	begin(true, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/never", 0), 0);
	CU_ASSERT_EQUAL(request(1, "GET", "/n/2000000", 0), 0);
	for (int i = 0; i < 60; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
		core_turn(&cli);
	}
	command(&srv,
	        (struct plx_cmd){.type = PLX_CMD_CLOSE, .code = PLX_H3_INTERNAL_ERROR});
	CU_ASSERT(step_until(is_idle));
	CU_ASSERT_EQUAL(cli.r[0].closed, 1);
	CU_ASSERT_EQUAL(cli.r[0].close_code, PLX_H3_INTERNAL_ERROR);
	CU_ASSERT_EQUAL(cli.r[1].closed, 1);
	CU_ASSERT_EQUAL(cli.r[1].fins, 0);
	CU_ASSERT_EQUAL(cli.close_code, PLX_H3_INTERNAL_ERROR);
	CU_ASSERT_EQUAL(cli.conn_closed, 1);
	end();
}

/* A header list larger than a buffer ends the connection at the client's cost. */
static void
test_large_head(void)
{
	static char value[6000];
	struct plx_h3_field f[] = {
	        F(":method", "GET"),
	        F(":scheme", "https"),
	        F(":authority", "ring.test"),
	        F(":path", "/n/1"),
	        F("a", ""),
	        F("b", ""),
	        F("c", ""),
	};

	PLX_COVERS("C5");
	memset(value, 'v', sizeof(value));
	for (int i = 4; i < 7; i++) {
		f[i].value = value;
		f[i].value_len = sizeof(value);
	}
	for (uint16_t cnt = 6; cnt <= 7; cnt++) {
		plx_pair_cfg_init(&cfg);
		begin(true, true);
		CU_ASSERT_EQUAL(command(&cli, (struct plx_cmd){.type = PLX_CMD_H3_REQUEST,
		                                               .flags = PLX_CMD_FLAG_FIN,
		                                               .ptr = message(f, cnt)}),
		                0);
		want_closed = 1;
		CU_ASSERT(step_until(cli_closed));
		if (cnt == 6) {
			CU_ASSERT(req_ok(&cli.r[0], 1));
		} else {
			CU_ASSERT_EQUAL(cli.r[0].close_code, PLX_H3_EXCESSIVE_LOAD);
		}
		end();
	}
}

/* Each allocation of either side fails once: every event that is owed comes, nothing leaks. */
static void
test_shortage(void)
{
	struct plx_slab_stats st;
	uint64_t fails;

	PLX_COVERS("C7");
	for (int side = 0; side < 2; side++) {
		for (uint64_t n = 1; n < 2000; n++) {
			struct core *k = side ? &srv : &cli;

			plx_pair_cfg_init(&cfg);
			begin(true, true);
			plx_slab_get_stats(k->slab, &st);
			fails = st.fails;
			plx_slab_fail_at(k->slab, n);
			if (request(0, "POST", "/echo", 30000) == 0)
				upload(0);
			request(1, "GET", "/early", 0);
			request(2, "GET", "/n/30000", 0);
			steps(60);
			plx_slab_fail_at(k->slab, 0);
			plx_slab_get_stats(k->slab, &st);
			end();
			if (st.fails == fails) {
				CU_ASSERT(n > 10);
				break;
			}
		}
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"an application that keeps buffers stalls only its stream", test_slow},
	        {"header lists wait for buffers", test_pool_empty},
	        {"events wait for an application that sleeps", test_asleep},
	        {"every request ends when the connection is lost", test_conn_lost},
	        {"a header list larger than a buffer", test_large_head},
	        {"each allocation that fails leaves nothing behind", test_shortage},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 ring short of something", site_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
