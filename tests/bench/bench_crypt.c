/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet protection by itself: ns per packet to seal and to open, and per header mask, for each
 * back end and suite. One line per case:
 *
 *     crypt backend=ipsec-mb suite=aes128 len=1200 seal_ns=… open_ns=… mask_ns=…
 *
 * The best of many short windows is printed: on a shared machine the shortest is the one that
 * nothing disturbed (reference: performance, section 0).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plx_crypt.h"

#define WINDOWS    200
#define PER_WINDOW 500
#define AAD_LEN    12

static const struct {
	const char *name;
	enum plx_crypt_backend id;
} backends[] = {{"ipsec-mb", PLX_CRYPT_IPSEC_MB}, {"evp", PLX_CRYPT_EVP}};

static const struct {
	const char *name;
	enum plx_aead id;
} suites[] = {{"aes128", PLX_AEAD_AES_128_GCM},
              {"aes256", PLX_AEAD_AES_256_GCM},
              {"chacha20", PLX_AEAD_CHACHA20_POLY1305}};

struct bench {
	struct plx_crypt *c;
	struct plx_crypt_key *k;
	struct plx_crypt_hp *hp;
	size_t len;
	uint8_t aad[AAD_LEN];
	uint8_t nonce[PLX_AEAD_NONCE_LEN];
	uint8_t sealed[2048], out[2048];
	unsigned at;
	unsigned sum; /* masks go here, so that none is optimised away */
	int bad;
};

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void
do_seal(struct bench *b)
{
	b->bad |= plx_crypt_seal(b->c, b->k, b->out, b->out, b->len, b->nonce, b->aad,
	                         AAD_LEN);
}

static void
do_open(struct bench *b)
{
	b->bad |= plx_crypt_open(b->c, b->k, b->out, b->sealed, b->len + PLX_AEAD_TAG_LEN,
	                         b->nonce, b->aad, AAD_LEN);
}

static void
do_mask(struct bench *b)
{
	uint8_t mask[PLX_HP_MASK_LEN];

	b->at = (b->at + 1) % 32;
	b->bad |= plx_crypt_mask(b->c, b->hp, mask, b->sealed + b->at);
	b->sum += mask[0];
}

static double
best_of(struct bench *b, void (*op)(struct bench *b))
{
	double best = 1e12;

	for (int w = 0; w < WINDOWS; w++) {
		double t = now_ns();

		for (int i = 0; i < PER_WINDOW; i++)
			op(b);
		t = (now_ns() - t) / PER_WINDOW;
		best = t < best ? t : best;
	}
	return best;
}

static int
run(struct bench *b, const char *backend, const char *suite, enum plx_aead aead)
{
	static const uint8_t key[32] = {1, 2, 3};
	static const size_t lens[] = {64, 1200, 1452};
	void *kmem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_key_sz());
	void *hmem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_hp_sz());

	if (kmem == NULL || hmem == NULL)
		return -1;
	b->k = plx_crypt_key_init(b->c, kmem, aead, key);
	b->hp = plx_crypt_hp_init(b->c, hmem, aead, key);
	if (b->k == NULL || b->hp == NULL)
		return -1;
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		double seal, open, mask;

		b->len = lens[i];
		seal = best_of(b, do_seal);
		b->bad |= plx_crypt_seal(b->c, b->k, b->sealed, b->out, b->len, b->nonce,
		                         b->aad, AAD_LEN);
		open = best_of(b, do_open);
		mask = best_of(b, do_mask);
		printf("crypt backend=%s suite=%s len=%zu seal_ns=%.1f open_ns=%.1f mask_ns=%.1f\n",
		       backend, suite, b->len, seal, open, mask);
	}
	plx_crypt_key_fini(b->k);
	plx_crypt_hp_fini(b->hp);
	free(kmem);
	free(hmem);
	return b->bad;
}

int
main(void)
{
	static struct bench b;

	for (unsigned i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (plx_crypt_new(&b.c, backends[i].id) != 0) {
			printf("crypt backend=%s unusable\n", backends[i].name);
			continue;
		}
		for (unsigned s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
			/* A suite that the back end leaves to EVP is in EVP's lines. */
			if (plx_crypt_backend_of(b.c, suites[s].id) != backends[i].id)
				continue;
			if (run(&b, backends[i].name, suites[s].name, suites[s].id) != 0)
				return EXIT_FAILURE;
		}
		plx_crypt_free(b.c);
	}
	return EXIT_SUCCESS;
}
