/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol by itself, bulk: two endpoints in one thread that pass packets as pointers into 32
 * buffers each; no frames, no mbufs, no steering, no wire. What bench_engine costs beyond this is
 * the engine's overhead (R4); both ends together against RAW is R9.
 *
 *     bench_harness [--len BYTES] [--windows N] [--window-us N] [--evp]
 *
 *     harness crypt=… r9=… tx_tsc=… rx_tsc=… acks_per_pkt=… heap_per_pkt=…
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_app.h"
#include "bench_win.h"
#include "plx_clock.h"
#include "plx_quic.h"
#include "plx_tls.h"

#define WARM_PKTS 200000
#define ROOM      2048
#define SLOTS     64

enum { CLIENT, SERVER };

struct end {
	struct plx_quic *quic;
	struct plx_steer *steer;
	struct plx_crypt *crypt;
	struct plx_tls *tls;
	struct plx_obs obs;
	struct plx_rand rand;
	struct plx_clock clock;
	struct plx_proto proto;
	struct bench_app app;
	/* What was written and not yet read by the other end. */
	uint8_t (*room)[ROOM];
	struct plx_txpkt out[PLX_BURST_MAX];
	uint16_t out_cnt;
};

struct bench {
	struct end end[2];
	uint32_t len, windows, window_us;
	bool evp;
	bool steer; /* the handshake needs it */
	char *cert, *key;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench_harness: %s\n", what);
	exit(EXIT_FAILURE);
}

static void
make_end(struct bench *b, unsigned i)
{
	struct end *e = &b->end[i];
	struct plx_steer_cfg sc = {.server_id_len = 2,
	                           .worker_cnt = 1,
	                           .first_local = true,
	                           .slots = SLOTS,
	                           .epoch = 1};
	struct plx_tls_cfg tc = {.server = i == SERVER};
	struct plx_quic_deps d = {
	        .obs = &e->obs, .rand = &e->rand, .proto = &e->proto, .proto_cnt = 1};
	struct plx_quic_cfg qc;
	char err[256] = "no memory";
	void *mem;

	plx_rand_system(&e->rand);
	plx_clock_init(&e->clock, PLX_CLOCK_TSC);
	plx_rand_bytes(&e->rand, sc.key, sizeof(sc.key));
	mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(&sc));
	e->room = aligned_alloc(PLX_CACHE_LINE, (size_t)PLX_BURST_MAX * ROOM);
	if (mem == NULL || e->room == NULL)
		die(err);
	e->steer = plx_steer_init(mem, &sc, &e->obs);
	if (i == SERVER) {
		tc.cert_pem = b->cert;
		tc.key_pem = b->key;
	}
	if (plx_crypt_new(&e->crypt, b->evp ? PLX_CRYPT_EVP : PLX_CRYPT_IPSEC_MB) != 0 ||
	    plx_tls_new(&e->tls, &tc, err, sizeof(err)) != 0)
		die(err);
	e->proto = (struct plx_proto){.alpn = BENCH_ALPN,
	                              .app = i == SERVER ? &bench_app_server
	                                                 : &bench_app_client,
	                              .arg = &e->app};
	d.steer = e->steer;
	d.crypt = e->crypt;
	d.tls_server = i == SERVER ? e->tls : NULL;
	d.tls_client = i == CLIENT ? e->tls : NULL;
	plx_quic_cfg_init(&qc);
	qc.conns_max = SLOTS;
	qc.slab_limit = (size_t)64 << 20;
	qc.server = i == SERVER;
	qc.max_tx_udp_payload = (uint16_t)b->len;
	if (plx_quic_new(&e->quic, &qc, &d) != 0)
		die("no endpoint");
}

/* Reads what the other end wrote, fires timers, writes one burst. */
static bool
turn(struct bench *b, unsigned i)
{
	struct end *e = &b->end[i], *peer = &b->end[i ^ 1];
	struct plx_dgram dg[PLX_BURST_MAX];
	uint64_t now_ns = plx_clock_now(&e->clock);
	uint16_t got = peer->out_cnt;
	uint32_t fired;

	for (uint16_t k = 0; k < got; k++) {
		const struct plx_txpkt *p = &peer->out[k];

		/* The only connection has the first slot. */
		dg[k] = (struct plx_dgram){
		        .data = p->buf, .len = p->len, .verdict = PLX_VERDICT_CONN};
		dg[k].path.local = p->tx->path.remote;
		dg[k].path.remote = p->tx->path.local;
	}
	peer->out_cnt = 0;
	if (got > 0) {
		if (b->steer)
			plx_steer_burst(e->steer, dg, got);
		plx_quic_rx_burst(e->quic, dg, got, now_ns);
	}
	fired = plx_quic_timers_run(e->quic, now_ns);
	for (uint16_t k = 0; k < PLX_BURST_MAX; k++)
		e->out[k] = (struct plx_txpkt){.buf = e->room[k], .cap = 1500};
	if (plx_quic_has_tx(e->quic))
		e->out_cnt = plx_quic_tx_burst(e->quic, e->out, PLX_BURST_MAX, now_ns);
	return got > 0 || fired > 0 || e->out_cnt > 0;
}

static void
charged(struct bench *b, unsigned i, struct bench_side *side)
{
	uint64_t t = bench_tsc();

	if (turn(b, i))
		side->tsc += bench_tsc() - t;
}

static uint64_t
count_of(const struct end *e, enum plx_count c)
{
	return plx_obs_get(&e->obs, c);
}

static void
connect_both(struct bench *b)
{
	struct plx_quic_dial d = {.sni = "bench.pollux", .alpn = BENCH_ALPN};
	struct plx_conn_id id;

	d.path.local = (struct plx_addr){
	        .family = PLX_FAMILY_IPV4, .port_be = 1, .ip = {192, 0, 2, 1}};
	d.path.remote = d.path.local;
	d.path.remote.ip[3] = 2;
	b->steer = true;
	if (plx_quic_dial(b->end[CLIENT].quic, &d, plx_clock_now(&b->end[CLIENT].clock),
	                  &id) != 0)
		die("the dial was refused");
	for (unsigned n = 0; count_of(&b->end[SERVER], PLX_COUNT_quic_rx_pkts) < WARM_PKTS;
	     n++) {
		if (n > 1000 * WARM_PKTS)
			die("no handshake");
		turn(b, CLIENT);
		turn(b, SERVER);
	}
	b->steer = false;
}

static void
snapshot(const struct end *e, bool tx, struct bench_side *s, bool end)
{
	uint64_t bytes = tx ? e->app.tx_bytes : e->app.rx_bytes;
	uint64_t pkts = count_of(e, tx ? PLX_COUNT_quic_tx_pkts : PLX_COUNT_quic_rx_pkts);

	s->bytes = end ? bytes - s->bytes : bytes;
	s->pkts = end ? pkts - s->pkts : pkts;
}

static struct bench_win *
measure(struct bench *b)
{
	uint64_t len = (uint64_t)(bench_tsc_hz() * b->window_us / 1e6);
	struct bench_win *w = bench_win_new(b->len, b->windows);

	if (w == NULL)
		die("no memory");
	while (bench_win_open(w)) {
		struct bench_side side[BENCH_SIDES] = {0};

		for (unsigned i = 0; i < 2; i++)
			snapshot(&b->end[i], i == CLIENT, &side[i], false);
		while (side[0].tsc + side[1].tsc < len) {
			charged(b, CLIENT, &side[CLIENT]);
			charged(b, SERVER, &side[SERVER]);
		}
		for (unsigned i = 0; i < 2; i++)
			snapshot(&b->end[i], i == CLIENT, &side[i], true);
		bench_win_close(w, side);
	}
	return w;
}

static void
report(struct bench *b, struct bench_win *w, double acks)
{
	struct bench_figures tx, rx, sum;
	struct bench_totals t;

	bench_win_figures(w, CLIENT, &tx);
	bench_win_figures(w, SERVER, &rx);
	bench_win_sum(w, &sum);
	bench_win_totals(w, &t);
	printf("harness crypt=%s len=%u raw_gbps=%.1f raw_med_gbps=%.1f",
	       b->evp ? "evp" : "ipsec-mb", b->len, t.raw_gbps, t.raw_gbps_med);
	printf(" r9=%.4f r9_med=%.4f both_gbps=%.2f", sum.ratio, sum.ratio_med, sum.gbps);
	printf(" tx_gbps=%.2f rx_gbps=%.2f tx_ns=%.0f rx_ns=%.0f tx_tsc=%.0f rx_tsc=%.0f",
	       tx.gbps, rx.gbps, tx.ns, rx.ns, tx.tsc, rx.tsc);
	printf(" acks_per_pkt=%.4f heap_per_pkt=%.6f windows=%u dropped=%u switches=%llu\n",
	       acks, t.heap_per_pkt, t.kept, t.dropped, (unsigned long long)t.switches);
}

static void
parse(struct bench *b, int argc, char **argv)
{
	static const struct option opt[] = {{"len", 1, NULL, 'l'},
	                                    {"windows", 1, NULL, 'w'},
	                                    {"window-us", 1, NULL, 'u'},
	                                    {"evp", 0, NULL, 'e'},
	                                    {0}};
	int c;

	b->len = 1452;
	b->windows = 1200;
	b->window_us = 400;
	while ((c = getopt_long(argc, argv, "", opt, NULL)) != -1) {
		switch (c) {
		case 'l':
			b->len = (uint32_t)atoi(optarg);
			break;
		case 'w':
			b->windows = (uint32_t)atoi(optarg);
			break;
		case 'u':
			b->window_us = (uint32_t)atoi(optarg);
			break;
		case 'e':
			b->evp = true;
			break;
		default:
			exit(2);
		}
	}
	if (b->windows < 1 || b->window_us < 1 || b->len < 1200 || b->len > 1472)
		die("--len 1200..1472, --windows 1.., --window-us 1..");
}

int
main(int argc, char **argv)
{
	static struct bench b;
	struct bench_win *w;
	uint64_t pkts, acks;

	parse(&b, argc, argv);
	if (plx_tls_self_signed("bench.pollux", false, NULL, &b.cert, &b.key) != 0)
		die("no certificate");
	for (unsigned i = 0; i < 2; i++)
		make_end(&b, i);
	connect_both(&b);
	pkts = count_of(&b.end[SERVER], PLX_COUNT_quic_rx_pkts);
	acks = count_of(&b.end[SERVER], PLX_COUNT_quic_tx_pkts);
	w = measure(&b);
	pkts = count_of(&b.end[SERVER], PLX_COUNT_quic_rx_pkts) - pkts;
	acks = count_of(&b.end[SERVER], PLX_COUNT_quic_tx_pkts) - acks;
	report(&b, w, (double)acks / (double)pkts);
	bench_win_free(w);
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &b.end[i];

		plx_quic_free(e->quic);
		plx_tls_free(e->tls);
		plx_crypt_free(e->crypt);
		plx_steer_fini(e->steer);
		free(e->room);
	}
	free(b.cert);
	free(b.key);
	return EXIT_SUCCESS;
}
