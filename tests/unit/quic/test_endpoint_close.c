/* SPDX-License-Identifier: BSD-3-Clause */
#include <ngtcp2/ngtcp2.h>

#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

/* The end of connections, draining, statistics, migration, early data. */

static struct ep_net *
up(void)
{
	struct ep_net *n = ep_net_new();

	ep_net_up(n);
	return n;
}

static bool
has(const struct plx_endpoint_stats *st, enum plx_endpoint_stat s)
{
	return st->valid >> s & 1;
}

static void
a_local_close_is_reported_inside_the_call_and_once(void)
{
	struct ep_net *n = up();
	struct plx_endpoint_event ev;

	PLX_COVERS("S1-39", "S1-40", "S1-50", "S1-51");
	n->own_events[CLI] = true;
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 42, "enough");
	CU_ASSERT_TRUE(plx_endpoint_poll_event(n->ep[CLI], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_CLOSED);
	CU_ASSERT_EQUAL(ev.conn.v, n->conn[CLI].v);
	CU_ASSERT_EQUAL(ev.why.by, PLX_CLOSE_LOCAL);
	CU_ASSERT_EQUAL(ev.why.code, 42);
	CU_ASSERT_FALSE(plx_endpoint_poll_event(n->ep[CLI], &ev));
	/* A second call, an unknown handle: nothing. */
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 43, NULL);
	plx_endpoint_close(n->ep[CLI], PLX_CONN_NONE, 43, NULL);
	n->own_events[CLI] = false;
	ep_net_for(n, 10 * SEC);
	CU_ASSERT_EQUAL(n->log[CLI].cnt, 0);
	/* The peer got it, without a flush, with code and reason. */
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_PEER_APPLICATION);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.code, 42);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.reason_len, 6);
	CU_ASSERT_EQUAL(memcmp(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.reason, "enough", 6),
	                0);
	ep_net_free(n);
}

static void
a_close_inside_a_batch_is_reported_at_once_and_written_at_its_end(void)
{
	struct ep_net *n = up();

	PLX_COVERS("S1-9", "S1-40");
	n->hold[CLI] = true;
	plx_endpoint_batch_begin(n->ep[CLI]);
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 1, NULL);
	ep_net_step(n);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(plx_endpoint_send_queue_len(n->ep[CLI]), 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	CU_ASSERT_EQUAL(plx_endpoint_send_queue_len(n->ep[CLI]), 1);
	n->hold[CLI] = false;
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_CLOSED, SEC));
	ep_net_free(n);
}

static void
closing_during_the_handshake_ends_both_sides(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-39", "S1-40", "S1-50");
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_HELLO, SEC));
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 9, "changed my mind");
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 0);
	for (int s = 0; s < SIDES; s++)
		CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[s]), 0);
	ep_net_free(n);
}

static void
a_draining_slot_counts_and_answers_getters_but_takes_no_calls(void)
{
	struct ep_net *n = up();
	struct plx_endpoint_stats st;
	struct plx_addr a;
	uint8_t buf[8];
	int64_t max, id;
	bool fin;

	PLX_COVERS("S1-38", "S1-41", "S1-44", "S1-63");
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	max = plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]);
	CU_ASSERT(max > 1000);
	CU_ASSERT_TRUE(plx_endpoint_remote(n->ep[CLI], n->conn[CLI], &a));
	CU_ASSERT_EQUAL(memcmp(&a, &n->addr[SRV], sizeof(a)), 0);
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 0, NULL);

	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);
	CU_ASSERT_FALSE(plx_endpoint_remote(n->ep[CLI], n->conn[CLI], &a));
	CU_ASSERT_EQUAL(plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st), 0);
	CU_ASSERT_TRUE(has(&st, PLX_EP_STAT_rtt_ns));
	CU_ASSERT(st.val[PLX_EP_STAT_rtt_ns] >= 10 * MS);
	CU_ASSERT(st.val[PLX_EP_STAT_sent_packets] > 3);
	CU_ASSERT_EQUAL(plx_endpoint_datagram_max(n->ep[CLI], n->conn[CLI]), max);
	CU_ASSERT_EQUAL(plx_endpoint_datagram_space(n->ep[CLI], n->conn[CLI]), 1 << 20);
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true), PLX_E_STALE);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, "x", 1, NULL),
	        PLX_E_STALE);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_recv(n->ep[CLI], n->conn[CLI], id, buf, 8, &fin, NULL),
	        PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id, NULL),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[CLI], n->conn[CLI], id, 0),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], id, 0),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "d", 1, true),
	                PLX_E_STALE);
	/* Three probe timeouts later the slot is free. */
	ep_net_for(n, 20 * MS);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 1);
	ep_net_for(n, 5 * SEC);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	CU_ASSERT_EQUAL(plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st), PLX_E_STALE);
	CU_ASSERT_EQUAL(st.valid, 0);
	ep_net_free(n);
}

static void
nothing_is_reported_behind_the_end(void)
{
	struct ep_net *n = up();
	int64_t id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);

	PLX_COVERS("S1-50");
	/* What came before is still reported before it, what is under way never. */
	n->own_events[SRV] = true;
	ep_say(n, CLI, id, "first", false);
	ep_net_for(n, 10 * MS);
	plx_endpoint_close(n->ep[SRV], n->conn[SRV], 1, NULL);
	ep_say(n, CLI, id, "second", true);
	plx_endpoint_open(n->ep[CLI], n->conn[CLI], false);
	plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "d", 1, false);
	ep_net_for(n, 3 * SEC);
	n->own_events[SRV] = false;
	ep_net_for(n, MS);
	CU_ASSERT_EQUAL(n->log[SRV].cnt, 3);
	CU_ASSERT_EQUAL(n->log[SRV].e[0].ev.type, PLX_EP_STREAM_OPENED);
	CU_ASSERT_EQUAL(n->log[SRV].e[1].ev.type, PLX_EP_STREAM_READABLE);
	CU_ASSERT_EQUAL(n->log[SRV].e[2].ev.type, PLX_EP_CLOSED);
	CU_ASSERT_EQUAL(n->log[SRV].e[2].ev.conn.v, n->conn[SRV].v);
	ep_net_free(n);
}

/* Every packet of the server is answered for it with Version Negotiation. */
static bool
foreign_version(void *arg, struct ep_dgram *d)
{
	struct ep_net *n = arg;
	static const uint32_t versions[] = {0x0a1a2a3a};
	ngtcp2_version_cid vc;
	struct plx_path back = {.local = d->path->local, .remote = d->path->remote};
	uint8_t vn[256];
	ngtcp2_ssize l;

	if (d->from != CLI || ngtcp2_pkt_decode_version_cid(&vc, d->data, d->len, 19) != 0)
		return false;
	l = ngtcp2_pkt_write_version_negotiation(vn, sizeof(vn), 1, vc.scid, vc.scidlen,
	                                         vc.dcid, vc.dcidlen, versions, 1);
	ep_net_inject(n, CLI, &back, vn, (uint32_t)l);
	return false;
}

static void
no_version_in_common_is_a_reason_of_its_own(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-51");
	n->tap = foreign_version;
	n->tap_arg = n;
	ep_net_start(n);
	ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, SEC));
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by, PLX_CLOSE_VERSION);
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	ep_net_free(n);
}

static void
a_server_that_lost_its_state_ends_the_client_by_a_stateless_reset(void)
{
	struct ep_net *n = up();
	char err[128];
	int64_t id;

	PLX_COVERS("S1-15", "S1-51");
	/* The same seed makes the same keys; the new one knows no connection. */
	plx_endpoint_free(n->ep[SRV]);
	CU_ASSERT_EQUAL_FATAL(plx_endpoint_new(&n->ep[SRV], &n->cfg[SRV], err, sizeof(err)),
	                      0);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	ep_say(n, CLI, id, "are you there? a packet of more than 43 bytes is needed",
	       false);
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, SEC));
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_STATELESS_RESET);
	ep_net_free(n);
}

static void
the_hello_of_a_client_is_known_before_its_handshake_ends_and_once(void)
{
	struct ep_net *n = ep_net_new();
	char name[64], alpn[16], cut[7];
	struct plx_conn_id id;

	PLX_COVERS("S1-59");
	n->cfg[SRV].alpn[0] = "other";
	n->cfg[SRV].alpn[1] = "plx-test";
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_HELLO, SEC));
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 0);
	id = ep_last(n, SRV, PLX_EP_HELLO)->ev.conn;
	CU_ASSERT_EQUAL(
	        plx_endpoint_hello(n->ep[SRV], id, name, sizeof(name), alpn, sizeof(alpn)),
	        0);
	CU_ASSERT_STRING_EQUAL(name, "server.example");
	CU_ASSERT_STRING_EQUAL(alpn, "plx-test");
	CU_ASSERT_EQUAL(plx_endpoint_hello(n->ep[SRV], id, cut, sizeof(cut), NULL, 0), 0);
	CU_ASSERT_STRING_EQUAL(cut, "server");
	/* The client does not know yet what the server chose. */
	CU_ASSERT_EQUAL(plx_endpoint_hello(n->ep[CLI], n->conn[CLI], name, sizeof(name),
	                                   alpn, sizeof(alpn)),
	                PLX_E_AGAIN);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_HELLO), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_HELLO), 0);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn.v, id.v);
	CU_ASSERT_EQUAL(
	        plx_endpoint_hello(n->ep[CLI], n->conn[CLI], NULL, 0, alpn, sizeof(alpn)),
	        0);
	CU_ASSERT_STRING_EQUAL(alpn, "plx-test");
	CU_ASSERT_EQUAL(plx_endpoint_hello(n->ep[SRV], PLX_CONN_NONE, name, sizeof(name),
	                                   alpn, sizeof(alpn)),
	                PLX_E_STALE);
	ep_net_free(n);
}

/* The client's network gives it another address, as a NAT does. */
struct nat {
	uint16_t port_be; /* of now; 0 = its own */
	uint16_t own_be;
	bool challenged;
	bool mute; /* what goes to the new address is lost */
};

static bool
translate(void *arg, struct ep_dgram *d)
{
	struct nat *t = arg;

	if (d->from == CLI && t->port_be != 0)
		d->path->local.port_be = t->port_be;
	if (d->from == SRV) {
		if (t->mute && d->path->remote.port_be == t->port_be)
			return false;
		d->path->remote.port_be = t->own_be;
	}
	return true;
}

static void
a_peer_that_moves_is_reported_before_its_address_is_validated_once_per_change(void)
{
	struct ep_net *n = ep_net_new();
	struct nat t = {0};
	const struct plx_endpoint_event *ev;
	struct plx_endpoint_stats st;
	struct plx_addr a;
	int64_t id;

	PLX_COVERS("S1-60");
	t.own_be = n->addr[CLI].port_be;
	n->tap = translate;
	n->tap_arg = &t;
	ep_net_up(n);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	t.port_be = 0x3333;
	t.mute = true; /* so validation cannot have ended */
	ep_say(n, CLI, id, "from elsewhere", false);
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_PEER_ADDRESS, 50 * MS));
	ev = &ep_last(n, SRV, PLX_EP_PEER_ADDRESS)->ev;
	CU_ASSERT_EQUAL(ev->previous.port_be, t.own_be);
	CU_ASSERT_EQUAL(ev->current.port_be, 0x3333);
	CU_ASSERT_EQUAL(ev->conn.v, n->conn[SRV].v);
	CU_ASSERT_TRUE(plx_endpoint_remote(n->ep[SRV], n->conn[SRV], &a));
	CU_ASSERT_EQUAL(a.port_be, 0x3333);
	t.mute = false;
	ep_say(n, CLI, id, "again", false);
	ep_net_for(n, 2 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_PEER_ADDRESS), 1);
	t.port_be = 0x4444;
	ep_say(n, CLI, id, "and again", false);
	ep_net_for(n, 2 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_PEER_ADDRESS), 2);
	ev = &ep_last(n, SRV, PLX_EP_PEER_ADDRESS)->ev;
	CU_ASSERT_EQUAL(ev->previous.port_be, 0x3333);
	CU_ASSERT_EQUAL(ev->current.port_be, 0x4444);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_PEER_ADDRESS), 0);
	plx_endpoint_get_stats(n->ep[SRV], n->conn[SRV], &st);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_path_changes], 2);
	ep_net_free(n);
}

static void
with_migration_off_a_new_address_is_never_reported_and_its_packets_are_dropped(void)
{
	struct ep_net *n = ep_net_new();
	struct nat t = {0};
	uint8_t buf[32];
	int64_t id;

	PLX_COVERS("S1-60");
	n->cfg[SRV].migration = false;
	t.own_be = n->addr[CLI].port_be;
	n->tap = translate;
	n->tap_arg = &t;
	ep_net_up(n);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	t.port_be = 0x3333;
	ep_say(n, CLI, id, "hidden", false);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(n->log[SRV].cnt, 0);
	CU_ASSERT(plx_obs_get_drop(n->ep[SRV]->obs, PLX_DROP_QUIC_MIGRATION) > 0);
	t.port_be = 0;
	ep_net_for(n, 3 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_PEER_ADDRESS), 0);
	CU_ASSERT_EQUAL(ep_read(n, SRV, id, buf, sizeof(buf), NULL, NULL), 6);
	ep_net_free(n);
}

static void
statistics_say_which_numbers_they_have(void)
{
	static const enum plx_endpoint_stat never[] = {
	        PLX_EP_STAT_congestion_events, PLX_EP_STAT_black_holes,
	        PLX_EP_STAT_pmtud_sent,        PLX_EP_STAT_pmtud_lost,
	        PLX_EP_STAT_frame_tx_other,    PLX_EP_STAT_frame_rx_other,
	};
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_stats st, peer;

	PLX_COVERS("S1-38");
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_EQUAL(plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st), 0);
	CU_ASSERT_FALSE(has(&st, PLX_EP_STAT_rtt_ns)); /* no sample yet: not 0, unknown */
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_rtt_ns], 0);
	CU_ASSERT_TRUE(has(&st, PLX_EP_STAT_cwnd));
	ep_net_for(n, SEC);
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn;
	plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "d", 1, false);
	ep_net_for(n, SEC);
	plx_endpoint_get_stats(n->ep[CLI], n->conn[CLI], &st);
	plx_endpoint_get_stats(n->ep[SRV], n->conn[SRV], &peer);
	CU_ASSERT_TRUE(has(&st, PLX_EP_STAT_rtt_ns));
	CU_ASSERT(st.val[PLX_EP_STAT_rtt_min_ns] >= 10 * MS);
	CU_ASSERT(st.val[PLX_EP_STAT_rtt_latest_ns] >= st.val[PLX_EP_STAT_rtt_min_ns]);
	CU_ASSERT(st.val[PLX_EP_STAT_mtu] >= 1200);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_udp_tx_datagrams], n->sent[CLI]);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_udp_tx_ios], n->sent_pkts[CLI]);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_udp_rx_datagrams], n->sent[SRV]);
	CU_ASSERT_EQUAL(peer.val[PLX_EP_STAT_udp_rx_datagrams], n->sent[CLI]);
	CU_ASSERT_EQUAL(peer.val[PLX_EP_STAT_udp_rx_bytes],
	                st.val[PLX_EP_STAT_udp_tx_bytes]);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_frame_tx_datagram], 1);
	CU_ASSERT_EQUAL(peer.val[PLX_EP_STAT_frame_rx_datagram], 1);
	CU_ASSERT(st.val[PLX_EP_STAT_sent_packets] >= n->sent[CLI]);
	CU_ASSERT_EQUAL(st.val[PLX_EP_STAT_lost_packets], 0);
	CU_ASSERT_TRUE(has(&st, PLX_EP_STAT_lost_packets));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		CU_ASSERT_FALSE(has(&st, never[i]));
		CU_ASSERT_EQUAL(st.val[never[i]], 0);
	}
	CU_ASSERT_STRING_EQUAL(plx_endpoint_stat_name(PLX_EP_STAT_cwnd), "cwnd");
	CU_ASSERT_STRING_EQUAL(plx_endpoint_stat_name(PLX_EP_STAT_CNT), "?");
	for (int e = 0; e < PLX_EP_EV_CNT; e++)
		CU_ASSERT_PTR_NOT_NULL(plx_endpoint_ev_name((enum plx_endpoint_ev)e));
	CU_ASSERT_STRING_EQUAL(plx_endpoint_ev_name(PLX_EP_EV_CNT), "?");
	ep_net_free(n);
}

static void
without_a_ticket_there_is_no_early_data_and_none_is_rejected(void)
{
	struct ep_net *n = up();

	for (int s = 0; s < SIDES; s++) {
		CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[s], n->conn[s]));
		CU_ASSERT_FALSE(plx_endpoint_accepted_0rtt(n->ep[s], n->conn[s]));
	}
	ep_net_connect(n, "server.example");
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	ep_net_free(n);
}

static void
connections_of_one_endpoint_end_one_by_one(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_conn_id c[8];

	PLX_COVERS("S1-5", "S1-50", "S1-63");
	ep_net_start(n);
	for (int i = 0; i < 8; i++)
		c[i] = ep_net_connect(n, "server.example");
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 8);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 8);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 8);
	for (int i = 0; i < 8; i += 2)
		plx_endpoint_close(n->ep[CLI], c[i], (uint32_t)i, NULL);
	ep_net_for(n, 5 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 4);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 4);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 4);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 4);
	for (int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], c[i], true),
		                i % 2 == 0 ? PLX_E_STALE : 0);
	ep_net_free(n);
}

int
main(void)
{
#define T(fn) {#fn, fn}
	CU_TestInfo tests[] = {
	        T(a_local_close_is_reported_inside_the_call_and_once),
	        T(a_close_inside_a_batch_is_reported_at_once_and_written_at_its_end),
	        T(closing_during_the_handshake_ends_both_sides),
	        T(a_draining_slot_counts_and_answers_getters_but_takes_no_calls),
	        T(nothing_is_reported_behind_the_end),
	        T(no_version_in_common_is_a_reason_of_its_own),
	        T(a_server_that_lost_its_state_ends_the_client_by_a_stateless_reset),
	        T(the_hello_of_a_client_is_known_before_its_handshake_ends_and_once),
	        T(a_peer_that_moves_is_reported_before_its_address_is_validated_once_per_change),
	        T(with_migration_off_a_new_address_is_never_reported_and_its_packets_are_dropped),
	        T(statistics_say_which_numbers_they_have),
	        T(without_a_ticket_there_is_no_early_data_and_none_is_rejected),
	        T(connections_of_one_endpoint_end_one_by_one),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"endpoint_close", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
