/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "plx_endpoint_pvt.h"

/* Streams: what their calls do, and how long they live. */

static bool
is_bidi(const struct plx_ep_stream *s)
{
	return ngtcp2_is_bidi_stream(s->id) != 0;
}

struct plx_ep_stream *
plx_ep_stream_new(struct plx_ep_rec *rec, int64_t id, bool local)
{
	struct plx_slab *slab = rec->ep->slab;
	struct plx_ep_stream *s = plx_slab_calloc(slab, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->rec = rec;
	s->id = id;
	s->local = local;
	if (!is_bidi(s)) {
		s->tx_off = !local;
		s->rx_off = local;
	}
	if (plx_streamtab_put(&rec->streams, slab, id, s) != 0) {
		plx_slab_release(slab, s);
		return NULL;
	}
	rec->refs++;
	return s;
}

void
plx_ep_tx_link(struct plx_ep_stream *s)
{
	struct plx_ep_rec *rec = s->rec;

	if (s->tx_linked || s->tx_off || s->blocked)
		return;
	if (plx_bytes_pending(&s->tx) == 0 && (!s->fin || s->fin_sent))
		return;
	if (rec->tx == NULL) {
		s->tx_next = s->tx_prev = s;
		rec->tx = s;
	} else {
		s->tx_next = rec->tx;
		s->tx_prev = rec->tx->tx_prev;
		s->tx_prev->tx_next = s;
		rec->tx->tx_prev = s;
	}
	s->tx_linked = true;
	plx_conn_want_write(rec->conn);
}

void
plx_ep_tx_unlink(struct plx_ep_stream *s)
{
	struct plx_ep_rec *rec = s->rec;

	if (!s->tx_linked)
		return;
	s->tx_next->tx_prev = s->tx_prev;
	s->tx_prev->tx_next = s->tx_next;
	if (rec->tx == s)
		rec->tx = s->tx_next != s ? s->tx_next : NULL;
	s->tx_linked = false;
}

/* ngtcp2 reads no byte of a stream that was reset or stopped, not even to repeat a packet. */
void
plx_ep_tx_end(struct plx_ep_stream *s)
{
	plx_ep_tx_unlink(s);
	s->tx_off = true;
	s->full = false;
	plx_bytes_fini(&s->tx, s->rec->ep->slab);
}

static void
release(struct plx_ep_stream *s)
{
	struct plx_ep_rec *rec = s->rec;

	plx_bytes_fini(&s->tx, rec->ep->slab);
	plx_bytes_fini(&s->rx, rec->ep->slab);
	plx_slab_release(rec->ep->slab, s);
	plx_ep_rec_put(rec);
}

void
plx_ep_stream_reap(struct plx_ep_stream *s)
{
	struct plx_ep_rec *rec = s->rec;

	if (s->linked > 0)
		return;
	if (!s->over) {
		if (!s->gone || !s->rx_off)
			return;
		plx_streamtab_del(&rec->streams, s->id);
		if (!s->local && plx_ep_rec_of(rec->ep, rec->id) == rec)
			plx_conn_grant_stream(rec->conn, is_bidi(s));
	}
	release(s);
}

static void
end_stream(void *arg, int64_t id, void *obj)
{
	struct plx_ep_stream *s = obj;

	(void)arg;
	(void)id;
	plx_ep_tx_end(s);
	plx_bytes_fini(&s->rx, s->rec->ep->slab);
	s->over = true;
	plx_ep_stream_reap(s);
}

void
plx_ep_streams_end(struct plx_ep_rec *rec)
{
	plx_streamtab_drain(&rec->streams, end_stream, NULL);
}

int64_t
plx_endpoint_open(struct plx_endpoint *ep, struct plx_conn_id id, bool bidi)
{
	struct plx_ep_rec *rec = plx_ep_live(ep, id);
	int64_t stream_id;
	int rc;

	if (rec == NULL)
		return PLX_E_STALE;
	/* An application that is there before has early data. */
	rc = rec->established || rec->conn->app != NULL
	             ? plx_conn_open_stream(rec->conn, bidi, &stream_id)
	             : PLX_E_STREAM_LIMIT;
	if (rc == PLX_E_STREAM_LIMIT)
		rec->hit[bidi] = true;
	if (rc != 0)
		return rc == PLX_E_CLOSED ? PLX_E_STALE : rc;
	if (plx_ep_stream_new(rec, stream_id, true) == NULL) {
		plx_conn_shut_stream(rec->conn, stream_id, 0);
		return PLX_E_NOMEM;
	}
	return stream_id;
}

/*
 * A connection, a stream and its side for a call.
 * @return 0, PLX_E_CLOSING, PLX_E_STALE, PLX_E_STREAM_CLOSED
 */
static int
look_up(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
        struct plx_ep_stream **out)
{
	struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	if (rec == NULL)
		return PLX_E_STALE;
	if (rec->closed)
		return rec->told || rec->why.by == PLX_CLOSE_LOCAL ? PLX_E_STALE
		                                                   : PLX_E_CLOSING;
	*out = plx_streamtab_get(&rec->streams, stream_id);
	return *out != NULL ? 0 : PLX_E_STREAM_CLOSED;
}

/* The same for calls that do not tell closing from closed. */
static int
look_up_live(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
             struct plx_ep_stream **out)
{
	int rc = look_up(ep, id, stream_id, out);

	return rc == PLX_E_CLOSING ? PLX_E_STALE : rc;
}

/* May the stream take bytes, or its end? */
static int
may_send(const struct plx_ep_stream *s, uint64_t *code)
{
	if (s->stopped) {
		if (code != NULL)
			*code = s->stop_code;
		return PLX_E_STREAM_STOPPED;
	}
	return s->tx_off || s->fin ? PLX_E_STREAM_CLOSED : 0;
}

int64_t
plx_endpoint_stream_sendv(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
                          struct plx_iov *iov, uint16_t cnt, uint64_t *code)
{
	struct plx_ep_stream *s;
	uint64_t room, taken = 0;
	int rc = look_up(ep, id, stream_id, &s);
	bool nomem = false;

	if (rc == 0)
		rc = may_send(s, code);
	if (rc != 0)
		return rc;
	room = ep->cfg.send_window - plx_bytes_len(&s->tx);
	for (uint16_t i = 0; i < cnt && !nomem; i++) {
		size_t want = iov[i].len < room ? iov[i].len : (size_t)room;
		size_t n = plx_bytes_append(&s->tx, ep->slab, iov[i].base, want);

		nomem = n < want;
		iov[i].base += n;
		iov[i].len -= n;
		room -= n;
		taken += n;
		if (iov[i].len > 0) {
			s->full |= !nomem;
			break;
		}
	}
	if (taken > 0)
		plx_ep_tx_link(s);
	else if (nomem)
		return PLX_E_NOMEM;
	else if (s->full)
		return PLX_E_BLOCKED;
	return (int64_t)taken;
}

int64_t
plx_endpoint_stream_send(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
                         const void *data, size_t len, uint64_t *code)
{
	struct plx_iov iov = {.base = data, .len = len};

	return plx_endpoint_stream_sendv(ep, id, stream_id, &iov, 1, code);
}

int
plx_endpoint_stream_finish(struct plx_endpoint *ep, struct plx_conn_id id,
                           int64_t stream_id, uint64_t *code)
{
	struct plx_ep_stream *s;
	int rc = look_up_live(ep, id, stream_id, &s);

	if (rc == 0)
		rc = may_send(s, code);
	if (rc != 0)
		return rc;
	s->fin = true;
	plx_ep_tx_link(s);
	plx_ep_drain(ep);
	return 0;
}

int
plx_endpoint_stream_reset(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
                          uint64_t code)
{
	struct plx_ep_stream *s;
	int rc = look_up_live(ep, id, stream_id, &s);

	if (rc != 0)
		return rc;
	if (s->tx_off || s->gone)
		return PLX_E_STREAM_CLOSED;
	rc = plx_conn_reset_stream(s->rec->conn, stream_id, code);
	if (rc != 0)
		return rc == PLX_E_NOENT ? PLX_E_STREAM_CLOSED : rc;
	plx_ep_tx_end(s);
	plx_ep_drain(ep);
	return 0;
}

int
plx_endpoint_stream_stop(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
                         uint64_t code)
{
	struct plx_ep_stream *s;
	int rc = look_up_live(ep, id, stream_id, &s);

	if (rc != 0)
		return rc;
	if (s->rx_off)
		return PLX_E_STREAM_CLOSED;
	/* A side that is complete needs no word to the peer; it is only not read. */
	if (!s->gone && !s->rx_fin && !s->rx_reset) {
		rc = plx_conn_stop_stream(s->rec->conn, stream_id, code);
		if (rc != 0)
			return rc == PLX_E_NOENT ? PLX_E_STREAM_CLOSED : rc;
	}
	s->rx_off = true;
	plx_conn_consume(s->rec->conn, stream_id, plx_bytes_fini(&s->rx, ep->slab));
	plx_ep_stream_reap(s);
	plx_ep_drain(ep);
	return 0;
}

/* Reads of a stream that has nothing left. */
static int64_t
recv_end(struct plx_ep_stream *s, bool *fin, uint64_t *code)
{
	if (s->rx_reset) {
		if (code != NULL)
			*code = s->reset_code;
		s->rx_off = true;
		return PLX_E_STREAM_RESET;
	}
	if (s->rx_fin) {
		*fin = true;
		s->rx_off = true;
	}
	return 0;
}

int64_t
plx_endpoint_stream_recv(struct plx_endpoint *ep, struct plx_conn_id id, int64_t stream_id,
                         void *buf, size_t len, bool *fin, uint64_t *code)
{
	struct plx_ep_stream *s;
	int rc = look_up_live(ep, id, stream_id, &s);
	int64_t n, end = 0;

	*fin = false;
	if (rc != 0)
		return rc;
	if (s->rx_off)
		return PLX_E_STREAM_CLOSED;
	n = (int64_t)plx_bytes_take(&s->rx, ep->slab, buf, len);
	plx_conn_consume(s->rec->conn, stream_id, (size_t)n);
	/* Bytes are given before the error that follows them, which the next call gets. */
	if ((size_t)n < len && (n == 0 || !s->rx_reset))
		end = recv_end(s, fin, code);
	plx_ep_stream_reap(s);
	plx_ep_drain(ep);
	return end != 0 ? end : n;
}

static int
make_room(struct plx_endpoint_buf *b, size_t more)
{
	size_t cap = b->cap > 0 ? b->cap : 1024;
	uint8_t *p;

	if (b->cap - b->len >= more)
		return 0;
	if (more > SIZE_MAX / 2 - b->len)
		return PLX_E_NOMEM;
	while (cap - b->len < more)
		cap *= 2;
	p = realloc(b->base, cap);
	if (p == NULL)
		return PLX_E_NOMEM;
	b->base = p;
	b->cap = cap;
	return 0;
}

int64_t
plx_endpoint_stream_recv_into(struct plx_endpoint *ep, struct plx_conn_id id,
                              int64_t stream_id, struct plx_endpoint_buf *buf, size_t max,
                              bool *fin, uint64_t *code)
{
	struct plx_ep_stream *s;
	int rc = look_up_live(ep, id, stream_id, &s);
	size_t want;
	int64_t n;

	*fin = false;
	if (rc != 0)
		return rc;
	/* One more than there is, if max allows it, so that the end shows at once. */
	want = (size_t)plx_bytes_len(&s->rx) + 1;
	if (want > max)
		want = max;
	if (make_room(buf, want) != 0)
		return PLX_E_NOMEM;
	n = plx_endpoint_stream_recv(ep, id, stream_id, buf->base + buf->len, want, fin,
	                             code);
	if (n > 0)
		buf->len += (size_t)n;
	return n;
}
