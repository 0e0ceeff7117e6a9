/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A web site and its visitor for tests of HTTP/3: two struct plx_h3_app. What the site does is
 * in the path of the request; what the visitor saw is in one record per request.
 *
 *     /n/N          N bytes of pattern      /echo      what was sent comes back
 *     /trailers     body, then trailers     /early     103, then 200
 *     /reset        1000 bytes, then the server cancels with 0x107
 *     /hold         200, and never consumes what is sent
 *     /never        no answer
 */
#ifndef H3_SITE_H
#define H3_SITE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plx/err.h>

#include "plx_h3.h"

#ifndef SITE_MAX
# define SITE_MAX 4096 /* streams that are remembered */
#endif

/* Byte i of every body. */
static inline uint8_t
site_byte(uint64_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* A body to send: pattern from off to end, in a window that repeats. */
#define SITE_PIECE 65536
static uint8_t site_pattern[2 * 16777216 / 16]; /* 2 MiB */

/* Before the first body; also as init of a suite. */
static inline int
site_init(void)
{
	for (size_t i = 0; i < sizeof(site_pattern); i++)
		site_pattern[i] = site_byte(i);
	return 0;
}

struct site_stream {
	int64_t id;
	char method[16], path[64];
	uint64_t rx, tx, tx_end, acked;
	uint8_t *echo;
	size_t echo_cap;
	bool used, rx_fin, echoing, reset_later, trailers, hold, bad;
	uint64_t reset_code;
	uint32_t resets;
};

struct site {
	struct plx_h3 *h;
	struct site_stream s[SITE_MAX];
	uint32_t opened, closed, conns, conns_closed, heads, goaways;
	uint64_t last_code; /* of on_closed */
	uint64_t held;      /* bytes not consumed */
	struct plx_close_info why;
	struct plx_h3_head *last; /* not kept */
	char last_fields[2048];   /* name=value; of the last head */
};

static inline struct site_stream *
site_find(struct site *t, int64_t id)
{
	struct site_stream *s = &t->s[(id >> 2) % SITE_MAX];

	if (!s->used || s->id != id)
		abort(); /* a callback for a stream that was never reported, or is over */
	return s;
}

static inline const struct plx_h3_field *
site_field(const struct plx_h3_head *h, const char *name)
{
	for (uint16_t i = 0; i < h->cnt; i++) {
		if (h->field[i].name_len == strlen(name) &&
		    memcmp(h->field[i].name, name, h->field[i].name_len) == 0)
			return &h->field[i];
	}
	return NULL;
}

static inline void
site_copy(char *dst, size_t sz, const struct plx_h3_field *f)
{
	snprintf(dst, sz, "%.*s", f ? (int)f->value_len : 0, f ? f->value : "");
}

#define F(n, v)                                   \
	{                                         \
	        .name = (n),                      \
	        .value = (v),                     \
	        .name_len = (uint32_t)strlen(n),  \
	        .value_len = (uint32_t)strlen(v), \
	}

static int
site_on_open(void *arg, struct plx_h3 *h, struct plx_conn *c, void **ctx)
{
	struct site *t = arg;

	(void)c;
	t->h = h;
	t->conns++;
	*ctx = t;
	return 0;
}

static int
site_on_head(void *ctx, int64_t id, const struct plx_h3_head *head, bool fin)
{
	struct site *t = ctx;
	struct site_stream *s = &t->s[(id >> 2) % SITE_MAX];
	struct plx_h3_field ok[] = {F(":status", "200"), F("server", "pollux")};
	struct plx_h3_field early[] = {F(":status", "103"), F("link", "</a>; rel=preload")};
	struct plx_h3_field trailers[] = {F("checksum", "abc")};
	size_t n = 0;

	(void)fin;
	free(s->echo);
	memset(s, 0, sizeof(*s));
	s->used = true;
	s->id = id;
	t->heads++;
	t->opened++;
	for (uint16_t i = 0; i < head->cnt && n < sizeof(t->last_fields); i++)
		n += (size_t)snprintf(t->last_fields + n, sizeof(t->last_fields) - n,
		                      "%.*s=%.*s;", (int)head->field[i].name_len,
		                      head->field[i].name, (int)head->field[i].value_len,
		                      head->field[i].value);
	site_copy(s->method, sizeof(s->method), site_field(head, ":method"));
	site_copy(s->path, sizeof(s->path), site_field(head, ":path"));
	if (strcmp(s->path, "/never") == 0)
		return 0;
	if (strncmp(s->path, "/n/", 3) == 0)
		s->tx_end = strtoull(s->path + 3, NULL, 10);
	if (strcmp(s->path, "/trailers") == 0)
		s->tx_end = 5000;
	if (strcmp(s->path, "/reset") == 0) {
		s->tx_end = UINT64_MAX;
		s->reset_later = true;
	}
	s->echoing = strcmp(s->path, "/echo") == 0;
	s->hold = strcmp(s->path, "/hold") == 0;
	if (s->echoing)
		s->tx_end = UINT64_MAX;
	if (strcmp(s->path, "/early") == 0)
		plx_h3_inform(t->h, id, early, 2);
	if (strcmp(s->method, "HEAD") == 0)
		return plx_h3_respond(t->h, id, ok, 2, false);
	plx_h3_respond(t->h, id, ok, 2, s->tx_end > 0);
	if (strcmp(s->path, "/trailers") == 0)
		plx_h3_trailers(t->h, id, trailers, 1);
	return 0;
}

static int
site_on_data(void *ctx, int64_t id, const uint8_t *data, size_t len)
{
	struct site *t = ctx;
	struct site_stream *s = site_find(t, id);

	for (size_t i = 0; i < len; i++) {
		if (data[i] != site_byte(s->rx + i))
			s->bad = true;
	}
	if (s->echoing) {
		if (s->rx + len > s->echo_cap) {
			/* Sent pieces point into it: one block for all that a test sends. */
			if (s->echo)
				return -1;
			s->echo_cap = 4 << 20;
			s->echo = malloc(s->echo_cap);
		}
		memcpy(s->echo + s->rx, data, len);
		plx_h3_resume(t->h, id);
	}
	s->rx += len;
	if (s->hold)
		t->held += len;
	else
		plx_h3_consume(t->h, id, len);
	return 0;
}

static int
site_on_end(void *ctx, int64_t id)
{
	struct site *t = ctx;
	struct site_stream *s = site_find(t, id);

	s->rx_fin = true;
	if (s->echoing) {
		s->tx_end = s->rx;
		plx_h3_resume(t->h, id);
	}
	return 0;
}

static int
site_on_reset(void *ctx, int64_t id, uint64_t code)
{
	struct site *t = ctx;
	struct site_stream *s = site_find(t, id);

	s->reset_code = code;
	s->resets++;
	plx_h3_cancel(t->h, id, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

static int
site_read(struct plx_iov *vec, uint64_t *tx, uint64_t end, const uint8_t *echo, bool *fin)
{
	uint64_t n = end - *tx;

	if (n > SITE_PIECE)
		n = SITE_PIECE;
	if (!echo && *tx % (sizeof(site_pattern) / 2) + n > sizeof(site_pattern))
		n = sizeof(site_pattern) - *tx % (sizeof(site_pattern) / 2);
	vec[0].base = echo ? echo + *tx : site_pattern + *tx;
	vec[0].len = (size_t)n;
	*tx += n;
	*fin = *tx == end;
	return n > 0;
}

static int
site_read_body(void *ctx, int64_t id, struct plx_iov *vec, uint16_t cnt, bool *fin)
{
	struct site *t = ctx;
	struct site_stream *s = site_find(t, id);

	(void)cnt;
	if (s->reset_later) {
		if (s->tx == 0) {
			vec[0] = (struct plx_iov){site_pattern, 1000};
			s->tx = 1000;
			return 1;
		}
		plx_h3_cancel(t->h, id, PLX_H3_EXCESSIVE_LOAD);
		return 0;
	}
	if (s->echoing) {
		bool whole = false;
		int n;

		if (s->tx == s->rx && !s->rx_fin)
			return 0;
		n = site_read(vec, &s->tx, s->rx, s->echo, &whole);
		*fin = whole && s->rx_fin;
		return n;
	}
	return site_read(vec, &s->tx, s->tx_end, NULL, fin);
}

static void
site_on_acked(void *ctx, int64_t id, uint64_t len)
{
	struct site_stream *s = site_find(ctx, id);

	s->acked += len;
}

static void
site_on_closed(void *ctx, int64_t id, uint64_t code)
{
	struct site *t = ctx;
	struct site_stream *s = site_find(t, id);

	t->closed++;
	t->last_code = code;
	s->used = false;
}

static void
site_on_goaway(void *ctx, int64_t id)
{
	struct site *t = ctx;

	(void)id;
	t->goaways++;
}

static void
site_on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct site *t = ctx;

	t->conns_closed++;
	t->h = NULL;
	if (why)
		t->why = *why;
}

static const struct plx_h3_app site_app = {
        .name = "site",
        .on_open = site_on_open,
        .on_head = site_on_head,
        .on_data = site_on_data,
        .on_end = site_on_end,
        .on_reset = site_on_reset,
        .read_body = site_read_body,
        .on_acked = site_on_acked,
        .on_closed = site_on_closed,
        .on_goaway = site_on_goaway,
        .on_conn_closed = site_on_conn_closed,
};

static inline void
site_fini(struct site *t)
{
	for (size_t i = 0; i < SITE_MAX; i++)
		free(t->s[i].echo);
	memset(t, 0, sizeof(*t));
}

/* The visitor. */

struct visit {
	int64_t id;
	uint64_t up, tx, rx, acked;
	uint16_t status;
	uint32_t interim, ends, resets, closes, trailers;
	uint64_t reset_code, close_code;
	bool bad, cancel_at_half, stall;
	char trailer[32];
	uint16_t order_bad; /* events after the end, or out of order */
};

struct visitor {
	struct plx_h3 *h;
	struct visit v[SITE_MAX];
	uint32_t cnt, conns, conns_closed, goaways, avail;
	int64_t goaway_id;
	struct plx_close_info why;
};

static inline struct visit *
visit_find(struct visitor *t, int64_t id)
{
	struct visit *v = plx_h3_user(t->h, id);

	if (!v)
		abort();
	return v;
}

static int
visitor_on_open(void *arg, struct plx_h3 *h, struct plx_conn *c, void **ctx)
{
	struct visitor *t = arg;

	(void)c;
	t->h = h;
	t->conns++;
	*ctx = t;
	return 0;
}

static int
visitor_on_head(void *ctx, int64_t id, const struct plx_h3_head *head, bool fin)
{
	struct visit *v = visit_find(ctx, id);

	(void)fin;
	if (v->status || v->rx || v->ends || v->closes)
		v->order_bad++;
	if (head->status < 200)
		v->interim++;
	else
		v->status = head->status;
	return 0;
}

static int
visitor_on_data(void *ctx, int64_t id, const uint8_t *data, size_t len)
{
	struct visitor *t = ctx;
	struct visit *v = visit_find(t, id);

	if (!v->status || v->ends || v->closes)
		v->order_bad++;
	for (size_t i = 0; i < len; i++) {
		if (data[i] != site_byte(v->rx + i))
			v->bad = true;
	}
	v->rx += len;
	if (!v->stall)
		plx_h3_consume(t->h, id, len);
	return 0;
}

static int
visitor_on_trailers(void *ctx, int64_t id, const struct plx_h3_head *head)
{
	struct visit *v = visit_find(ctx, id);

	v->trailers++;
	site_copy(v->trailer, sizeof(v->trailer), site_field(head, "checksum"));
	return 0;
}

static int
visitor_on_end(void *ctx, int64_t id)
{
	visit_find(ctx, id)->ends++;
	return 0;
}

static int
visitor_on_reset(void *ctx, int64_t id, uint64_t code)
{
	struct visitor *t = ctx;
	struct visit *v = visit_find(t, id);

	v->resets++;
	v->reset_code = code;
	plx_h3_cancel(t->h, id, PLX_H3_REQUEST_CANCELLED);
	return 0;
}

static int
visitor_read_body(void *ctx, int64_t id, struct plx_iov *vec, uint16_t cnt, bool *fin)
{
	struct visitor *t = ctx;
	struct visit *v = visit_find(t, id);

	(void)cnt;
	if (v->cancel_at_half && v->tx >= v->up / 2) {
		plx_h3_cancel(t->h, id, PLX_H3_REQUEST_CANCELLED);
		return 0;
	}
	return site_read(vec, &v->tx, v->up, NULL, fin);
}

static void
visitor_on_acked(void *ctx, int64_t id, uint64_t len)
{
	visit_find(ctx, id)->acked += len;
}

static void
visitor_on_closed(void *ctx, int64_t id, uint64_t code)
{
	struct visit *v = visit_find(ctx, id);

	v->closes++;
	v->close_code = code;
}

static void
visitor_on_goaway(void *ctx, int64_t id)
{
	struct visitor *t = ctx;

	t->goaways++;
	t->goaway_id = id;
}

static void
visitor_on_streams_avail(void *ctx)
{
	((struct visitor *)ctx)->avail++;
}

static void
visitor_on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct visitor *t = ctx;

	t->conns_closed++;
	t->h = NULL;
	if (why)
		t->why = *why;
}

static const struct plx_h3_app visitor_app = {
        .name = "visitor",
        .on_open = visitor_on_open,
        .on_head = visitor_on_head,
        .on_data = visitor_on_data,
        .on_trailers = visitor_on_trailers,
        .on_end = visitor_on_end,
        .on_reset = visitor_on_reset,
        .read_body = visitor_read_body,
        .on_acked = visitor_on_acked,
        .on_closed = visitor_on_closed,
        .on_goaway = visitor_on_goaway,
        .on_streams_avail = visitor_on_streams_avail,
        .on_conn_closed = visitor_on_conn_closed,
};

/* Sends a request; up 0 = without a body. NULL when it was refused, err says why. */
static inline struct visit *
visit_try(struct visitor *t, const char *method, const char *path, uint64_t up, int *err)
{
	struct plx_h3_field f[] = {
	        F(":method", method),         F(":scheme", "https"),
	        F(":authority", "site.test"), F(":path", path),
	        F("user-agent", "visitor"),
	};
	struct visit *v = &t->v[t->cnt];
	int rc;

	memset(v, 0, sizeof(*v));
	v->up = up;
	rc = plx_h3_request(t->h, f, 5, up > 0, &v->id);
	*err = rc;
	if (rc)
		return NULL;
	plx_h3_set_user(t->h, v->id, v);
	t->cnt++;
	return v;
}

/* A request that must be possible. */
static inline struct visit *
visit(struct visitor *t, const char *method, const char *path, uint64_t up)
{
	int err;
	struct visit *v = visit_try(t, method, path, up, &err);

	if (!v)
		abort();
	return v;
}

/* A request that was answered in full, with so many bytes, and reported in order. */
static inline bool
visit_ok(const struct visit *v, uint64_t rx)
{
	return v->status == 200 && v->rx == rx && v->ends == 1 && v->closes == 1 &&
	       !v->bad && !v->order_bad && v->resets == 0 &&
	       v->close_code == PLX_H3_NO_ERROR && v->acked == v->up;
}

#endif
