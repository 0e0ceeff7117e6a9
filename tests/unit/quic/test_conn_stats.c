/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of a connection: numbers, handshake, audit record. */
#include "plx_pair_test.h"

/* Of the last connection that came up or ended, as its application asked for it. */
static struct plx_socket_stats stats;
static struct plx_handshake_info shake;
static struct plx_conn_audit audit;

static bool
has(enum plx_socket_stat s)
{
	return (stats.valid >> s & 1) != 0;
}

static void
ask(const struct plx_conn *c)
{
	plx_conn_get_stats(c, &stats);
	plx_conn_get_handshake(c, &shake);
	plx_conn_get_audit(c, &audit);
}

static void
numbers_are_live_and_say_which_there_are(void)
{
	static const enum plx_socket_stat never[] = {
	        PLX_SOCKET_max_rtt_us,      PLX_SOCKET_total_pto_count,
	        PLX_SOCKET_delivery_rate,   PLX_SOCKET_max_bandwidth,
	        PLX_SOCKET_packets_retrans, PLX_SOCKET_packets_lost_spurious,
	        PLX_SOCKET_bytes_retrans,   PLX_SOCKET_bytes_in_flight_us};
	struct plx_socket_stats before;
	struct plx_pair_cfg cfg;
	struct plx_testapp *app;
	struct plx_pair *p;

	PLX_COVERS("S2-1", "S2-3", "S2-4", "S2-5", "S2-6");
	plx_pair_cfg_init(&cfg);
	cfg.link[PLX_PAIR_CLIENT].loss_ppm = 50000;
	p = pair(&cfg);
	app = &p->end[PLX_PAIR_CLIENT].app;
	app->up = app->down = MIB;
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
	CU_ASSERT_TRUE_FATAL(plx_pair_run(p, plx_pair_both_up, 60 * SEC));
	ask(app->conn);
	before = stats;
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 60 * SEC));
	ask(app->conn);
	for (int i = 0; i < PLX_SOCKET_STAT_CNT; i++) {
		CU_ASSERT_TRUE(has((enum plx_socket_stat)i) || stats.val[i] == 0);
		CU_ASSERT_STRING_NOT_EQUAL(plx_socket_stat_name((enum plx_socket_stat)i),
		                           "?");
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		CU_ASSERT_FALSE(has(never[i]));
	/* 10 ms each way, and what is added to it while packets wait. */
	CU_ASSERT_TRUE(has(PLX_SOCKET_rtt_us) && stats.val[PLX_SOCKET_rtt_us] >= 20000);
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_min_rtt_us] >= 20000 &&
	               stats.val[PLX_SOCKET_min_rtt_us] < 21000);
	CU_ASSERT_EQUAL(stats.val[PLX_SOCKET_pmtu], 1452);
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_bytes_sent] > MIB);
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_bytes_recvd] > MIB);
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_packets_sent] >
	               before.val[PLX_SOCKET_packets_sent] + MIB / 1452);
	/* One in twenty was lost: slow start ended there. */
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_packets_lost] > 10);
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_bytes_lost] > 10000);
	CU_ASSERT_TRUE(has(PLX_SOCKET_startup_exit_cwnd));
	CU_ASSERT_TRUE(has(PLX_SOCKET_bytes_unsent) &&
	               stats.val[PLX_SOCKET_bytes_unsent] == 0);
	plx_pair_free(p);
}

static void
the_handshake_tells_begin_end_and_deadline(void)
{
	struct plx_pair_cfg cfg;
	struct plx_testapp *app;
	struct plx_pair *p;
	uint64_t elapsed;

	PLX_COVERS("S2-29", "S2-30", "S2-31", "S2-32");
	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_CLIENT].handshake_timeout_ms = 4000;
	p = pair(&cfg);
	app = &p->end[PLX_PAIR_CLIENT].app;
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
	CU_ASSERT_TRUE_FATAL(plx_pair_run(p, plx_pair_client_up, 60 * SEC));
	ask(app->conn);
	elapsed = shake.elapsed_ns;
	CU_ASSERT_TRUE(elapsed >= 20 * MS && elapsed < 100 * MS);
	CU_ASSERT_EQUAL(shake.deadline_ns, shake.start_ns + 4 * SEC);
	CU_ASSERT_EQUAL(audit.handshake_us, (int64_t)(elapsed / 1000));
	/* Set once: it does not grow, and does not expire any more. */
	plx_pair_run(p, plx_pair_idle, 8 * SEC);
	ask(app->conn);
	CU_ASSERT_EQUAL(shake.elapsed_ns, elapsed);
	CU_ASSERT_FALSE(plx_handshake_expired(&shake, shake.deadline_ns + SEC));
	shake.elapsed_ns = 0;
	CU_ASSERT_FALSE(plx_handshake_expired(&shake, shake.deadline_ns - 1));
	CU_ASSERT_TRUE(plx_handshake_expired(&shake, shake.deadline_ns));
	plx_pair_free(p);
}

/* Closes from the client's side with an application code; both records are looked at. */
static void
audit_records_name_who_closed(void)
{
	struct plx_conn_audit first;
	struct plx_pair_cfg cfg;
	struct plx_testapp *c, *s;
	struct plx_pair *p;

	PLX_COVERS("S2-11", "S2-50");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg);
	c = &p->end[PLX_PAIR_CLIENT].app;
	s = &p->end[PLX_PAIR_SERVER].app;
	c->on_over = s->on_over = ask;
	CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
	CU_ASSERT_TRUE_FATAL(plx_pair_run(p, plx_pair_both_up, 60 * SEC));
	ask(c->conn);
	first = audit;
	CU_ASSERT_EQUAL(audit.sent_app_code, -1);
	CU_ASSERT_EQUAL(audit.recvd_app_code, -1);
	CU_ASSERT_EQUAL(audit.sent_transport_code, -1);
	CU_ASSERT_EQUAL(audit.recvd_transport_code, -1);
	plx_conn_close(c->conn, 77, "enough");
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, SEC));
	CU_ASSERT_EQUAL(audit.sent_app_code, 77);
	CU_ASSERT_EQUAL(audit.recvd_app_code, -1);
	CU_ASSERT_EQUAL(memcmp(audit.cid, first.cid, sizeof(first.cid)), 0);
	/* The last numbers are there when the end is told. */
	CU_ASSERT_TRUE(stats.val[PLX_SOCKET_packets_sent] > 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, SEC));
	CU_ASSERT_EQUAL(audit.recvd_app_code, 77);
	CU_ASSERT_EQUAL(audit.sent_app_code, -1);
	CU_ASSERT_EQUAL(audit.recvd_transport_code, -1);
	CU_ASSERT_NOT_EQUAL(memcmp(audit.cid, first.cid, sizeof(first.cid)), 0);
	plx_pair_free(p);
}

static CU_TestInfo tests[] = {
        {"numbers are live and say which there are",
         numbers_are_live_and_say_which_there_are},
        {"the handshake tells begin, end and deadline",
         the_handshake_tells_begin_end_and_deadline},
        {"audit records name who closed, with which code", audit_records_name_who_closed},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"conn_stats", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
