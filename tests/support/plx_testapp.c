/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_testapp.h"

#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 2048
#define HDR_LEN     16
#define PATTERN_LEN 65536

struct ts {
	int64_t id;
	uint64_t rx, tx;         /* bytes so far, header included */
	uint64_t rx_end, tx_end; /* bytes there will be */
	struct ts *next;         /* ready list */
	uint8_t hdr[HDR_LEN];
	struct plx_iov vec[2];
	bool used, ready, fin_rx, fin_tx;
};

struct tc {
	struct plx_testapp *a;
	struct plx_conn *c;
	bool client;
	uint32_t opened, done;
	struct ts *head, *tail; /* streams with something to send */
	const uint8_t *pattern;
	uint8_t pattern_mem[2 * PATTERN_LEN];
	struct ts s[STREAMS_MAX];
};

static void
fill_pattern(uint8_t *p)
{
	uint64_t x = 1;

	for (int i = 0; i < PATTERN_LEN; i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		p[i] = (uint8_t)(x >> 56);
	}
	memcpy(p + PATTERN_LEN, p, PATTERN_LEN);
}

/* Where the pattern of a stream stands at an offset; PATTERN_LEN bytes follow. */
static const uint8_t *
pattern_at(const struct tc *t, const struct ts *s, uint64_t off)
{
	return t->pattern + ((off + (uint64_t)s->id * 977) & (PATTERN_LEN - 1));
}

static void
push(struct tc *t, struct ts *s)
{
	if (s->ready || s->fin_tx)
		return;
	s->ready = true;
	s->next = NULL;
	if (t->tail != NULL)
		t->tail->next = s;
	else
		t->head = s;
	t->tail = s;
	plx_conn_want_write(t->c);
}

static void
pop(struct tc *t)
{
	struct ts *s = t->head;

	t->head = s->next;
	if (t->head == NULL)
		t->tail = NULL;
	s->ready = false;
}

static struct ts *
slot_of(struct tc *t, int64_t id)
{
	return &t->s[(uint64_t)(id >> 2) % STREAMS_MAX];
}

static struct ts *
start(struct tc *t, int64_t id)
{
	struct ts *s = slot_of(t, id);

	memset(s, 0, sizeof(*s));
	s->id = id;
	s->used = true;
	s->rx_end = UINT64_MAX;
	s->tx_end = UINT64_MAX;
	return s;
}

static void
open_streams(struct tc *t)
{
	while (t->opened < t->a->streams) {
		struct ts *s;
		int64_t id;

		if (plx_conn_open_stream(t->c, true, &id) != 0)
			return;
		t->opened++;
		s = start(t, id);
		memcpy(s->hdr, &t->a->up, 8);
		memcpy(s->hdr + 8, &t->a->down, 8);
		s->tx_end = HDR_LEN + t->a->up;
		s->rx_end = t->a->down;
		push(t, s);
	}
}

static int
established(void *arg, struct plx_conn *c, void **ctx, bool client)
{
	struct plx_testapp *a = arg;
	struct tc *t;

	if (a->refuse)
		return -1;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -1;
	t->a = a;
	t->c = c;
	t->client = client;
	fill_pattern(t->pattern_mem);
	t->pattern = t->pattern_mem;
	a->established++;
	a->conn = c;
	plx_conn_get_info(c, &a->info);
	*ctx = t;
	if (client)
		open_streams(t);
	if (a->on_up != NULL)
		a->on_up(c);
	return 0;
}

static int
established_server(void *arg, struct plx_conn *c, void **ctx)
{
	return established(arg, c, ctx, false);
}

static int
established_client(void *arg, struct plx_conn *c, void **ctx)
{
	return established(arg, c, ctx, true);
}

static int
stream_open(void *ctx, int64_t id)
{
	start(ctx, id);
	return 0;
}

static int
stream_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len, bool fin)
{
	struct tc *t = ctx;
	struct ts *s = slot_of(t, id);
	size_t all = len;

	if (!s->used || s->id != id || off != s->rx)
		t->a->mismatches++;
	t->a->rx_bytes += len;
	while (len > 0 && !t->client && s->rx < HDR_LEN) {
		s->hdr[s->rx++] = *data++;
		len--;
		if (s->rx == HDR_LEN) {
			memcpy(&s->rx_end, s->hdr, 8);
			memcpy(&s->tx_end, s->hdr + 8, 8);
			s->rx_end += HDR_LEN;
			push(t, s);
		}
	}
	if (len > 0) {
		if (!t->a->blind &&
		    memcmp(data, pattern_at(t, s, s->rx - (t->client ? 0 : HDR_LEN)),
		           len) != 0)
			t->a->mismatches++;
		s->rx += len;
	}
	if (fin && s->rx != s->rx_end)
		t->a->mismatches++;
	s->fin_rx |= fin;
	if (!t->a->hold)
		plx_conn_consume(t->c, id, all);
	return 0;
}

static int
stream_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	struct tc *t = ctx;

	(void)id;
	(void)final_sz;
	(void)code;
	t->a->resets++;
	return 0;
}

static int
stream_stop(void *ctx, int64_t id, uint64_t code)
{
	struct tc *t = ctx;

	(void)id;
	t->a->stops++;
	t->a->stop_code = code;
	return 0;
}

static int
stream_writable(void *ctx, int64_t id)
{
	struct tc *t = ctx;
	struct ts *s = slot_of(t, id);

	if (s->used && s->id == id && s->tx_end != UINT64_MAX)
		push(t, s);
	return 0;
}

static int
stream_closed(void *ctx, int64_t id, uint64_t code)
{
	struct tc *t = ctx;
	struct ts *s = slot_of(t, id);

	if (code == UINT64_MAX && (!s->fin_rx || !s->fin_tx))
		t->a->mismatches++;
	s->used = false;
	t->done++;
	t->a->streams_done++;
	if (t->client && t->done == t->a->streams && t->a->close_when_done)
		plx_conn_close(t->c, t->a->close_code, t->a->close_reason);
	return 0;
}

static int
streams_available(void *ctx, bool bidi)
{
	struct tc *t = ctx;

	if (t->client && bidi)
		open_streams(t);
	return 0;
}

static int
datagram(void *ctx, const uint8_t *data, size_t len)
{
	struct tc *t = ctx;

	(void)data;
	(void)len;
	t->a->datagrams++;
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct tc *t = ctx;
	struct ts *s = t->head;
	uint64_t hdr, body;

	if (s == NULL)
		return 0;
	hdr = t->client && s->tx < HDR_LEN ? HDR_LEN - s->tx : 0;
	body = s->tx_end - s->tx - hdr;
	if (body > PATTERN_LEN)
		body = PATTERN_LEN;
	s->vec[0] = (struct plx_iov){s->hdr + HDR_LEN - hdr, hdr};
	s->vec[1] = (struct plx_iov){
	        pattern_at(t, s, s->tx + hdr - (t->client ? HDR_LEN : 0)), body};
	next->stream_id = s->id;
	next->vec = hdr > 0 ? s->vec : &s->vec[1];
	next->cnt = hdr > 0 ? 2 : 1;
	next->fin = s->tx + hdr + body == s->tx_end;
	return 1;
}

static int
tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	struct tc *t = ctx;
	struct ts *s = t->head;

	if (s == NULL || s->id != id) {
		t->a->mismatches++;
		return -1;
	}
	s->tx += len;
	s->fin_tx |= fin;
	pop(t);
	push(t, s);
	return 0;
}

static int
tx_stop(void *ctx, int64_t id)
{
	struct tc *t = ctx;

	if (t->head == NULL || t->head->id != id) {
		t->a->mismatches++;
		return -1;
	}
	pop(t);
	return 0;
}

static void
conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct tc *t = ctx;

	t->a->closed++;
	t->a->why = *why;
	if (t->a->on_over != NULL)
		t->a->on_over(t->c);
	if (t->a->conn == t->c)
		t->a->conn = NULL;
	free(t);
}

void
plx_testapp_failed(void *arg, uint64_t user, const struct plx_close_info *why)
{
	struct plx_testapp *a = arg;

	(void)user;
	a->failed++;
	a->why = *why;
}

#define BOTH_ROLES                                                                         \
	.on_stream_open = stream_open, .on_stream_data = stream_data,                      \
	.on_stream_reset = stream_reset, .on_stream_stop = stream_stop,                    \
	.on_stream_writable = stream_writable, .on_stream_closed = stream_closed,          \
	.on_streams_available = streams_available, .on_datagram = datagram,                \
	.next_tx = next_tx, .tx_done = tx_done, .tx_blocked = tx_stop, .tx_shut = tx_stop, \
	.on_conn_closed = conn_closed

const struct plx_app plx_testapp_server = {
        .name = "test server",
        .on_conn_established = established_server,
        BOTH_ROLES,
};

const struct plx_app plx_testapp_client = {
        .name = "test client",
        .on_conn_established = established_client,
        BOTH_ROLES,
};
