/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_app.h"

#include <stdlib.h>

#define PIECE (64u << 10)

struct bench_sender {
	struct bench_app *a;
	struct bench_sender *next;
	struct plx_conn *c;
	int64_t stream_id;
	struct plx_iov vec;
	bool blocked;
};

static const uint8_t piece[PIECE] = {1};

static struct bench_sender *
established(void *arg, struct plx_conn *c)
{
	struct bench_app *a = arg;
	struct bench_sender *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct bench_sender){.a = a, .c = c, .stream_id = -1};
	s->vec = (struct plx_iov){piece, PIECE};
	s->next = a->all;
	a->all = s;
	a->established++;
	return s;
}

static int
established_server(void *arg, struct plx_conn *c, void **ctx)
{
	*ctx = established(arg, c);
	return *ctx != NULL ? 0 : -1;
}

static int
established_client(void *arg, struct plx_conn *c, void **ctx)
{
	struct bench_sender *s = established(arg, c);

	*ctx = s;
	if (s == NULL || plx_conn_open_stream(c, true, &s->stream_id) != 0)
		return -1;
	plx_conn_want_write(c);
	return 0;
}

static int
stream_data(void *ctx, int64_t stream_id, uint64_t off, const uint8_t *data, size_t len,
            bool fin)
{
	struct bench_sender *s = ctx;

	(void)off;
	(void)data;
	(void)fin;
	s->a->rx_bytes += len;
	plx_conn_consume(s->c, stream_id, len);
	return 0;
}

static int
stream_writable(void *ctx, int64_t stream_id)
{
	struct bench_sender *s = ctx;

	(void)stream_id;
	s->blocked = false;
	plx_conn_want_write(s->c);
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct bench_sender *s = ctx;

	if (s->blocked || s->stream_id < 0 || s->a->hold)
		return 0;
	next->stream_id = s->stream_id;
	next->vec = &s->vec;
	next->cnt = 1;
	return 1;
}

static int
tx_done(void *ctx, int64_t stream_id, size_t len, bool fin)
{
	struct bench_sender *s = ctx;

	(void)stream_id;
	(void)fin;
	s->a->tx_bytes += len;
	return 0;
}

static int
tx_blocked(void *ctx, int64_t stream_id)
{
	struct bench_sender *s = ctx;

	(void)stream_id;
	s->blocked = true;
	return 0;
}

static void
conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct bench_sender *s = ctx, **at = &s->a->all;

	(void)why;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->a->closed++;
	free(s);
}

void
bench_app_go(struct bench_app *a)
{
	a->hold = false;
	for (struct bench_sender *s = a->all; s != NULL; s = s->next)
		plx_conn_want_write(s->c);
}

#define BOTH_ROLES                                                                     \
	.name = BENCH_ALPN, .on_stream_data = stream_data,                             \
	.on_stream_writable = stream_writable, .next_tx = next_tx, .tx_done = tx_done, \
	.tx_blocked = tx_blocked, .tx_shut = tx_blocked, .on_conn_closed = conn_closed

const struct plx_app bench_app_server = {
        .on_conn_established = established_server,
        BOTH_ROLES,
};

const struct plx_app bench_app_client = {
        .on_conn_established = established_client,
        BOTH_ROLES,
};
