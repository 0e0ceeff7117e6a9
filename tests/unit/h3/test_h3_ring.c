/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/3 for application cores: requests, bodies, cancels and GOAWAY as events and commands.
 */
#include "h3_core.h"

static void
test_both(void)
{
	PLX_COVERS("S3-13", "S3-31", "S3-64");
	plx_pair_cfg_init(&cfg);
	begin(true, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/n/0", 0), 0);
	CU_ASSERT_EQUAL(request(1, "GET", "/n/1", 0), 0);
	CU_ASSERT_EQUAL(request(2, "GET", "/n/1048576", 0), 0);
	CU_ASSERT_EQUAL(request(3, "POST", "/echo", 1048576), 0);
	CU_ASSERT_EQUAL(request(4, "GET", "/early", 0), 0);
	upload(3);
	want_closed = 5;
	CU_ASSERT(step_until(both_closed));
	CU_ASSERT(req_ok(&cli.r[0], 0));
	CU_ASSERT(req_ok(&cli.r[1], 1));
	CU_ASSERT(req_ok(&cli.r[2], 1048576));
	CU_ASSERT(req_ok(&cli.r[3], 1048576));
	CU_ASSERT(req_ok(&cli.r[4], 0));
	CU_ASSERT_EQUAL(cli.r[4].interim, 1);
	CU_ASSERT(cli.r[3].writable > 2);
	CU_ASSERT(srv.r[2].writable > 2);
	end();
}

static void
test_parallel_loss(void)
{
	plx_pair_cfg_init(&cfg);
	for (int i = 0; i < PLX_PAIR_SIDES; i++)
		cfg.link[i].loss_ppm = 50000;
	begin(true, true);
	for (uint64_t i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(request(i, i % 2 ? "POST" : "GET",
		                        i % 2 ? "/echo" : "/n/7000", i % 2 ? 20000 : 0),
		                0);
		if (i % 2)
			upload(i);
	}
	want_closed = 100;
	CU_ASSERT(step_until(both_closed));
	for (uint64_t i = 0; i < 100; i++)
		CU_ASSERT(req_ok(&cli.r[i], i % 2 ? 20000 : 7000));
	end();
}

static void
test_trailers(void)
{
	plx_pair_cfg_init(&cfg);
	begin(false, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/trailers", 0), 0);
	want_closed = 1;
	CU_ASSERT(step_until(cli_closed));
	CU_ASSERT(req_ok(&cli.r[0], 5000));
	CU_ASSERT_EQUAL(cli.r[0].trailers, 1);
	end();
}

static void
test_resets(void)
{
	PLX_COVERS("S3-10", "S3-28");
	plx_pair_cfg_init(&cfg);
	begin(true, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/cancel", 0), 0);
	CU_ASSERT_EQUAL(request(1, "POST", "/never", 500000), 0);
	upload(1);
	CU_ASSERT_EQUAL(request(2, "GET", "/n/1000", 0), 0);
	want_closed = 2;
	CU_ASSERT(step_until(cli_closed));
	CU_ASSERT_EQUAL(cli.r[0].resets, 1);
	CU_ASSERT_EQUAL(cli.r[0].reset_code, PLX_H3_REQUEST_REJECTED);
	CU_ASSERT(req_ok(&cli.r[2], 1000));
	CU_ASSERT_EQUAL(command(&cli, (struct plx_cmd){.type = PLX_CMD_H3_CANCEL,
	                                               .stream_id = 4,
	                                               .code = PLX_H3_REQUEST_CANCELLED}),
	                0);
	want_closed = 3;
	CU_ASSERT(step_until(both_closed));
	CU_ASSERT_EQUAL(srv.r[1].resets, 1);
	CU_ASSERT_EQUAL(srv.r[1].reset_code, PLX_H3_REQUEST_CANCELLED);
	CU_ASSERT_EQUAL(cli.r[1].close_code, PLX_H3_REQUEST_CANCELLED);
	end();
}

static void
test_failed_commands(void)
{
	struct plx_h3_field bad[] = {F("Upper", "x")};

	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_SERVER].max_streams_bidi = 2;
	begin(true, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/never", 0), 0);
	CU_ASSERT_EQUAL(request(1, "GET", "/n/1", 0), 0);
	CU_ASSERT_EQUAL(request(2, "GET", "/n/1", 0), PLX_E_STREAM_LIMIT);
	want_closed = 1;
	CU_ASSERT(step_until(cli_closed));
	CU_ASSERT_EQUAL(cli.cmd_failed, 1);
	CU_ASSERT_EQUAL(cli.fail_user, 2);
	CU_ASSERT_EQUAL(cli.fail_code, (uint64_t)-PLX_E_STREAM_LIMIT);
	while (!cli.avail) {
		plx_pair_step(w.p);
		core_turn(&cli);
	}
	CU_ASSERT_EQUAL(request(2, "GET", "/n/1", 0), 0);
	CU_ASSERT_EQUAL(command(&cli, (struct plx_cmd){.type = PLX_CMD_H3_REQUEST,
	                                               .user = 3,
	                                               .ptr = message(bad, 1)}),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(body(&cli, 400, "x", 1, false), PLX_E_NOENT);
	CU_ASSERT_EQUAL(body(&cli, 0, "x", 1, false), PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(command(&cli, (struct plx_cmd){.type = PLX_CMD_STREAM_OPEN}),
	                PLX_E_UNSUPPORTED);
	want_closed = 2;
	CU_ASSERT(step_until(cli_closed));
	end();
}

static bool
goaway_seen(void)
{
	return cli.goaways > 0;
}

static void
test_goaway(void)
{
	plx_pair_cfg_init(&cfg);
	begin(true, true);
	CU_ASSERT_EQUAL(request(0, "GET", "/n/200000", 0), 0);
	for (int i = 0; i < 10; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
	}
	CU_ASSERT_EQUAL(command(&srv, (struct plx_cmd){.type = PLX_CMD_H3_GOAWAY}), 0);
	CU_ASSERT(step_until(goaway_seen));
	CU_ASSERT_EQUAL(request(1, "GET", "/n/1", 0), PLX_E_CLOSING);
	want_closed = 1;
	CU_ASSERT(step_until(both_closed));
	CU_ASSERT(req_ok(&cli.r[0], 200000));
	CU_ASSERT(step_until(is_idle));
	CU_ASSERT_EQUAL(cli.close_code, PLX_H3_NO_ERROR);
	end();
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"requests and bodies of both sides, as events in order", test_both},
	        {"100 requests with 5 % loss", test_parallel_loss},
	        {"trailers come before the end", test_trailers},
	        {"both sides cancel", test_resets},
	        {"commands that fail say so, and say which", test_failed_commands},
	        {"GOAWAY", test_goaway},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 ring", site_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
