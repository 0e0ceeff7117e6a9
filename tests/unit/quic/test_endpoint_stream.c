/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

/* Stream calls and stream events of sans-IO endpoints. */

#define SEND(n, s, id, p, l) \
	plx_endpoint_stream_send((n)->ep[s], (n)->conn[s], id, p, l, NULL)

static uint8_t bulk[2 << 20];

static struct ep_net *
up(void)
{
	struct ep_net *n = ep_net_new();

	ep_net_up(n);
	return n;
}

static int64_t
open_stream(struct ep_net *n, int side, bool bidi)
{
	return plx_endpoint_open(n->ep[side], n->conn[side], bidi);
}

static int64_t
recv_some(struct ep_net *n, int side, int64_t id, void *buf, size_t len, bool *fin,
          uint64_t *code)
{
	return plx_endpoint_stream_recv(n->ep[side], n->conn[side], id, buf, len, fin,
	                                code);
}

static void
a_unidirectional_stream_passes_one_way_only(void)
{
	struct ep_net *n = up();
	uint8_t buf[16];
	uint64_t code;
	bool fin;

	PLX_COVERS("S1-27", "S1-29", "S1-37", "S1-52", "S1-54");
	CU_ASSERT_EQUAL(open_stream(n, CLI, false), 2);
	ep_say(n, CLI, 2, "one way", true);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_FALSE(ep_last(n, SRV, PLX_EP_STREAM_OPENED)->ev.bidi);
	CU_ASSERT_EQUAL(ep_last(n, SRV, PLX_EP_STREAM_OPENED)->ev.stream_id, 2);
	CU_ASSERT_EQUAL(recv_some(n, CLI, 2, buf, sizeof(buf), &fin, NULL),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(SEND(n, SRV, 2, "back", 4), PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[SRV], n->conn[SRV], 2, &code),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[SRV], n->conn[SRV], 2, 1),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(recv_some(n, SRV, 2, buf, sizeof(buf), &fin, NULL), 7);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	/* Streams that never were. */
	CU_ASSERT_EQUAL(SEND(n, CLI, 400, "x", 1), PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(recv_some(n, CLI, 400, buf, 1, &fin, NULL), PLX_E_STREAM_CLOSED);
	ep_net_free(n);
}

static void
opened_is_followed_at_once_by_readable_for_every_stream_of_the_peer(void)
{
	struct ep_net *n = up();
	uint32_t opened = 0;
	uint8_t buf[16];
	bool fin;

	PLX_COVERS("S1-52", "S1-53");
	plx_endpoint_batch_begin(n->ep[CLI]);
	for (int i = 0; i < 40; i++)
		ep_say(n, CLI, open_stream(n, CLI, i % 2 == 0), "frame", i % 3 == 0);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
	ep_net_for(n, 50 * MS);
	for (uint32_t i = 0; i < n->log[SRV].cnt; i++) {
		const struct plx_endpoint_event *e = &n->log[SRV].e[i].ev;

		if (e->type != PLX_EP_STREAM_OPENED)
			continue;
		opened++;
		CU_ASSERT_EQUAL(e->bidi, (e->stream_id & 2) == 0);
		CU_ASSERT_EQUAL(e[0].conn.v, n->conn[SRV].v);
		CU_ASSERT_EQUAL(n->log[SRV].e[i + 1].ev.type, PLX_EP_STREAM_READABLE);
		CU_ASSERT_EQUAL(n->log[SRV].e[i + 1].ev.stream_id, e->stream_id);
		CU_ASSERT_EQUAL(
		        recv_some(n, SRV, e->stream_id, buf, sizeof(buf), &fin, NULL), 5);
	}
	CU_ASSERT_EQUAL(opened, 40);

	/* Also one that opens without a byte: the first the peer hears of it is STOP_SENDING. */
	ep_forget(n);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[CLI], n->conn[CLI],
	                                         open_stream(n, CLI, true), 5),
	                0);
	ep_net_for(n, 50 * MS);
	opened = ep_first(n, SRV, PLX_EP_STREAM_OPENED);
	CU_ASSERT_EQUAL_FATAL(opened, 0);
	CU_ASSERT_EQUAL(n->log[SRV].e[1].ev.type, PLX_EP_STREAM_READABLE);
	CU_ASSERT_EQUAL(n->log[SRV].e[1].ev.stream_id, n->log[SRV].e[0].ev.stream_id);
	ep_net_free(n);
}

static void
an_empty_stream_reads_nothing_and_is_no_error(void)
{
	struct ep_net *n = up();
	uint8_t buf[16];
	bool fin = true;
	int64_t id;

	PLX_COVERS("S1-29");
	id = open_stream(n, CLI, true);
	CU_ASSERT_EQUAL(recv_some(n, CLI, id, buf, sizeof(buf), &fin, NULL), 0);
	CU_ASSERT_FALSE(fin);
	ep_say(n, CLI, id, "abc", false);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL), 3);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL), 0);
	CU_ASSERT_FALSE(fin);
	ep_net_free(n);
}

static void
the_end_shows_when_it_is_reached_and_not_by_a_buffer_that_is_just_full(void)
{
	struct ep_net *n = up();
	uint8_t buf[16];
	bool fin;
	int64_t id;

	PLX_COVERS("S1-30", "S1-31");
	id = open_stream(n, CLI, true);
	ep_say(n, CLI, id, "12345678", true);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, 5, &fin, NULL), 5);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, 3, &fin, NULL), 3);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, 5, &fin, NULL), 0);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, 5, &fin, NULL), PLX_E_STREAM_CLOSED);
	CU_ASSERT_FALSE(fin);

	id = open_stream(n, CLI, true);
	ep_say(n, CLI, id, "1234", true);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, 5, &fin, NULL), 4);
	CU_ASSERT_TRUE(fin);
	ep_net_free(n);
}

static void
a_reset_gives_what_came_before_it_then_its_code_then_nothing(void)
{
	struct ep_net *n = up();
	uint8_t buf[16];
	uint64_t code = 0;
	bool fin;
	int64_t id;

	PLX_COVERS("S1-31", "S1-36", "S1-53", "S1-62");
	id = open_stream(n, CLI, true);
	ep_say(n, CLI, id, "before", false);
	ep_net_for(n, 50 * MS);
	ep_forget(n);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], id, 77), 0);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], id, 77),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id, NULL),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, "x", 1), PLX_E_STREAM_CLOSED);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, SRV, PLX_EP_STREAM_READABLE), 1);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, &code), 6);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, &code),
	                PLX_E_STREAM_RESET);
	CU_ASSERT_EQUAL(code, 77);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, &code),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 0);
	ep_net_free(n);
}

static void
stop_surfaces_on_the_sender_with_its_code(void)
{
	struct ep_net *n = up();
	uint8_t buf[16];
	uint64_t code = 0;
	bool fin;
	int64_t id;

	PLX_COVERS("S1-27", "S1-34", "S1-35", "S1-55");
	id = open_stream(n, CLI, true);
	ep_say(n, CLI, id, "unwanted", false);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[SRV], n->conn[SRV], id, 99), 0);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[SRV], n->conn[SRV], id, 99),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL),
	                PLX_E_STREAM_CLOSED);
	ep_net_for(n, 50 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_STOPPED), 1);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_STREAM_STOPPED)->ev.code, 99);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_send(n->ep[CLI], n->conn[CLI], id, "x", 1, &code),
	        PLX_E_STREAM_STOPPED);
	CU_ASSERT_EQUAL(code, 99);
	code = 0;
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id, &code),
	                PLX_E_STREAM_STOPPED);
	CU_ASSERT_EQUAL(code, 99);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 0);
	ep_net_free(n);
}

static void
finish_is_reported_once_when_all_is_acknowledged(void)
{
	struct ep_net *n = up();
	int64_t id[3];

	PLX_COVERS("S1-34", "S1-54");
	id[0] = open_stream(n, CLI, true);
	id[1] = open_stream(n, CLI, true);
	id[2] = open_stream(n, CLI, true);
	ep_say(n, CLI, id[0], "with bytes", true);
	ep_say(n, CLI, id[1], "bytes first", false);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_STREAM_FINISHED)->ev.stream_id, id[0]);
	n->hold[SRV] = true; /* no acknowledgement: no event */
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id[1], NULL),
	                0);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id[1], NULL),
	                PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id[2], NULL),
	                0);
	CU_ASSERT_EQUAL(SEND(n, CLI, id[1], "x", 1), PLX_E_STREAM_CLOSED);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	n->hold[SRV] = false;
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 3);
	CU_ASSERT_EQUAL(plx_endpoint_stream_reset(n->ep[CLI], n->conn[CLI], id[1], 1),
	                PLX_E_STREAM_CLOSED);
	/* The end of the whole stream, later, does not repeat it. */
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[SRV], n->conn[SRV], id[0], NULL),
	                0);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 3);
	ep_net_free(n);
}

/* Nothing that the client sends arrives while the flag is set. */
static bool
mute_client(void *arg, struct ep_dgram *d)
{
	const bool *mute = arg;

	return d->from != CLI || !*mute;
}

static void
an_end_that_was_lost_is_not_finished_by_the_bytes_before_it(void)
{
	struct ep_net *n = up();
	bool mute = false;
	int64_t id;

	PLX_COVERS("S1-54");
	n->tap = mute_client;
	n->tap_arg = &mute;
	id = open_stream(n, CLI, true);
	ep_say(n, CLI, id, "these arrive", false);
	ep_net_step(n);
	mute = true;
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id, NULL), 0);
	ep_net_for(n, 300 * MS);
	CU_ASSERT_EQUAL(plx_bytes_len(&((struct plx_ep_stream *)plx_streamtab_get(
	                                        &n->ep[CLI]->rec[0]->streams, id))
	                                       ->tx),
	                0);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 0);
	mute = false;
	ep_net_for(n, 5 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 1);
	ep_net_free(n);
}

/* One in five datagrams is lost, both ways. */
static bool
lossy(void *arg, struct ep_dgram *d)
{
	struct plx_rand *r = arg;

	(void)d;
	return plx_rand_below(r, 5) != 0;
}

static void
thirty_two_streams_at_once_survive_loss_each_finished_once(void)
{
	struct ep_net *n = up();
	static uint8_t buf[40000];
	struct plx_rand rand;
	int64_t id[32];
	bool fin, ok = true;

	PLX_COVERS("S1-25", "S1-54");
	plx_rand_seed(&rand, 5);
	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (uint8_t)(i * 7);
	n->tap = lossy;
	n->tap_arg = &rand;
	for (int i = 0; i < 32; i++) {
		id[i] = open_stream(n, CLI, true);
		CU_ASSERT_EQUAL(SEND(n, CLI, id[i], bulk + i, 30000), 30000);
		plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id[i], NULL);
	}
	ep_net_for(n, 25 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_FINISHED), 32);
	for (int i = 0; i < 32; i++) {
		CU_ASSERT_EQUAL(ep_read(n, SRV, id[i], buf, sizeof(buf), &fin, NULL),
		                30000);
		CU_ASSERT_TRUE(fin);
		ok &= memcmp(buf, bulk + i, 30000) == 0;
	}
	CU_ASSERT_TRUE(ok);
	ep_net_free(n);
}

static void
a_full_window_takes_part_then_blocks_then_becomes_writable_once(void)
{
	struct ep_net *n = ep_net_new();
	static uint8_t buf[200000];
	size_t got = 0;
	int64_t id;

	PLX_COVERS("S1-25", "S1-26", "S1-53");
	n->cfg[CLI].send_window = 100000;
	n->cfg[SRV].stream_window = 50000;
	ep_net_up(n);
	id = open_stream(n, CLI, true);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, "", 0), 0);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, bulk, 150000), 100000);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, bulk, 1), PLX_E_BLOCKED);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, 2 * SEC);
	/* The receiver's window is full and nobody reads: half is acknowledged, no more. */
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_WRITABLE), 1);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, bulk, 150000), 50000);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, bulk, 1), PLX_E_BLOCKED);
	ep_net_for(n, 2 * SEC);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_WRITABLE), 1);
	for (int i = 0; i < 10; i++) {
		got += ep_read(n, SRV, id, buf, sizeof(buf), NULL, NULL);
		ep_net_for(n, 100 * MS);
	}
	CU_ASSERT_EQUAL(got, 150000);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAM_WRITABLE), 2);
	ep_net_free(n);
}

static void
sending_on_a_connection_that_the_peer_ended_says_closing_until_it_is_polled(void)
{
	struct ep_net *n = up();
	struct plx_endpoint_event ev;
	struct plx_iov iov = {.base = bulk, .len = 1};
	int64_t id;

	PLX_COVERS("S1-26", "S1-62");
	id = open_stream(n, CLI, true);
	n->own_events[CLI] = true;
	plx_endpoint_close(n->ep[SRV], n->conn[SRV], 1, NULL);
	ep_net_for(n, 20 * MS);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, "x", 1), PLX_E_CLOSING);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, &iov, 1, NULL),
	        PLX_E_CLOSING);
	CU_ASSERT_TRUE(plx_endpoint_poll_event(n->ep[CLI], &ev));
	CU_ASSERT_EQUAL(ev.type, PLX_EP_CLOSED);
	CU_ASSERT_EQUAL(SEND(n, CLI, id, "x", 1), PLX_E_STALE);
	ep_net_free(n);
}

static void
scatter_writes_empty_what_was_taken_and_keep_the_tail(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_iov iov[4] = {
	        {.base = bulk, .len = 10},
	        {.base = bulk + 10, .len = 0},
	        {.base = bulk + 10, .len = 20},
	        {.base = bulk + 30, .len = 30},
	};
	uint8_t buf[100];
	int64_t id;

	PLX_COVERS("S1-28");
	for (size_t i = 0; i < sizeof(buf); i++)
		bulk[i] = (uint8_t)(i + 1);
	n->cfg[CLI].send_window = 25;
	ep_net_up(n);
	id = open_stream(n, CLI, true);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, iov, 4, NULL), 25);
	CU_ASSERT_EQUAL(iov[0].len, 0);
	CU_ASSERT_EQUAL(iov[1].len, 0);
	CU_ASSERT_EQUAL(iov[2].len, 5);
	CU_ASSERT_PTR_EQUAL(iov[2].base, bulk + 25);
	CU_ASSERT_EQUAL(iov[3].len, 30);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, iov, 4, NULL),
	        PLX_E_BLOCKED);
	CU_ASSERT_EQUAL(iov[2].len, 5);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, iov, 4, NULL), 25);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(
	        plx_endpoint_stream_sendv(n->ep[CLI], n->conn[CLI], id, iov, 4, NULL), 10);
	CU_ASSERT_EQUAL(iov[3].len, 0);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(ep_read(n, SRV, id, buf, sizeof(buf), NULL, NULL), 60);
	CU_ASSERT_EQUAL(memcmp(buf, bulk, 60), 0);
	ep_net_free(n);
}

static void
reading_gives_credit_back_at_once_also_when_it_ends_in_an_error(void)
{
	struct ep_net *n = ep_net_new();
	static uint8_t buf[40000];
	bool fin;
	int64_t id;

	PLX_COVERS("S1-22", "S1-32");
	n->cfg[SRV].stream_window = 20000;
	n->cfg[SRV].conn_window = 30000;
	ep_net_up(n);
	id = open_stream(n, CLI, true);
	SEND(n, CLI, id, bulk, 40000);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, 2 * SEC);
	n->hold[SRV] = true;
	CU_ASSERT_EQUAL(plx_endpoint_send_queue_len(n->ep[SRV]), 0);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL), 20000);
	CU_ASSERT(plx_endpoint_send_queue_len(n->ep[SRV]) > 0);
	n->hold[SRV] = false;
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL), 20000);
	/* And what is dropped by a stop counts as read for the connection. */
	id = open_stream(n, CLI, true);
	SEND(n, CLI, id, bulk, 20000);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(plx_endpoint_stream_stop(n->ep[SRV], n->conn[SRV], id, 0), 0);
	ep_net_for(n, SEC);
	id = open_stream(n, CLI, true);
	SEND(n, CLI, id, bulk, 20000);
	plx_endpoint_flush(n->ep[CLI], n->now);
	ep_net_for(n, SEC);
	CU_ASSERT_EQUAL(recv_some(n, SRV, id, buf, sizeof(buf), &fin, NULL), 20000);
	ep_net_free(n);
}

static void
recv_into_appends_to_a_buffer_that_grows(void)
{
	struct ep_net *n = up();
	struct plx_endpoint_buf b = {0};
	bool fin;
	int64_t id, r;

	PLX_COVERS("S1-33");
	for (size_t i = 0; i < 50000; i++)
		bulk[i] = (uint8_t)(i * 3);
	id = open_stream(n, CLI, true);
	SEND(n, CLI, id, bulk, 50000);
	plx_endpoint_stream_finish(n->ep[CLI], n->conn[CLI], id, NULL);
	ep_net_for(n, SEC);
	r = plx_endpoint_stream_recv_into(n->ep[SRV], n->conn[SRV], id, &b, 100, &fin,
	                                  NULL);
	CU_ASSERT_EQUAL(r, 100);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(b.len, 100);
	r = plx_endpoint_stream_recv_into(n->ep[SRV], n->conn[SRV], id, &b, SIZE_MAX, &fin,
	                                  NULL);
	CU_ASSERT_EQUAL(r, 49900);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_EQUAL(b.len, 50000);
	CU_ASSERT_EQUAL(memcmp(b.base, bulk, 50000), 0);
	r = plx_endpoint_stream_recv_into(n->ep[SRV], n->conn[SRV], id, &b, 10, &fin, NULL);
	CU_ASSERT_EQUAL(r, PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(b.len, 50000);
	free(b.base);
	ep_net_free(n);
}

static void
at_the_limit_open_gives_none_and_one_event_when_it_is_raised(void)
{
	struct ep_net *n = ep_net_new();
	uint8_t buf[16];
	bool fin;

	PLX_COVERS("S1-37", "S1-56");
	n->cfg[SRV].max_streams_bidi = 2;
	n->cfg[SRV].max_streams_uni = 1;
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	/* Before the handshake there is room for none, which is no fault either. */
	CU_ASSERT_EQUAL(open_stream(n, CLI, true), PLX_E_STREAM_LIMIT);
	ep_net_for(n, 500 * MS);
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn;
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAMS_AVAILABLE), 1);
	CU_ASSERT(ep_first(n, CLI, PLX_EP_CONNECTED) <
	          ep_first(n, CLI, PLX_EP_STREAMS_AVAILABLE));
	ep_forget(n);

	CU_ASSERT_EQUAL(open_stream(n, CLI, true), 0);
	CU_ASSERT_EQUAL(open_stream(n, CLI, true), 4);
	CU_ASSERT_EQUAL(open_stream(n, CLI, true), PLX_E_STREAM_LIMIT);
	CU_ASSERT_EQUAL(open_stream(n, CLI, true), PLX_E_STREAM_LIMIT);
	CU_ASSERT_EQUAL(open_stream(n, CLI, false), 2);
	ep_say(n, CLI, 0, "x", true);
	ep_say(n, CLI, 2, "x", true);
	ep_net_for(n, 100 * MS);
	/* The peer's owner has not read to the end: no room yet. */
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAMS_AVAILABLE), 0);
	CU_ASSERT_EQUAL(recv_some(n, SRV, 0, buf, 16, &fin, NULL), 1);
	CU_ASSERT_EQUAL(plx_endpoint_stream_finish(n->ep[SRV], n->conn[SRV], 0, NULL), 0);
	CU_ASSERT_EQUAL(recv_some(n, SRV, 2, buf, 16, &fin, NULL), 1);
	ep_net_for(n, 300 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAMS_AVAILABLE), 1);
	CU_ASSERT_TRUE(ep_last(n, CLI, PLX_EP_STREAMS_AVAILABLE)->ev.bidi);
	CU_ASSERT_EQUAL(open_stream(n, CLI, true), 8);
	CU_ASSERT_EQUAL(open_stream(n, CLI, false), 6); /* raised, but never met */
	/* Met again: one more event in the next cycle. */
	CU_ASSERT_EQUAL(open_stream(n, CLI, false), PLX_E_STREAM_LIMIT);
	ep_say(n, CLI, 6, "x", true);
	ep_net_for(n, 100 * MS);
	CU_ASSERT_EQUAL(recv_some(n, SRV, 6, buf, 16, &fin, NULL), 1);
	ep_net_for(n, 300 * MS);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_STREAMS_AVAILABLE), 2);
	CU_ASSERT_FALSE(ep_last(n, CLI, PLX_EP_STREAMS_AVAILABLE)->ev.bidi);
	ep_net_free(n);
}

static void
a_peer_whose_events_nobody_polls_cannot_open_streams_without_end(void)
{
	struct ep_net *n = ep_net_new();
	struct plx_slab_stats st;
	uint64_t peak = 0;

	PLX_COVERS("S1-18", "S1-37");
	n->cfg[SRV].max_streams_uni = 10;
	ep_net_up(n);
	n->own_events[SRV] = true;
	for (int i = 0; i < 300; i++) {
		int64_t id = open_stream(n, CLI, false);

		if (id >= 0)
			ep_say(n, CLI, id, "", true);
		ep_net_for(n, 20 * MS);
		plx_slab_get_stats(n->ep[SRV]->slab, &st);
		if (i == 20)
			peak = st.used;
	}
	CU_ASSERT_EQUAL(n->ep[SRV]->rec[0]->streams.cnt, 10);
	CU_ASSERT(st.used <= peak + 4096);
	ep_net_free(n);
}

int
main(void)
{
#define T(fn) {#fn, fn}
	CU_TestInfo tests[] = {
	        T(a_unidirectional_stream_passes_one_way_only),
	        T(opened_is_followed_at_once_by_readable_for_every_stream_of_the_peer),
	        T(an_empty_stream_reads_nothing_and_is_no_error),
	        T(the_end_shows_when_it_is_reached_and_not_by_a_buffer_that_is_just_full),
	        T(a_reset_gives_what_came_before_it_then_its_code_then_nothing),
	        T(stop_surfaces_on_the_sender_with_its_code),
	        T(finish_is_reported_once_when_all_is_acknowledged),
	        T(an_end_that_was_lost_is_not_finished_by_the_bytes_before_it),
	        T(thirty_two_streams_at_once_survive_loss_each_finished_once),
	        T(a_full_window_takes_part_then_blocks_then_becomes_writable_once),
	        T(sending_on_a_connection_that_the_peer_ended_says_closing_until_it_is_polled),
	        T(scatter_writes_empty_what_was_taken_and_keep_the_tail),
	        T(reading_gives_credit_back_at_once_also_when_it_ends_in_an_error),
	        T(recv_into_appends_to_a_buffer_that_grows),
	        T(at_the_limit_open_gives_none_and_one_event_when_it_is_raised),
	        T(a_peer_whose_events_nobody_polls_cannot_open_streams_without_end),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"endpoint_stream", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
