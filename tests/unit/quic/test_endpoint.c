/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

/* Settings, driving, connecting and ending of sans-IO endpoints. */

static void
a_request_and_its_echo_pass_between_two_endpoints_without_input_and_output(void)
{
	struct ep_net *n = ep_net_new();
	uint8_t buf[64];
	int64_t id, rc;
	bool fin;

	PLX_COVERS("S1-1", "S1-12", "S1-13", "S1-18", "S1-19", "S1-48");
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_NEW_CONNECTION, SEC));
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn;
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_NEW_CONNECTION), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CONNECTED), 0);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CONNECTED)->ev.conn.v, n->conn[CLI].v);

	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	CU_ASSERT_EQUAL(id, 0);
	ep_say(n, CLI, id, "hello", true);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_read(n, SRV, id, buf, sizeof(buf), &fin, &rc), 5);
	CU_ASSERT_TRUE(fin);
	buf[5] = '\0';
	ep_say(n, SRV, id, (char *)buf, true);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_read(n, CLI, id, buf, sizeof(buf), &fin, &rc), 5);
	CU_ASSERT_EQUAL(memcmp(buf, "hello", 5), 0);
	CU_ASSERT_TRUE(fin);
	ep_net_free(n);
}

static void
defaults_are_those_of_the_rows_and_a_configuration_serves_many(void)
{
	struct plx_endpoint_cfg cfg;
	struct plx_endpoint *a, *b;
	struct ep_net *n = ep_net_new();
	char err[256];

	PLX_COVERS("S1-2");
	plx_endpoint_cfg_init(&cfg);
	CU_ASSERT_EQUAL(cfg.send_queue_capacity, 4096);
	CU_ASSERT_EQUAL(cfg.max_transmit_datagrams, 10);
	CU_ASSERT_TRUE(cfg.allow_mtud);
	CU_ASSERT_FALSE(cfg.has_seed);
	CU_ASSERT_PTR_NULL(cfg.server);
	CU_ASSERT_PTR_NULL(cfg.client);
	CU_ASSERT_EQUAL(cfg.max_streams_bidi, 100);
	CU_ASSERT_EQUAL(cfg.max_streams_uni, 100);
	CU_ASSERT_EQUAL(cfg.idle_timeout_ms, 30000);
	CU_ASSERT_EQUAL(cfg.stream_window, 1250000);
	CU_ASSERT_EQUAL(cfg.datagram_recv_buffer, 1250000);
	CU_ASSERT_EQUAL(cfg.datagram_send_buffer, 1u << 20);
	CU_ASSERT_TRUE(cfg.migration);

	cfg = n->cfg[SRV];
	cfg.max_transmit_datagrams = 0;
	CU_ASSERT_EQUAL_FATAL(plx_endpoint_new(&a, &cfg, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(plx_endpoint_new(&b, &cfg, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(plx_endpoint_packet_max(a), PLX_EP_PKT_MAX); /* 0 is 1 */
	plx_endpoint_free(a);
	plx_endpoint_free(b);

	cfg.alpn[0] = NULL;
	CU_ASSERT_EQUAL(plx_endpoint_new(&a, &cfg, err, sizeof(err)), PLX_E_CONFIG);
	CU_ASSERT_PTR_NULL(a);
	cfg = n->cfg[SRV];
	cfg.send_queue_capacity = 0;
	CU_ASSERT_EQUAL(plx_endpoint_new(&a, &cfg, err, sizeof(err)), PLX_E_CONFIG);
	cfg = n->cfg[SRV];
	n->server.key_pem = "no key";
	CU_ASSERT_EQUAL(plx_endpoint_new(&a, &cfg, err, sizeof(err)), PLX_E_CERT);
	CU_ASSERT_NOT_EQUAL(err[0], '\0');
	ep_net_free(n);
}

/* Hash over everything that both sides put on the wire. */
struct tracer {
	uint64_t hash;
};

static bool
trace_tap(void *arg, struct ep_dgram *d)
{
	struct tracer *t = arg;

	t->hash = (t->hash ^ d->len) * UINT64_C(0x100000001b3);
	/* A NEW_TOKEN token is salted by the crypto library, from the system. */
	if (d->from == SRV && d->len > 60 && d->len < 100)
		return true;
	for (uint32_t i = 0; i < d->len; i++)
		t->hash = (t->hash ^ d->data[i]) * UINT64_C(0x100000001b3);
	return true;
}

static uint64_t
traced_run(uint8_t seed)
{
	struct tracer t = {0};
	struct ep_net *n = ep_net_new();
	int64_t id;

	memset(n->cfg[CLI].rng_seed, seed, 32);
	n->tap = trace_tap;
	n->tap_arg = &t;
	n->server.no_tickets = true; /* they tell the time of day */
	ep_net_up(n);
	id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], true);
	ep_say(n, CLI, id, "determinism", true);
	ep_net_for(n, SEC);
	ep_net_free(n);
	return t.hash;
}

static void
the_same_seed_gives_the_same_bytes_and_another_seed_others(void)
{
	uint64_t one = traced_run(1);

	PLX_COVERS("S1-2");
	CU_ASSERT_EQUAL(traced_run(1), one);
	CU_ASSERT_NOT_EQUAL(traced_run(2), one);
}

static void
connecting_without_the_client_role_is_refused(void)
{
	struct plx_path path = {0};
	struct plx_conn_id id;
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-24", "S1-62");
	ep_net_start(n);
	path.remote = n->addr[CLI];
	CU_ASSERT_EQUAL(plx_endpoint_connect(n->ep[SRV], n->now, &path, "x", &id),
	                PLX_E_CLOSED);
	CU_ASSERT_EQUAL(id.v, 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	ep_net_free(n);
}

static void
connect_gives_a_handle_at_once_and_its_initial_waits_in_the_queue(void)
{
	struct plx_path path = {0};
	char name[300];
	struct plx_conn_id id;
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-22", "S1-24", "S1-63");
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_NOT_EQUAL(n->conn[CLI].v, 0);
	CU_ASSERT_EQUAL(plx_endpoint_send_queue_len(n->ep[CLI]), 1);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);

	/* What the core refuses leaves nothing behind. */
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	path.remote = n->addr[SRV];
	CU_ASSERT_EQUAL(plx_endpoint_connect(n->ep[CLI], n->now, &path, name, &id),
	                PLX_E_INVAL);
	memset(&path, 0, sizeof(path));
	CU_ASSERT_EQUAL(plx_endpoint_connect(n->ep[CLI], n->now, &path, "x", &id),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);
	ep_net_free(n);
}

static void
an_endpoint_without_the_server_role_drops_first_packets(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-14");
	n->cfg[SRV].server = NULL;
	n->cfg[SRV].client = &n->client;
	n->cfg[CLI].handshake_timeout_ms = 2000;
	ep_net_start(n);
	ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, 10 * SEC));
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_HANDSHAKE_TIMEOUT);
	CU_ASSERT_EQUAL(n->log[SRV].cnt, 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	CU_ASSERT_EQUAL(n->sent[SRV], 0);
	CU_ASSERT(plx_obs_get_drop(n->ep[SRV]->obs, PLX_DROP_QUIC_NO_SERVER) > 0);
	ep_net_free(n);
}

static void
a_server_without_room_says_so_and_the_client_fails_fast(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_conn_id second;

	PLX_COVERS("S1-14", "S1-51");
	n->cfg[SRV].conns_max = 1;
	ep_net_up(n);
	second = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, SEC));
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.conn.v, second.v);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.code, 2);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 1);
	CU_ASSERT_EQUAL(n->log[SRV].cnt, 0);
	ep_net_free(n);
}

static void
a_certificate_for_another_name_fails_the_handshake_on_the_client(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-24", "S1-50", "S1-51");
	n->client.insecure = false;
	ep_net_start(n);
	ep_net_connect(n, "other.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, SEC));
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED), 0);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_TRANSPORT_ERROR);
	/* The server had told its owner of the ClientHello, so it tells of the end. */
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_HELLO), 1);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 1);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);

	/* And with the right name it is verified and passes. */
	ep_forget(n);
	ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CONNECTED, SEC));
	ep_net_free(n);
}

static void
a_stale_handle_is_an_error_and_never_another_connection(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_endpoint_stats st;
	struct plx_conn_id old, fresh;
	struct plx_addr a;
	uint8_t buf[4];
	bool fin;

	PLX_COVERS("S1-3", "S1-4", "S1-62");
	n->cfg[CLI].conns_max = 1; /* the next connection takes the same slot */
	ep_net_up(n);
	old = n->conn[CLI];
	plx_endpoint_close(n->ep[CLI], old, 0, NULL);
	ep_net_for(n, 5 * SEC);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
	fresh = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CONNECTED, SEC));
	CU_ASSERT_EQUAL(plx_conn_id_slot(fresh), plx_conn_id_slot(old));
	CU_ASSERT_NOT_EQUAL(fresh.v, old.v);

	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], old, true), PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_send(n->ep[CLI], old, 0, "x", 1, NULL),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_recv(n->ep[CLI], old, 0, buf, 4, &fin, NULL),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], old, 0, NULL), PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[CLI], old, 0, 1), PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[CLI], old, 0, 1), PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_send_datagram(n->ep[CLI], old, "x", 1, false),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_get_stats(n->ep[CLI], old, &st), PLX_E_STALE);
	CU_ASSERT_FALSE(plx_endpoint_remote(n->ep[CLI], old, &a));
	CU_ASSERT_EQUAL(plx_endpoint_datagram_max(n->ep[CLI], old), -1);
	CU_ASSERT_EQUAL(plx_endpoint_datagram_space(n->ep[CLI], old), -1);
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], old));
	ep_forget(n);
	plx_endpoint_close(n->ep[CLI], old, 0, NULL);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(n->log[CLI].cnt, 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], fresh, true), 0);

	/* Handles that never were. */
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], PLX_CONN_NONE, true), PLX_E_STALE);
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], plx_conn_id_make(0, 999, 1), true),
	                PLX_E_STALE);
	ep_net_free(n);
}

static void
deadline_is_none_without_connections_and_the_least_of_all_with_them(void)
{
	struct ep_net *n = ep_net_new();
	uint64_t least = PLX_TIME_NEVER;

	PLX_COVERS("S1-16", "S1-17");
	n->cfg[CLI].no_pacing = true;
	ep_net_start(n);
	CU_ASSERT_EQUAL(plx_endpoint_deadline(n->ep[CLI]), PLX_TIME_NEVER);
	for (int i = 0; i < 5; i++) {
		ep_net_connect(n, "server.example");
		n->now += 3 * MS;
	}
	for (int i = 0; i < 5; i++) {
		uint64_t at = n->ep[CLI]->q->conns[i].expiry_ns;

		least = at < least ? at : least;
	}
	CU_ASSERT_EQUAL(plx_endpoint_deadline(n->ep[CLI]), least);

	/* Nothing before its time, and everything that is due at it, once. */
	n->hold[CLI] = true;
	plx_endpoint_timers(n->ep[CLI], least - 1);
	CU_ASSERT_EQUAL(plx_endpoint_send_queue_len(n->ep[CLI]), 5);
	plx_endpoint_timers(n->ep[CLI], least + 20 * MS);
	CU_ASSERT(plx_endpoint_send_queue_len(n->ep[CLI]) >= 10);
	CU_ASSERT_EQUAL(plx_obs_get(n->ep[CLI]->obs, PLX_COUNT_timers_fired), 5);
	CU_ASSERT(plx_endpoint_deadline(n->ep[CLI]) > least + 20 * MS);
	ep_net_free(n);
}

static void
each_side_notices_silence_by_itself_through_its_timers_only(void)
{
	struct ep_net *n = ep_net_new();

	PLX_COVERS("S1-16", "S1-51", "S1-61");
	n->cfg[CLI].idle_timeout_ms = n->cfg[SRV].idle_timeout_ms = 3000;
	ep_net_up(n);
	n->no_timers[CLI] = n->no_timers[SRV] = true;
	ep_net_for(n, 20 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED) + ep_cnt(n, SRV, PLX_EP_CLOSED), 0);
	n->no_timers[SRV] = false;
	n->hold[SRV] = true;
	ep_net_for(n, MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 0);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_CLOSED), 1);
	n->no_timers[CLI] = false;
	ep_net_for(n, MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CLOSED), 1);
	for (int s = 0; s < SIDES; s++) {
		CU_ASSERT_EQUAL(ep_last(n, s, PLX_EP_CLOSED)->ev.why.by, PLX_CLOSE_IDLE);
		CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[s]), 0);
	}
	ep_net_free(n);
}

static void
time_that_goes_back_is_taken_as_standing_still(void)
{
	struct plx_path path = {0};
	struct ep_net *n = ep_net_new();
	uint8_t junk[32] = {0x40};

	PLX_COVERS("S1-64");
	ep_net_up(n);
	path.remote = n->addr[SRV];
	plx_endpoint_flush(n->ep[CLI], n->now - 5 * SEC);
	plx_endpoint_timers(n->ep[CLI], 0);
	plx_endpoint_feed(n->ep[CLI], 1, junk, sizeof(junk), &path, 0);
	CU_ASSERT_EQUAL(n->ep[CLI]->now, n->ep[CLI]->q->now);
	CU_ASSERT(n->ep[CLI]->now > n->now - SEC);
	/* Calls without a time happen at the last one. */
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 0, NULL);
	CU_ASSERT_TRUE(ep_wait(n, SRV, PLX_EP_CLOSED, SEC));
	ep_net_free(n);
}

static bool
mark_ce(void *arg, struct ep_dgram *d)
{
	uint64_t *seen = arg;

	*seen += d->ecn != 0;
	return true;
}

static void
ecn_and_the_local_address_of_each_datagram_reach_the_connection(void)
{
	struct ep_net *n = ep_net_new();
	uint64_t marked = 0;
	struct plx_addr other;

	PLX_COVERS("S1-11");
	n->tap = mark_ce;
	n->tap_arg = &marked;
	ep_net_start(n);
	/* The server answers from the address that was written to, not from its default. */
	other = n->addr[SRV];
	other.ip[3] = 77;
	n->addr[SRV] = other;
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CONNECTED, SEC));
	ep_net_for(n, SEC);
	CU_ASSERT(marked > 0);
	CU_ASSERT_EQUAL(n->ep[SRV]->q->conns[0].path[0].tx.path.local.ip[3], 77);
	ep_net_free(n);
}

static void
nonsense_is_counted_and_changes_nothing(void)
{
	struct plx_path path = {0};
	struct ep_net *n = ep_net_new();
	static uint8_t big[70000];
	struct plx_rand rand;

	PLX_COVERS("S1-12", "S1-15");
	ep_net_up(n);
	plx_rand_seed(&rand, 11);
	path.remote = n->addr[SRV];
	plx_endpoint_feed(n->ep[CLI], n->now, big, 0, &path, 0);
	CU_ASSERT_EQUAL(plx_obs_get_drop(n->ep[CLI]->obs, PLX_DROP_NET_EMPTY), 1);
	plx_endpoint_feed(n->ep[CLI], n->now, big, sizeof(big), &path, 0);
	CU_ASSERT_EQUAL(plx_obs_get_drop(n->ep[CLI]->obs, PLX_DROP_NET_TOO_LARGE), 1);
	for (int i = 0; i < 2000; i++) {
		uint8_t junk[100];
		size_t len = 1 + plx_rand_below(&rand, sizeof(junk));

		plx_rand_bytes(&rand, junk, len);
		plx_endpoint_feed(n->ep[CLI], n->now, junk, len, &path, 0);
	}
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 1);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(n->log[CLI].cnt, 0);
	CU_ASSERT_EQUAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true), 0);
	ep_net_free(n);
}

static void
events_that_nobody_polls_are_freed_with_the_endpoint(void)
{
	struct ep_net *n = ep_net_new();
	int64_t id;

	PLX_COVERS("S1-18");
	ep_net_up(n);
	n->own_events[CLI] = n->own_events[SRV] = true;
	for (int i = 0; i < 10; i++) {
		id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], i % 2 == 0);
		ep_say(n, CLI, id, "unread", i % 3 == 0);
		plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "unread", 6, false);
	}
	ep_net_for(n, SEC);
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 1, "bye");
	ep_net_for(n, 5 * SEC);
	/* Slots are free, objects that wait to be reported are not. */
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	ep_net_free(n);
}

static void
polled_to_the_end_an_endpoint_gives_all_memory_back(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_slab_stats st;
	uint8_t buf[64];

	PLX_COVERS("S1-65");
	ep_net_up(n);
	for (int i = 0; i < 20; i++) {
		int64_t id = plx_endpoint_open(n->ep[CLI], n->conn[CLI], i % 2 == 0);

		ep_say(n, CLI, id, "some bytes", true);
		plx_endpoint_send_datagram(n->ep[CLI], n->conn[CLI], "datagram", 8, false);
		ep_net_for(n, 50 * MS);
		if (i % 4 < 2)
			ep_read(n, SRV, id, buf, sizeof(buf), NULL, NULL);
	}
	plx_endpoint_close(n->ep[SRV], n->conn[SRV], 1, "bye");
	ep_net_for(n, 10 * SEC);
	for (int s = 0; s < SIDES; s++) {
		CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[s]), 0);
		plx_slab_get_stats(n->ep[s]->slab, &st);
		CU_ASSERT_EQUAL(st.used, 0);
		plx_slab_get_stats(n->ep[s]->pkt_slab, &st);
		CU_ASSERT_EQUAL(st.used, 0);
	}
	ep_net_free(n);
}

int
main(void)
{
#define T(fn) {#fn, fn}
	CU_TestInfo tests[] = {
	        T(a_request_and_its_echo_pass_between_two_endpoints_without_input_and_output),
	        T(defaults_are_those_of_the_rows_and_a_configuration_serves_many),
	        T(the_same_seed_gives_the_same_bytes_and_another_seed_others),
	        T(connecting_without_the_client_role_is_refused),
	        T(connect_gives_a_handle_at_once_and_its_initial_waits_in_the_queue),
	        T(an_endpoint_without_the_server_role_drops_first_packets),
	        T(a_server_without_room_says_so_and_the_client_fails_fast),
	        T(a_certificate_for_another_name_fails_the_handshake_on_the_client),
	        T(a_stale_handle_is_an_error_and_never_another_connection),
	        T(deadline_is_none_without_connections_and_the_least_of_all_with_them),
	        T(each_side_notices_silence_by_itself_through_its_timers_only),
	        T(time_that_goes_back_is_taken_as_standing_still),
	        T(ecn_and_the_local_address_of_each_datagram_reach_the_connection),
	        T(nonsense_is_counted_and_changes_nothing),
	        T(events_that_nobody_polls_are_freed_with_the_endpoint),
	        T(polled_to_the_end_an_endpoint_gives_all_memory_back),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"endpoint", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
