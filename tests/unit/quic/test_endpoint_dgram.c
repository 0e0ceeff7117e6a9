/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

/* DATAGRAMs of sans-IO endpoints. */

#define SEND(n, p, l, old) \
	plx_endpoint_send_datagram((n)->ep[CLI], (n)->conn[CLI], p, l, old)

static uint8_t bulk[70000];

static struct ep_net *
up(void)
{
	struct ep_net *n = ep_net_new();

	ep_net_up(n);
	return n;
}

static int64_t
space(struct ep_net *n)
{
	return plx_endpoint_datagram_space(n->ep[CLI], n->conn[CLI]);
}

static void
datagrams_pass_both_ways_one_event_each_in_order(void)
{
	struct ep_net *n = up();
	char text[16];
	uint32_t at = 0;

	PLX_COVERS("S1-42", "S1-57");
	plx_endpoint_batch_begin(n->ep[CLI]);
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "number %02d", i);
		CU_ASSERT_EQUAL(SEND(n, text, 9, false), 0);
	}
	CU_ASSERT_EQUAL(SEND(n, NULL, 0, false), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 51);
	for (uint32_t i = 0; i < n->log[SRV].cnt && at < 50; i++, at++) {
		snprintf(text, sizeof(text), "number %02u", at);
		CU_ASSERT_EQUAL(n->log[SRV].e[i].ev.len, 9);
		CU_ASSERT_EQUAL(memcmp(n->log[SRV].e[i].data, text, 9), 0);
	}
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_DATAGRAM)->ev.len, 0);
	CU_ASSERT_EQUAL(
	        plx_endpoint_send_datagram(n->ep[SRV], n->conn[SRV], "back", 4, false), 0);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_DATAGRAM), 1);
	CU_ASSERT_EQUAL(space(n), 1 << 20);
	ep_net_free(n);
}

static void
the_largest_datagram_passes_and_one_byte_more_is_refused(void)
{
	struct ep_net *n = up();
	int64_t max;

	PLX_COVERS("S1-42", "S1-44");
	ep_net_for(n, 2 * SEC); /* path MTU discovery has ended */
	max = plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]);
	CU_ASSERT(max > 1350 && max < 1452);
	CU_ASSERT_EQUAL(SEND(n, bulk, (size_t)max + 1, false), PLX_E_TOO_LARGE);
	CU_ASSERT_EQUAL(SEND(n, bulk, sizeof(bulk), true), PLX_E_TOO_LARGE);
	CU_ASSERT_EQUAL(SEND(n, bulk, (size_t)max, false), 0);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 1);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_DATAGRAM)->ev.len, (size_t)max);
	CU_ASSERT_EQUAL(n->ep[CLI]->rec[0]->dg_dropped, 0);
	ep_net_free(n);
}

static void
the_largest_payload_follows_the_path(void)
{
	struct ep_net *n = ep_net_new();
	int64_t first;

	PLX_COVERS("S1-44");
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_EQUAL(plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]), -1);
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CONNECTED, SEC));
	first = plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]);
	CU_ASSERT_EQUAL(first, 1200 - (1 + 19 + 4 + 16) - 3);
	ep_net_for(n, 2 * SEC);
	CU_ASSERT(plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]) > first + 200);
	ep_net_free(n);
}

static void
the_send_buffer_bounds_the_payload_too(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-42", "S1-44");
	n->cfg[CLI].datagram_send_buffer = 100;
	ep_net_up(n);
	CU_ASSERT_EQUAL(SEND(n, bulk, 101, false), PLX_E_TOO_LARGE);
	CU_ASSERT_EQUAL(SEND(n, bulk, 101, true), PLX_E_TOO_LARGE);
	CU_ASSERT_EQUAL(SEND(n, bulk, 100, false), 0);
	CU_ASSERT_EQUAL(space(n), 100); /* it left at once */
	ep_net_free(n);
}

static void
disabled_here_and_unsupported_by_the_peer_are_two_errors(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-42", "S1-44", "S1-62");
	n->cfg[SRV].datagram_recv_buffer = 0;
	ep_net_up(n);
	CU_ASSERT_EQUAL(SEND(n, "x", 1, false), PLX_E_UNSUPPORTED);
	CU_ASSERT_EQUAL(plx_endpoint_send_datagram(n->ep[SRV], n->conn[SRV], "x", 1, false),
	                PLX_E_DISABLED);
	CU_ASSERT_EQUAL(plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]), -1);
	CU_ASSERT_EQUAL(plx_endpoint_datagram_max(n->ep[SRV], n->conn[SRV]), -1);
	ep_net_free(n);
}

static void
blocked_takes_nothing_and_one_event_says_when_there_is_room(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-42", "S1-43", "S1-58");
	n->cfg[CLI].datagram_send_buffer = 3000;
	ep_net_up(n);
	ep_forget(n);
	plx_endpoint_batch_begin(n->ep[CLI]);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(SEND(n, bulk, 1000, false), 0);
	CU_ASSERT_EQUAL(space(n), 0);
	CU_ASSERT_EQUAL(SEND(n, bulk, 1000, false), PLX_E_BLOCKED);
	CU_ASSERT_EQUAL(SEND(n, bulk, 1, false), PLX_E_BLOCKED);
	CU_ASSERT_EQUAL(space(n), 0);
	ep_net_step(n);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_DATAGRAMS_UNBLOCKED), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_DATAGRAMS_UNBLOCKED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 3);
	CU_ASSERT_EQUAL(space(n), 3000);
	/* Never blocked since: no event. */
	CU_ASSERT_EQUAL(SEND(n, bulk, 1000, false), 0);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_DATAGRAMS_UNBLOCKED), 1);
	ep_net_free(n);
}

static void
drop_old_discards_the_oldest_and_never_blocks(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_stats st;
	uint32_t at = 0;

	PLX_COVERS("S1-42", "S1-43");
	n->cfg[CLI].datagram_send_buffer = 3000;
	ep_net_up(n);
	ep_forget(n);
	plx_endpoint_batch_begin(n->ep[CLI]);
	for (uint8_t i = 0; i < 10; i++) {
		memset(bulk, i, 1000);
		CU_ASSERT_EQUAL(SEND(n, bulk, 1000, true), 0);
	}
	CU_ASSERT_EQUAL(space(n), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 3);
	for (uint32_t i = 0; i < n->log[SRV].cnt; i++) {
		if (n->log[SRV].e[i].ev.type == PLX_EP_DATAGRAM)
			CU_ASSERT_EQUAL(n->log[SRV].e[i].data[0], 7 + at++);
	}
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_DATAGRAMS_UNBLOCKED), 0);
	plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_datagrams_dropped], 7);
	CU_ASSERT_EQUAL(plx_obs_get_drop(n->ep[CLI]->obs, PLX_DROP_DGRAM_TX_FULL), 7);
	ep_net_free(n);
}

static void
a_full_receive_buffer_loses_the_oldest(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_event ev;
	uint8_t expect = 6;

	PLX_COVERS("S1-57");
	n->cfg[SRV].datagram_recv_buffer = 4000;
	ep_net_up(n);
	n->own_events[SRV] = true;
	for (uint8_t i = 0; i < 10; i++) {
		memset(bulk, i, 1000);
		CU_ASSERT_EQUAL(SEND(n, bulk, 1000, false), 0);
		ep_net_for(n, 20 * MS);
	}
	while (plx_endpoint_poll_event(n->ep[SRV], &ev)) {
		CU_ASSERT_EQUAL(ev.type, PLX_EP_DATAGRAM);
		CU_ASSERT_EQUAL(ev.len, 1000);
		CU_ASSERT_EQUAL(ev.data[0], expect);
		expect++;
	}
	CU_ASSERT_EQUAL(expect, 10);
	CU_ASSERT_EQUAL(plx_obs_get_drop(n->ep[SRV]->obs, PLX_DROP_DGRAM_RX_FULL), 6);
	ep_net_free(n);
}

static void
datagrams_and_streams_share_packets(void)
{
	struct ep_net *n = up();
	uint8_t buf[64];
	uint64_t was;
	int64_t id;

	PLX_COVERS("S1-42");
	ep_net_for(n, SEC);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	was = n->sent[CLI];
	plx_endpoint_batch_begin(n->ep[CLI]);
	plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, "stream", 6, NULL);
	CU_ASSERT_EQUAL(SEND(n, "one", 3, false), 0);
	CU_ASSERT_EQUAL(SEND(n, "two", 3, false), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	ep_net_step(n);
	CU_ASSERT_EQUAL(n->sent[CLI], was + 1);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 2);
	CU_ASSERT_EQUAL(ep_read(n, SRV, id, buf, sizeof(buf), NULL, NULL), 6);
	ep_net_free(n);
}

static void
many_full_datagrams_wait_for_congestion_control_and_all_arrive(void)
{
	struct ep_net *n = up();

	PLX_COVERS("S1-42", "S1-43");
	ep_net_for(n, 2 * SEC);
	ep_forget(n);
	for (int i = 0; i < 700; i++)
		CU_ASSERT_EQUAL(SEND(n, bulk, 1300, false), 0);
	CU_ASSERT(space(n) < 1 << 20); /* more than the window takes at once */
	ep_net_for(n, 5 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_DATAGRAM), 700);
	CU_ASSERT_EQUAL(space(n), 1 << 20);
	ep_net_free(n);
}

int
main(void)
{
#define T(fn) {#fn, fn}
	CU_TestInfo tests[] = {
	        T(datagrams_pass_both_ways_one_event_each_in_order),
	        T(the_largest_datagram_passes_and_one_byte_more_is_refused),
	        T(the_largest_payload_follows_the_path),
	        T(the_send_buffer_bounds_the_payload_too),
	        T(disabled_here_and_unsupported_by_the_peer_are_two_errors),
	        T(blocked_takes_nothing_and_one_event_says_when_there_is_room),
	        T(drop_old_discards_the_oldest_and_never_blocks),
	        T(a_full_receive_buffer_loses_the_oldest),
	        T(datagrams_and_streams_share_packets),
	        T(many_full_datagrams_wait_for_congestion_control_and_all_arrive),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"endpoint_dgram", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
