/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering and its parts by themselves, ns per packet or call:
 *
 *     steer case=short_live ns=…    32 short headers of live connections
 *     steer case=first_new ns=…     32 long headers with IDs nobody knows
 *     steer case=garbage ns=…       32 short headers with random IDs
 *     slab case=pair_256 ns=…       an allocation and a release of 256 bytes
 *     rand case=siphash_20 ns=…     SipHash of 20 bytes
 *
 * The best of many short windows, as in bench_crypt.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plx_mem.h"
#include "plx_rand.h"
#include "plx_steer.h"

#define WINDOWS 300
#define BURSTS  64
#define SLOTS   4096
#define PKT_LEN 64
#define BATCH   (BURSTS * PLX_BURST_MAX)

struct bench {
	struct plx_steer *st;
	struct plx_slab *slab;
	struct plx_rand r;
	uint8_t pkt[BATCH][PKT_LEN];
	struct plx_dgram dg[BATCH];
	uint64_t sum; /* results go here, so that none is optimised away */
};

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void
fill_short_live(struct bench *b, uint8_t *p)
{
	p[0] = 0x40;
	plx_steer_make_cid(b->st, (uint32_t)plx_rand_below(&b->r, SLOTS), 1, 0, p + 1);
}

static void
fill_garbage(struct bench *b, uint8_t *p)
{
	plx_rand_bytes(&b->r, p, PKT_LEN);
	p[0] = 0x40;
}

static void
fill_first_new(struct bench *b, uint8_t *p)
{
	static const uint8_t head[6] = {0xc0, 0, 0, 0, 1, 20};

	memset(p, 0, PKT_LEN);
	memcpy(p, head, sizeof(head));
	plx_rand_bytes(&b->r, p + sizeof(head), 20);
}

static void
bench_steer(struct bench *b, const char *name, void (*fill)(struct bench *b, uint8_t *p))
{
	double best = 1e12;

	for (unsigned i = 0; i < BATCH; i++) {
		fill(b, b->pkt[i]);
		b->dg[i] = (struct plx_dgram){.data = b->pkt[i], .len = PKT_LEN};
	}
	for (int w = 0; w < WINDOWS; w++) {
		double t = now_ns();

		for (unsigned i = 0; i < BATCH; i += PLX_BURST_MAX)
			plx_steer_burst(b->st, b->dg + i, PLX_BURST_MAX);
		t = (now_ns() - t) / BATCH;
		best = t < best ? t : best;
		b->sum += b->dg[w].verdict;
	}
	printf("steer case=%s ns=%.1f\n", name, best);
}

static void
bench_slab(struct bench *b)
{
	double best = 1e12;

	for (int w = 0; w < WINDOWS; w++) {
		double t = now_ns();

		for (unsigned i = 0; i < BATCH; i++) {
			void *p = plx_slab_alloc(b->slab, 256);

			b->sum += (uintptr_t)p;
			plx_slab_release(b->slab, p);
		}
		t = (now_ns() - t) / BATCH;
		best = t < best ? t : best;
	}
	printf("slab case=pair_256 ns=%.1f\n", best);
}

static void
bench_siphash(struct bench *b)
{
	static const uint8_t key[16] = {1};
	double best = 1e12;

	for (int w = 0; w < WINDOWS; w++) {
		double t = now_ns();

		for (unsigned i = 0; i < BATCH; i++)
			b->sum += plx_siphash24(key, b->pkt[i], 20);
		t = (now_ns() - t) / BATCH;
		best = t < best ? t : best;
	}
	printf("rand case=siphash_20 ns=%.1f\n", best);
}

int
main(void)
{
	static struct bench b;
	struct plx_steer_cfg cfg = {
	        .server_id_len = 2, .worker_cnt = 1, .slots = SLOTS, .epoch = 1};
	const struct plx_slab_cfg slab_cfg = {.limit = 1 << 20, .node = -1};
	void *mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(&cfg));

	if (mem == NULL || plx_slab_new(&b.slab, &slab_cfg) != 0)
		return EXIT_FAILURE;
	plx_rand_seed(&b.r, 1);
	for (int portable = 0; portable < 2; portable++) {
		cfg.portable = portable;
		b.st = plx_steer_init(mem, &cfg, NULL);
		if (b.st == NULL)
			return EXIT_FAILURE;
		for (uint32_t s = 0; s < SLOTS; s++)
			plx_steer_set_gen(b.st, s, 1);
		bench_steer(&b, portable ? "short_live_portable" : "short_live",
		            fill_short_live);
		if (!portable) {
			bench_steer(&b, "first_new", fill_first_new);
			bench_steer(&b, "garbage", fill_garbage);
		}
		plx_steer_fini(b.st);
	}
	bench_slab(&b);
	bench_siphash(&b);
	plx_slab_free(b.slab);
	free(mem);
	return b.sum != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
