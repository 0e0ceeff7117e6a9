/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_rand.h"

#define PKT_MAX  1500
#define MILLION  1000000
#define START_NS (1000 * PLX_NS_PER_S)

struct plx_flight {
	uint64_t at, seq;
	struct plx_path path; /* seen by the sender */
	uint8_t to;
	uint8_t ecn;
	uint16_t len;
	uint8_t data[PKT_MAX];
};

void
plx_pair_cfg_init(struct plx_pair_cfg *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->seed = 1;
	cfg->trust = true;
	cfg->server_alpn = "plx-test";
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		plx_quic_cfg_init(&cfg->quic[s]);
		cfg->quic[s].conns_max = 64;
		cfg->quic[s].slab_limit = 64u << 20;
		cfg->quic[s].server = s == PLX_PAIR_SERVER;
		cfg->link[s].delay_ns = 10 * PLX_NS_PER_MS;
	}
}

static void
set_addr(struct plx_addr *a, bool ipv6, uint8_t host, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->family = ipv6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	if (ipv6) {
		a->ip[0] = 0xfd;
		a->ip[15] = host;
	} else {
		a->ip[0] = 10;
		a->ip[3] = host;
	}
	a->port_be = (uint16_t)(port >> 8 | port << 8);
}

/* The trust store is a file in OpenSSL's interface, so the certificate goes through one. */
static char *
write_temp(const char *text)
{
	char name[] = "/tmp/plx-pair-XXXXXX";
	int fd = mkstemp(name);
	size_t len = strlen(text);

	if (fd < 0)
		return NULL;
	if (write(fd, text, len) != (ssize_t)len) {
		close(fd);
		unlink(name);
		return NULL;
	}
	close(fd);
	return strdup(name);
}

static char *
repeat(const char *text, unsigned cnt)
{
	size_t len = strlen(text);
	char *out = malloc(len * cnt + 1);

	if (out == NULL)
		abort();
	for (unsigned i = 0; i < cnt; i++)
		memcpy(out + i * len, text, len);
	out[len * cnt] = '\0';
	return out;
}

static int
make_tls(struct plx_pair *p, enum plx_pair_side side)
{
	struct plx_pair_end *e = &p->end[side];
	struct plx_tls_cfg tc = {.server = side == PLX_PAIR_SERVER};
	char err[256] = "", *chain = NULL;
	int rc;

	if (!p->cfg.no_rand)
		tc.rand = &e->rand;
	tc.groups = p->cfg.groups[side];
	tc.ciphers = p->cfg.ciphers;
	if (tc.server) {
		chain = repeat(p->cert, 1u + p->cfg.chain);
		tc.cert_pem = chain;
		tc.key_pem = p->key;
	} else if (p->cfg.trust) {
		e->ca_file = write_temp(p->cert);
		tc.ca_file = e->ca_file;
	}
	rc = plx_tls_new(&e->tls, &tc, err, sizeof(err));
	free(chain);
	if (rc != 0)
		fprintf(stderr, "plx_pair: %s\n", err);
	return rc;
}

static int
make_end(struct plx_pair *p, enum plx_pair_side side)
{
	struct plx_pair_end *e = &p->end[side];
	struct plx_steer_cfg sc = {
	        .server_id_len = 2, .worker_cnt = 1, .first_local = true};
	int rc;

	plx_rand_seed(&e->rand, p->cfg.seed * 2 + side);
	e->obs = aligned_alloc(PLX_CACHE_LINE, sizeof(*e->obs));
	if (e->obs == NULL)
		return PLX_E_NOMEM;
	memset(e->obs, 0, sizeof(*e->obs));
	set_addr(&e->addr, p->cfg.ipv6, (uint8_t)(side + 1), side == 0 ? 443 : 40000);
	plx_rand_bytes(&e->rand, sc.key, sizeof(sc.key));
	plx_rand_bytes(&e->rand, sc.hash_key, sizeof(sc.hash_key));
	sc.epoch = (uint32_t)plx_rand_u64(&e->rand);
	sc.slots = p->cfg.quic[side].conns_max;
	e->steer_mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(&sc));
	if (e->steer_mem == NULL)
		return PLX_E_NOMEM;
	e->steer = plx_steer_init(e->steer_mem, &sc, e->obs);
	rc = e->steer != NULL ? plx_crypt_new(&e->crypt, p->cfg.backend) : PLX_E_NOMEM;
	if (rc == 0)
		rc = make_tls(p, side);
	if (rc != 0)
		return rc;
	e->proto.alpn = side == PLX_PAIR_SERVER ? p->cfg.server_alpn : "plx-test";
	e->proto.app = side == PLX_PAIR_SERVER ? &plx_testapp_server : &plx_testapp_client;
	e->proto.arg = &e->app;
	e->app.streams = 1;
	e->deps.steer = e->steer;
	e->deps.crypt = e->crypt;
	e->deps.obs = e->obs;
	e->deps.rand = &e->rand;
	e->deps.tls_server = side == PLX_PAIR_SERVER ? e->tls : NULL;
	e->deps.tls_client = side == PLX_PAIR_CLIENT ? e->tls : NULL;
	e->deps.proto = &e->proto;
	e->deps.proto_cnt = 1;
	return plx_quic_new(&e->quic, &p->cfg.quic[side], &e->deps);
}

int
plx_pair_new(struct plx_pair **out, const struct plx_pair_cfg *cfg)
{
	struct plx_pair *p = calloc(1, sizeof(*p));
	int rc;

	*out = NULL;
	if (p == NULL)
		return PLX_E_NOMEM;
	p->cfg = *cfg;
	p->now = START_NS;
	p->limit = PLX_TIME_NEVER;
	plx_rand_seed(&p->rand, ~cfg->seed);
	rc = plx_tls_self_signed(cfg->wrong_name ? "other.example" : "server.example", true,
	                         &p->rand, &p->cert, &p->key);
	for (int s = 0; rc == 0 && s < PLX_PAIR_SIDES; s++)
		rc = make_end(p, (enum plx_pair_side)s);
	if (rc != 0) {
		plx_pair_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
plx_pair_free(struct plx_pair *p)
{
	if (p == NULL)
		return;
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		struct plx_pair_end *e = &p->end[s];

		plx_quic_free(e->quic);
		plx_tls_free(e->tls);
		if (e->crypt != NULL)
			plx_crypt_free(e->crypt);
		if (e->steer != NULL)
			plx_steer_fini(e->steer);
		free(e->steer_mem);
		free(e->obs);
		if (e->ca_file != NULL)
			unlink(e->ca_file);
		free(e->ca_file);
	}
	free(p->flight);
	free(p->cert);
	free(p->key);
	free(p);
}

int
plx_pair_reset(struct plx_pair *p, const struct plx_pair_cfg *cfg)
{
	p->cfg = *cfg;
	p->now = START_NS;
	p->limit = PLX_TIME_NEVER;
	p->steps = p->trace = p->lost = p->duplicated = p->corrupted = 0;
	p->flight_cnt = 0;
	p->flight_seq = 0;
	plx_rand_seed(&p->rand, ~cfg->seed);
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		struct plx_pair_end *e = &p->end[s];
		int rc;

		plx_quic_free(e->quic);
		e->quic = NULL;
		memset(e->obs, 0, sizeof(*e->obs));
		memset(&e->app, 0, sizeof(e->app));
		e->app.streams = 1;
		e->tx_pkts = e->tx_bytes = p->wire_free[s] = 0;
		plx_rand_seed(&e->rand, cfg->seed * 2 + (unsigned)s);
		set_addr(&e->addr, cfg->ipv6, (uint8_t)(s + 1), s == 0 ? 443 : 40000);
		plx_steer_set_epoch(e->steer, (uint32_t)plx_rand_u64(&e->rand));
		rc = plx_quic_new(&e->quic, &cfg->quic[s], &e->deps);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
plx_pair_lose_state(struct plx_pair *p)
{
	struct plx_pair_end *e = &p->end[PLX_PAIR_SERVER];

	plx_quic_free(e->quic);
	e->quic = NULL;
	plx_steer_set_epoch(e->steer, (uint32_t)plx_rand_u64(&e->rand));
	return plx_quic_new(&e->quic, &p->cfg.quic[PLX_PAIR_SERVER], &e->deps);
}

int
plx_pair_dial(struct plx_pair *p, bool verify, struct plx_conn_id *id)
{
	struct plx_pair_end *c = &p->end[PLX_PAIR_CLIENT];
	struct plx_conn_id none;
	struct plx_quic_dial d = {
	        .path = {.local = c->addr, .remote = p->end[PLX_PAIR_SERVER].addr},
	        .sni = "server.example",
	        .alpn = "plx-test",
	        .verify = verify,
	        .user = 42,
	        .on_failed = plx_testapp_failed,
	        .on_failed_arg = &c->app,
	};

	return plx_quic_dial(c->quic, &d, p->now, id != NULL ? id : &none);
}

/* Packets under way: a binary heap by arrival, then by order of sending. */

static bool
before(const struct plx_flight *a, const struct plx_flight *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void
flight_push(struct plx_pair *p, const struct plx_flight *f)
{
	uint32_t i = p->flight_cnt;

	if (p->flight_cnt == p->flight_cap) {
		uint32_t cap = p->flight_cap > 0 ? p->flight_cap * 2 : 256;
		struct plx_flight *more = realloc(p->flight, cap * sizeof(*more));

		if (more == NULL)
			abort();
		p->flight = more;
		p->flight_cap = cap;
	}
	p->flight_cnt++;
	while (i > 0 && before(f, &p->flight[(i - 1) / 2])) {
		p->flight[i] = p->flight[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	p->flight[i] = *f;
}

static void
flight_pop(struct plx_pair *p, struct plx_flight *out)
{
	const struct plx_flight *last = &p->flight[--p->flight_cnt];
	uint32_t i = 0;

	*out = p->flight[0];
	for (;;) {
		uint32_t c = 2 * i + 1;

		if (c >= p->flight_cnt)
			break;
		if (c + 1 < p->flight_cnt && before(&p->flight[c + 1], &p->flight[c]))
			c++;
		if (!before(&p->flight[c], last))
			break;
		p->flight[i] = p->flight[c];
		i = c;
	}
	p->flight[i] = *last;
}

static bool
chance(struct plx_pair *p, uint32_t ppm)
{
	return ppm > 0 && plx_rand_below(&p->rand, MILLION) < ppm;
}

/* What an observer of the wire sees; protected bits of the first byte are left out. */
static void
trace(struct plx_pair *p, uint8_t from, const uint8_t *pkt, uint16_t len)
{
	struct {
		uint64_t prev, at;
		uint32_t len;
		uint8_t from, type;
		uint16_t zero;
	} t = {p->trace, p->now, len, from, 0, 0};

	t.type = pkt[0] & ((pkt[0] & 0x80) != 0 ? 0xf0 : 0xc0);
	p->trace = plx_siphash24(p->hash_key, &t, sizeof(t));
}

void
plx_pair_send(struct plx_pair *p, enum plx_pair_side from, const struct plx_path *path,
              const uint8_t *pkt, uint16_t len)
{
	const struct plx_pair_link *l = &p->cfg.link[from];
	struct plx_flight f;
	struct plx_pair_pkt seen = {
	        .from = from, .len = len, .data = f.data, .path = &f.path};
	uint64_t at = p->now;

	f.path = *path;
	f.to = from ^ 1;
	f.ecn = 0;
	memcpy(f.data, pkt, len);
	p->end[from].tx_pkts++;
	p->end[from].tx_bytes += len;
	if (p->cfg.tap != NULL && !p->cfg.tap(p->cfg.tap_arg, p, &seen))
		return;
	f.len = seen.len;
	trace(p, (uint8_t)from, f.data, f.len);
	if (chance(p, l->loss_ppm)) {
		p->lost++;
		return;
	}
	if (chance(p, l->corrupt_ppm)) {
		uint64_t bit = plx_rand_below(&p->rand, (uint64_t)f.len * 8);

		f.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		p->corrupted++;
	}
	if (l->per_pkt_ns > 0) {
		if (p->wire_free[from] > at)
			at = p->wire_free[from];
		at += l->per_pkt_ns;
		p->wire_free[from] = at;
	}
	at += l->delay_ns;
	for (int copies = chance(p, l->dup_ppm) ? 2 : 1; copies > 0; copies--) {
		f.at = at + (l->jitter_ns > 0 ? plx_rand_below(&p->rand, l->jitter_ns) : 0);
		f.seq = p->flight_seq++;
		flight_push(p, &f);
		p->duplicated += copies > 1;
	}
}

static bool
deliver(struct plx_pair *p)
{
	struct plx_flight f[PLX_BURST_MAX];
	struct plx_dgram dg[PLX_BURST_MAX];
	uint8_t to;
	uint16_t n = 0;

	if (p->flight_cnt == 0 || p->flight[0].at > p->now)
		return false;
	to = p->flight[0].to;
	while (n < PLX_BURST_MAX && p->flight_cnt > 0 && p->flight[0].at <= p->now &&
	       p->flight[0].to == to) {
		flight_pop(p, &f[n]);
		dg[n] = (struct plx_dgram){
		        .data = f[n].data, .len = f[n].len, .ecn = f[n].ecn};
		dg[n].path.local = f[n].path.remote;
		dg[n].path.remote = f[n].path.local;
		n++;
	}
#ifdef PLX_SANITIZE
	/* Exact blocks, so that a read behind the end of a packet is seen. */
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *exact = malloc(f[i].len);

		if (exact == NULL)
			abort();
		memcpy(exact, f[i].data, f[i].len);
		dg[i].data = dg[i].cookie = exact;
	}
#endif
	plx_steer_burst(p->end[to].steer, dg, n);
	for (uint16_t i = 0; i < n; i++) {
		if (dg[i].verdict == PLX_VERDICT_DROP)
			plx_obs_drop(p->end[to].obs, (enum plx_drop)dg[i].drop, 1);
	}
	plx_quic_rx_burst(p->end[to].quic, dg, n, p->now);
	for (uint16_t i = 0; i < n; i++)
		free(dg[i].cookie);
	return true;
}

static bool
transmit(struct plx_pair *p, enum plx_pair_side side)
{
	static uint8_t room[PLX_BURST_MAX][PKT_MAX];
	struct plx_txpkt out[PLX_BURST_MAX];
	uint16_t n;

	if (!plx_quic_has_tx(p->end[side].quic))
		return false;
	for (uint16_t i = 0; i < PLX_BURST_MAX; i++)
		out[i] = (struct plx_txpkt){.buf = room[i], .cap = PKT_MAX};
	n = plx_quic_tx_burst(p->end[side].quic, out, PLX_BURST_MAX, p->now);
	for (uint16_t i = 0; i < n; i++)
		plx_pair_send(p, side, &out[i].tx->path, out[i].buf, out[i].len);
	return n > 0;
}

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
plx_pair_step(struct plx_pair *p)
{
	bool moved = false;
	uint64_t next;

	p->steps++;
	while (deliver(p))
		moved = true;
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		moved |= plx_quic_timers_run(p->end[s].quic, p->now) > 0;
		while (transmit(p, (enum plx_pair_side)s))
			moved = true;
	}
	if (moved)
		return;
	next = min64(plx_quic_deadline(p->end[0].quic), plx_quic_deadline(p->end[1].quic));
	if (p->flight_cnt > 0)
		next = min64(next, p->flight[0].at);
	if (next == PLX_TIME_NEVER || next <= p->now)
		next = p->now + PLX_NS_PER_MS;
	p->now = min64(next, p->limit);
}

bool
plx_pair_run(struct plx_pair *p, bool (*until)(struct plx_pair *p), uint64_t limit_ns)
{
	bool held = false;

	p->limit = p->now + limit_ns;
	while (!held && p->now < p->limit) {
		held = until != NULL && until(p);
		if (!held)
			plx_pair_step(p);
	}
	p->limit = PLX_TIME_NEVER;
	return held || (until != NULL && until(p));
}

bool
plx_pair_idle(struct plx_pair *p)
{
	return plx_quic_conn_cnt(p->end[0].quic) == 0 &&
	       plx_quic_conn_cnt(p->end[1].quic) == 0;
}

bool
plx_pair_client_up(struct plx_pair *p)
{
	return p->end[PLX_PAIR_CLIENT].app.established > 0;
}

bool
plx_pair_both_up(struct plx_pair *p)
{
	return p->end[0].app.established > 0 && p->end[1].app.established > 0;
}

bool
plx_pair_client_over(struct plx_pair *p)
{
	const struct plx_testapp *a = &p->end[PLX_PAIR_CLIENT].app;

	return a->closed + a->failed > 0;
}

bool
plx_pair_both_over(struct plx_pair *p)
{
	return p->end[0].app.closed > 0 && p->end[1].app.closed > 0;
}

bool
plx_pair_streams_done(struct plx_pair *p)
{
	const struct plx_testapp *a = &p->end[PLX_PAIR_CLIENT].app;

	return a->streams_done >= a->streams;
}

uint64_t
plx_pair_slab_used(struct plx_pair *p, enum plx_pair_side side)
{
	struct plx_slab_stats st;

	plx_slab_get_stats(plx_quic_slab(p->end[side].quic), &st);
	return st.used;
}
