/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The QUIC path by itself: a server sends in bulk to a client, both in one thread, packets handed
 * over in memory. Each stage is timed by itself, per data packet of the full size:
 *
 *     quic suite=aes128 size=1452 tx_ns=… rx_ns=… steer_ns=… ack_ns=… raw_ns=… tx_ratio=… rx_ratio=…
 *
 * tx is plx_quic_tx_burst(), rx plx_quic_rx_burst(), ack what acknowledgements cost both sides.
 * raw is one AES-128-GCM call of ipsec-mb on as many bytes. The ratios are stream bytes over tx
 * (rx) and its share of ack, over raw: R1 and R2 without drivers and network headers. The best
 * window counts, and the median is printed beside it: on a shared machine the shortest window is
 * the one that nothing disturbed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <intel-ipsec-mb.h>

#include "plx_pair.h"

#define WINDOWS    60
#define PER_WINDOW 3000 /* data packets */
#define ROOM       1536

enum stage { TX, STEER, RX, ACK_TX, ACK_RX, STAGES };

struct bench {
	struct plx_pair *p;
	uint8_t room[PLX_BURST_MAX][ROOM];
	double t[STAGES][WINDOWS];
	uint64_t pkts, payload;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint16_t
send_burst(struct bench *b, enum plx_pair_side s, struct plx_dgram *dg, uint64_t now,
           double *t)
{
	struct plx_txpkt out[PLX_BURST_MAX];
	uint64_t start;
	uint16_t n;

	for (int i = 0; i < PLX_BURST_MAX; i++)
		out[i] = (struct plx_txpkt){.buf = b->room[i], .cap = ROOM};
	start = now_ns();
	n = plx_quic_tx_burst(b->p->end[s].quic, out, PLX_BURST_MAX, now);
	*t += (double)(now_ns() - start);
	for (uint16_t i = 0; i < n; i++) {
		dg[i] = (struct plx_dgram){.data = out[i].buf, .len = out[i].len};
		dg[i].path.local = out[i].tx->path.remote;
		dg[i].path.remote = out[i].tx->path.local;
	}
	return n;
}

static void
recv_burst(struct bench *b, enum plx_pair_side s, struct plx_dgram *dg, uint16_t n,
           uint64_t now, double *steer, double *rx)
{
	struct plx_pair_end *e = &b->p->end[s];
	uint64_t t0 = now_ns(), t1;

	plx_steer_burst(e->steer, dg, n);
	t1 = now_ns();
	plx_quic_rx_burst(e->quic, dg, n, now);
	*rx += (double)(now_ns() - t1);
	*steer += (double)(t1 - t0);
}

/* One exchange: a burst of data down, what acknowledges it up. @return data packets */
static uint16_t
exchange(struct bench *b, double t[STAGES])
{
	struct plx_dgram dg[PLX_BURST_MAX];
	uint64_t now = now_ns();
	uint16_t data, n;

	plx_quic_timers_run(b->p->end[0].quic, now);
	plx_quic_timers_run(b->p->end[1].quic, now);
	data = send_burst(b, PLX_PAIR_SERVER, dg, now, &t[TX]);
	if (data > 0)
		recv_burst(b, PLX_PAIR_CLIENT, dg, data, now, &t[STEER], &t[RX]);
	now = now_ns();
	n = send_burst(b, PLX_PAIR_CLIENT, dg, now, &t[ACK_TX]);
	if (n > 0)
		recv_burst(b, PLX_PAIR_SERVER, dg, n, now, &t[ACK_RX], &t[ACK_RX]);
	return data;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
raw_ns(size_t len)
{
	static uint8_t buf[2048], iv[12], aad[13], tag[16], key[16];
	static struct gcm_key_data gk;
	static struct gcm_context_data gc;
	IMB_MGR *m = alloc_mb_mgr(0);
	double best = 1e9;

	if (m == NULL)
		return 0;
	init_mb_mgr_auto(m, NULL);
	IMB_AES128_GCM_PRE(m, key, &gk);
	for (int w = 0; w < 300; w++) {
		uint64_t start = now_ns();
		double ns;

		for (int i = 0; i < 500; i++)
			IMB_AES128_GCM_ENC(m, &gk, &gc, buf, buf, len, iv, aad, sizeof(aad),
			                   tag, 16);
		ns = (double)(now_ns() - start) / 500;
		best = ns < best ? ns : best;
	}
	free_mb_mgr(m);
	return best;
}

static bool
set_up(struct bench *b, const char *suite, uint16_t size, enum plx_crypt_backend backend)
{
	struct plx_pair_cfg cfg;

	plx_pair_cfg_init(&cfg);
	cfg.ciphers = suite;
	cfg.backend = backend;
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		cfg.quic[s].max_tx_udp_payload = size;
		cfg.quic[s].no_pacing = true;
		cfg.quic[s].max_data = UINT64_C(64) << 20;
		cfg.quic[s].max_stream_data = UINT64_C(64) << 20;
		cfg.link[s].delay_ns = 0;
	}
	if (plx_pair_new(&b->p, &cfg) != 0)
		return false;
	b->p->now = now_ns();
	b->p->end[0].app.blind = b->p->end[1].app.blind = true;
	b->p->end[1].app.down = UINT64_C(1) << 50;
	plx_pair_dial(b->p, false, NULL);
	return plx_pair_run(b->p, plx_pair_both_up, PLX_NS_PER_S);
}

static void
measure(const char *name, const char *suite, const char *backend, enum plx_crypt_backend id,
        uint16_t size, double raw)
{
	struct bench *b = calloc(1, sizeof(*b));
	double best[STAGES], mid[STAGES], tx, rx, payload, ack;

	if (b == NULL || !set_up(b, suite, size, id)) {
		fprintf(stderr, "bench_quic: no connection with %s\n", suite);
		free(b);
		return;
	}
	for (int i = 0; i < 3000; i++) { /* slow start, caches, the slab */
		double unused[STAGES] = {0};

		exchange(b, unused);
	}
	payload = (double)b->p->end[1].app.rx_bytes;
	for (int w = 0; w < WINDOWS; w++) {
		double t[STAGES] = {0};
		uint64_t pkts = 0;

		while (pkts < PER_WINDOW)
			pkts += exchange(b, t);
		for (int s = 0; s < STAGES; s++)
			b->t[s][w] = t[s] / (double)pkts;
		b->pkts += pkts;
	}
	payload = ((double)b->p->end[1].app.rx_bytes - payload) / (double)b->pkts;
	for (int s = 0; s < STAGES; s++) {
		qsort(b->t[s], WINDOWS, sizeof(double), compare);
		best[s] = b->t[s][0];
		mid[s] = b->t[s][WINDOWS / 2];
	}
	ack = best[ACK_TX] + best[ACK_RX];
	tx = payload / (best[TX] + best[ACK_RX]) / (size / raw);
	rx = payload / (best[RX] + best[STEER] + best[ACK_TX]) / (size / raw);
	printf("quic suite=%s backend=%s size=%u payload=%.0f tx_ns=%.0f rx_ns=%.0f steer_ns=%.0f "
	       "ack_ns=%.0f tx_mid_ns=%.0f rx_mid_ns=%.0f raw_ns=%.0f tx_ratio=%.3f "
	       "rx_ratio=%.3f\n",
	       name, backend, size, payload, best[TX], best[RX], best[STEER], ack, mid[TX],
	       mid[RX], raw, tx, rx);
	plx_pair_free(b->p);
	free(b);
}

int
main(int argc, char **argv)
{
	double raw = raw_ns(1452);

	measure("aes128", "TLS_AES_128_GCM_SHA256", "auto", PLX_CRYPT_AUTO, 1452, raw);
	if (argc > 1 && strcmp(argv[1], "--first") == 0)
		return 0; /* for a profiler */
	measure("aes128", "TLS_AES_128_GCM_SHA256", "evp", PLX_CRYPT_EVP, 1452, raw);
	measure("aes256", "TLS_AES_256_GCM_SHA384", "auto", PLX_CRYPT_AUTO, 1452, raw);
	measure("chacha20", "TLS_CHACHA20_POLY1305_SHA256", "auto", PLX_CRYPT_AUTO, 1452,
	        raw);
	measure("aes128", "TLS_AES_128_GCM_SHA256", "auto", PLX_CRYPT_AUTO, 1200,
	        raw_ns(1200));
	return 0;
}
