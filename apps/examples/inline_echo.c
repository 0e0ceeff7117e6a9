/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inline_echo: the inline model. The functions of this application run on the workers
 * themselves: no ring, no other core. Credit goes back to the peer when the echo is
 * acknowledged, so a peer that does not read stops itself.
 *
 *   inline_echo [EAL arguments] -- DEVICE ADDRESS CERT KEY       until Ctrl-C
 *
 * Speak to it with: echo [EAL arguments] -- send DEVICE ADDRESS SERVER BYTES
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include <plx/app.h>
#include <plx/engine.h>

#define PORT 4433

/* Bytes that came and are on their way back. */
struct chunk {
	struct chunk *next;
	uint64_t off; /* in the stream */
	size_t len, sent;
	uint8_t data[];
};

struct stream {
	struct stream *next;
	int64_t id;
	struct chunk *head, *tail;
	bool fin, fin_sent, blocked;
};

struct conn {
	struct plx_conn *c;
	struct stream *streams;
	struct plx_iov vec;
};

static volatile sig_atomic_t stopping;

static void
on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

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
on_stream_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len,
               bool fin)
{
	struct conn *k = ctx;
	struct stream *s = find(k, id);
	struct chunk *ch = malloc(sizeof(*ch) + len);

	if (ch == NULL)
		return PLX_E_NOMEM;
	if (s == NULL && (s = calloc(1, sizeof(*s))) != NULL) {
		s->id = id;
		s->next = k->streams;
		k->streams = s;
	}
	if (s == NULL) {
		free(ch);
		return PLX_E_NOMEM;
	}
	*ch = (struct chunk){.off = off, .len = len};
	memcpy(ch->data, data, len);
	if (s->tail != NULL)
		s->tail->next = ch;
	else
		s->head = ch;
	s->tail = ch;
	s->fin |= fin;
	plx_conn_want_write(k->c);
	return 0;
}

/* Acknowledged bytes are no longer needed: free them and let the peer send as many again. */
static int
on_stream_acked(void *ctx, int64_t id, uint64_t off, uint64_t len)
{
	struct conn *k = ctx;
	struct stream *s = find(k, id);

	while (s != NULL && s->head != NULL && s->head->off + s->head->len <= off + len &&
	       s->head->sent == s->head->len) {
		struct chunk *ch = s->head;

		s->head = ch->next;
		if (s->head == NULL)
			s->tail = NULL;
		plx_conn_consume(k->c, id, ch->len);
		free(ch);
	}
	return 0;
}

static int
next_tx(void *ctx, struct plx_tx_next *next)
{
	struct conn *k = ctx;

	for (struct stream *s = k->streams; s != NULL; s = s->next) {
		struct chunk *ch = s->head;

		while (ch != NULL && ch->sent == ch->len)
			ch = ch->next;
		if (s->blocked || (ch == NULL && (!s->fin || s->fin_sent)))
			continue;
		next->stream_id = s->id;
		next->cnt = ch != NULL;
		if (ch != NULL)
			k->vec = (struct plx_iov){ch->data + ch->sent, ch->len - ch->sent};
		next->vec = &k->vec;
		next->fin = s->fin && (ch == NULL || ch->next == NULL);
		return 1;
	}
	return 0;
}

static int
tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	struct stream *s = find(ctx, id);

	if (s == NULL)
		return 0;
	for (struct chunk *ch = s->head; ch != NULL && len > 0; ch = ch->next) {
		size_t n = ch->len - ch->sent < len ? ch->len - ch->sent : len;

		ch->sent += n;
		len -= n;
	}
	s->fin_sent |= fin;
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
	s = *p;
	if (s == NULL)
		return 0;
	*p = s->next;
	for (struct chunk *ch = s->head, *next; ch != NULL; ch = next) {
		next = ch->next;
		plx_conn_consume(k->c, id, ch->len);
		free(ch);
	}
	free(s);
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
	const char *const key[] = {"ports[0].vdev", "ports[0].addresses", "tls.cert",
	                           "tls.key"};
	struct plx_engine *engine = NULL;
	struct plx_conf *conf = NULL;
	char err[1024] = "usage: inline_echo [EAL arguments] -- DEVICE ADDRESS CERT KEY";
	int n = rte_eal_init(argc, argv),
	    rc = n < 0 || argc - n != 5 ? -1 : plx_conf_new(&conf);

	for (int i = 0; rc == 0 && i < 4; i++)
		rc = plx_conf_set(conf, key[i], argv[n + 1 + i], err, sizeof(err));
	if (rc == 0) {
		plx_conf_app(conf, "echo", &app, NULL);
		plx_conf_listen(conf, PORT);
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
		rc = plx_engine_open(&engine, conf, "inline", err, sizeof(err));
	}
	if (rc == 0)
		rc = plx_engine_start(engine, err, sizeof(err));
	if (rc == 0) {
		printf("inline_echo: running\n");
		fflush(stdout);
		while (!stopping)
			usleep(10000);
		plx_engine_stop(engine, 0, 50);
	} else {
		fprintf(stderr, "inline_echo: %s\n", err);
	}
	plx_engine_free(engine);
	plx_conf_free(conf);
	rte_eal_cleanup();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
