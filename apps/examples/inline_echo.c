/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inline_echo: the inline model. The functions of this application run on the workers
 * themselves: no ring, no other core. Credit goes back to the peer when the echo is
 * acknowledged, so a peer that does not read stops itself, and a stream never has more bytes here
 * than its window.
 *
 *   inline_echo [EAL arguments] -- DEVICE ADDRESS CERT KEY       until Ctrl-C
 *
 * Speak to it with: echo [EAL arguments] -- send DEVICE ADDRESS SERVER BYTES
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>

#include <plx/app.h>
#include <plx/engine.h>

#define PORT   4433
#define WINDOW 262144 /* bytes of a stream under way, quic.max_stream_data */

/* A stream and its window: bytes lie at their offset until the echo of them is acknowledged. */
struct stream {
	struct stream *next;
	int64_t id;
	uint64_t got, sent, acked; /* offsets */
	bool fin, fin_sent, blocked;
	uint8_t ring[WINDOW];
};

struct conn {
	struct plx_conn *c;
	struct stream *streams;
	struct plx_iov vec; /* what next_tx offered */
};

static struct stream *
find(struct conn *k, int64_t id)
{
	struct stream *s = k->streams;

	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

static int
on_conn_established(void *app, struct plx_conn *c, void **ctx)
{
	struct conn *k = calloc(1, sizeof(*k));

	(void)app;
	if (k == NULL)
		return PLX_E_NOMEM;
	k->c = c;
	*ctx = k;
	return 0;
}

static int
on_stream_open(void *ctx, int64_t id)
{
	struct conn *k = ctx;
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return PLX_E_NOMEM;
	s->id = id;
	s->next = k->streams;
	k->streams = s;
	return 0;
}

static int
on_stream_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len,
               bool fin)
{
	struct conn *k = ctx;
	struct stream *s = find(k, id);
	size_t at = off % WINDOW, first = len < WINDOW - at ? len : WINDOW - at;

	if (s == NULL || off + len - s->acked > WINDOW)
		return PLX_E_FULL; /* flow control does not let this happen */
	memcpy(s->ring + at, data, first);
	memcpy(s->ring, data + first, len - first);
	s->got = off + len;
	s->fin |= fin;
	plx_conn_want_write(k->c);
	return 0;
}

/* Acknowledged bytes are no longer needed: the peer may send as many again. */
static int
on_stream_acked(void *ctx, int64_t id, uint64_t off, uint64_t len)
{
	struct conn *k = ctx;
	struct stream *s = find(k, id);

	if (s != NULL) {
		plx_conn_consume(k->c, id, (size_t)(off + len - s->acked));
		s->acked = off + len;
	}
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct conn *k = ctx;

	for (struct stream *s = k->streams; s != NULL; s = s->next) {
		size_t at = s->sent % WINDOW, len = (size_t)(s->got - s->sent);

		if (s->blocked || (len == 0 && (!s->fin || s->fin_sent)))
			continue;
		next->fin = s->fin && len <= WINDOW - at;
		k->vec.base = s->ring + at;
		k->vec.len = len < WINDOW - at ? len : WINDOW - at;
		next->stream_id = s->id;
		next->vec = &k->vec;
		next->cnt = len > 0;
		return 1;
	}
	return 0;
}

static int
tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	struct stream *s = find(ctx, id);

	if (s != NULL) {
		s->sent += len;
		s->fin_sent |= fin;
	}
	return 0;
}

static int
tx_blocked(void *ctx, int64_t id)
{
	struct stream *s = find(ctx, id);

	if (s != NULL)
		s->blocked = true;
	return 0;
}

static int
on_stream_writable(void *ctx, int64_t id)
{
	struct stream *s = find(ctx, id);

	if (s != NULL)
		s->blocked = false;
	plx_conn_want_write(((struct conn *)ctx)->c);
	return 0;
}

static int
on_stream_closed(void *ctx, int64_t id, uint64_t code)
{
	struct conn *k = ctx;
	struct stream **p = &k->streams, *s;

	(void)code;
	while (*p != NULL && (*p)->id != id)
		p = &(*p)->next;
	if ((s = *p) != NULL) {
		*p = s->next;
		plx_conn_consume(k->c, id, (size_t)(s->got - s->acked));
		free(s);
	}
	return 0;
}

static void
on_conn_closed(void *ctx, const struct plx_close_info *why)
{
	struct conn *k = ctx;

	(void)why;
	while (k->streams != NULL)
		on_stream_closed(k, k->streams->id, 0);
	free(k);
}

static const struct plx_app app = {
        .name = "inline_echo",
        .on_conn_established = on_conn_established,
        .on_stream_open = on_stream_open,
        .on_stream_data = on_stream_data,
        .on_stream_acked = on_stream_acked,
        .on_stream_writable = on_stream_writable,
        .on_stream_closed = on_stream_closed,
        .next_tx = next_tx,
        .tx_done = tx_done,
        .tx_blocked = tx_blocked,
        .tx_shut = tx_blocked,
        .on_conn_closed = on_conn_closed,
};

int
main(int argc, char **argv)
{
	const char *const key[] = {"quic.max_stream_data", "ports[0].vdev",
	                           "ports[0].addresses", "tls.cert", "tls.key"};
	struct plx_engine *engine = NULL;
	struct plx_conf *conf = NULL;
	char err[1024] = "usage: inline_echo [EAL arguments] -- DEVICE ADDRESS CERT KEY";
	const struct timespec tick = {.tv_nsec = 100000000};
	sigset_t stop;
	int n, rc;

	/* Signals wait for sigtimedwait(), in this thread and in those of EAL. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	n = rte_eal_init(argc, argv);
	rc = n < 0 || argc - n != 5 ? -1 : plx_conf_new(&conf);
	for (int i = 0; rc == 0 && i < 5; i++)
		rc = plx_conf_set(conf, key[i], i == 0 ? "262144" : argv[n + i], err,
		                  sizeof(err));
	if (rc == 0) {
		plx_conf_app(conf, "echo", &app, NULL);
		plx_conf_listen(conf, PORT);
		rc = plx_engine_open(&engine, conf, "inline", err, sizeof(err));
	}
	if (rc == 0)
		rc = plx_engine_start(engine, err, sizeof(err));
	if (rc == 0) {
		printf("inline_echo: running\n");
		fflush(stdout);
		while (sigtimedwait(&stop, NULL, &tick) < 0)
			plx_engine_poll(engine);
		plx_engine_stop(engine, 0, 50);
	} else {
		fprintf(stderr, "inline_echo: %s\n", err);
	}
	plx_engine_free(engine);
	plx_conf_free(conf);
	rte_eal_cleanup();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
