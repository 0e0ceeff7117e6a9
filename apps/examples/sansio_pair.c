/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sansio_pair: libpollux-quic alone, without DPDK. Two endpoints in one thread talk over two UDP
 * sockets on the loopback: a handshake, requests and answers on streams, a DATAGRAM and its echo, a
 * clean close. The sockets, the clock and the loop are this program's; the endpoints see bytes and
 * times.
 *
 *   sansio_pair CERT KEY [BYTES]        0: every byte of each answer came, and both sides closed
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <plx/endpoint.h>

#define STREAMS 4
#define WORD    "are you there?"

struct stream {
	int64_t id;
	uint64_t sent, got; /* bytes of the answer */
	bool fin;
};

struct peer {
	struct plx_endpoint *ep;
	struct plx_path path;
	int fd;
	struct stream stream[STREAMS];
	unsigned done; /* streams */
	bool word, closed;
};

enum { CLIENT, SERVER };
static struct peer peer[2];

static uint64_t total = 1 << 20; /* bytes of each answer */
static uint8_t buf[65536];

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Two sockets that are connected to each other, and so one path. */
static bool
open_sockets(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 2; i++) {
		peer[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (bind(peer[i].fd, (void *)&in, len) != 0)
			return false;
	}
	for (int i = 0; i < 2; i++) {
		struct plx_addr addr = {.family = PLX_FAMILY_IPV4};

		if (getsockname(peer[i].fd, (void *)&in, &len) != 0 ||
		    connect(peer[!i].fd, (void *)&in, len) != 0)
			return false;
		addr.port_be = in.sin_port;
		memcpy(addr.ip, &in.sin_addr, 4);
		peer[i].path.local = peer[!i].path.remote = addr;
	}
	return true;
}

static void
receive(struct peer *p)
{
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf), 0)) >= 0)
		plx_endpoint_feed(p->ep, now_ns(), buf, (size_t)n, &p->path, 0);
}

/* What the socket does not take is lost; QUIC sends what matters again. */
static void
transmit(struct peer *p)
{
	struct plx_endpoint_packet pkt;
	const uint8_t *d;

	while (plx_endpoint_poll_packet(p->ep, buf, sizeof(buf), &pkt) == 1)
		for (uint32_t off = 0, len;
		     (d = plx_endpoint_datagram(&pkt, buf, &off, &len)) != NULL;)
			(void)!send(p->fd, d, len, 0);
}

static uint8_t
byte_at(uint64_t off)
{
	return (uint8_t)(off * 31 + (off >> 8));
}

/* The server sends what the stream takes now. A short send means that WRITABLE will come. */
static void
answer(struct peer *p, struct plx_conn_id conn, struct stream *s)
{
	int64_t n = 1;

	while (n > 0 && s->sent < total) {
		size_t len = total - s->sent < sizeof(buf) ? (size_t)(total - s->sent)
		                                           : sizeof(buf);

		for (size_t i = 0; i < len; i++)
			buf[i] = byte_at(s->sent + i);
		n = plx_endpoint_stream_send(p->ep, conn, s->id, buf, len, NULL);
		s->sent += n > 0 ? (uint64_t)n : 0;
		if (s->sent == total)
			plx_endpoint_stream_finish(p->ep, conn, s->id, NULL);
	}
}

/* Reads what there is. @return false: wrong bytes, or an end too early */
static bool
read_all(struct peer *p, struct plx_conn_id conn, struct stream *s, uint64_t expected)
{
	bool right = true;
	int64_t n = 1;

	while (n > 0 && !s->fin) {
		n = plx_endpoint_stream_recv(p->ep, conn, s->id, buf, sizeof(buf), &s->fin,
		                             NULL);
		for (int64_t i = 0; i < n; i++)
			right &= buf[i] == byte_at(s->got++);
		p->done += s->fin;
	}
	return right && (!s->fin || s->got == expected);
}

/* @return false: something is wrong */
static bool
on_event(struct peer *p, const struct plx_endpoint_event *ev)
{
	struct stream *s = &p->stream[ev->stream_id >= 0 ? ev->stream_id / 4 % STREAMS : 0];
	bool server = p == &peer[SERVER];

	switch ((enum plx_endpoint_ev)ev->type) {
	case PLX_EP_CONNECTED:
		for (int i = 0; i < STREAMS; i++) {
			s = &p->stream[i];
			s->id = plx_endpoint_open(p->ep, ev->conn, true);
			plx_endpoint_stream_finish(p->ep, ev->conn, s->id, NULL);
		}
		return plx_endpoint_send_datagram(p->ep, ev->conn, WORD, sizeof(WORD),
		                                  false) == 0;
	case PLX_EP_STREAM_READABLE:
		s->id = ev->stream_id;
		if (!read_all(p, ev->conn, s, server ? 0 : total))
			return false;
		if (server && s->fin)
			answer(p, ev->conn, s);
		return true;
	case PLX_EP_STREAM_WRITABLE:
		answer(p, ev->conn, s);
		return true;
	case PLX_EP_DATAGRAM:
		p->word = ev->len == sizeof(WORD) && memcmp(ev->data, WORD, ev->len) == 0;
		if (server)
			plx_endpoint_send_datagram(p->ep, ev->conn, ev->data, ev->len,
			                           false);
		return p->word;
	case PLX_EP_CLOSED:
		p->closed = true;
		return server ? ev->why.is_app && ev->why.code == 7
		              : ev->why.by == PLX_CLOSE_LOCAL;
	default:
		return true;
	}
}

static bool
turn(struct peer *p)
{
	struct plx_endpoint_event ev;
	bool good = true;

	plx_endpoint_batch_begin(p->ep);
	receive(p);
	plx_endpoint_timers(p->ep, now_ns());
	while (good && plx_endpoint_poll_event(p->ep, &ev)) {
		good = on_event(p, &ev);
		if (p == &peer[CLIENT] && p->done == STREAMS && p->word)
			plx_endpoint_close(p->ep, ev.conn, 7, "done");
	}
	plx_endpoint_batch_end(p->ep, now_ns());
	transmit(p);
	return good;
}

static int
wait_ms(void)
{
	uint64_t now = now_ns(), due = now + PLX_NS_PER_S;

	for (int i = 0; i < 2; i++)
		if (plx_endpoint_deadline(peer[i].ep) < due)
			due = plx_endpoint_deadline(peer[i].ep);
	return due > now ? (int)((due - now) / 1000000) : 0;
}

int
main(int argc, char **argv)
{
	const char *cert = argc > 2 ? argv[1] : "", *key = argc > 2 ? argv[2] : "";
	struct plx_endpoint_server server = {.cert_file = cert, .key_file = key};
	struct plx_endpoint_client client = {.ca_file = cert};
	struct plx_endpoint_cfg cfg;
	struct peer *c = &peer[CLIENT], *s = &peer[SERVER];
	char err[512] = "usage: sansio_pair CERT KEY [BYTES]";
	struct plx_conn_id id;
	uint64_t limit = now_ns() + 60 * PLX_NS_PER_S;
	bool good = argc > 2 && open_sockets();

	total = argc > 3 ? strtoull(argv[3], NULL, 10) : total;
	plx_endpoint_cfg_server(&cfg, &server, "echo");
	good = good && plx_endpoint_new(&s->ep, &cfg, err, sizeof(err)) == 0;
	plx_endpoint_cfg_client(&cfg, &client, "echo");
	good = good && plx_endpoint_new(&c->ep, &cfg, err, sizeof(err)) == 0;
	good = good &&
	       plx_endpoint_connect(c->ep, now_ns(), &c->path, "localhost", &id) == 0;
	if (good)
		snprintf(err, sizeof(err), "not every byte came");
	while (good && !(s->closed && c->closed) && now_ns() < limit) {
		struct pollfd fd[] = {{s->fd, POLLIN, 0}, {c->fd, POLLIN, 0}};

		good = turn(c) && turn(s);
		poll(fd, 2, wait_ms());
	}
	good = good && s->closed && c->closed;
	fprintf(good ? stdout : stderr, "sansio_pair: %s\n",
	        good ? "every byte came" : err);
	plx_endpoint_free(c->ep);
	plx_endpoint_free(s->ep);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
