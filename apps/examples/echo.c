/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * echo: the ring model. Workers of the engine run the packets; this program's own thread takes
 * events, sends back what came, and never touches a connection.
 *
 *   echo [EAL arguments] -- serve DEVICE ADDRESS CERT KEY       until Ctrl-C
 *   echo [EAL arguments] -- send  DEVICE ADDRESS SERVER BYTES [PORT]   0: all came back
 *
 *   DEVICE   what DPDK calls it: net_memif0,role=server,... | net_af_packet0,iface=eth0 | 0000:3b:00.0
 *   ADDRESS  of this end, 192.0.2.1/24; SERVER is the address of the other, UDP port PORT
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include <plx/attach.h>
#include <plx/engine.h>

#define PORT    4433 /* unless given */
#define ALPN    "echo"
#define CHUNK   65536
#define IN_HAND 16 /* chunks of the sender under way */

/* A send buffer; of an echo it sends the very bytes that came. */
struct piece {
	struct plx_sbuf sb; /* first: plx_sent_take() gives its address */
	struct plx_rbuf *from;
};

struct echo {
	struct plx_engine *engine;
	struct plx_attach *attach;
	struct plx_conn_id conn;
	int64_t stream;
	uint8_t *bytes;
	uint64_t total, sent, got, in_hand;
	bool done, failed;
};

static volatile sig_atomic_t stopping;

static void
on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static int
put(struct echo *e, enum plx_cmd_type type, struct plx_conn_id conn, int64_t stream,
    void *ptr, bool fin)
{
	struct plx_cmd cmd = {.type = (uint8_t)type,
	                      .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	                      .conn = conn,
	                      .stream_id = stream,
	                      .ptr = ptr};

	return plx_cmd_put(e->attach, plx_conn_id_worker(conn), &cmd);
}

/* The buffer goes back to its worker, and credit to the peer, when the echo is acknowledged. */
static void
send_back(struct echo *e, const struct plx_event *ev)
{
	bool fin = ev->flags & PLX_EV_FLAG_FIN;
	struct piece *p = ev->buf != NULL ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL) {
		if (ev->buf != NULL)
			plx_rbuf_release(e->attach, ev->buf);
		e->failed |= fin && put(e, PLX_CMD_STREAM_SEND, ev->conn, ev->stream_id,
		                        NULL, true);
		return;
	}
	p->from = ev->buf;
	p->sb.data = ev->buf->data;
	p->sb.len = ev->buf->len;
	/* A full ring drains within microseconds; a program with other work would queue. */
	while (put(e, PLX_CMD_STREAM_SEND, ev->conn, ev->stream_id, &p->sb, fin) ==
	               PLX_E_FULL &&
	       !stopping)
		plx_events_wait(e->attach, 50);
}

static void
send_more(struct echo *e)
{
	while (e->stream >= 0 && e->sent < e->total && e->in_hand < IN_HAND) {
		struct piece *p = calloc(1, sizeof(*p));
		uint64_t left = e->total - e->sent;

		if (p == NULL)
			return;
		p->sb.data = e->bytes;
		p->sb.len = left < CHUNK ? left : CHUNK;
		if (put(e, PLX_CMD_STREAM_SEND, e->conn, e->stream, &p->sb,
		        left <= CHUNK) != 0) {
			free(p);
			return;
		}
		e->sent += p->sb.len;
		e->in_hand++;
	}
}

static void
on_event(struct echo *e, const struct plx_event *ev)
{
	switch ((enum plx_event_type)ev->type) {
	case PLX_EV_CONN_UP:
		e->conn = ev->conn;
		put(e, PLX_CMD_STREAM_OPEN, ev->conn, -1, NULL, false);
		break;
	case PLX_EV_STREAM_OPEN:
		if (!(ev->flags & PLX_EV_FLAG_SERVER))
			e->stream = ev->stream_id;
		break;
	case PLX_EV_STREAM_DATA:
		if (ev->flags & PLX_EV_FLAG_SERVER) {
			send_back(e, ev);
			return; /* the buffer is lent until it is acknowledged */
		}
		e->got += ev->buf != NULL ? ev->buf->len : 0;
		e->done |= ev->flags & PLX_EV_FLAG_FIN && e->got == e->total;
		break;
	case PLX_EV_DIAL_FAILED:
	case PLX_EV_CMD_FAILED:
		e->failed = true;
		break;
	case PLX_EV_CONN_CLOSED:
		e->failed |= !(ev->flags & PLX_EV_FLAG_SERVER) && !e->done;
		break;
	default:
		break;
	}
	if (ev->buf != NULL)
		plx_rbuf_release(e->attach, ev->buf);
}

static void
loop(struct echo *e)
{
	struct plx_event ev[32];
	struct plx_sbuf *sb[32];

	while (!stopping && !e->done && !e->failed) {
		uint32_t n = plx_events_take(e->attach, ev, 32);
		uint32_t m = plx_sent_take(e->attach, sb, 32);

		for (uint32_t i = 0; i < n; i++)
			on_event(e, &ev[i]);
		for (uint32_t i = 0; i < m; i++) {
			struct piece *p = (struct piece *)(void *)sb[i];

			if (p->from != NULL)
				plx_rbuf_release(e->attach, p->from);
			else
				e->in_hand--;
			free(p);
		}
		send_more(e);
		if (n + m == 0)
			plx_events_wait(e->attach, 10000);
		plx_engine_poll(e->engine);
	}
}

static int
dial(struct echo *e, const char *server, int port)
{
	struct plx_dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return PLX_E_NOMEM;
	d->remote.family = strchr(server, ':') != NULL ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	d->remote.port_be = htons((uint16_t)port);
	if (inet_pton(d->remote.family == PLX_FAMILY_IPV6 ? AF_INET6 : AF_INET, server,
	              d->remote.ip) != 1) {
		free(d);
		return PLX_E_INVAL;
	}
	snprintf(d->sni, sizeof(d->sni), "localhost");
	snprintf(d->alpn, sizeof(d->alpn), ALPN);
	return put(e, PLX_CMD_DIAL, PLX_CONN_NONE, -1, d, false);
}

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "echo: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct echo e = {.stream = -1};
	struct plx_conf *conf;
	char err[1024] = "";
	int n = rte_eal_init(argc, argv);
	bool serve;

	if (n < 0)
		return fail("EAL", "could not start");
	argc -= n;
	argv += n;
	serve = argc == 6 && strcmp(argv[1], "serve") == 0;
	if (!serve && (argc < 6 || argc > 7 || strcmp(argv[1], "send") != 0))
		return fail("usage", "see the head of echo.c");
	if (plx_conf_new(&conf) != 0 ||
	    plx_conf_set(conf, "ports[0].vdev", argv[2], err, sizeof(err)) ||
	    plx_conf_set(conf, "ports[0].addresses", argv[3], err, sizeof(err)) ||
	    (serve && (plx_conf_set(conf, "tls.cert", argv[4], err, sizeof(err)) ||
	               plx_conf_set(conf, "tls.key", argv[5], err, sizeof(err)))))
		return fail("configuration", err);
	plx_conf_ring(conf, ALPN, PLX_RING_STREAMS);
	if (serve)
		plx_conf_listen(conf, PORT);
	else
		plx_conf_dial(conf);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	e.bytes = calloc(1, CHUNK);
	e.total = serve ? 0 : strtoull(argv[5], NULL, 10);
	if (plx_engine_open(&e.engine, conf, "echo", err, sizeof(err)) != 0 ||
	    plx_app_attach(e.engine, 1024, &e.attach) != 0 ||
	    plx_engine_start(e.engine, err, sizeof(err)) != 0)
		return fail("engine", err);
	if (!serve && dial(&e, argv[4], argc == 7 ? atoi(argv[6]) : PORT) != 0)
		return fail("server", "not an address");
	printf("echo: running\n");
	fflush(stdout);
	loop(&e);
	plx_engine_stop(e.engine, 0, 50);
	printf("echo: %s, %llu bytes came back, %llu connections\n",
	       e.failed ? "failed" : "done", (unsigned long long)e.got,
	       (unsigned long long)plx_engine_counter(e.engine, "handshakes_done"));
	plx_engine_free(e.engine);
	plx_conf_free(conf);
	free(e.bytes);
	rte_eal_cleanup();
	return e.failed || (!serve && !e.done) ? EXIT_FAILURE : EXIT_SUCCESS;
}
