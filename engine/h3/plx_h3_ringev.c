/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams of plx_h3_ring: what waits to be reported, and the events it becomes. */
#include <string.h>

#include "plx_h3_ring_pvt.h"

void
plx_h3ring_mark(struct ring_stream *s, uint32_t bits)
{
	plx_evq_mark(&s->c->rc.side->evq, &s->ev, bits);
}

/* Header lists. */

static size_t
head_sz(const struct plx_h3_head *h)
{
	return sizeof(*h) + h->cnt * sizeof(h->field[0]) + h->bytes;
}

/* Copies a list so that its strings lie behind it. room has head_sz() bytes. */
static void
head_pack(void *room, const struct plx_h3_head *src)
{
	struct plx_h3_head *h = room;
	char *p = (char *)&h->field[src->cnt];

	*h = *src;
	for (uint16_t i = 0; i < src->cnt; i++) {
		const struct plx_h3_field *f = &src->field[i];

		h->field[i] = *f;
		h->field[i].name = p;
		memcpy(p, f->name, f->name_len);
		p += f->name_len;
		h->field[i].value = p;
		memcpy(p, f->value, f->value_len);
		p += f->value_len;
	}
}

static void
head_put(struct ring_stream *s, struct plx_rbuf *b, const struct plx_h3_head *src,
         bool trailers)
{
	head_pack(plx_rbuf_room(b), src);
	b->len = (uint32_t)head_sz(src);
	b->conn = s->c->rc.id;
	b->stream_id = s->id;
	if (trailers) {
		s->trailers = b;
		return;
	}
	if (s->heads)
		s->heads_tail->next = b;
	else
		s->heads = b;
	s->heads_tail = b;
}

static int
head_wait(struct ring_stream *s, const struct plx_h3_head *src, bool trailers)
{
	struct plx_slab *slab = s->c->rc.side->slab;
	struct late_head *l;

	l = plx_slab_alloc(slab, offsetof(struct late_head, head) + head_sz(src));
	if (!l)
		return PLX_E_NOMEM;
	if (!s->late && plx_recvq_append(&s->wake, (const uint8_t *)"", 1)) {
		plx_slab_release(slab, l);
		return PLX_E_NOMEM;
	}
	l->next = NULL;
	l->trailers = trailers;
	head_pack(&l->head, src);
	if (s->late)
		s->late_tail->next = l;
	else
		s->late = l;
	s->late_tail = l;
	return 0;
}

/* Queues a list for its event; without a buffer it waits, as body bytes do. */
int
plx_h3ring_head_add(struct ring_stream *s, const struct plx_h3_head *src, bool trailers)
{
	struct plx_rbuf *b = NULL;
	size_t sz = head_sz(src);

	if (!s->late)
		b = plx_rbuf_take(s->c->rc.side->pool, sz);
	if (b) {
		head_put(s, b, src, trailers);
	} else if (sz <= PLX_RBUF_SMALL) {
		int err = head_wait(s, src, trailers);

		if (err)
			return err;
	} else {
		/* Small buffers may come back for ever without a large one among them: a list
		 * that needs one does not wait, the peer may ask again. */
		plx_obs_drop(s->c->rc.side->obs, PLX_DROP_STREAM_BUFFER, 1);
		return PLX_E_NOMEM;
	}
	plx_h3ring_mark(s, trailers ? PLX_H3RING_EV_DATA : PLX_H3RING_EV_HEAD);
	return 0;
}

static void
late_drop(struct ring_stream *s)
{
	while (s->late) {
		struct late_head *l = s->late;

		s->late = l->next;
		plx_slab_release(s->c->rc.side->slab, l);
	}
	plx_recvq_fini(&s->wake);
}

static void
heads_drop(struct ring_stream *s)
{
	struct plx_rbufpool *pool = s->c->rc.side->pool;

	while (s->heads) {
		struct plx_rbuf *b = s->heads;

		s->heads = b->next;
		plx_rbuf_give(pool, b);
	}
	if (s->trailers)
		plx_rbuf_give(pool, s->trailers);
	s->trailers = NULL;
	late_drop(s);
}

/* A buffer is there for a list that waited. */
static void
woken(struct plx_recvq *q)
{
	struct ring_stream *s =
	        (struct ring_stream *)(void *)((uint8_t *)q -
	                                       offsetof(struct ring_stream, wake));
	struct plx_rbufpool *pool = s->c->rc.side->pool;
	struct plx_rbuf *b;

	plx_recvq_fini(&s->wake);
	while (s->late && (b = plx_rbuf_take(pool, head_sz(&s->late->head)))) {
		struct late_head *l = s->late;

		s->late = l->next;
		head_put(s, b, &l->head, l->trailers);
		plx_h3ring_mark(s, l->trailers ? PLX_H3RING_EV_DATA : PLX_H3RING_EV_HEAD);
		plx_slab_release(s->c->rc.side->slab, l);
	}
	/* Without memory even for the byte that waits the request cannot go on. */
	if (s->late && plx_recvq_append(&s->wake, (const uint8_t *)"", 1) && s->c->h)
		plx_h3_cancel(s->c->h, s->id, PLX_H3_INTERNAL_ERROR);
}

static void
refilled(struct plx_recvq *q)
{
	struct ring_stream *s =
	        (struct ring_stream *)(void *)((uint8_t *)q -
	                                       offsetof(struct ring_stream, rq));

	plx_h3ring_mark(s, PLX_H3RING_EV_DATA);
}

/* Streams. */

void
plx_h3ring_rx_drop(struct ring_stream *s)
{
	uint64_t len = plx_recvq_fini(&s->rq);

	s->rx_off = true;
	heads_drop(s);
	s->ev.mask &= ~(PLX_H3RING_EV_HEAD | PLX_H3RING_EV_DATA | PLX_H3RING_EV_RESET);
	if (len && s->c->h)
		plx_h3_consume(s->c->h, s->id, (size_t)len);
}

void
plx_h3ring_tx_drop(struct ring_stream *s)
{
	s->tx_off = true;
	s->full = false;
	s->ev.mask &= ~PLX_H3RING_EV_WRITABLE;
	plx_appside_done(s->c->rc.side, plx_sendq_flush(&s->sq));
}

static void
fill(const struct ring_stream *s, struct plx_event *ev, enum plx_event_type type)
{
	plx_ringconn_fill(&s->c->rc, ev, type, s->id, s->user);
	ev->flags |= PLX_EV_FLAG_BIDI;
	if (!s->c->rc.server)
		ev->flags |= PLX_EV_FLAG_LOCAL;
}

static bool
take_head(struct ring_stream *s, struct plx_event *ev)
{
	struct plx_rbuf *b = s->heads;

	if (!b)
		return false;
	s->heads = b->next;
	b->next = NULL;
	if (!s->heads)
		s->ev.mask &= ~PLX_H3RING_EV_HEAD;
	fill(s, ev, s->c->rc.server ? PLX_EV_H3_REQUEST : PLX_EV_H3_RESPONSE);
	ev->buf = b;
	return true;
}

/* Body, then trailers, then the end, which rides on the last body bytes if nothing is between. */
static bool
take_data(struct ring_stream *s, struct plx_event *ev)
{
	struct plx_rbuf *b = plx_recvq_take(&s->rq, s->c->rc.id, s->id);
	bool all = plx_recvq_len(&s->rq) == 0 && !s->late;

	if (!b && all && s->trailers) {
		fill(s, ev, PLX_EV_H3_TRAILERS);
		ev->buf = s->trailers;
		s->trailers = NULL;
		if (!s->rx_end)
			s->ev.mask &= ~PLX_H3RING_EV_DATA;
		return true;
	}
	if (b || (all && s->rx_end && !s->fin_told)) {
		fill(s, ev, PLX_EV_H3_DATA);
		ev->buf = b;
		if (all && s->rx_end && !s->trailers) {
			ev->flags |= PLX_EV_FLAG_FIN;
			s->fin_told = true;
		}
		if (all && !s->trailers)
			s->ev.mask &= ~PLX_H3RING_EV_DATA;
		return true;
	}
	if (all)
		s->ev.mask &= ~PLX_H3RING_EV_DATA;
	return false;
}

static bool
stream_event(struct plx_evsrc *src, struct plx_event *ev)
{
	struct ring_stream *s = (struct ring_stream *)(void *)src;
	uint32_t ready = src->mask;
	bool head_late;

	if (ready & PLX_H3RING_EV_HEAD && take_head(s, ev))
		return true;
	/* A list or bytes that wait for a buffer hold back what comes behind them; trailers do
	 * not hold back the body, whose buffers they may be waiting for. */
	head_late = s->late && !s->late->trailers;
	if (!(ready & PLX_H3RING_EV_HEAD) && ready & PLX_H3RING_EV_DATA && !head_late) {
		if (take_data(s, ev))
			return true;
		ready = src->mask;
	}
	if (ready & (PLX_H3RING_EV_HEAD | PLX_H3RING_EV_DATA) || s->late)
		ready &= ~(PLX_H3RING_EV_HEAD | PLX_H3RING_EV_DATA | PLX_H3RING_EV_BEHIND);
	switch (ready & -ready) {
	case PLX_H3RING_EV_RESET:
		fill(s, ev, PLX_EV_H3_RESET);
		ev->code = s->reset_code;
		break;
	case PLX_H3RING_EV_WRITABLE:
		fill(s, ev, PLX_EV_H3_WRITABLE);
		break;
	case PLX_H3RING_EV_CLOSED:
		fill(s, ev, PLX_EV_H3_CLOSED);
		ev->code = s->close_code;
		break;
	default:
		return false;
	}
	src->mask &= ~(ready & -ready);
	return true;
}

/* A stream that is over lives until its last event, H3_CLOSED, was reported. */
static void
stream_idle(struct plx_evsrc *src)
{
	struct ring_stream *s = (struct ring_stream *)(void *)src;
	struct ring_conn *c = s->c;

	if (!s->over || s->late)
		return;
	plx_recvq_fini(&s->rq);
	heads_drop(s);
	plx_slab_release(c->rc.side->slab, s);
	plx_ringconn_put(&c->rc); /* c may be gone after the next event */
}

struct ring_stream *
plx_h3ring_stream_new(struct ring_conn *c, int64_t id, uint64_t user)
{
	struct ring_stream *s = plx_slab_calloc(c->rc.side->slab, 1, sizeof(*s));

	if (!s)
		return NULL;
	s->c = c;
	s->id = id;
	s->user = user;
	plx_sendq_init(&s->sq);
	plx_recvq_init(&s->rq, c->rc.side, refilled);
	plx_recvq_init(&s->wake, c->rc.side, woken);
	plx_evsrc_init(&s->ev, stream_event, stream_idle);
	plx_ringconn_hold(&c->rc);
	return s;
}
