/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/3 for application cores: a user of plx_h3.h that turns callbacks into events and
 * commands into operations. It wraps plx_h3_inline, because the connection's context must begin
 * with struct plx_ringconn and outlives the connection until its last event was taken.
 */
#include <stdlib.h>
#include <string.h>

#include "plx_h3_ring_pvt.h"

/* struct plx_h3_app. */

static int
on_open(void *arg, struct plx_h3 *h, struct plx_conn *conn, void **ctx)
{
	struct ring_conn *c = arg;

	(void)conn;
	c->h = h;
	*ctx = c;
	return 0;
}

static int
on_head(void *ctx, int64_t id, const struct plx_h3_head *head, bool fin)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);
	bool first = !s;
	int err;

	(void)fin; /* the end of the message is an event of its own */
	if (first && !(s = plx_h3ring_stream_new(c, id, 0)))
		return PLX_E_NOMEM;
	if (s->rx_off)
		return 0;
	err = plx_h3ring_head_add(s, head, false);
	if (!err && first)
		plx_h3_set_user(c->h, id, s);
	if (err && first) {
		/* The application never hears of it, the peer may try again. */
		plx_slab_release(c->rc.side->slab, s);
		plx_ringconn_put(&c->rc);
		plx_h3_cancel(c->h, id, PLX_H3_REQUEST_REJECTED);
	}
	return err;
}

static int
on_data(void *ctx, int64_t id, const uint8_t *data, size_t len)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);
	uint64_t before;

	if (!s || s->rx_off) {
		plx_h3_consume(c->h, id, len);
		return 0;
	}
	before = plx_recvq_len(&s->rq);
	if (plx_recvq_append(&s->rq, data, len) == 0) {
		plx_h3ring_mark(s, PLX_H3RING_EV_DATA);
		return 0;
	}
	/* Neither a buffer nor slab memory: the body has a hole, the request ends. The credit
	 * of these bytes is returned by our caller, that of the others here. */
	plx_recvq_fini(&s->rq);
	plx_h3_consume(c->h, id, (size_t)before);
	plx_h3ring_rx_drop(s);
	return PLX_E_NOMEM;
}

static int
on_trailers(void *ctx, int64_t id, const struct plx_h3_head *head)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);

	return !s || s->rx_off ? 0 : plx_h3ring_head_add(s, head, true);
}

static int
on_end(void *ctx, int64_t id)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);

	if (s && !s->rx_off) {
		s->rx_end = true;
		plx_h3ring_mark(s, PLX_H3RING_EV_DATA);
	}
	return 0;
}

static int
on_reset(void *ctx, int64_t id, uint64_t code)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);

	if (s && !s->rx_off) {
		s->reset_code = code;
		plx_h3ring_mark(s, PLX_H3RING_EV_RESET);
	}
	return 0;
}

static int
read_body(void *ctx, int64_t id, struct plx_iov *vec, uint16_t cnt, bool *fin)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);
	uint64_t len = 0;
	uint16_t n;

	if (!s)
		return 0;
	/* nghttp3 keeps what it was given until it is acknowledged: for the queue it is sent. */
	n = plx_sendq_peek(&s->sq, vec, cnt, fin);
	for (uint16_t i = 0; i < n; i++)
		len += vec[i].len;
	if (n || *fin)
		plx_sendq_sent(&s->sq, len, *fin);
	/* Half of the mark: an application is told once per refill, not once per packet. */
	if (s->full && plx_sendq_pending(&s->sq) <= c->send_high / 2) {
		s->full = false;
		plx_h3ring_mark(s, PLX_H3RING_EV_WRITABLE);
	}
	return n;
}

static void
on_acked(void *ctx, int64_t id, uint64_t len)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);

	if (!s || s->tx_off)
		return;
	plx_appside_done(c->rc.side, plx_sendq_acked(&s->sq, s->body_acked, len));
	s->body_acked += len;
}

static void
on_closed(void *ctx, int64_t id, uint64_t code)
{
	struct ring_conn *c = ctx;
	struct ring_stream *s = plx_h3_user(c->h, id);

	if (!s)
		return;
	s->over = true;
	s->close_code = code;
	plx_h3ring_tx_drop(s);
	plx_h3ring_mark(s, PLX_H3RING_EV_CLOSED);
}

static void
on_goaway(void *ctx, int64_t id)
{
	struct ring_conn *c = ctx;

	c->rc.goaway_id = (uint64_t)id;
	plx_ringconn_mark(&c->rc, PLX_RINGCONN_EV_GOAWAY);
}

static void
on_streams_avail(void *ctx)
{
	struct ring_conn *c = ctx;

	if (!c->hit)
		return;
	c->hit = false;
	plx_ringconn_mark(&c->rc, PLX_RINGCONN_EV_AVAIL_BIDI);
}

static void
on_h3_closed(void *ctx, const struct plx_close_info *why)
{
	struct ring_conn *c = ctx;

	c->h = NULL;
	plx_ringconn_closed(&c->rc, why);
}

static const struct plx_h3_app ring_app = {
        .name = "h3 ring",
        .on_open = on_open,
        .on_head = on_head,
        .on_data = on_data,
        .on_trailers = on_trailers,
        .on_end = on_end,
        .on_reset = on_reset,
        .read_body = read_body,
        .on_acked = on_acked,
        .on_closed = on_closed,
        .on_goaway = on_goaway,
        .on_streams_avail = on_streams_avail,
        .on_conn_closed = on_h3_closed,
};

/* Commands. */

static int
cmd_request(struct ring_conn *c, const struct plx_cmd *cmd)
{
	struct plx_h3_msg *m = cmd->ptr;
	bool body = !(cmd->flags & PLX_CMD_FLAG_FIN);
	struct ring_stream *s;
	int64_t id;
	int err;

	if (!m)
		return PLX_E_INVAL;
	s = plx_h3ring_stream_new(c, -1, cmd->user);
	if (!s)
		return PLX_E_NOMEM;
	err = plx_h3_request(c->h, m->field, m->cnt, body, &id);
	if (err) {
		c->hit |= err == PLX_E_STREAM_LIMIT;
		plx_slab_release(c->rc.side->slab, s);
		plx_ringconn_put(&c->rc);
		return err;
	}
	s->id = id;
	s->tx_off = !body;
	plx_h3_set_user(c->h, id, s);
	free(m);
	/* The application learns the stream id by it, and that it may send the body. */
	if (body)
		plx_h3ring_mark(s, PLX_H3RING_EV_WRITABLE);
	return 0;
}

/* Interim: a status that begins with 1. */
static bool
is_interim(const struct plx_h3_msg *m)
{
	return m->cnt > 0 && m->field[0].name_len == 7 &&
	       memcmp(m->field[0].name, ":status", 7) == 0 && m->field[0].value_len > 0 &&
	       m->field[0].value[0] == '1';
}

static int
cmd_response(struct ring_conn *c, struct ring_stream *s, const struct plx_cmd *cmd)
{
	struct plx_h3_msg *m = cmd->ptr;
	bool body = !(cmd->flags & PLX_CMD_FLAG_FIN);
	int err;

	if (!m)
		return PLX_E_INVAL;
	if (is_interim(m)) {
		err = plx_h3_inform(c->h, s->id, m->field, m->cnt);
	} else {
		err = plx_h3_respond(c->h, s->id, m->field, m->cnt, body);
		if (!err && !body)
			plx_h3ring_tx_drop(s); /* a body that came before its response */
	}
	if (!err)
		free(m);
	return err;
}

static int
cmd_body(struct ring_conn *c, struct ring_stream *s, const struct plx_cmd *cmd)
{
	int err;

	if (s->tx_off || s->sq.fin)
		return PLX_E_STREAM_CLOSED;
	err = plx_ringconn_queue(&c->rc, &s->sq, cmd);
	if (err)
		return err;
	if (plx_sendq_pending(&s->sq) > c->send_high)
		s->full = true;
	/* The buffer is ours now, also when the connection is about to end. */
	(void)plx_h3_resume(c->h, s->id);
	return 0;
}

static int
cmd_cancel(struct ring_conn *c, struct ring_stream *s, uint64_t code)
{
	int err = plx_h3_cancel(c->h, s->id, code);

	/* The stream may be over by now, the object is not. */
	if (!err)
		plx_h3ring_rx_drop(s);
	return err;
}

static int
conn_cmd(struct plx_ringconn *rc, const struct plx_cmd *cmd)
{
	struct ring_conn *c = (struct ring_conn *)(void *)rc;
	struct ring_stream *s;

	if (!c->h)
		return PLX_E_CLOSED;
	switch (cmd->type) {
	case PLX_CMD_H3_GOAWAY:
		return plx_h3_goaway(c->h);
	case PLX_CMD_H3_REQUEST:
		return cmd_request(c, cmd);
	case PLX_CMD_SET_USER:
	case PLX_CMD_H3_RESPONSE:
	case PLX_CMD_H3_BODY:
	case PLX_CMD_H3_CANCEL:
		break;
	default:
		return PLX_E_UNSUPPORTED;
	}
	s = plx_h3_user(c->h, cmd->stream_id);
	if (!s)
		return PLX_E_NOENT;
	switch (cmd->type) {
	case PLX_CMD_H3_RESPONSE:
		return cmd_response(c, s, cmd);
	case PLX_CMD_H3_BODY:
		return cmd_body(c, s, cmd);
	case PLX_CMD_H3_CANCEL:
		return cmd_cancel(c, s, cmd->code);
	default:
		s->user = cmd->user;
		return 0;
	}
}

static void
conn_released(struct plx_ringconn *rc, struct plx_rbuf *b)
{
	struct ring_conn *c = (struct ring_conn *)(void *)rc;

	if (c->h && b->credit)
		plx_h3_consume(c->h, b->stream_id, b->credit);
}

static void
conn_free(struct plx_ringconn *rc)
{
	plx_slab_release(rc->side->slab, rc);
}

static const struct plx_ringapp_ops ring_ops = {
        .name = "h3",
        .cmd = conn_cmd,
        .released = conn_released,
        .free = conn_free,
};

/* struct plx_app: everything goes to plx_h3_inline. */

static int
begin(void *app, struct plx_conn *conn, void **ctx,
      int (*h3_begin)(void *app, struct plx_conn *c, void **ctx))
{
	const struct plx_ringapp_cfg *cfg = app;
	struct plx_appside *side = cfg->pick(cfg->pick_arg, conn);
	struct ring_conn *c;
	void *h = NULL;
	int err = PLX_E_NOMEM;

	if (!side)
		return PLX_E_REFUSED;
	c = plx_slab_calloc(side->slab, 1, sizeof(*c));
	if (c) {
		c->send_high = plx_ringapp_send_high(cfg);
		c->cfg = (struct plx_h3_cfg){
		        .app = &ring_app,
		        .arg = c,
		        .obs = side->obs,
		        .slab = side->slab,
		        /* A list must fit into one buffer: what packing adds to it is less than
			 * what the size of a section counts per field. */
		        .field_section_max = PLX_RBUF_LARGE - sizeof(struct plx_h3_head),
		        .requests_max = cfg->requests_max,
		};
		if (cfg->field_section_max &&
		    cfg->field_section_max < c->cfg.field_section_max)
			c->cfg.field_section_max = cfg->field_section_max;
		err = h3_begin(&c->cfg, conn, &h);
	}
	if (err == 0) {
		plx_ringconn_init(&c->rc, &ring_ops, cfg, side, conn);
		*ctx = c;
		return 0;
	}
	plx_slab_release(side->slab, c);
	plx_ringapp_refused(cfg, side, conn);
	return err;
}

static int
on_conn_early(void *app, struct plx_conn *conn, void **ctx)
{
	return begin(app, conn, ctx, plx_h3_inline.on_conn_early);
}

static int
on_conn_established(void *app, struct plx_conn *conn, void **ctx)
{
	struct ring_conn *c = *ctx;
	void *h;

	if (!c)
		return begin(app, conn, ctx, plx_h3_inline.on_conn_established);
	h = c->h;
	return plx_h3_inline.on_conn_established(&c->cfg, conn, &h);
}

static void
on_early_rejected(void *ctx)
{
	(void)ctx;
}

static struct plx_h3 *
h3_of(void *ctx)
{
	return ((struct ring_conn *)ctx)->h;
}

static int
ring_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len, bool fin)
{
	return plx_h3_inline.on_stream_data(h3_of(ctx), id, off, data, len, fin);
}

static int
ring_acked(void *ctx, int64_t id, uint64_t off, uint64_t len)
{
	return plx_h3_inline.on_stream_acked(h3_of(ctx), id, off, len);
}

static int
ring_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	return plx_h3_inline.on_stream_reset(h3_of(ctx), id, final_sz, code);
}

static int
ring_stop(void *ctx, int64_t id, uint64_t code)
{
	return plx_h3_inline.on_stream_stop(h3_of(ctx), id, code);
}

static int
ring_writable(void *ctx, int64_t id)
{
	return plx_h3_inline.on_stream_writable(h3_of(ctx), id);
}

static int
ring_closed(void *ctx, int64_t id, uint64_t code)
{
	return plx_h3_inline.on_stream_closed(h3_of(ctx), id, code);
}

static int
ring_avail(void *ctx, bool bidi)
{
	return plx_h3_inline.on_streams_available(h3_of(ctx), bidi);
}

static int
ring_next(void *ctx, struct plx_tx_next *next)
{
	return plx_h3_inline.next_tx(h3_of(ctx), next);
}

static int
ring_done(void *ctx, int64_t id, size_t len, bool fin)
{
	return plx_h3_inline.tx_done(h3_of(ctx), id, len, fin);
}

static int
ring_blocked(void *ctx, int64_t id)
{
	return plx_h3_inline.tx_blocked(h3_of(ctx), id);
}

static int
ring_shut(void *ctx, int64_t id)
{
	return plx_h3_inline.tx_shut(h3_of(ctx), id);
}

static void
ring_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct ring_conn *c = ctx;

	c->rc.conn = NULL;
	plx_h3_inline.on_conn_closed(c->h, why);
}

const struct plx_app plx_h3_ring = {
        .name = "h3",
        .on_conn_early = on_conn_early,
        .on_early_rejected = on_early_rejected,
        .on_conn_established = on_conn_established,
        .on_stream_data = ring_data,
        .on_stream_acked = ring_acked,
        .on_stream_reset = ring_reset,
        .on_stream_stop = ring_stop,
        .on_stream_writable = ring_writable,
        .on_stream_closed = ring_closed,
        .on_streams_available = ring_avail,
        .next_tx = ring_next,
        .tx_done = ring_done,
        .tx_blocked = ring_blocked,
        .tx_shut = ring_shut,
        .on_conn_closed = ring_conn_closed,
};
