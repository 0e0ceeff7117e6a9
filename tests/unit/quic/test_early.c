/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "early_visit.h"
#include "plx_fuse.h"

/* What is sent with a ticket before the handshake is complete. */

/** The client came back without early data being taken, was told once, and says it again. */
static void
is_rejected_once(struct ep_net *n, const char *text)
{
	uint8_t buf[64];
	uint32_t at;
	int64_t rc;
	bool fin;

	CU_ASSERT_TRUE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_FALSE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_ZERO_RTT_REJECTED), 0);
	at = ep_first(n, CLI, PLX_EP_ZERO_RTT_REJECTED);
	CU_ASSERT_FATAL(at > 0 && at != UINT32_MAX);
	CU_ASSERT_EQUAL(n->log[CLI].e[at - 1].ev.type, PLX_EP_CONNECTED);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 0);
	/* The stream is gone, and the next one has its number. */
	CU_ASSERT_EQUAL(plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], 0, "x", 1, NULL),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true), 0);
	ep_say(n, CLI, 0, text, true);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_read(n, SRV, 0, buf, sizeof(buf), &fin, &rc), strlen(text));
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 1);
}

static void
early_data_is_in_the_first_flight(void)
{
	struct ep_net *n = prepare();
	uint8_t buf[64];
	struct kept k;
	int64_t rc;
	bool fin;

	PLX_COVERS("S1-45", "S1-46");
	visit(n, &k);
	plx_endpoint_batch_begin(n->ep[CLI]);
	come_back_talking(n, &k, "early bird");
	CU_ASSERT_FALSE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(
	        plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "dgram", 5, false), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	/* Half a round trip later the server's owner has it, and the handshake is not done. */
	ep_net_for(n, n->delay_ns);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_HELLO), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 0);
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_HELLO)->ev.conn;
	CU_ASSERT_TRUE(plx_endpoint_has_0rtt(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_EQUAL(ep_read(n, SRV, 0, buf, sizeof(buf), &fin, &rc), 10);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_EQUAL(memcmp(buf, "early bird", 10), 0);
	/* And may answer before. */
	ep_say(n, SRV, 0, "worm", true);
	wait_up(n);
	CU_ASSERT_EQUAL(ep_read(n, CLI, 0, buf, sizeof(buf), &fin, &rc), 4);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_FALSE(plx_endpoint_accepted_0rtt(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_TRUE(plx_endpoint_has_0rtt(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_accepted), 1);
	CU_ASSERT_EQUAL(count(n, CLI, PLX_COUNT_early_accepted), 1);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_rejected), 0);
	leave(n);
	/* The getters answer to a stale handle as to one without early data. */
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_FALSE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	ep_net_free(n);
}

static void
more_than_the_first_flight_holds_arrives_whole(void)
{
	static uint8_t sent[100000], got[100000];
	struct ep_net *n = prepare();
	struct kept k;
	int64_t rc;
	bool fin;

	PLX_COVERS("S1-46");
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31 + i / 251);
	visit(n, &k);
	come_back(n, &k, true);
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true), 0);
	CU_ASSERT_EQUAL(plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], 0, sent,
	                                         sizeof(sent), NULL),
	                (int64_t)sizeof(sent));
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], 0, NULL), 0);
	wait_up(n);
	ep_net_for(n, 2 * SEC);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(ep_read(n, SRV, 0, got, sizeof(got), &fin, &rc), sizeof(sent));
	CU_ASSERT_EQUAL(memcmp(sent, got, sizeof(sent)), 0);
	ep_net_free(n);
}

static void
a_server_that_takes_none_has_its_tickets_say_so(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	n->server.early_data = false;
	visit(n, &k);
	come_back(n, &k, true);
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true),
	                PLX_E_STREAM_LIMIT);
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAMS_AVAILABLE), 1);
	ep_net_free(n);
}

static void
a_server_started_again_rejects_early_data_once_and_it_is_sent_again(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("S1-45", "S1-46", "S1-49");
	visit(n, &k);
	plx_endpoint_free(swap_server(n, NULL));
	come_back_talking(n, &k, "in vain");
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	is_rejected_once(n, "again");
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_rejected), 1);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_replays), 0);
	CU_ASSERT_EQUAL(count(n, CLI, PLX_COUNT_early_rejected), 1);
	leave(n);
	/* Off: also where the ticket allows it. */
	n->server.early_data = false;
	plx_endpoint_free(swap_server(n, NULL));
	come_back_talking(n, &k, "in vain");
	wait_up(n);
	is_rejected_once(n, "again");
	ep_net_free(n);
}

static void
a_server_whose_key_is_another_rejects_early_data_once(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("S1-49");
	visit(n, &k);
	n->server.ticket_secret = NULL;
	plx_endpoint_free(swap_server(n, NULL));
	come_back_talking(n, &k, "in vain");
	wait_up(n);
	CU_ASSERT_FALSE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	is_rejected_once(n, "again");
	ep_net_free(n);
}

static void
a_server_that_asks_for_another_key_share_rejects_early_data_once(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("S1-49");
	visit(n, &k);
	/* HelloRetryRequest: RFC 8446 section 4.2.10. */
	CU_ASSERT_EQUAL(
	        SSL_CTX_set1_groups_list(n->ep[SRV]->tls_server->ctx, (char[]){"P-256"}),
	        1);
	come_back_talking(n, &k, "in vain");
	wait_up(n);
	is_rejected_once(n, "again");
	ep_net_free(n);
}

static void
early_data_survives_a_retry(void)
{
	struct ep_net *n = prepare();
	uint8_t buf[64];
	struct kept k;
	int64_t rc;
	bool fin;

	visit(n, &k);
	n->ep[SRV]->q->cfg.retry = PLX_RETRY_ON;
	come_back_talking(n, &k, "twice sent");
	wait_up(n);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_retries_sent), 1);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(ep_read(n, SRV, 0, buf, sizeof(buf), &fin, &rc), 10);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	ep_net_free(n);
}

static void
limits_lower_than_those_of_the_ticket_refuse_early_data(void)
{
	struct plx_endpoint_cfg cfg;
	struct ep_net *n = prepare();
	struct kept k;

	n->server.spent = plx_endpoint_spent_new(1024);
	cfg = n->cfg[SRV];
	for (int i = 0; i < 6; i++) {
		n->cfg[SRV] = cfg;
		if (n->ep[SRV] != NULL)
			plx_endpoint_free(swap_server(n, NULL));
		visit(n, &k);
		n->cfg[SRV].max_streams_bidi -= i == 0;
		n->cfg[SRV].max_streams_uni -= i == 1;
		n->cfg[SRV].stream_window -= i == 2;
		n->cfg[SRV].conn_window -= i == 3;
		if (i == 4)
			n->cfg[SRV].datagram_recv_buffer = 0;
		if (i == 5) /* more than before is no harm */
			n->cfg[SRV].max_streams_bidi += 7;
		plx_endpoint_free(swap_server(n, NULL));
		come_back_talking(n, &k, "limits");
		wait_up(n);
		CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
		CU_ASSERT_EQUAL(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]),
		                i == 5);
		CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), i != 5);
		leave(n);
	}
	plx_endpoint_free(n->ep[SRV]);
	n->ep[SRV] = NULL;
	plx_endpoint_spent_free(n->server.spent);
	ep_net_free(n);
}

static void
endpoints_that_share_a_register_take_each_ticket_once(void)
{
	struct ep_net *n = prepare();
	struct plx_endpoint *one, *two;
	struct kept k, l;

	PLX_COVERS("C11");
	n->server.spent = plx_endpoint_spent_new(1024);
	visit(n, &k);
	visit(n, &l);
	one = swap_server(n, NULL);
	come_back_talking(n, &k, "elsewhere");
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	leave(n);
	two = swap_server(n, one);
	come_back_talking(n, &k, "once more");
	wait_up(n);
	is_rejected_once(n, "again");
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_replays), 1);
	leave(n);
	/* The other ticket was not touched by that. */
	come_back_talking(n, &l, "fresh");
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	leave(n);
	plx_endpoint_free(two);
	plx_endpoint_free(n->ep[SRV]);
	n->ep[SRV] = NULL;
	plx_endpoint_spent_free(n->server.spent);
	ep_net_free(n);
}

/** Datagrams of the client, as somebody on the path records them. */
struct recorder {
	uint32_t cnt, len[8];
	uint8_t data[8][1500];
};

static bool
record(void *arg, struct ep_dgram *d)
{
	struct recorder *r = arg;

	if (d->from == CLI && r->cnt < 8) {
		memcpy(r->data[r->cnt], d->data, d->len);
		r->len[r->cnt++] = d->len;
	}
	return true;
}

static void
a_recorded_first_flight_opens_no_early_data_again(void)
{
	static struct recorder r;
	struct ep_net *n = prepare();
	struct plx_endpoint *one;
	struct plx_path path = {0};
	struct kept k;

	PLX_COVERS("C11");
	r.cnt = 0;
	n->server.spent = plx_endpoint_spent_new(1024);
	visit(n, &k);
	n->tap = record;
	n->tap_arg = &r;
	come_back_talking(n, &k, "pay 100");
	wait_up(n);
	n->tap = NULL;
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	leave(n);
	path.local = n->addr[SRV];
	path.remote = n->addr[CLI];
	one = n->ep[SRV];
	for (int i = 0; i < 20; i++) {
		/* To the same worker, and to another one. */
		if (i == 10)
			swap_server(n, NULL);
		path.remote.port_be = (uint16_t)(path.remote.port_be + 1);
		for (uint32_t d = 0; d < r.cnt; d++)
			ep_net_inject(n, SRV, &path, r.data[d], r.len[d]);
		ep_net_for(n, 12 * SEC); /* until the half-open connection is gone */
		CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_early_replays),
		                (uint64_t)(i < 10 ? i + 1 : i - 9));
	}
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_HELLO), 20);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 0);
	plx_endpoint_free(one);
	plx_endpoint_free(n->ep[SRV]);
	n->ep[SRV] = NULL;
	plx_endpoint_spent_free(n->server.spent);
	ep_net_free(n);
}

static void
a_connection_that_ends_before_it_began_is_reported_once(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	visit(n, &k);
	/* The client falls silent behind its first flight. */
	come_back_talking(n, &k, "and gone");
	ep_net_for(n, n->delay_ns);
	n->hold[CLI] = n->no_timers[CLI] = n->own_events[CLI] = true;
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_CLOSED, 60 * SEC));
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	ep_net_free(n);

	/* The server never answers. */
	n = prepare();
	visit(n, &k);
	n->hold[SRV] = true;
	come_back_talking(n, &k, "hello?");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, 60 * SEC));
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_HANDSHAKE_TIMEOUT);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
	ep_net_free(n);

	/* The client changes its mind. */
	n = prepare();
	visit(n, &k);
	come_back_talking(n, &k, "no");
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 5, "no");
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	ep_net_free(n);
}

/* A visit with early data, which may end as it likes. */
static void
try_early(struct ep_net *n, const struct kept *k)
{
	struct plx_path path = {.remote = n->addr[SRV]};

	if (plx_endpoint_resume(n->ep[CLI], n->now, &path, "server.example", k->data,
	                        k->len, true, &n->conn[CLI]) != 0)
		return;
	if (plx_endpoint_open(n->ep[CLI], n->conn[CLI], true) == 0) {
		plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], 0, "short", 5, NULL);
		plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], 0, NULL);
	}
	ep_net_for(n, SEC);
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 0, NULL);
}

static void
the_nth_allocation_may_fail_on_either_side(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("F13");
	n->cfg[CLI].handshake_timeout_ms = n->cfg[SRV].handshake_timeout_ms = 1000;
	n->cfg[CLI].idle_timeout_ms = n->cfg[SRV].idle_timeout_ms = 2000;
	ep_net_start(n);
	for (int what = 0; what < 3; what++) {
		uint64_t tries = 0;

		for (uint64_t at = 1; at < 6000; at += at < 60 ? 1 : 1 + at / 60) {
			struct plx_slab *slab = what < 2 ? n->ep[what]->slab : NULL;
			struct plx_slab_stats before = {0}, after = {0};

			fuse = 0;
			visit(n, &k);
			if (slab != NULL) {
				plx_slab_get_stats(slab, &before);
				plx_slab_fail_at(slab, at);
			} else {
				fuse = at;
			}
			try_early(n, &k);
			ep_net_for(n, 10 * SEC);
			CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
			CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
			ep_forget(n);
			tries++;
			if (slab != NULL) {
				plx_slab_get_stats(slab, &after);
				plx_slab_fail_at(slab, 0);
				CU_ASSERT_EQUAL(after.used, before.used);
			}
			if (slab != NULL ? after.fails == before.fails : fuse > 0)
				break;
		}
		fuse = 0;
		CU_ASSERT(tries > 10);
	}
	visit(n, &k);
	come_back_talking(n, &k, "still well");
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_accepted_0rtt(n->ep[CLI], n->conn[CLI]));
	ep_net_free(n);
}

int
main(void)
{
#define T(name) {#name, name}
	CU_TestInfo early[] = {
	        T(early_data_is_in_the_first_flight),
	        T(more_than_the_first_flight_holds_arrives_whole),
	        T(a_server_that_takes_none_has_its_tickets_say_so),
	        T(a_server_started_again_rejects_early_data_once_and_it_is_sent_again),
	        T(a_server_whose_key_is_another_rejects_early_data_once),
	        T(a_server_that_asks_for_another_key_share_rejects_early_data_once),
	        T(early_data_survives_a_retry),
	        T(limits_lower_than_those_of_the_ticket_refuse_early_data),
	        T(endpoints_that_share_a_register_take_each_ticket_once),
	        T(a_recorded_first_flight_opens_no_early_data_again),
	        T(a_connection_that_ends_before_it_began_is_reported_once),
	        T(the_nth_allocation_may_fail_on_either_side),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"early data", NULL, NULL, NULL, NULL, early},
	        CU_SUITE_INFO_NULL,
	};

	CRYPTO_set_mem_functions(fuse_malloc, fuse_realloc, fuse_free);
	return plx_test_main(suites);
}
