/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ep_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_rand.h"
#include "plx_tls.h"

#define START_NS (1000 * PLX_NS_PER_S)

struct ep_flight {
	uint64_t at, seq;
	struct plx_path path; /* seen by the receiver */
	int to;
	uint8_t ecn;
	uint32_t len;
	uint8_t data[1500];
};

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "plx_ep_net: %s\n", what);
	abort();
}

static void
set_addr(struct plx_addr *a, uint8_t host, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->family = PLX_FAMILY_IPV4;
	a->ip[0] = 10;
	a->ip[3] = host;
	a->port_be = (uint16_t)(port >> 8 | port << 8);
}

static char *
write_temp(const char *text)
{
	char name[] = "/tmp/plx-ep-XXXXXX";
	int fd = mkstemp(name);
	size_t len = strlen(text);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len, "temporary file");
	close(fd);
	return strdup(name);
}

void
ep_net_init(struct ep_net *n, const char *server_name)
{
	struct plx_rand rand;

	memset(n, 0, sizeof(*n));
	plx_rand_seed(&rand, 7);
	must(plx_tls_self_signed(server_name, true, &rand, &n->cert, &n->key) == 0,
	     "certificate");
	n->ca_file = write_temp(n->cert);
	n->now = START_NS;
	n->delay_ns = 5 * MS;
	set_addr(&n->addr[SRV], 1, 443);
	set_addr(&n->addr[CLI], 2, 40000);
	n->server.cert_pem = n->cert;
	n->server.key_pem = n->key;
	n->client.insecure = true;
	n->client.ca_file = n->ca_file;
	plx_endpoint_cfg_server(&n->cfg[SRV], &n->server, "plx-test");
	plx_endpoint_cfg_client(&n->cfg[CLI], &n->client, "plx-test");
	for (int s = 0; s < SIDES; s++) {
		n->cfg[s].local = n->addr[s];
		n->cfg[s].conns_max = 64;
		n->cfg[s].mem_max = (size_t)64 << 20;
		n->cfg[s].has_seed = true;
		memset(n->cfg[s].rng_seed, 0x40 + s, sizeof(n->cfg[s].rng_seed));
	}
}

void
ep_net_start(struct ep_net *n)
{
	char err[256];

	for (int s = 0; s < SIDES; s++) {
		if (plx_endpoint_new(&n->ep[s], &n->cfg[s], err, sizeof(err)) != 0) {
			fprintf(stderr, "plx_ep_net: endpoint %d: %s\n", s, err);
			abort();
		}
	}
}

struct ep_net *
ep_net_new(void)
{
	struct ep_net *n = malloc(sizeof(*n));

	must(n != NULL, "memory");
	ep_net_init(n, "server.example");
	return n;
}

void
ep_net_free(struct ep_net *n)
{
	for (int s = 0; s < SIDES; s++)
		plx_endpoint_free(n->ep[s]);
	unlink(n->ca_file);
	free(n->ca_file);
	free(n->cert);
	free(n->key);
	free(n->flight);
	free(n);
}

struct plx_conn_id
ep_net_connect(struct ep_net *n, const char *name)
{
	struct plx_path path = {.remote = n->addr[SRV]};
	struct plx_conn_id id;

	must(plx_endpoint_connect(n->ep[CLI], n->now, &path, name, &id) == 0, "connect");
	return id;
}

static bool
both_up(struct ep_net *n)
{
	return ep_cnt(n, CLI, PLX_EP_CONNECTED) > 0 &&
	       ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION) > 0;
}

void
ep_net_up(struct ep_net *n)
{
	if (n->ep[0] == NULL)
		ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	must(ep_net_run(n, both_up, 5 * SEC), "handshake");
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn;
	ep_net_for(n, 100 * MS);
	ep_forget(n);
}

static void
take_off(struct ep_net *n, int to, const struct plx_path *path, const uint8_t *data,
         uint32_t len, uint8_t ecn)
{
	struct ep_flight *f;

	if (n->flight_cnt == n->flight_cap) {
		n->flight_cap = n->flight_cap > 0 ? n->flight_cap * 2 : 256;
		f = realloc(n->flight, n->flight_cap * sizeof(*n->flight));
		must(f != NULL, "memory");
		n->flight = f;
	}
	f = &n->flight[n->flight_cnt++];
	must(len <= sizeof(f->data), "datagram too long");
	f->at = n->now + n->delay_ns;
	f->seq = n->seq++;
	f->path = *path;
	f->to = to;
	f->ecn = ecn;
	f->len = len;
	memcpy(f->data, data, len);
}

void
ep_net_inject(struct ep_net *n, int to, const struct plx_path *path, const uint8_t *data,
              uint32_t len)
{
	take_off(n, to, path, data, len, 0);
}

static bool
transmit(struct ep_net *n, int side)
{
	struct plx_endpoint_packet pkt;
	uint8_t buf[16000], copy[1500];
	const uint8_t *d;
	uint32_t off = 0, len;

	if (n->hold[side] ||
	    plx_endpoint_poll_packet(n->ep[side], buf, sizeof(buf), &pkt) != 1)
		return false;
	n->sent_pkts[side]++;
	n->segmented[side] += pkt.segment_len > 0;
	while ((d = plx_endpoint_datagram(&pkt, buf, &off, &len)) != NULL) {
		struct plx_path path = pkt.path, back;
		struct ep_dgram seen = {.from = side,
		                        .len = len,
		                        .data = copy,
		                        .path = &path,
		                        .ecn = pkt.ecn};

		must(len <= sizeof(copy), "datagram too long");
		memcpy(copy, d, len);
		n->sent[side]++;
		if (n->tap != NULL && !n->tap(n->tap_arg, &seen))
			continue;
		back.local = path.remote;
		back.remote = path.local;
		take_off(n, side ^ 1, &back, copy, seen.len, seen.ecn);
	}
	return true;
}

static uint64_t
next_arrival(struct ep_net *n)
{
	uint64_t at = PLX_TIME_NEVER;

	for (uint32_t i = 0; i < n->flight_cnt; i++) {
		if (n->flight[i].at < at)
			at = n->flight[i].at;
	}
	return at;
}

static bool
deliver(struct ep_net *n)
{
	struct ep_flight f;
	uint32_t best = UINT32_MAX;
	uint8_t *exact;

	for (uint32_t i = 0; i < n->flight_cnt; i++) {
		if (n->flight[i].at <= n->now &&
		    (best == UINT32_MAX || n->flight[i].seq < n->flight[best].seq))
			best = i;
	}
	if (best == UINT32_MAX)
		return false;
	f = n->flight[best];
	n->flight[best] = n->flight[--n->flight_cnt];
	/* An exact block, so that a read behind its end is seen by a sanitizer. */
	exact = malloc(f.len > 0 ? f.len : 1);
	must(exact != NULL, "memory");
	memcpy(exact, f.data, f.len);
	plx_endpoint_feed(n->ep[f.to], n->now, exact, f.len, &f.path, f.ecn);
	free(exact);
	return true;
}

static bool
note(struct ep_net *n, int side)
{
	struct ep_log *l = &n->log[side];
	struct ep_logged *e = &l->e[l->cnt];

	if (n->own_events[side] || !plx_endpoint_poll_event(n->ep[side], &e->ev))
		return false;
	if (e->ev.data != NULL)
		memcpy(e->data, e->ev.data,
		       e->ev.len < EP_DATA_MAX ? e->ev.len : EP_DATA_MAX);
	l->cnt++;
	must(l->cnt < EP_LOG_MAX, "log full");
	return true;
}

bool
ep_net_step(struct ep_net *n)
{
	bool moved = false;

	while (deliver(n))
		moved = true;
	for (int s = 0; s < SIDES; s++) {
		if (!n->no_timers[s] && plx_endpoint_deadline(n->ep[s]) <= n->now) {
			plx_endpoint_timers(n->ep[s], n->now);
			moved = true;
		}
		while (note(n, s))
			moved = true;
		while (transmit(n, s))
			moved = true;
	}
	return moved;
}

static void
jump(struct ep_net *n, uint64_t limit)
{
	uint64_t next = next_arrival(n);

	for (int s = 0; s < SIDES; s++) {
		uint64_t d = plx_endpoint_deadline(n->ep[s]);

		if (!n->no_timers[s] && d < next)
			next = d;
	}
	if (next <= n->now)
		next = n->now + MS;
	n->now = next < limit ? next : limit;
}

bool
ep_net_run(struct ep_net *n, bool (*until)(struct ep_net *n), uint64_t limit_ns)
{
	uint64_t limit = n->now + limit_ns;

	for (;;) {
		bool moved = ep_net_step(n);

		if (until != NULL && until(n))
			return true;
		if (moved)
			continue;
		if (n->now >= limit)
			return false;
		jump(n, limit);
	}
}

void
ep_net_for(struct ep_net *n, uint64_t ns)
{
	ep_net_run(n, NULL, ns);
}

uint32_t
ep_cnt(struct ep_net *n, int side, enum plx_endpoint_ev type)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < n->log[side].cnt; i++)
		cnt += n->log[side].e[i].ev.type == type;
	return cnt;
}

const struct ep_logged *
ep_last(struct ep_net *n, int side, enum plx_endpoint_ev type)
{
	static const struct ep_logged none;

	for (uint32_t i = n->log[side].cnt; i > 0; i--) {
		if (n->log[side].e[i - 1].ev.type == type)
			return &n->log[side].e[i - 1];
	}
	return &none;
}

uint32_t
ep_first(struct ep_net *n, int side, enum plx_endpoint_ev type)
{
	for (uint32_t i = 0; i < n->log[side].cnt; i++) {
		if (n->log[side].e[i].ev.type == type)
			return i;
	}
	return UINT32_MAX;
}

void
ep_forget(struct ep_net *n)
{
	n->log[SRV].cnt = n->log[CLI].cnt = 0;
}

bool
ep_wait(struct ep_net *n, int side, enum plx_endpoint_ev type, uint64_t limit_ns)
{
	uint64_t limit = n->now + limit_ns;
	uint32_t had = ep_cnt(n, side, type);

	for (;;) {
		bool moved = ep_net_step(n);

		if (ep_cnt(n, side, type) > had)
			return true;
		if (moved)
			continue;
		if (n->now >= limit)
			return false;
		jump(n, limit);
	}
}

size_t
ep_read(struct ep_net *n, int side, int64_t stream, uint8_t *buf, size_t cap, bool *fin,
        int64_t *rc)
{
	size_t len = 0;
	bool end = false;
	int64_t r = 0;

	while (len < cap) {
		r = plx_endpoint_stream_recv(n->ep[side], n->conn[side], stream, buf + len,
		                             cap - len, &end, NULL);
		if (r > 0)
			len += (size_t)r;
		if (r <= 0 || end)
			break;
	}
	if (fin != NULL)
		*fin = end;
	if (rc != NULL)
		*rc = r;
	return len;
}

void
ep_say(struct ep_net *n, int side, int64_t stream, const char *text, bool fin)
{
	size_t len = strlen(text);

	must(plx_endpoint_stream_send(n->ep[side], n->conn[side], stream, text, len,
	                              NULL) == (int64_t)len,
	     "send");
	if (fin)
		must(plx_endpoint_stream_finish(n->ep[side], n->conn[side], stream, NULL) ==
		             0,
		     "finish");
	else
		plx_endpoint_flush(n->ep[side], n->now);
}
