/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_bug.h"
#include "plx_h3_pvt.h"

/* Types of unidirectional streams, RFC 9114 section 6.2 and RFC 9204 section 4.2. */
#define UNI_CONTROL       0x00u
#define UNI_QPACK_ENCODER 0x02u
#define UNI_QPACK_DECODER 0x03u

int
plx_h3_fail(struct plx_h3 *h, uint64_t code, const char *reason)
{
	if (!h->closing) {
		h->closing = true;
		if (code != PLX_H3_NO_ERROR)
			plx_h3_count(h, PLX_COUNT_h3_errors);
		plx_conn_close(h->conn, code, reason);
	}
	return PLX_E_H3;
}

/* Ending streams. */

static void
kill_now(struct plx_h3 *h, struct plx_h3_stream *s)
{
	int64_t id = s->id;
	size_t held;

	if (s->shut)
		return;
	s->shut = true;
	plx_h3_stream_unwait(h, s);
	plx_h3_section_drop(h, s);
	held = plx_h3_stream_unhold(h, s);
	if (held)
		plx_conn_consume(h->conn, id, held);
	if (h->closing)
		return;
	plx_h3_ng_shut_write(h, id);
	if (plx_h3_ng_shut_read(h, id))
		return;
	/* The stream may close at once, and s with it. */
	plx_conn_shut_stream(h->conn, id, s->code);
	plx_conn_want_write(h->conn);
}

void
plx_h3_kill(struct plx_h3 *h, struct plx_h3_stream *s, uint64_t code)
{
	if (s->dead)
		return;
	s->dead = true;
	s->code = code;
	if (h->in_ng == 0) {
		kill_now(h, s);
		return;
	}
	/* nghttp3 is in the middle of this stream, perhaps. */
	s->todo_next = h->todo;
	h->todo = s;
}

void
plx_h3_enter(struct plx_h3 *h)
{
	h->in_ng++;
}

void
plx_h3_leave(struct plx_h3 *h)
{
	struct plx_h3_stream *s;

	PLX_BUG_ON(h->in_ng == 0);
	h->in_ng--;
	while (h->in_ng == 0 && (s = h->todo)) {
		h->todo = s->todo_next;
		s->todo_next = NULL;
		kill_now(h, s);
	}
}

/* The message of the peer is malformed, or we lack the memory for it. */
static int
refuse(struct plx_h3 *h, struct plx_h3_stream *s, size_t rest, uint64_t code)
{
	int64_t id = s->id;

	plx_h3_count(h, PLX_COUNT_h3_errors);
	if (rest)
		plx_conn_consume(h->conn, id, rest);
	/* The code is settled before the application hears of it, the stream ends afterwards. */
	plx_h3_enter(h);
	plx_h3_kill(h, s, code);
	if (s->known && h->app->on_reset)
		(void)h->app->on_reset(h->ctx, id, code);
	plx_h3_leave(h);
	return 0;
}

/* Methods that change nothing (RFC 9110 section 9.2.1), of those that anybody uses. */
static bool
is_safe(const struct plx_h3_head *head)
{
	static const char *const safe[] = {"GET", "HEAD", "OPTIONS"};

	for (uint16_t i = 0; i < head->cnt; i++) {
		const struct plx_h3_field *f = &head->field[i];

		if (f->name_len != 7 || memcmp(f->name, ":method", 7) != 0)
			continue;
		for (size_t k = 0; k < sizeof(safe) / sizeof(safe[0]); k++)
			if (f->value_len == strlen(safe[k]) &&
			    memcmp(f->value, safe[k], f->value_len) == 0)
				return true;
	}
	return false;
}

/* What nghttp3 found in the bytes that the gate let pass. */

int
plx_h3_got_head(struct plx_h3 *h, struct plx_h3_stream *s, bool fin)
{
	int err = 0;

	/* Acknowledgements of the section go out on the decoder stream. */
	plx_conn_want_write(h->conn);
	if (s->dead || !s->sect)
		return 0;
	if (h->server) {
		if (h->requests_max && h->requests >= h->requests_max)
			return plx_h3_fail(h, PLX_H3_NO_ERROR, "request limit");
		h->requests++;
		/* RFC 8470: early data may be somebody's recording. The code says that nothing
		 * was done, so that the client asks again. */
		if (h->early && !is_safe(s->sect->head)) {
			plx_h3_section_give(h, s);
			plx_h3_kill(h, s, PLX_H3_REQUEST_REJECTED);
			return 0;
		}
		s->known = true;
		plx_h3_count(h, PLX_COUNT_h3_requests);
	} else if (s->sect->head->status >= 200) {
		s->final = true;
	}
	if (h->app->on_head)
		err = h->app->on_head(h->ctx, s->id, s->sect->head, fin);
	plx_h3_section_give(h, s);
	if (err < 0)
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

int
plx_h3_got_trailers(struct plx_h3 *h, struct plx_h3_stream *s)
{
	int err = 0;

	plx_conn_want_write(h->conn);
	if (s->dead || !s->sect)
		return 0;
	if (h->app->on_trailers)
		err = h->app->on_trailers(h->ctx, s->id, s->sect->head);
	plx_h3_section_give(h, s);
	if (err < 0)
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

int
plx_h3_got_data(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len)
{
	if (!s->dead && h->app->on_data) {
		if (h->app->on_data(h->ctx, s->id, p, len) >= 0)
			return 0;
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	}
	plx_conn_consume(h->conn, s->id, len);
	return 0;
}

int
plx_h3_got_end(struct plx_h3 *h, struct plx_h3_stream *s)
{
	s->rx_end = true;
	if (!s->dead && s->known && h->app->on_end && h->app->on_end(h->ctx, s->id) < 0)
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

int
plx_h3_got_goaway(struct plx_h3 *h, int64_t id)
{
	h->goaway_rx = true;
	if (h->app->on_goaway)
		h->app->on_goaway(h->ctx, id);
	return 0;
}

/* Bytes of a request stream. */

/* The field section needs entries that are still on their way. */
static int
wait_for_encoder(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len,
                 bool fin)
{
	if (h->waiting_cnt == PLX_H3_QPACK_BLOCKED)
		return plx_h3_fail(h, PLX_QPACK_DECOMPRESSION_FAILED, "blocked streams");
	s->blocked = true;
	h->waiting[h->waiting_cnt++] = s;
	s->held_fin = fin;
	if (plx_h3_stream_hold(h, s, p, len))
		return plx_h3_fail(h, PLX_H3_INTERNAL_ERROR, "memory");
	return 0;
}

/*
 * Lets bytes through the gate into nghttp3, section by section, so that what follows a section
 * is judged when the section was reported. The first seen bytes were judged before.
 */
static int
feed(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len, bool fin,
     size_t seen)
{
	size_t fed = 0, pos = seen, used;
	int64_t id = s->id;
	int err;

	for (;;) {
		enum plx_h3_verdict v = PLX_H3_GATE_MORE;
		bool end;

		if (pos < len) {
			v = plx_h3_gate_scan(h, s, p + pos, len - pos, &used);
			pos += used;
		}
		end = fin && pos == len;
		if (end && (v == PLX_H3_GATE_MORE || v == PLX_H3_GATE_SECTION)) {
			/* A frame out of place is worse than a message without an end: nghttp3
			 * sees the frames first. */
			if (s->part == PLX_H3_PART_NONE && pos > fed)
				end = false;
			else
				v = plx_h3_gate_fin(h, s);
		}
		switch (v) {
		case PLX_H3_GATE_CONN_ERR:
			return plx_h3_fail(h, h->gate_code, NULL);
		case PLX_H3_GATE_STREAM_ERR:
			return refuse(h, s, len - fed, h->gate_code);
		case PLX_H3_GATE_BLOCKED:
			/* nghttp3 would buffer as well: it gets nothing from here on, not even
			 * the last byte of the prefix. */
			pos--;
			err = wait_for_encoder(h, s, p + pos, len - pos, fin);
			if (err || pos == fed)
				return err;
			return plx_h3_ng_read(h, id, p + fed, pos - fed, false);
		case PLX_H3_GATE_MORE:
		case PLX_H3_GATE_SECTION:
			break;
		}
		err = plx_h3_ng_read(h, id, p + fed, pos - fed, end);
		if (err)
			return err;
		fed = pos;
		s = plx_h3_stream_find(h, id);
		if (!s || s->dead) {
			if (len > fed)
				plx_conn_consume(h->conn, id, len - fed);
			return 0;
		}
		if (pos == len && end == fin)
			return 0;
	}
}

/* The encoder stream brought something: go on with a stream that waited. */
static int
resume_held(struct plx_h3 *h, struct plx_h3_stream *s)
{
	struct plx_h3_held *c = s->held, *next;
	bool fin = s->held_fin;
	int64_t id = s->id;
	size_t seen = 1;
	int err = 0;

	plx_h3_stream_unwait(h, s);
	s->held = s->held_tail = NULL;
	for (; c; c = next) {
		next = c->next;
		s = plx_h3_stream_find(h, id);
		if (err || !s || s->dead)
			plx_conn_consume(h->conn, id, c->len);
		else if (!s->blocked)
			err = feed(h, s, c->data, c->len, fin && !next, seen);
		else if (!plx_h3_stream_hold(h, s, c->data, c->len))
			s->held_fin = fin;
		else
			err = plx_h3_fail(h, PLX_H3_INTERNAL_ERROR, "memory");
		seen = 0;
		plx_slab_release(h->slab, c);
	}
	return err;
}

static int
encoder_data(struct plx_h3 *h, const uint8_t *p, size_t len)
{
	int64_t id[PLX_H3_QPACK_BLOCKED];
	uint32_t cnt = 0;
	int err = 0;

	if (plx_h3_section_encoder(h, p, len) != PLX_H3_GATE_MORE)
		return plx_h3_fail(h, h->gate_code, NULL);
	/* Streams leave the list while it is walked. */
	for (uint32_t i = 0; i < h->waiting_cnt; i++) {
		if (!plx_h3_section_waits(h, h->waiting[i]))
			id[cnt++] = h->waiting[i]->id;
	}
	for (uint32_t i = 0; i < cnt && !err; i++) {
		struct plx_h3_stream *s = plx_h3_stream_find(h, id[i]);

		if (s && s->blocked)
			err = resume_held(h, s);
	}
	return err;
}

static int
uni_data(struct plx_h3 *h, int64_t id, const uint8_t *p, size_t len, bool fin)
{
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);
	size_t off = 0;
	bool done, encoder;
	int err;

	if (!s && !(s = plx_h3_stream_new(h, id)))
		return plx_h3_fail(h, PLX_H3_INTERNAL_ERROR, "memory");
	if (s->uni == PLX_H3_UNI_NEW) {
		off = plx_h3_varint_read(s, p, len, &done);
		if (done && s->varint == UNI_QPACK_ENCODER)
			s->uni = PLX_H3_UNI_QPACK_ENCODER;
		else if (done &&
		         (s->varint == UNI_CONTROL || s->varint == UNI_QPACK_DECODER))
			s->uni = PLX_H3_UNI_CRITICAL;
		else if (done)
			s->uni = PLX_H3_UNI_OTHER;
	}
	encoder = s->uni == PLX_H3_UNI_QPACK_ENCODER;
	err = plx_h3_ng_read(h, id, p, len, fin);
	if (!err && encoder && len > off)
		err = encoder_data(h, p + off, len - off);
	plx_conn_want_write(h->conn);
	return err;
}

static struct plx_h3_stream *
peer_opened(struct plx_h3 *h, int64_t id)
{
	struct plx_h3_stream *s = plx_h3_stream_new(h, id);

	if (!s) {
		plx_h3_fail(h, PLX_H3_INTERNAL_ERROR, "memory");
		return NULL;
	}
	if (id > h->id_max)
		h->id_max = id;
	if (plx_h3_ng_open(h, id))
		return NULL;
	return plx_h3_stream_find(h, id);
}

static int
on_stream_data(void *ctx, int64_t id, uint64_t off, const uint8_t *p, size_t len, bool fin)
{
	struct plx_h3 *h = ctx;
	struct plx_h3_stream *s;

	(void)off;
	if (h->closing || (len == 0 && !fin))
		return 0;
	if (id & 2)
		return uni_data(h, id, p, len, fin);
	s = plx_h3_stream_find(h, id);
	if (!s && (id & 1))
		return plx_h3_ng_read(h, id, p, len, fin); /* refused by nghttp3 */
	if (!s && h->server)
		s = peer_opened(h, id);
	if (h->closing)
		return PLX_E_H3;
	if (!s || s->dead || s->rx_reset) {
		plx_conn_consume(h->conn, id, len);
		return 0;
	}
	if (!s->blocked)
		return feed(h, s, p, len, fin, 0);
	s->held_fin = fin;
	if (plx_h3_stream_hold(h, s, p, len))
		return plx_h3_fail(h, PLX_H3_INTERNAL_ERROR, "memory");
	return 0;
}

/* The rest of what a connection tells. */

static int
on_stream_acked(void *ctx, int64_t id, uint64_t off, uint64_t len)
{
	struct plx_h3 *h = ctx;
	int err;

	if (h->closing)
		return 0;
	err = plx_h3_ng_acked(h, id, off + len);
	if (err || id != h->ctrl_id)
		return err;
	h->ctrl_acked = off + len;
	if (h->goaway == PLX_H3_GOAWAY_NOTICE && h->ctrl_mark &&
	    h->ctrl_acked >= h->ctrl_mark) {
		/* A round trip has passed: what the peer sent before it knew has arrived. */
		h->goaway = PLX_H3_GOAWAY_FINAL;
		err = plx_h3_ng_goaway_final(h);
		plx_conn_want_write(h->conn);
	}
	return err;
}

static bool
is_critical(const struct plx_h3 *h, int64_t id)
{
	const struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	if (id == h->ctrl_id || id == h->qenc_id || id == h->qdec_id)
		return true;
	return s && (id & 2) &&
	       (s->uni == PLX_H3_UNI_CRITICAL || s->uni == PLX_H3_UNI_QPACK_ENCODER);
}

static int
on_stream_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	struct plx_h3 *h = ctx;
	struct plx_h3_stream *s;
	size_t held;
	int err;

	(void)final_sz;
	if (h->closing)
		return 0;
	if (id & 2)
		return is_critical(h, id)
		               ? plx_h3_fail(h, PLX_H3_CLOSED_CRITICAL_STREAM, NULL)
		               : 0;
	s = plx_h3_stream_find(h, id);
	if (!s) {
		/* Reset before its first byte: nobody will answer, so our side ends too. */
		if (h->server)
			plx_conn_reset_stream(h->conn, id, PLX_H3_REQUEST_CANCELLED);
		return 0;
	}
	if (s->dead || s->rx_reset)
		return 0;
	s->rx_reset = true;
	plx_h3_stream_unwait(h, s);
	plx_h3_section_drop(h, s);
	held = plx_h3_stream_unhold(h, s);
	if (held)
		plx_conn_consume(h->conn, id, held);
	err = plx_h3_ng_shut_read(h, id);
	if (err)
		return err;
	plx_conn_want_write(h->conn);
	if (!s->known)
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	else if (h->app->on_reset && h->app->on_reset(h->ctx, id, code) < 0 &&
	         (s = plx_h3_stream_find(h, id)))
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

/* The peer wants no more of a stream of ours; we hear it once, from below or while writing. */
static int
stopped(struct plx_h3 *h, int64_t id, uint64_t code)
{
	struct plx_h3_stream *s;

	if (h->closing)
		return 0;
	if (is_critical(h, id))
		return plx_h3_fail(h, PLX_H3_CLOSED_CRITICAL_STREAM, NULL);
	plx_h3_ng_shut_write(h, id);
	s = plx_h3_stream_find(h, id);
	if (!s || s->dead || s->stopped || !s->known)
		return 0;
	s->stopped = true;
	if (h->app->on_reset && h->app->on_reset(h->ctx, id, code) < 0 &&
	    (s = plx_h3_stream_find(h, id)))
		plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

static int
on_stream_stop(void *ctx, int64_t id, uint64_t code)
{
	return stopped(ctx, id, code);
}

static int
on_stream_writable(void *ctx, int64_t id)
{
	struct plx_h3 *h = ctx;

	if (h->closing)
		return 0;
	plx_conn_want_write(h->conn);
	return plx_h3_ng_unblock(h, id);
}

/* Reports the end of a stream and frees it. */
static void
stream_over(struct plx_h3 *h, struct plx_h3_stream *s, uint64_t code)
{
	h->over = s;
	if (s->known && h->app->on_closed)
		h->app->on_closed(h->ctx, s->id, s->dead ? s->code : code);
	h->over = NULL;
	plx_h3_stream_free(h, s);
}

static int
on_stream_closed(void *ctx, int64_t id, uint64_t code)
{
	struct plx_h3 *h = ctx;
	struct plx_h3_stream *s;
	int err = 0;

	if (code == UINT64_MAX)
		code = PLX_H3_NO_ERROR;
	if (!h->closing)
		err = plx_h3_ng_close_stream(h, id, code);
	s = plx_streamtab_del(&h->streams, id);
	if (s)
		stream_over(h, s, code);
	if (!err && !h->closing && h->server && h->goaway == PLX_H3_GOAWAY_FINAL &&
	    plx_h3_ng_drained(h))
		plx_h3_fail(h, PLX_H3_NO_ERROR, NULL);
	return err;
}

static int
on_streams_available(void *ctx, bool bidi)
{
	struct plx_h3 *h = ctx;

	if (bidi && !h->closing && h->app->on_streams_avail)
		h->app->on_streams_avail(h->ctx);
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct plx_h3 *h = ctx;
	int n;

	if (h->closing)
		return 0;
	n = plx_h3_ng_writev(h, &next->stream_id, &next->fin);
	if (n < 0)
		return n;
	next->vec = (const struct plx_iov *)(const void *)h->vec;
	next->cnt = (uint16_t)n;
	return next->stream_id >= 0;
}

static int
tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	struct plx_h3 *h = ctx;

	(void)fin;
	if (h->closing)
		return 0;
	if (id == h->ctrl_id) {
		h->ctrl_sent += len;
		if (h->goaway == PLX_H3_GOAWAY_NOTICE && !h->ctrl_mark)
			h->ctrl_mark = h->ctrl_sent;
	}
	return plx_h3_ng_sent(h, id, len);
}

static int
tx_blocked(void *ctx, int64_t id)
{
	struct plx_h3 *h = ctx;

	if (!h->closing)
		plx_h3_ng_block(h, id);
	return 0;
}

static int
tx_shut(void *ctx, int64_t id)
{
	/* The code of STOP_SENDING is not known here. */
	return stopped(ctx, id, PLX_H3_REQUEST_CANCELLED);
}

/* Life of a connection. */

static void
conn_free(struct plx_h3 *h)
{
	plx_h3_sections_fini(h);
	plx_streamtab_fini(&h->streams, h->slab);
	plx_h3_ng_free(h);
	plx_slab_release(h->slab, h);
}

static int
open_streams(struct plx_h3 *h)
{
	/* RFC 9114 section 6.2: a peer that allows fewer than three cannot be talked to. */
	if (plx_conn_open_stream(h->conn, false, &h->ctrl_id) ||
	    plx_conn_open_stream(h->conn, false, &h->qenc_id) ||
	    plx_conn_open_stream(h->conn, false, &h->qdec_id)) {
		plx_h3_fail(h, PLX_H3_STREAM_CREATION_ERROR, "unidirectional streams");
		return PLX_E_STREAM_LIMIT;
	}
	return plx_h3_ng_bind(h);
}

static int
on_conn_established(void *app, struct plx_conn *c, void **ctx)
{
	const struct plx_h3_cfg *cfg = app;
	struct plx_h3 *h = *ctx;
	int err;

	if (h) {
		h->early = false;
		return 0;
	}
	h = plx_slab_calloc(cfg->slab, 1, sizeof(*h));
	if (!h)
		return PLX_E_NOMEM;
	h->conn = c;
	h->app = cfg->app;
	h->slab = cfg->slab;
	h->obs = cfg->obs;
	h->server = plx_conn_is_server(c);
	h->section_max =
	        cfg->field_section_max ? cfg->field_section_max : PLX_H3_FIELD_SECTION_MAX;
	h->requests_max = cfg->requests_max;
	h->id_max = -4;
	err = plx_h3_ng_new(h);
	if (!err)
		err = open_streams(h);
	if (!err && h->app->on_open)
		err = h->app->on_open(cfg->arg, h, c, &h->ctx);
	if (err < 0) {
		conn_free(h);
		return err;
	}
	plx_conn_want_write(c);
	*ctx = h;
	return 0;
}

/* A client would have to remember the settings of the server: it sends no early data. */
static int
on_conn_early(void *app, struct plx_conn *c, void **ctx)
{
	int err = PLX_E_UNSUPPORTED;

	if (plx_conn_is_server(c))
		err = on_conn_established(app, c, ctx);
	if (!err)
		((struct plx_h3 *)*ctx)->early = true;
	return err;
}

static void
on_early_rejected(void *ctx)
{
	(void)ctx;
}

struct closing {
	struct plx_h3 *h;
	uint64_t code;
};

static void
close_one(void *arg, int64_t id, void *obj)
{
	struct closing *c = arg;

	(void)id;
	stream_over(c->h, obj, c->code);
}

static void
on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	/* An unfinished request must not look finished because the connection ended well. */
	struct closing c = {.h = ctx, .code = PLX_H3_REQUEST_CANCELLED};
	struct plx_h3 *h = ctx;

	h->closing = true;
	if (why && why->is_app && why->code != PLX_H3_NO_ERROR)
		c.code = why->code;
	plx_streamtab_drain(&h->streams, close_one, &c);
	if (h->app->on_conn_closed)
		h->app->on_conn_closed(h->ctx, why);
	conn_free(h);
}

const struct plx_app plx_h3_inline = {
        .name = "h3",
        .on_conn_early = on_conn_early,
        .on_early_rejected = on_early_rejected,
        .on_conn_established = on_conn_established,
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
