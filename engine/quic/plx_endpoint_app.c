/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_endpoint_pvt.h"

/* What the connection tells becomes events; what was written becomes packets. */

#define TX_PIECES 16

static struct plx_ep_stream *
find(const struct plx_ep_rec *rec, int64_t id)
{
	return plx_streamtab_get(&rec->streams, id);
}

/* The record of one that dials was made before its connection. */
static int
on_conn_early(void *app, struct plx_conn *c, void **ctx)
{
	struct plx_endpoint *ep = app;
	struct plx_ep_rec *rec = ep->rec[c->slot];

	if (rec == NULL) {
		rec = c->is_server ? plx_ep_rec_new(ep) : c->on_failed_arg;
		if (rec == NULL)
			return PLX_E_NOMEM;
		plx_ep_rec_attach(rec, c);
	}
	*ctx = rec;
	return 0;
}

/* Streams begin anew; on_conn_established reports it. */
static void
on_early_rejected(void *ctx)
{
	struct plx_ep_rec *rec = ctx;

	plx_ep_streams_end(rec);
	rec->tx = NULL;
}

static int
on_conn_established(void *app, struct plx_conn *c, void **ctx)
{
	struct plx_endpoint *ep = app;
	struct plx_ep_rec *rec = ep->rec[c->slot];

	if (rec == NULL) {
		/* There was no memory for it when the ClientHello came. */
		rec = plx_ep_rec_new(ep);
		if (rec == NULL)
			return PLX_E_NOMEM;
		plx_ep_rec_attach(rec, c);
	}
	rec->established = true;
	rec->remote = c->path[0].tx.path.remote;
	memcpy(rec->alpn, c->proto->alpn, strlen(c->proto->alpn) + 1);
	plx_ep_mark(rec, &rec->connected,
	            rec->outbound ? PLX_EP_CONNECTED : PLX_EP_NEW_CONNECTION);
	if (rec->outbound && c->early && !c->early_ok)
		plx_ep_mark(rec, &rec->rejected, PLX_EP_ZERO_RTT_REJECTED);
	/* Opens that came too early met a limit of 0; the handshake raised it. */
	for (int bidi = 0; bidi < 2; bidi++) {
		uint64_t left = bidi ? ngtcp2_conn_get_streams_bidi_left(c->nc)
		                     : ngtcp2_conn_get_streams_uni_left(c->nc);

		if (rec->hit[bidi] && left > 0) {
			rec->hit[bidi] = false;
			plx_ep_mark(rec, &rec->avail[bidi], PLX_EP_STREAMS_AVAILABLE);
		}
	}
	*ctx = rec;
	return 0;
}

static int
on_stream_open(void *ctx, int64_t id)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_stream *s;

	if (find(rec, id) != NULL)
		return 0;
	s = plx_ep_stream_new(rec, id, false);
	if (s == NULL)
		return PLX_E_NOMEM;
	plx_ep_stream_mark(s, PLX_EP_S_OPENED);
	/* One frame may open a stream, fill it and end it: nobody must wait for a second one. */
	plx_ep_stream_mark(s, PLX_EP_S_READABLE);
	return 0;
}

static int
on_stream_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len,
               bool fin)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_stream *s = find(rec, id);

	(void)off;
	if (s == NULL || s->rx_off || rec->closed) {
		plx_conn_consume(rec->conn, id, len);
		return 0;
	}
	if (plx_bytes_append(&s->rx, rec->ep->slab, data, len) != len)
		return PLX_E_NOMEM;
	s->rx_fin |= fin;
	if (len > 0 || fin)
		plx_ep_stream_mark(s, PLX_EP_S_READABLE);
	return 0;
}

static void
finished(struct plx_ep_stream *s)
{
	if (s->finished || s->tx_off)
		return;
	s->finished = true;
	plx_ep_stream_mark(s, PLX_EP_S_FINISHED);
	plx_ep_tx_end(s);
}

static int
on_stream_acked(void *ctx, int64_t id, uint64_t off, uint64_t len)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_stream *s = find(rec, id);

	if (s == NULL || s->tx_off)
		return 0;
	plx_bytes_drop(&s->tx, rec->ep->slab, off + len);
	/* An end in a packet of its own is acknowledged by a call without bytes. */
	if (s->fin_sent && (len == 0 || (!s->fin_alone && plx_bytes_len(&s->tx) == 0)))
		s->fin_acked = true;
	if (s->fin_acked && plx_bytes_len(&s->tx) == 0) {
		finished(s);
		return 0;
	}
	/* Half of the window, so that the owner is told once per refill, not once per packet. */
	if (s->full && plx_bytes_len(&s->tx) <= rec->ep->cfg.send_window / 2) {
		s->full = false;
		plx_ep_stream_mark(s, PLX_EP_S_WRITABLE);
	}
	return 0;
}

static int
on_stream_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	struct plx_ep_stream *s = find(ctx, id);

	(void)final_sz;
	if (s == NULL || s->rx_off || s->rx_fin)
		return 0;
	s->rx_reset = true;
	s->reset_code = code;
	plx_ep_stream_mark(s, PLX_EP_S_READABLE);
	return 0;
}

static void
stopped(struct plx_ep_stream *s, uint64_t code)
{
	if (s->tx_off)
		return;
	s->stopped = true;
	s->stop_code = code;
	plx_ep_tx_end(s);
	plx_ep_stream_mark(s, PLX_EP_S_STOPPED);
}

static int
on_stream_stop(void *ctx, int64_t id, uint64_t code)
{
	struct plx_ep_stream *s = find(ctx, id);

	if (s == NULL)
		return 0;
	/* tx_shut() may have come first, without the code. */
	if (s->stopped && s->stop_code == UINT64_MAX)
		s->stop_code = code;
	stopped(s, code);
	return 0;
}

static int
on_stream_writable(void *ctx, int64_t id)
{
	struct plx_ep_stream *s = find(ctx, id);

	if (s != NULL) {
		s->blocked = false;
		plx_ep_tx_link(s);
	}
	return 0;
}

static int
on_stream_closed(void *ctx, int64_t id, uint64_t code)
{
	struct plx_ep_stream *s = find(ctx, id);

	(void)code;
	if (s == NULL)
		return 0;
	s->gone = true;
	/* The acknowledgement of the end may have been merged into that of other bytes. */
	if (s->fin_sent && plx_bytes_len(&s->tx) == 0)
		finished(s);
	plx_ep_tx_end(s);
	plx_ep_stream_reap(s);
	return 0;
}

static int
on_streams_available(void *ctx, bool bidi)
{
	struct plx_ep_rec *rec = ctx;

	if (rec->hit[bidi]) {
		rec->hit[bidi] = false;
		plx_ep_mark(rec, &rec->avail[bidi], PLX_EP_STREAMS_AVAILABLE);
	}
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_stream *s = rec->tx;

	if (s == NULL)
		return 0;
	next->stream_id = s->id;
	next->vec = rec->vec;
	next->cnt = plx_bytes_peek(&s->tx, rec->vec, TX_PIECES);
	next->fin = false;
	if (s->fin) {
		uint64_t len = 0;

		for (uint16_t i = 0; i < next->cnt; i++)
			len += rec->vec[i].len;
		next->fin = len == plx_bytes_pending(&s->tx);
	}
	return 1;
}

static int
tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_stream *s = find(rec, id);

	if (s == NULL)
		return 0;
	plx_bytes_sent(&s->tx, len);
	if (fin) {
		s->fin_sent = true;
		s->fin_alone = len == 0;
	}
	if (plx_bytes_pending(&s->tx) == 0 && (!s->fin || s->fin_sent))
		plx_ep_tx_unlink(s);
	else if (rec->tx == s)
		rec->tx = s->tx_next; /* streams take turns, one packet each */
	return 0;
}

static int
tx_blocked(void *ctx, int64_t id)
{
	struct plx_ep_stream *s = find(ctx, id);

	if (s != NULL) {
		s->blocked = true;
		plx_ep_tx_unlink(s);
	}
	return 0;
}

static int
tx_shut(void *ctx, int64_t id)
{
	struct plx_ep_stream *s = find(ctx, id);

	if (s != NULL)
		stopped(s, UINT64_MAX);
	return 0;
}

static void
on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct plx_ep_rec *rec = ctx;

	plx_ep_snapshot(rec);
	plx_ep_closed(rec, why);
	plx_ep_streams_end(rec);
	rec->tx = NULL;
}

const struct plx_app plx_ep_app = {
        .name = "endpoint",
        .holds_streams = true,
        .on_conn_early = on_conn_early,
        .on_early_rejected = on_early_rejected,
        .on_conn_established = on_conn_established,
        .on_stream_open = on_stream_open,
        .on_stream_data = on_stream_data,
        .on_stream_acked = on_stream_acked,
        .on_stream_reset = on_stream_reset,
        .on_stream_stop = on_stream_stop,
        .on_stream_writable = on_stream_writable,
        .on_stream_closed = on_stream_closed,
        .on_streams_available = on_streams_available,
        .on_datagram = plx_ep_dgram_recv,
        .next_datagram = plx_ep_dgram_next,
        .datagram_done = plx_ep_dgram_done,
        .next_tx = next_tx,
        .tx_done = tx_done,
        .tx_blocked = tx_blocked,
        .tx_shut = tx_shut,
        .on_conn_closed = on_conn_closed,
};

void
plx_ep_failed(void *arg, uint64_t user, const struct plx_close_info *why)
{
	(void)user;
	plx_ep_snapshot(arg);
	plx_ep_closed(arg, why);
}

/* The record of an accepted connection begins when its ClientHello is complete: what ends
 * before that was never more than packets. */
static void
on_hello(void *arg, struct plx_conn *c, const char *sni, const char *alpn)
{
	struct plx_endpoint *ep = arg;
	struct plx_ep_rec *rec = ep->rec[c->slot];
	size_t len = sni != NULL ? strlen(sni) + 1 : 0;

	if (rec == NULL) {
		rec = plx_ep_rec_new(ep);
		if (rec == NULL)
			return;
		plx_ep_rec_attach(rec, c);
		c->on_failed = plx_ep_failed;
		c->on_failed_arg = rec;
	}
	if (rec->hello)
		return;
	rec->hello = true;
	memcpy(rec->alpn, alpn, strlen(alpn) + 1);
	rec->sni = len > 0 ? plx_slab_alloc(ep->slab, len) : NULL;
	if (rec->sni != NULL)
		memcpy(rec->sni, sni, len);
	plx_ep_mark(rec, &rec->hello_node, PLX_EP_HELLO);
}

/* The newest ticket; one that was not polled gives way to it. */
static void
on_ticket(void *arg, struct plx_conn *c, const uint8_t *ticket, size_t len)
{
	struct plx_endpoint *ep = arg;
	struct plx_ep_rec *rec = ep->rec[c->slot];
	uint8_t *copy;

	if (rec == NULL || rec->closed)
		return;
	copy = plx_slab_alloc(ep->slab, len);
	if (copy == NULL)
		return;
	memcpy(copy, ticket, len);
	plx_slab_release(ep->slab, rec->ticket);
	rec->ticket = copy;
	rec->ticket_len = len;
	plx_ep_mark(rec, &rec->ticket_node, PLX_EP_TICKET);
}

static void
on_free(void *arg, struct plx_conn *c)
{
	struct plx_endpoint *ep = arg;
	struct plx_ep_rec *rec = ep->rec[c->slot];

	if (rec == NULL)
		return;
	/* An end that the application was not told of: it had refused the connection itself. */
	plx_ep_closed(rec, &c->why);
	plx_ep_streams_end(rec);
	ep->rec[c->slot] = NULL;
	plx_ep_rec_put(rec);
}

const struct plx_quic_watch plx_ep_watch = {
        .on_hello = on_hello,
        .on_ticket = on_ticket,
        .on_free = on_free,
};
