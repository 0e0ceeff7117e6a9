/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network stage by itself over 4096 distinct frames in their own buffers (IPv4 and IPv6,
 * short and long headers, 70 to 1250 bytes), in bursts of 32:
 *
 *     net case=rx_nocksum ns=…    parse, UDP checksum not verified in software
 *     net case=rx_steer ns=…      the same and plx_steer_burst(): parse + classify, where half
 *                                 of the packets are first packets, each with an ID of its own
 *     net case=rx_steer_live ns=… the same where all are data of live connections
 *     net case=rx_cksum ns=…      parse, checksum verified in software
 *     net case=tx_nocksum ns=…    template, queue, port (a port that only counts)
 *     net case=tx_cksum ns=…      the same with the checksum in software, 1252 bytes
 *     net case=cksum_1252 ns=…    the sum alone
 *
 * Each is the best of 1500 passes over all frames, in 25 rounds over about a second; med_ns= is the
 * median of the rounds' bests, which shows what neighbours on the machine take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net_rig.h"
#include "plx_rand.h"
#include "plx_steer.h"
#include "plx_test_eal.h"

#define FRAMES 4096
#define ROUNDS 25
#define PASSES 60
#define SLOTS  1024
#define TX_LEN 1252

struct bench {
	struct rte_mempool *pool;
	struct rte_mbuf *m[FRAMES]; /* half first packets, half data of live connections */
	struct rte_mbuf *live[FRAMES]; /* data of live connections */
	struct rig_port port;
	struct plx_neigh *neigh;
	struct plx_net *net;
	struct plx_obs obs;
	struct plx_steer *st;
	struct plx_rand rnd;
	uint64_t sum; /* results go here, so that none is optimised away */
};

typedef void (*pass_fn)(struct bench *b);

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The best of a round's passes: what a neighbour on the machine takes is not the code's. */
static double
best_of(struct bench *b, pass_fn pass)
{
	double best = 1e18;

	for (unsigned i = 0; i < PASSES; i++) {
		double t = now_ns();

		pass(b);
		t = now_ns() - t;
		if (t < best)
			best = t;
	}
	return best;
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct net_case {
	const char *name;
	pass_fn pass;
	double round[ROUNDS];
};

/* The cases in rotation, so that a bad quarter of a second does not hit all rounds of one. */
static void
measure(struct bench *b, struct net_case *c, unsigned cnt)
{
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < cnt; i++)
			c[i].round[r] = best_of(b, c[i].pass);
	for (unsigned i = 0; i < cnt; i++) {
		qsort(c[i].round, ROUNDS, sizeof(c[i].round[0]), by_size);
		printf("net case=%s ns=%.1f med_ns=%.1f\n", c[i].name,
		       c[i].round[0] / FRAMES, c[i].round[ROUNDS / 2] / FRAMES);
	}
}

static uint16_t
count_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	struct rig_port *port = p->priv;

	(void)queue;
	rte_pktmbuf_free_bulk(m, cnt);
	port->sent_cnt += cnt;
	return cnt;
}

static void
open_net(struct bench *b, uint32_t off_got)
{
	static const struct plx_pio_ops ops = {.name = "count", .tx_burst = count_tx};
	struct plx_net_cfg cfg = rig_cfg(1);

	rig_port_init(&b->port, 1, b->pool, off_got);
	b->port.pio.ops = &ops;
	/* the next hop is given: what is measured is the packet, not the neighbour */
	cfg.gateway4 = rig_addr(rig_ip4_b, PLX_FAMILY_IPV4, 0);
	memcpy(cfg.gateway_mac, rig_mac_b, 6);
	plx_net_free(b->net);
	if (plx_net_new(&b->net, &cfg, &b->port.pio, 0, b->neigh, &b->obs) != 0)
		abort();
}

/* Frame i: family and length vary; a short header with an ID of ours, or a first packet. */
static struct rte_mbuf *
make_frame(struct bench *b, unsigned i, bool live)
{
	uint8_t payload[1500] = {0};
	struct rig_spec s = {
	        .v6 = i & 1, .payload = payload, .sport = (uint16_t)(1024 + i), .ecn = 2};
	struct rig_frame f;
	unsigned len;

	plx_rand_bytes(&b->rnd, payload, sizeof(payload));
	if (live) {
		payload[0] = 0x40;
		plx_steer_make_cid(b->st, i % SLOTS, 1, (uint16_t)i, payload + 1);
	} else {
		payload[0] = 0xc0;
		plx_st32_be(payload + 1, 1);
		payload[5] = 18;
	}
	len = 70 + (unsigned)plx_rand_below(&b->rnd, 1181);
	s.payload_len = (uint16_t)(len - (s.v6 ? 62 : 42));
	rig_build(&f, &s);
	return rig_mbuf(b->pool, f.b, f.len);
}

static void
set_up(struct bench *b)
{
	struct plx_steer_cfg sc = {
	        .epoch = 7, .server_id_len = 2, .worker_cnt = 1, .slots = SLOTS};
	void *mem;

	plx_rand_seed(&b->rnd, 1);
	plx_rand_bytes(&b->rnd, sc.key, sizeof(sc.key));
	mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(&sc));
	b->st = mem != NULL ? plx_steer_init(mem, &sc, &b->obs) : NULL;
	b->pool = rte_pktmbuf_pool_create("bench", FRAMES * 4 - 1, 256, 0,
	                                  RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (b->st == NULL || b->pool == NULL || plx_neigh_new(&b->neigh, 64) != 0)
		abort();
	for (uint32_t i = 0; i < SLOTS; i++)
		plx_steer_set_gen(b->st, i, 1);
	for (unsigned i = 0; i < FRAMES; i++)
		b->m[i] = make_frame(b, i, i & 2);
	for (unsigned i = 0; i < FRAMES; i++)
		b->live[i] = make_frame(b, i, true);
}

/* Frames without padding come out of the parser as they went in: a pass can be repeated. */
static void
pass_rx(struct bench *b)
{
	struct plx_dgram dg[PLX_BURST_MAX];

	for (unsigned i = 0; i < FRAMES; i += PLX_BURST_MAX)
		b->sum += plx_net_rx_burst(b->net, b->m + i, PLX_BURST_MAX, dg, 1);
}

static void
steer_all(struct bench *b, struct rte_mbuf **m)
{
	struct plx_dgram dg[PLX_BURST_MAX];

	for (unsigned i = 0; i < FRAMES; i += PLX_BURST_MAX) {
		uint16_t got = plx_net_rx_burst(b->net, m + i, PLX_BURST_MAX, dg, 1);

		plx_steer_burst(b->st, dg, got);
		b->sum += dg[0].verdict;
	}
}

static void
pass_rx_steer(struct bench *b)
{
	steer_all(b, b->m);
}

static void
pass_rx_steer_live(struct bench *b)
{
	steer_all(b, b->live);
}

static void
pass_tx(struct bench *b)
{
	struct plx_tx_path tx = {.path.local = rig_addr(rig_ip4_a, PLX_FAMILY_IPV4, 443),
	                         .path.remote = rig_addr(rig_ip4_b, PLX_FAMILY_IPV4, 5000)};
	struct plx_txpkt out[PLX_BURST_MAX];

	for (unsigned i = 0; i < FRAMES; i += PLX_BURST_MAX) {
		if (plx_net_tx_alloc(b->net, out, PLX_BURST_MAX) == 0)
			abort();
		for (unsigned j = 0; j < PLX_BURST_MAX; j++) {
			out[j].len = TX_LEN;
			out[j].tx = &tx;
		}
		plx_net_tx_burst(b->net, out, PLX_BURST_MAX, 1);
		plx_net_tx_flush(b->net, 1);
	}
	b->sum += b->port.sent_cnt;
}

static void
pass_cksum(struct bench *b)
{
	static uint8_t data[TX_LEN];

	for (unsigned i = 0; i < FRAMES; i++) {
		data[0] = (uint8_t)i;
		b->sum += plx_cksum_fold(plx_cksum_add(0, data, sizeof(data)));
	}
}

int
main(void)
{
	static struct bench b;
	struct net_case plain[] = {{.name = "rx_nocksum", .pass = pass_rx},
	                           {.name = "rx_steer", .pass = pass_rx_steer},
	                           {.name = "rx_steer_live", .pass = pass_rx_steer_live},
	                           {.name = "tx_nocksum", .pass = pass_tx}};
	struct net_case soft[] = {{.name = "rx_cksum", .pass = pass_rx},
	                          {.name = "tx_cksum", .pass = pass_tx},
	                          {.name = "cksum_1252", .pass = pass_cksum}};

	if (plx_test_eal("plx-bench-net", 128) != 0)
		return EXIT_FAILURE;
	set_up(&b);
	open_net(&b, PLX_OFF_NO_CKSUM);
	pass_rx(&b);
	if (b.sum != FRAMES) {
		fprintf(stderr, "only %lu frames were accepted\n", (unsigned long)b.sum);
		return EXIT_FAILURE;
	}
	measure(&b, plain, sizeof(plain) / sizeof(plain[0]));
	open_net(&b, 0);
	measure(&b, soft, sizeof(soft) / sizeof(soft[0]));
	plx_net_free(b.net);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
