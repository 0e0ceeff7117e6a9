/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <plx/err.h>

#include "plx_bug.h"
#include "plx_rawapp.h"
#include "plx_recvq.h"
#include "plx_sendq.h"
#include "plx_streamtab.h"

/* Pieces offered in one next_tx: more than a packet ever takes from buffers of 100 bytes. */
#define TX_PIECES 16

/* Events of a stream in the order in which they are reported. */
#define EV_OPEN     0x01u
#define EV_DATA     0x02u
#define EV_RESET    0x04u
#define EV_STOP     0x08u
#define EV_WRITABLE 0x10u
#define EV_CLOSED   0x20u

/* Bits that wait until every byte before them was reported. */
#define EV_BEHIND_DATA (EV_RESET | EV_CLOSED)

struct raw_conn;

struct raw_stream {
	struct plx_evsrc ev; /* first */
	struct raw_conn *c;
	int64_t id;
	uint64_t user;
	struct plx_sendq sq;
	struct raw_stream *tx_next, *tx_prev; /* ring of streams with something to send */
	struct plx_recvq rq;
	uint64_t reset_code, stop_code, close_code;
	bool fin_rx;    /* the peer's side is complete in rq */
	bool fin_told;  /* ... and the application knows */
	bool rx_off;    /* the application wants no more bytes */
	bool tx_linked; /* in the ring */
	bool tx_off;    /* nothing can be sent any more */
	bool stopped;   /* ... because the peer asked */
	bool blocked;   /* flow control: wait for on_stream_writable */
	bool full;      /* above send_high: WRITABLE is owed */
	bool local;
	bool over; /* gone for QUIC: the object waits for its last event */
};

struct raw_conn {
	struct plx_ringconn rc; /* first */
	const struct plx_ringapp_cfg *cfg;
	struct raw_stream *tx; /* next to send, NULL = none */
	struct plx_streamtab streams;
	uint64_t send_high;
	bool hit_bidi, hit_uni; /* an open was refused: STREAMS_AVAIL is owed (S1-56) */
	struct plx_iov vec[TX_PIECES];
};

static inline bool
is_uni(int64_t id)
{
	return id & 2;
}

static inline bool
is_local(const struct raw_conn *c, int64_t id)
{
	return (id & 1) == (c->rc.server ? 1 : 0);
}

static inline struct raw_stream *
find(const struct raw_conn *c, int64_t id)
{
	return plx_streamtab_get(&c->streams, id);
}

static void
mark(struct raw_stream *s, uint32_t bits)
{
	plx_evq_mark(&s->c->rc.side->evq, &s->ev, bits);
}

/* The ring of streams that have something to send. */

static void
tx_link(struct raw_stream *s)
{
	struct raw_conn *c = s->c;

	if (s->tx_linked || s->tx_off || s->blocked)
		return;
	if (plx_sendq_pending(&s->sq) == 0 && (!s->sq.fin || s->sq.fin_sent))
		return;
	if (c->tx == NULL) {
		s->tx_next = s->tx_prev = s;
		c->tx = s;
	} else {
		s->tx_next = c->tx;
		s->tx_prev = c->tx->tx_prev;
		s->tx_prev->tx_next = s;
		c->tx->tx_prev = s;
	}
	s->tx_linked = true;
	plx_conn_want_write(c->rc.conn);
}

static void
tx_unlink(struct raw_stream *s)
{
	struct raw_conn *c = s->c;

	if (!s->tx_linked)
		return;
	s->tx_next->tx_prev = s->tx_prev;
	s->tx_prev->tx_next = s->tx_next;
	if (c->tx == s)
		c->tx = s->tx_next != s ? s->tx_next : NULL;
	s->tx_linked = false;
}

/* Nothing will be sent any more: buffers go back as they are. ngtcp2 reads no byte of a stream
 * that was reset or stopped, not even to repeat a lost packet. */
static void
tx_end(struct raw_stream *s)
{
	tx_unlink(s);
	s->tx_off = true;
	s->full = false;
	s->ev.mask &= ~EV_WRITABLE;
	plx_appside_done(s->c->rc.side, plx_sendq_flush(&s->sq));
}

/* Half of the mark, so that an application is told once per refill and not once per packet. */
static void
tx_room(struct raw_stream *s)
{
	if (s->full && plx_sendq_pending(&s->sq) <= s->c->send_high / 2) {
		s->full = false;
		mark(s, EV_WRITABLE);
	}
}

static void
rx_end(struct raw_stream *s)
{
	uint64_t dropped = plx_recvq_fini(&s->rq);

	s->rx_off = true;
	s->ev.mask &= ~EV_DATA;
	if (dropped > 0 && s->c->rc.conn != NULL)
		plx_conn_consume(s->c->rc.conn, s->id, (size_t)dropped);
}

/* Events of a stream. */

static bool
take_data(struct raw_stream *s, struct plx_event *ev)
{
	struct raw_conn *c = s->c;
	struct plx_rbuf *b = plx_recvq_take(&s->rq, c->rc.id, s->id);
	bool empty = plx_recvq_len(&s->rq) == 0;
	bool fin = empty && s->fin_rx && !s->fin_told;

	if (empty)
		s->ev.mask &= ~EV_DATA;
	if (b == NULL && !fin)
		return false;
	plx_ringconn_fill(&c->rc, ev, PLX_EV_STREAM_DATA, s->id, s->user);
	ev->buf = b;
	if (fin) {
		ev->flags |= PLX_EV_FLAG_FIN;
		s->fin_told = true;
	}
	return true;
}

static bool
stream_event(struct plx_evsrc *src, struct plx_event *ev)
{
	struct raw_stream *s = (struct raw_stream *)(void *)src;
	uint32_t ready = src->mask;
	enum plx_event_type type;

	if (ready & EV_DATA && !(ready & EV_OPEN)) {
		if (take_data(s, ev))
			goto flags;
		/* Bytes wait for a buffer: what comes behind them waits too. */
		ready = src->mask;
		if (ready & EV_DATA)
			ready &= ~(EV_DATA | EV_BEHIND_DATA);
	}
	switch (ready & -ready) {
	case EV_OPEN:
		type = PLX_EV_STREAM_OPEN;
		break;
	case EV_RESET:
		type = PLX_EV_STREAM_RESET;
		ev->code = s->reset_code;
		break;
	case EV_STOP:
		type = PLX_EV_STREAM_STOP;
		ev->code = s->stop_code;
		break;
	case EV_WRITABLE:
		type = PLX_EV_STREAM_WRITABLE;
		break;
	case EV_CLOSED:
		type = PLX_EV_STREAM_CLOSED;
		ev->code = s->close_code;
		break;
	default:
		return false;
	}
	src->mask &= ~(ready & -ready);
	plx_ringconn_fill(&s->c->rc, ev, type, s->id, s->user);
flags:
	if (!is_uni(s->id))
		ev->flags |= PLX_EV_FLAG_BIDI;
	if (s->local)
		ev->flags |= PLX_EV_FLAG_LOCAL;
	return true;
}

/* A stream that is over lives until its last event, STREAM_CLOSED, was reported. */
static void
stream_idle(struct plx_evsrc *src)
{
	struct raw_stream *s = (struct raw_stream *)(void *)src;
	struct raw_conn *c = s->c;

	if (!s->over)
		return;
	plx_recvq_fini(&s->rq);
	plx_slab_release(c->rc.side->slab, s);
	plx_ringconn_put(&c->rc); /* c may be gone after the next event */
}

static void
stream_refilled(struct plx_recvq *q)
{
	struct raw_stream *s =
	        (struct raw_stream *)(void *)((uint8_t *)q -
	                                      offsetof(struct raw_stream, rq));

	mark(s, EV_DATA);
}

static struct raw_stream *
stream_new(struct raw_conn *c, int64_t id, uint64_t user)
{
	struct plx_slab *slab = c->rc.side->slab;
	struct raw_stream *s = plx_slab_calloc(slab, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->c = c;
	s->id = id;
	s->user = user;
	s->local = is_local(c, id);
	if (is_uni(id)) {
		s->tx_off = !s->local;
		s->rx_off = s->local;
	}
	plx_sendq_init(&s->sq);
	plx_recvq_init(&s->rq, c->rc.side, stream_refilled);
	plx_evsrc_init(&s->ev, stream_event, stream_idle);
	if (plx_streamtab_put(&c->streams, slab, id, s) != 0) {
		plx_slab_release(slab, s);
		return NULL;
	}
	plx_ringconn_hold(&c->rc);
	mark(s, EV_OPEN);
	return s;
}

/* The stream left the table; only what was not reported yet remains. */
static void
stream_over(struct raw_stream *s, uint64_t code)
{
	s->over = true;
	tx_end(s);
	s->close_code = code;
	mark(s, EV_CLOSED);
}

/* struct plx_app: what the connection tells. */

static void conn_free(struct plx_ringconn *rc);
static int conn_cmd(struct plx_ringconn *rc, const struct plx_cmd *cmd);

static void
conn_released(struct plx_ringconn *rc, struct plx_rbuf *b)
{
	if (rc->conn != NULL)
		plx_conn_consume(rc->conn, b->stream_id, b->credit);
}

static const struct plx_ringapp_ops raw_ops = {
        .name = "raw",
        .cmd = conn_cmd,
        .released = conn_released,
        .free = conn_free,
};

static void
conn_free(struct plx_ringconn *rc)
{
	struct raw_conn *c = (struct raw_conn *)(void *)rc;

	plx_streamtab_fini(&c->streams, rc->side->slab);
	plx_slab_release(rc->side->slab, c);
}

static int
on_conn_established(void *app, struct plx_conn *conn, void **ctx)
{
	const struct plx_ringapp_cfg *cfg = app;
	struct plx_appside *side = cfg->pick(cfg->pick_arg, conn);
	struct raw_conn *c;

	if (side == NULL)
		return PLX_E_REFUSED;
	c = plx_slab_calloc(side->slab, 1, sizeof(*c));
	if (c == NULL) {
		plx_ringapp_refused(cfg, side, conn);
		return PLX_E_NOMEM;
	}
	c->cfg = cfg;
	c->send_high = plx_ringapp_send_high(cfg);
	plx_ringconn_init(&c->rc, &raw_ops, cfg, side, conn);
	*ctx = c;
	return 0;
}

static int
on_stream_open(void *ctx, int64_t stream_id)
{
	struct raw_conn *c = ctx;

	if (find(c, stream_id) != NULL)
		return 0;
	return stream_new(c, stream_id, 0) != NULL ? 0 : PLX_E_NOMEM;
}

static int
on_stream_data(void *ctx, int64_t stream_id, uint64_t off, const uint8_t *data, size_t len,
               bool fin)
{
	struct raw_conn *c = ctx;
	struct raw_stream *s = find(c, stream_id);

	(void)off;
	if (s == NULL || s->rx_off) {
		plx_conn_consume(c->rc.conn, stream_id, len);
		return 0;
	}
	if (plx_recvq_append(&s->rq, data, len) != 0)
		return PLX_E_NOMEM;
	s->fin_rx |= fin;
	if (len > 0 || fin)
		mark(s, EV_DATA);
	return 0;
}

static int
on_stream_acked(void *ctx, int64_t stream_id, uint64_t off, uint64_t len)
{
	struct raw_conn *c = ctx;
	struct raw_stream *s = find(c, stream_id);

	if (s != NULL && !s->tx_off)
		plx_appside_done(c->rc.side, plx_sendq_acked(&s->sq, off, len));
	return 0;
}

static int
on_stream_reset(void *ctx, int64_t stream_id, uint64_t final_sz, uint64_t code)
{
	struct raw_stream *s = find(ctx, stream_id);

	(void)final_sz;
	if (s == NULL || s->rx_off)
		return 0;
	s->reset_code = code;
	mark(s, EV_RESET);
	return 0;
}

static void
stream_stopped(struct raw_stream *s)
{
	s->stopped = true;
	tx_end(s);
	mark(s, EV_STOP);
}

static int
on_stream_stop(void *ctx, int64_t stream_id, uint64_t code)
{
	struct raw_stream *s = find(ctx, stream_id);

	if (s == NULL)
		return 0;
	s->stop_code = code; /* also when tx_shut came first and was not reported yet */
	if (!s->stopped)
		stream_stopped(s);
	return 0;
}

static int
on_stream_writable(void *ctx, int64_t stream_id)
{
	struct raw_stream *s = find(ctx, stream_id);

	if (s == NULL)
		return 0;
	s->blocked = false;
	tx_link(s);
	tx_room(s);
	return 0;
}

static int
on_stream_closed(void *ctx, int64_t stream_id, uint64_t code)
{
	struct raw_conn *c = ctx;
	struct raw_stream *s = plx_streamtab_del(&c->streams, stream_id);

	if (s != NULL)
		stream_over(s, code);
	return 0;
}

static int
on_streams_available(void *ctx, bool bidi)
{
	struct raw_conn *c = ctx;
	bool *hit = bidi ? &c->hit_bidi : &c->hit_uni;

	if (!*hit)
		return 0;
	*hit = false;
	plx_ringconn_mark(&c->rc,
	                  bidi ? PLX_RINGCONN_EV_AVAIL_BIDI : PLX_RINGCONN_EV_AVAIL_UNI);
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct raw_conn *c = ctx;
	struct raw_stream *s = c->tx;

	if (s == NULL)
		return 0;
	next->stream_id = s->id;
	next->vec = c->vec;
	next->cnt = plx_sendq_peek(&s->sq, c->vec, TX_PIECES, &next->fin);
	return 1;
}

static int
tx_done(void *ctx, int64_t stream_id, size_t len, bool fin)
{
	struct raw_conn *c = ctx;
	struct raw_stream *s = find(c, stream_id);

	if (s == NULL)
		return 0;
	plx_sendq_sent(&s->sq, len, fin);
	if (plx_sendq_pending(&s->sq) == 0 && (!s->sq.fin || s->sq.fin_sent))
		tx_unlink(s);
	else if (c->tx == s)
		c->tx = s->tx_next; /* streams take turns, one packet each */
	tx_room(s);
	return 0;
}

static int
tx_blocked(void *ctx, int64_t stream_id)
{
	struct raw_stream *s = find(ctx, stream_id);

	if (s == NULL)
		return 0;
	s->blocked = true;
	tx_unlink(s);
	return 0;
}

static int
tx_shut(void *ctx, int64_t stream_id)
{
	struct raw_stream *s = find(ctx, stream_id);

	/* We did not end it, so the peer did, with a code that nobody told us. */
	if (s != NULL && !s->tx_off) {
		s->stop_code = UINT64_MAX;
		stream_stopped(s);
	}
	return 0;
}

static void
close_stream(void *arg, int64_t id, void *obj)
{
	const uint64_t *code = arg;

	(void)id;
	stream_over(obj, *code);
}

static void
on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct raw_conn *c = ctx;
	uint64_t code = why != NULL ? why->code : 0;

	c->rc.conn = NULL;
	plx_streamtab_drain(&c->streams, close_stream, &code);
	plx_ringconn_closed(&c->rc, why);
}

/* Commands. */

static int
cmd_open(struct raw_conn *c, const struct plx_cmd *cmd)
{
	bool bidi = !(cmd->flags & PLX_CMD_FLAG_UNI);
	int64_t id;
	int rc = plx_conn_open_stream(c->rc.conn, bidi, &id);

	if (rc == PLX_E_STREAM_LIMIT)
		*(bidi ? &c->hit_bidi : &c->hit_uni) = true;
	if (rc != 0)
		return rc;
	if (stream_new(c, id, cmd->user) == NULL) {
		plx_conn_shut_stream(c->rc.conn, id, 0);
		return PLX_E_NOMEM;
	}
	return 0;
}

static int
cmd_send(struct raw_conn *c, struct raw_stream *s, const struct plx_cmd *cmd)
{
	int rc;

	if (s->tx_off || s->sq.fin)
		return s->stopped ? PLX_E_STREAM_STOPPED : PLX_E_STREAM_CLOSED;
	rc = plx_ringconn_queue(&c->rc, &s->sq, cmd);
	if (rc != 0)
		return rc;
	if (plx_sendq_pending(&s->sq) > c->send_high)
		s->full = true;
	tx_link(s);
	return 0;
}

static int
cmd_reset(struct raw_conn *c, struct raw_stream *s, uint64_t code)
{
	int rc = s->tx_off ? PLX_E_STREAM_CLOSED
	                   : plx_conn_reset_stream(c->rc.conn, s->id, code);

	if (rc == 0)
		tx_end(s);
	return rc;
}

static int
cmd_stop(struct raw_conn *c, struct raw_stream *s, uint64_t code)
{
	int rc = s->rx_off ? PLX_E_STREAM_CLOSED
	                   : plx_conn_stop_stream(c->rc.conn, s->id, code);

	if (rc == 0)
		rx_end(s);
	return rc;
}

static int
conn_cmd(struct plx_ringconn *rc, const struct plx_cmd *cmd)
{
	struct raw_conn *c = (struct raw_conn *)(void *)rc;
	struct raw_stream *s;

	switch (cmd->type) {
	case PLX_CMD_STREAM_OPEN:
		return cmd_open(c, cmd);
	case PLX_CMD_SET_USER:
	case PLX_CMD_STREAM_SEND:
	case PLX_CMD_STREAM_RESET:
	case PLX_CMD_STREAM_STOP:
		break;
	default:
		return PLX_E_UNSUPPORTED;
	}

	s = find(c, cmd->stream_id);
	if (s == NULL)
		return PLX_E_NOENT;
	switch (cmd->type) {
	case PLX_CMD_STREAM_SEND:
		return cmd_send(c, s, cmd);
	case PLX_CMD_STREAM_RESET:
		return cmd_reset(c, s, cmd->code);
	case PLX_CMD_STREAM_STOP:
		return cmd_stop(c, s, cmd->code);
	default:
		s->user = cmd->user;
		return 0;
	}
}

const struct plx_app plx_raw_ring = {
        .name = "raw",
        .on_conn_established = on_conn_established,
        .on_stream_open = on_stream_open,
        .on_stream_data = on_stream_data,
        .on_stream_acked = on_stream_acked,
        .on_stream_reset = on_stream_reset,
        .on_stream_stop = on_stream_stop,
        .on_stream_writable = on_stream_writable,
        .on_stream_closed = on_stream_closed,
        .on_streams_available = on_streams_available,
        .next_tx = next_tx,
        .tx_done = tx_done,
        .tx_blocked = tx_blocked,
        .tx_shut = tx_shut,
        .on_conn_closed = on_conn_closed,
};
