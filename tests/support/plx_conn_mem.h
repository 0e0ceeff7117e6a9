/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Connections without QUIC: two struct plx_conn in memory, or one that a test feeds by hand.
 *
 * Streams are reliable and in order, acknowledged as soon as they are delivered. What real
 * endpoints cannot show is exact here: where a chunk ends, in which order streams are delivered,
 * and that an application returns the credit of each byte once and not twice (mem_credit()).
 * Everything else is tested over real endpoints (plx_pair.h).
 *
 * Included by one source file per program; it defines the functions of <plx/conn.h>.
 *
 * Threads: one.
 * Memory:  malloc.
 */
#ifndef PLX_CONN_MEM_H
#define PLX_CONN_MEM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plx/app.h>
#include <plx/err.h>

#define MEM_STREAMS 256

struct mem_stream {
	int64_t id;
	uint8_t *tx; /* not delivered yet */
	size_t tx_len, tx_cap;
	uint64_t tx_off; /* offset of tx[0] */
	uint64_t rx_off; /* bytes delivered to us */
	uint64_t credit; /* bytes delivered and not consumed */
	bool tx_fin, tx_fin_done, tx_reset, tx_reset_done, rx_done, stop, stop_done,
	        blocked;
	bool open_told, closed;
	uint64_t tx_code, stop_code, code;
};

struct plx_conn {
	const struct plx_app *app;
	void *ctx;
	struct plx_conn *peer;
	struct mem_stream *s[MEM_STREAMS];
	uint32_t s_cnt;
	int64_t next_bidi, next_uni;
	uint32_t bidi_left, uni_left; /* streams that may be opened */
	uint64_t window;              /* credit of a stream that the peer gives us */
	uint64_t credit;              /* bytes delivered and not consumed, all streams */
	uint64_t consumed;
	uint64_t
	        over; /* bytes consumed that were never delivered: a bug of the application */
	size_t chunk; /* bytes delivered at once, 0 = all */
	uint64_t now, user;
	bool server, up, closing, closed, want;
	uint64_t close_code;
	char reason[64];
	uint64_t stop_cnt, reset_cnt;
};

static inline struct mem_stream *
mem_find(const struct plx_conn *c, int64_t id)
{
	for (uint32_t i = 0; i < c->s_cnt; i++) {
		if (c->s[i]->id == id && !c->s[i]->closed)
			return c->s[i];
	}
	return NULL;
}

static inline struct mem_stream *
mem_add(struct plx_conn *c, int64_t id)
{
	struct mem_stream *s = calloc(1, sizeof(*s));
	uint32_t i;

	if (s == NULL)
		abort();
	s->id = id;
	if (id & 2) {
		bool ours = (id & 1) == (c->server ? 1 : 0);

		s->rx_done = ours;
		s->tx_fin_done = !ours;
		s->stop_done = ours;
	}
	for (i = 0; i < c->s_cnt && !c->s[i]->closed; i++)
		;
	if (i == MEM_STREAMS)
		abort();
	if (i < c->s_cnt)
		free(c->s[i]);
	else
		c->s_cnt++;
	c->s[i] = s;
	return s;
}

int
plx_conn_open_stream(struct plx_conn *c, bool bidi, int64_t *id)
{
	if (c->closing)
		return PLX_E_CLOSED;
	if (bidi ? c->bidi_left == 0 : c->uni_left == 0)
		return PLX_E_STREAM_LIMIT;
	bidi ? c->bidi_left-- : c->uni_left--;
	*id = bidi ? c->next_bidi : c->next_uni;
	*(bidi ? &c->next_bidi : &c->next_uni) += 4;
	mem_add(c, *id);
	return 0;
}

void
plx_conn_want_write(struct plx_conn *c)
{
	c->want = true;
}

void
plx_conn_consume(struct plx_conn *c, int64_t id, size_t len)
{
	struct mem_stream *s = mem_find(c, id), *o;

	if (len > c->credit) {
		c->over += len - c->credit;
		len = c->credit;
	}
	c->credit -= len;
	c->consumed += len;
	if (!s)
		return;
	if (len > s->credit)
		c->over += len - s->credit;
	s->credit -= len > s->credit ? s->credit : len;
	o = c->peer ? mem_find(c->peer, id) : NULL;
	if (o && o->blocked && s->credit < c->peer->window) {
		o->blocked = false;
		if (!c->peer->closing && c->peer->app->on_stream_writable)
			c->peer->app->on_stream_writable(c->peer->ctx, id);
	}
}

int
plx_conn_reset_stream(struct plx_conn *c, int64_t id, uint64_t code)
{
	struct mem_stream *s = mem_find(c, id);

	if (!s)
		s = mem_add(c, id);
	if (s->tx_fin_done || s->tx_reset)
		return PLX_E_STREAM_CLOSED;
	s->tx_reset = true;
	s->tx_code = code;
	s->code = code;
	c->reset_cnt++;
	return 0;
}

int
plx_conn_stop_stream(struct plx_conn *c, int64_t id, uint64_t code)
{
	struct mem_stream *s = mem_find(c, id);

	if (!s)
		return PLX_E_NOENT;
	if (s->rx_done || s->stop)
		return PLX_E_STREAM_CLOSED;
	s->stop = true;
	s->stop_code = code;
	s->code = code;
	c->stop_cnt++;
	return 0;
}

int
plx_conn_shut_stream(struct plx_conn *c, int64_t id, uint64_t code)
{
	plx_conn_stop_stream(c, id, code);
	plx_conn_reset_stream(c, id, code);
	return 0;
}

void
plx_conn_close(struct plx_conn *c, uint64_t code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->close_code = code;
	snprintf(c->reason, sizeof(c->reason), "%s", reason ? reason : "");
}

void
plx_conn_get_info(const struct plx_conn *c, struct plx_conn_info *out)
{
	memset(out, 0, sizeof(*out));
	out->is_server = c->server;
}

struct plx_conn_id
plx_conn_id_of(const struct plx_conn *c)
{
	return plx_conn_id_make(0, c->server ? 1 : 2, 1);
}

void *
plx_conn_ctx(const struct plx_conn *c)
{
	return c->ctx;
}

uint64_t
plx_conn_user(const struct plx_conn *c)
{
	return c->user;
}

bool
plx_conn_is_server(const struct plx_conn *c)
{
	return c->server;
}

uint64_t
plx_conn_now(const struct plx_conn *c)
{
	return c->now;
}

static inline void
mem_init(struct plx_conn *c, bool server, const struct plx_app *app, void *arg)
{
	memset(c, 0, sizeof(*c));
	c->server = server;
	c->app = app;
	c->next_bidi = server ? 1 : 0;
	c->next_uni = server ? 3 : 2;
	c->bidi_left = 100;
	c->uni_left = 3;
	c->window = UINT64_MAX;
	c->now = 1;
	c->up = app->on_conn_established(arg, c, &c->ctx) == 0;
	if (!c->up)
		c->closed = c->closing = true;
}

static inline void
mem_check(struct plx_conn *c, int rc)
{
	if (rc < 0 && !c->closing)
		plx_conn_close(c, 0x102, "application");
}

/* Both sides of a stream are done for c. */
static inline void
mem_maybe_closed(struct plx_conn *c, struct mem_stream *s)
{
	if (s->closed || !s->rx_done || !(s->tx_fin_done || s->tx_reset_done))
		return;
	s->closed = true;
	free(s->tx);
	s->tx = NULL;
	if (c->app->on_stream_closed && !c->closing)
		mem_check(c, c->app->on_stream_closed(c->ctx, s->id,
		                                      s->code ? s->code : UINT64_MAX));
}

static inline struct mem_stream *
mem_open(struct plx_conn *c, int64_t id)
{
	struct mem_stream *s = mem_find(c, id);

	if (!s) {
		s = mem_add(c, id);
		if (c->app->on_stream_open)
			mem_check(c, c->app->on_stream_open(c->ctx, id));
	}
	return s;
}

/* Delivers bytes to c, as the peer sent them. The bytes are an exact-size block of their own. */
static inline void
mem_deliver(struct plx_conn *c, int64_t id, const uint8_t *p, size_t len, bool fin)
{
	struct mem_stream *s = mem_open(c, id);

	while (!c->closing && (len || fin)) {
		size_t n = c->chunk && c->chunk < len ? c->chunk : len;
		uint8_t *b = malloc(n ? n : 1);
		bool last = fin && n == len;

		if (n)
			memcpy(b, p, n);
		s->credit += n;
		c->credit += n;
		if (!s->stop || n)
			mem_check(c, c->app->on_stream_data(c->ctx, id, s->rx_off, b, n,
			                                    last));
		free(b);
		s->rx_off += n;
		p = n ? p + n : p;
		len -= n;
		if (last) {
			s->rx_done = true;
			fin = false;
		}
	}
	mem_maybe_closed(c, s);
}

static inline void
mem_reset(struct plx_conn *c, int64_t id, uint64_t code)
{
	struct mem_stream *s = mem_open(c, id);

	if (s->rx_done || c->closing)
		return;
	s->rx_done = true;
	s->code = code;
	if (c->app->on_stream_reset)
		mem_check(c, c->app->on_stream_reset(c->ctx, id, s->rx_off, code));
	mem_maybe_closed(c, s);
}

static inline void
mem_stop(struct plx_conn *c, int64_t id, uint64_t code)
{
	struct mem_stream *s = mem_open(c, id);

	if (s->tx_fin_done || s->tx_reset || c->closing)
		return;
	s->tx_reset = true;
	s->tx_code = code;
	s->code = code;
	if (c->app->on_stream_stop)
		mem_check(c, c->app->on_stream_stop(c->ctx, id, code));
}

static inline size_t
mem_room(const struct plx_conn *c, const struct mem_stream *s)
{
	const struct mem_stream *o = c->peer ? mem_find(c->peer, s->id) : NULL;
	uint64_t used = s->tx_len + (o ? o->credit : 0);

	return used < c->window ? (size_t)(c->window - used) : 0;
}

/* One write turn of c: everything that flow control lets go. */
static inline bool
mem_write(struct plx_conn *c)
{
	bool moved = false;
	struct plx_tx_next next;
	int rc;

	while (c->want && !c->closing) {
		struct mem_stream *s;
		size_t sent = 0, room, all = 0;

		memset(&next, 0, sizeof(next));
		rc = c->app->next_tx(c->ctx, &next);
		mem_check(c, rc);
		if (rc <= 0) {
			c->want = false;
			break;
		}
		s = mem_find(c, next.stream_id);
		if (!s || s->tx_reset || s->tx_fin_done) {
			c->app->tx_shut(c->ctx, next.stream_id);
			continue;
		}
		room = mem_room(c, s);
		for (uint16_t i = 0; i < next.cnt; i++)
			all += next.vec[i].len;
		if (all && !room) {
			s->blocked = true;
			c->app->tx_blocked(c->ctx, s->id);
			continue;
		}
		for (uint16_t i = 0; i < next.cnt && room; i++) {
			size_t n = next.vec[i].len < room ? next.vec[i].len : room;

			if (s->tx_len + n > s->tx_cap) {
				uint8_t *tx = realloc(s->tx, (s->tx_len + n) * 2);

				if (tx == NULL)
					abort();
				s->tx = tx;
				s->tx_cap = (s->tx_len + n) * 2;
			}
			memcpy(s->tx + s->tx_len, next.vec[i].base, n);
			s->tx_len += n;
			sent += n;
			room -= n;
		}
		s->tx_fin = next.fin && sent == all;
		moved = true;
		mem_check(c, c->app->tx_done(c->ctx, s->id, sent, s->tx_fin));
	}
	return moved;
}

/* What c sent arrives at its peer, and the acknowledgements at c. */
static inline bool
mem_carry(struct plx_conn *c)
{
	bool moved = false;

	for (uint32_t i = 0; i < c->s_cnt && !c->closing && !c->peer->closing; i++) {
		struct mem_stream *s = c->s[i];

		if (s->closed)
			continue;
		if (s->stop && !s->stop_done) {
			s->stop_done = true;
			moved = true;
			mem_stop(c->peer, s->id, s->stop_code);
		}
		if (s->tx_reset) {
			if (s->tx_reset_done)
				continue;
			s->tx_reset_done = moved = true;
			mem_reset(c->peer, s->id, s->tx_code);
			mem_maybe_closed(c, s);
		} else if ((s->tx_len || s->tx_fin) && !s->tx_fin_done) {
			uint8_t *p = s->tx;
			size_t len = s->tx_len;
			uint64_t off = s->tx_off;
			bool fin = s->tx_fin;

			s->tx = NULL;
			s->tx_len = s->tx_cap = 0;
			s->tx_off += len;
			s->tx_fin_done = fin;
			moved = true;
			mem_deliver(c->peer, s->id, p, len, fin);
			free(p);
			if (!c->closing)
				mem_check(c,
				          c->app->on_stream_acked(c->ctx, s->id, off, len));
			mem_maybe_closed(c, s);
		}
	}
	return moved;
}

/* One write turn of a connection without a peer: what it sent is acknowledged and forgotten. */
static inline void
mem_turn(struct plx_conn *c)
{
	mem_write(c);
	for (uint32_t i = 0; i < c->s_cnt; i++) {
		struct mem_stream *s = c->s[i];
		uint64_t off = s->tx_off;
		size_t len = s->tx_len;

		if (s->closed)
			continue;
		s->stop_done |= s->stop;
		s->tx_len = 0;
		s->tx_off += len;
		s->tx_fin_done |= s->tx_fin;
		s->tx_reset_done |= s->tx_reset;
		if (len && !c->closing)
			mem_check(c, c->app->on_stream_acked(c->ctx, s->id, off, len));
		mem_maybe_closed(c, s);
	}
}

static inline void
mem_end(struct plx_conn *c, enum plx_close_by by, uint64_t code)
{
	struct plx_close_info why = {.code = code, .by = (uint8_t)by, .is_app = 1};

	if (c->closed)
		return;
	c->closing = c->closed = true;
	c->app->on_conn_closed(c->ctx, &why);
}

/* Runs both until nothing moves. */
static inline void
mem_run(struct plx_conn *a, struct plx_conn *b)
{
	bool moved = true;

	a->peer = b;
	b->peer = a;
	for (uint32_t i = 0; moved && i < 1000000 && !a->closed && !b->closed; i++) {
		a->now += 1000000;
		b->now = a->now;
		moved = mem_write(a);
		moved |= mem_carry(a);
		moved |= mem_write(b);
		moved |= mem_carry(b);
		if (a->closing || b->closing) {
			struct plx_conn *x = a->closing ? a : b;

			mem_end(x, PLX_CLOSE_LOCAL, x->close_code);
			mem_end(x->peer, PLX_CLOSE_PEER_APPLICATION, x->close_code);
		}
	}
}

static inline void
mem_fini(struct plx_conn *c)
{
	if (!c->closed)
		mem_end(c, PLX_CLOSE_IDLE, 0);
	for (uint32_t i = 0; i < c->s_cnt; i++) {
		if (!c->s[i]->closed)
			free(c->s[i]->tx);
		free(c->s[i]);
	}
	c->s_cnt = 0;
}

#endif
