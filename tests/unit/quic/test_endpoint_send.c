/* SPDX-License-Identifier: BSD-3-Clause */
#include <ngtcp2/ngtcp2.h>

#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

/* Packets out: segments, the bounded send queue, batches, what sends by itself. */

static uint8_t bulk[4 << 20];

static uint32_t
queued(struct ep_net *n, int side)
{
	return plx_endpoint_send_queue_len(n->ep[side]);
}

/* A connection at rest, whose packets stay in the queue from now on. */
static struct ep_net *
held(int side)
{
	struct ep_net *n = ep_net_new();

	n->cfg[CLI].no_pacing = n->cfg[SRV].no_pacing = true;
	ep_net_up(n);
	ep_net_for(n, 2 * SEC);
	n->hold[side] = true;
	CU_ASSERT_EQUAL_FATAL(queued(n, side), 0);
	return n;
}

static void
walking_a_packet_gives_each_datagram_once(void)
{
	struct plx_endpoint_packet pkt = {.len = 10};
	uint8_t buf[16] = {0};
	uint32_t off = 0, len = 0;

	PLX_COVERS("S1-6", "S1-7");
	/* No segment size: one slice with everything. */
	CU_ASSERT_PTR_EQUAL(plx_endpoint_datagram(&pkt, buf, &off, &len), buf);
	CU_ASSERT_EQUAL(len, 10);
	CU_ASSERT_PTR_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
	/* Empty: none. */
	off = pkt.len = 0;
	CU_ASSERT_PTR_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
	/* Slices of 4 with a short tail. */
	pkt = (struct plx_endpoint_packet){.len = 10, .segment_len = 4};
	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_PTR_EQUAL(plx_endpoint_datagram(&pkt, buf, &off, &len),
		                    buf + (size_t)4 * i);
		CU_ASSERT_EQUAL(len, i < 2 ? 4 : 2);
	}
	CU_ASSERT_PTR_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
	/* Exactly two. */
	pkt = (struct plx_endpoint_packet){.len = 8, .segment_len = 4};
	off = 0;
	CU_ASSERT_PTR_NOT_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
	CU_ASSERT_PTR_NOT_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
	CU_ASSERT_PTR_NULL(plx_endpoint_datagram(&pkt, buf, &off, &len));
}

static void
bulk_data_leaves_in_equal_segments_and_arrives_whole(void)
{
	struct ep_net *n = held(CLI);
	struct plx_endpoint_packet pkt;
	uint8_t buf[16000];
	bool segmented = false;
	int64_t id;

	PLX_COVERS("S1-6", "S1-8");
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, bulk, 100000, NULL),
	        100000);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT(queued(n, CLI) > 0);
	while (queued(n, CLI) > 0) {
		struct plx_path back;

		/* Too little room: it says how much and keeps the packet. */
		CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[CLI], buf, 10, &pkt),
		                PLX_E_TOO_LARGE);
		CU_ASSERT(pkt.len > 10);
		CU_ASSERT_EQUAL_FATAL(
		        plx_endpoint_poll_packet(n->ep[CLI], buf, sizeof(buf), &pkt), 1);
		CU_ASSERT(pkt.segment_len < pkt.len);
		if (pkt.segment_len > 0) {
			segmented = true;
			CU_ASSERT(pkt.len <= (uint32_t)pkt.segment_len * 10);
		}
		CU_ASSERT_EQUAL(
		        memcmp(&pkt.path.remote, &n->addr[SRV], sizeof(n->addr[SRV])), 0);
		back.local = pkt.path.remote;
		back.remote = pkt.path.local;
		for (uint32_t off = 0, len = 0;;) {
			const uint8_t *d = plx_endpoint_datagram(&pkt, buf, &off, &len);

			if (d == NULL)
				break;
			CU_ASSERT(len <= PLX_ENDPOINT_UDP_MAX);
			ep_net_inject(n, SRV, &back, d, len);
		}
	}
	CU_ASSERT_TRUE(segmented);
	CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[CLI], buf, sizeof(buf), &pkt), 0);
	n->hold[CLI] = false;
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(n->ep[SRV]->rec[0]->streams.cnt, 1);
	CU_ASSERT_EQUAL(plx_bytes_len(&((struct plx_ep_stream *)plx_streamtab_get(
	                                        &n->ep[SRV]->rec[0]->streams, id))
	                                       ->rx),
	                100000);
	ep_net_free(n);
}

static void
one_transmit_datagram_means_no_segments(void)
{
	struct ep_net *n = ep_net_new();
	int64_t id;

	PLX_COVERS("S1-2", "S1-8");
	n->cfg[CLI].max_transmit_datagrams = 0; /* as 1 */
	ep_net_up(n);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, bulk, 200000, NULL);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(n->segmented[CLI], 0);
	CU_ASSERT_EQUAL(n->sent[CLI], n->sent_pkts[CLI]);
	CU_ASSERT(n->sent[CLI] > 130);
	ep_net_free(n);
}

static void
flush_shows_what_was_written_and_nothing_before_it_does(void)
{
	struct ep_net *n = held(CLI);
	struct plx_iov iov = {.base = bulk, .len = 100};
	int64_t id;

	PLX_COVERS("S1-21", "S1-23");
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	CU_ASSERT(plx_endpoint_open(n->ep[CLI], n->conn[CLI], false) > 0);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, "x", 1, NULL), 1);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, &iov, 1, NULL),
	        100);
	CU_ASSERT_EQUAL(queued(n, CLI), 0);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 1);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 1);
	ep_net_free(n);
}

static void
flush_serves_every_connection(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_conn_id c[4];

	PLX_COVERS("S1-21");
	n->cfg[CLI].no_pacing = true;
	ep_net_start(n);
	for (int i = 0; i < 4; i++)
		c[i] = ep_net_connect(n, "server.example");
	ep_net_for(n, 2 * SEC);
	n->hold[CLI] = true;
	for (int i = 0; i < 4; i++) {
		int64_t id = plx_endpoint_open(n->ep[CLI], c[i], true);

		CU_ASSERT_EQUAL(
		        plx_endpoint_stream_send(n->ep[CLI], c[i], id, "x", 1, NULL), 1);
	}
	CU_ASSERT_EQUAL(queued(n, CLI), 0);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 4);
	ep_net_free(n);
}

static void
finish_stop_reset_datagram_and_close_send_by_themselves(void)
{
	struct ep_net *n = held(CLI);
	uint32_t was;
	int64_t a, b;

	PLX_COVERS("S1-22", "S1-39");
	a = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	b = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
#define SENDS(call)                                       \
	do {                                              \
		was = queued(n, CLI);                     \
		CU_ASSERT_EQUAL(call, 0);                 \
		CU_ASSERT_EQUAL(queued(n, CLI), was + 1); \
	} while (0)
	plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], b, "x", 1, NULL);
	SENDS(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], a, NULL));
	SENDS(plx_endpoint_stream_stop(n->ep[CLI], n->conn[CLI], a, 7));
	SENDS(plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], b, 8));
	SENDS(plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "d", 1, false));
#undef SENDS
	was = queued(n, CLI);
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 3, "done");
	CU_ASSERT_EQUAL(queued(n, CLI), was + 1);
	ep_net_free(n);
}

static void
inside_a_batch_nothing_is_written_until_the_outermost_end(void)
{
	struct ep_net *n = held(CLI);
	int64_t id[3];

	PLX_COVERS("S1-9", "S1-22");
	plx_endpoint_batch_end(n->ep[CLI], n->now); /* without a begin: nothing */
	plx_endpoint_batch_begin(n->ep[CLI]);
	plx_endpoint_batch_begin(n->ep[CLI]);
	for (int i = 0; i < 3; i++) {
		id[i] = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
		plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id[i], "abc", 3, NULL);
		CU_ASSERT_EQUAL(
		        plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id[i], NULL),
		        0);
	}
	CU_ASSERT_EQUAL(plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "d", 1, false),
	                0);
	plx_endpoint_flush(n->ep[CLI], n->now);
	plx_endpoint_timers(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	/* Three streams and a datagram share one packet; one by one they took four. */
	CU_ASSERT_EQUAL(queued(n, CLI), 1);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	plx_endpoint_batch_begin(n->ep[CLI]); /* and the depth did not go below 0 */
	plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], id[0], 1);
	CU_ASSERT_EQUAL(queued(n, CLI), 1);
	ep_net_free(n);
}

static void
a_batch_defers_acknowledgements_but_not_events_nor_stateless_answers(void)
{
	struct ep_net *n = held(SRV);
	struct plx_path path = {0};
	uint8_t vn[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};
	int64_t id;

	PLX_COVERS("S1-10", "S1-15");
	plx_endpoint_batch_begin(n->ep[SRV]);
	for (int i = 0; i < 4; i++) {
		id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
		ep_say(n, CLI, id, "event", true);
	}
	ep_net_for(n, 6 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_OPENED), 4);
	CU_ASSERT_EQUAL(queued(n, SRV), 0);
	/* An unknown version is answered without a connection. */
	path.remote = n->addr[CLI];
	path.remote.port_be = 0x1234;
	plx_endpoint_feed(n->ep[SRV], n->now, vn, sizeof(vn), &path, 0);
	CU_ASSERT_EQUAL(queued(n, SRV), 1);
	CU_ASSERT_EQUAL(plx_obs_get(n->ep[SRV]->obs, PLX_COUNT_vn_sent), 1);
	plx_endpoint_batch_end(n->ep[SRV], n->now);
	CU_ASSERT_EQUAL(queued(n, SRV), 2); /* one acknowledgement for all four */
	ep_net_free(n);
}

static void
stateless_answers_are_single_datagrams_and_give_way_to_a_full_queue(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_packet pkt;
	struct plx_path path = {0};
	uint8_t vn[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};
	uint8_t lost[60], buf[2000];

	PLX_COVERS("S1-15", "S1-19");
	n->cfg[SRV].send_queue_capacity = 3;
	ep_net_start(n);
	path.remote = n->addr[CLI];
	for (int i = 0; i < 200; i++)
		plx_endpoint_feed(n->ep[SRV], n->now, vn, sizeof(vn), &path, 0);
	CU_ASSERT_EQUAL(queued(n, SRV), 3);
	CU_ASSERT(plx_obs_get_drop(n->ep[SRV]->obs, PLX_DROP_QUIC_RESPONSE) > 100);
	while (plx_endpoint_poll_packet(n->ep[SRV], buf, sizeof(buf), &pkt) == 1) {
		ngtcp2_version_cid vc;

		CU_ASSERT_EQUAL(pkt.segment_len, 0);
		CU_ASSERT_EQUAL(ngtcp2_pkt_decode_version_cid(&vc, buf, pkt.len, 19), 0);
		CU_ASSERT_EQUAL(vc.version, 0);
		plx_endpoint_flush(n->ep[SRV], n->now);
	}
	/* A short packet that no connection knows: a stateless reset, shorter than it. */
	n->now += SEC;
	memset(lost, 0x55, sizeof(lost));
	plx_endpoint_feed(n->ep[SRV], n->now, lost, sizeof(lost), &path, 0);
	CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[SRV], buf, sizeof(buf), &pkt), 1);
	CU_ASSERT(pkt.len < sizeof(lost));
	CU_ASSERT_EQUAL(pkt.segment_len, 0);
	CU_ASSERT_EQUAL(buf[0] & 0x80, 0);
	CU_ASSERT_EQUAL(plx_obs_get(n->ep[SRV]->obs, PLX_COUNT_resets_sent), 1);
	ep_net_free(n);
}

static void
a_full_queue_stops_before_the_connection_is_asked_and_flush_brings_the_rest(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_packet pkt;
	struct plx_endpoint_stats st;
	uint8_t buf[16000];
	int64_t id;
	uint64_t sent;

	PLX_COVERS("S1-19", "S1-20", "S1-63");
	n->cfg[CLI].send_queue_capacity = 2;
	n->cfg[CLI].max_transmit_datagrams = 1;
	n->cfg[CLI].no_pacing = true;
	ep_net_up(n);
	ep_net_for(n, 2 * SEC);
	n->hold[CLI] = true;
	plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st);
	sent = st.val[PLX_EP_STAT_sent_packets];
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, bulk, 100000, NULL);
	plx_endpoint_flush(n->ep[CLI], n->now);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 2);
	plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st);
	/* What was not queued was not sent in the eyes of congestion control either. */
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_sent_packets], sent + 2);
	CU_ASSERT(st.val[PLX_EP_STAT_bytes_in_flight] < 3000);

	/* Close: its packet waits for room and is not lost. */
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 5, "full");
	CU_ASSERT_EQUAL(queued(n, CLI), 2);
	CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[CLI], buf, sizeof(buf), &pkt), 1);
	CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[CLI], buf, sizeof(buf), &pkt), 1);
	CU_ASSERT_EQUAL(plx_endpoint_poll_packet(n->ep[CLI], buf, sizeof(buf), &pkt), 0);
	/* The deadline says that there is something to do. */
	CU_ASSERT(plx_endpoint_deadline(n->ep[CLI]) <= n->now);
	plx_endpoint_flush(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(queued(n, CLI), 1);
	n->hold[CLI] = false;
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_CLOSED, SEC));
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.code, 5);
	ep_net_free(n);
}

static void
eight_mebibytes_pass_through_a_queue_of_two_packets(void)
{
	struct ep_net *n = ep_net_new();
	size_t total = (size_t)8 << 20, sent = 0, got = 0;
	uint8_t buf[65536];
	bool fin = false, ok = true;
	int64_t id, rc = 0;

	PLX_COVERS("S1-20", "S1-25", "S1-26", "S1-32", "S1-53");
	n->cfg[CLI].send_queue_capacity = 2;
	ep_net_up(n);
	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (uint8_t)(i % 251);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	for (int guard = 0; !fin && ok && guard < 20000; guard++) {
		while (sent < total) {
			size_t at = sent % 251, want = total - sent;
			int64_t r;

			if (want > 300000)
				want = 300000;
			r = plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id,
			                             bulk + at, want, NULL);
			if (r <= 0) {
				ok &= r == PLX_E_BLOCKED;
				break;
			}
			sent += (size_t)r;
			if (sent == total)
				plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id,
				                           NULL);
		}
		plx_endpoint_flush(n->ep[CLI], n->now);
		ep_net_for(n, MS);
		if (n->log[SRV].cnt + n->log[CLI].cnt > 1000)
			ep_forget(n);
		for (;;) {
			size_t len = ep_read(n, SRV, id, buf, sizeof(buf), &fin, &rc);

			for (size_t i = 0; i < len; i++)
				ok &= buf[i] == (uint8_t)((got + i) % 251);
			got += len;
			if (len < sizeof(buf))
				break;
		}
	}
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_TRUE(ok);
	CU_ASSERT_EQUAL(got, total);
	ep_net_free(n);
}

static void
a_pass_reports_events_before_the_packets_of_its_end_and_the_address_last(void)
{
	struct ep_net *n = held(SRV);
	struct plx_endpoint_event ev;
	int64_t id;

	PLX_COVERS("S1-12", "S1-47");
	/* One datagram that opens a stream from a new address: feed() returns with the stream's
	 * events, then the address, in the list, and the answer in the queue. */
	n->own_events[SRV] = true;
	n->addr[CLI].ip[3] = 9;
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	n->ep[CLI]->q->conns[0].path[0].tx.path.local.ip[3] = 9;
	plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, "x", 1, NULL);
	n->delay_ns = 0;
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_step(n);
	ep_net_step(n);
	CU_ASSERT_TRUE(plx_endpoint_poll_event(n->ep[SRV], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_STREAM_OPENED);
	CU_ASSERT_TRUE(plx_endpoint_poll_event(n->ep[SRV], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_STREAM_READABLE);
	CU_ASSERT_TRUE(plx_endpoint_poll_event(n->ep[SRV], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_PEER_ADDRESS);
	CU_ASSERT_FALSE(plx_endpoint_poll_event(n->ep[SRV], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_NONE);
	CU_ASSERT(queued(n, SRV) > 0);
	ep_net_free(n);
}

int
main(void)
{
#define T(fn) {#fn, fn}
	CU_TestInfo tests[] = {
	        T(walking_a_packet_gives_each_datagram_once),
	        T(bulk_data_leaves_in_equal_segments_and_arrives_whole),
	        T(one_transmit_datagram_means_no_segments),
	        T(flush_shows_what_was_written_and_nothing_before_it_does),
	        T(flush_serves_every_connection),
	        T(finish_stop_reset_datagram_and_close_send_by_themselves),
	        T(inside_a_batch_nothing_is_written_until_the_outermost_end),
	        T(a_batch_defers_acknowledgements_but_not_events_nor_stateless_answers),
	        T(stateless_answers_are_single_datagrams_and_give_way_to_a_full_queue),
	        T(a_full_queue_stops_before_the_connection_is_asked_and_flush_brings_the_rest),
	        T(eight_mebibytes_pass_through_a_queue_of_two_packets),
	        T(a_pass_reports_events_before_the_packets_of_its_end_and_the_address_last),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"endpoint_send", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
