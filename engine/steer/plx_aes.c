/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_aes_pvt.h"

#include <string.h>

#include <openssl/crypto.h>

#include <plx/err.h>

#include "plx_bug.h"

#if defined(__x86_64__)
# include <immintrin.h>

/* Compiled for the instruction set it needs, called only where the CPU says it has it. */
# define WITH_AES __attribute__((target("aes,sse2")))

static bool
has_aes(void)
{
	return __builtin_cpu_supports("aes");
}

WITH_AES static inline __m128i
expand_step(__m128i key, __m128i assist)
{
	assist = _mm_shuffle_epi32(assist, 0xff);
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	return _mm_xor_si128(key, assist);
}

WITH_AES static void
expand(struct plx_aes *a, const uint8_t key[16])
{
	__m128i k[PLX_AES_KEYS];

	k[0] = _mm_loadu_si128((const __m128i *)key);
	/* The round constant is part of the instruction: a loop cannot give it. */
	k[1] = expand_step(k[0], _mm_aeskeygenassist_si128(k[0], 0x01));
	k[2] = expand_step(k[1], _mm_aeskeygenassist_si128(k[1], 0x02));
	k[3] = expand_step(k[2], _mm_aeskeygenassist_si128(k[2], 0x04));
	k[4] = expand_step(k[3], _mm_aeskeygenassist_si128(k[3], 0x08));
	k[5] = expand_step(k[4], _mm_aeskeygenassist_si128(k[4], 0x10));
	k[6] = expand_step(k[5], _mm_aeskeygenassist_si128(k[5], 0x20));
	k[7] = expand_step(k[6], _mm_aeskeygenassist_si128(k[6], 0x40));
	k[8] = expand_step(k[7], _mm_aeskeygenassist_si128(k[7], 0x80));
	k[9] = expand_step(k[8], _mm_aeskeygenassist_si128(k[8], 0x1b));
	k[10] = expand_step(k[9], _mm_aeskeygenassist_si128(k[9], 0x36));
	for (int i = 0; i < PLX_AES_KEYS; i++) {
		__m128i d = k[PLX_AES_KEYS - 1 - i];

		if (i != 0 && i != PLX_AES_KEYS - 1)
			d = _mm_aesimc_si128(d);
		_mm_store_si128((__m128i *)a->enc[i], k[i]);
		_mm_store_si128((__m128i *)a->dec[i], d);
	}
	OPENSSL_cleanse(k, sizeof(k));
}

WITH_AES static void
encrypt_ni(const struct plx_aes *a, uint8_t *dst, const uint8_t *src)
{
	const __m128i *k = (const __m128i *)a->enc;
	__m128i x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)src), k[0]);

	for (int r = 1; r < PLX_AES_KEYS - 1; r++)
		x = _mm_aesenc_si128(x, k[r]);
	x = _mm_aesenclast_si128(x, k[PLX_AES_KEYS - 1]);
	_mm_storeu_si128((__m128i *)dst, x);
}

WITH_AES static void
decrypt_ni(const struct plx_aes *a, uint8_t *dst, const uint8_t *src)
{
	const __m128i *k = (const __m128i *)a->dec;
	__m128i x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)src), k[0]);

	for (int r = 1; r < PLX_AES_KEYS - 1; r++)
		x = _mm_aesdec_si128(x, k[r]);
	x = _mm_aesdeclast_si128(x, k[PLX_AES_KEYS - 1]);
	_mm_storeu_si128((__m128i *)dst, x);
}

/* Eight rounds in flight hide the latency of one, four cycles on the CPUs we know. */
WITH_AES static void
decrypt_ni_x8(const struct plx_aes *a, uint8_t (*dst)[PLX_AES_BLOCK],
              const uint8_t *const *src)
{
	const __m128i *k = (const __m128i *)a->dec;
	__m128i x[8];

	for (int i = 0; i < 8; i++)
		x[i] = _mm_xor_si128(_mm_loadu_si128((const __m128i *)src[i]), k[0]);
	for (int r = 1; r < PLX_AES_KEYS - 1; r++) {
		for (int i = 0; i < 8; i++)
			x[i] = _mm_aesdec_si128(x[i], k[r]);
	}
	for (int i = 0; i < 8; i++) {
		x[i] = _mm_aesdeclast_si128(x[i], k[PLX_AES_KEYS - 1]);
		_mm_storeu_si128((__m128i *)dst[i], x[i]);
	}
}

#else

static bool
has_aes(void)
{
	return false;
}

static void
expand(struct plx_aes *a, const uint8_t key[16])
{
	(void)a;
	(void)key;
	PLX_BUG_ON(true);
}

static void
encrypt_ni(const struct plx_aes *a, uint8_t *dst, const uint8_t *src)
{
	(void)a;
	(void)dst;
	(void)src;
	PLX_BUG_ON(true);
}

static void
decrypt_ni(const struct plx_aes *a, uint8_t *dst, const uint8_t *src)
{
	encrypt_ni(a, dst, src);
}

static void
decrypt_ni_x8(const struct plx_aes *a, uint8_t (*dst)[PLX_AES_BLOCK],
              const uint8_t *const *src)
{
	encrypt_ni(a, dst[0], src[0]);
}

#endif

static EVP_CIPHER_CTX *
make_evp(const uint8_t key[16], int enc)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx == NULL)
		return NULL;
	if (EVP_CipherInit_ex2(ctx, EVP_aes_128_ecb(), key, NULL, enc, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void
block_evp(EVP_CIPHER_CTX *ctx, uint8_t *dst, const uint8_t *src)
{
	int n = 0;

	/* Whole blocks without padding: nothing is kept back and nothing can be refused. */
	PLX_BUG_ON(EVP_CipherUpdate(ctx, dst, &n, src, PLX_AES_BLOCK) != 1 ||
	           n != PLX_AES_BLOCK);
}

int
plx_aes_init(struct plx_aes *a, const uint8_t key[16], bool portable)
{
	memset(a, 0, sizeof(*a));
	if (!portable && has_aes()) {
		expand(a, key);
		return 0;
	}
	a->evp_enc = make_evp(key, 1);
	a->evp_dec = make_evp(key, 0);
	if (a->evp_enc == NULL || a->evp_dec == NULL) {
		plx_aes_fini(a);
		return PLX_E_NOMEM;
	}
	return 0;
}

void
plx_aes_fini(struct plx_aes *a)
{
	EVP_CIPHER_CTX_free(a->evp_enc);
	EVP_CIPHER_CTX_free(a->evp_dec);
	OPENSSL_cleanse(a, sizeof(*a));
}

void
plx_aes_encrypt(const struct plx_aes *a, uint8_t dst[PLX_AES_BLOCK],
                const uint8_t src[PLX_AES_BLOCK])
{
	if (plx_likely(a->evp_enc == NULL))
		encrypt_ni(a, dst, src);
	else
		block_evp(a->evp_enc, dst, src);
}

void
plx_aes_decrypt_burst(const struct plx_aes *a, uint8_t (*dst)[PLX_AES_BLOCK],
                      const uint8_t *const *src, unsigned cnt)
{
	unsigned i = 0;

	if (plx_unlikely(a->evp_dec != NULL)) {
		for (; i < cnt; i++)
			block_evp(a->evp_dec, dst[i], src[i]);
		return;
	}
	for (; cnt - i >= 8; i += 8)
		decrypt_ni_x8(a, dst + i, src + i);
	for (; i < cnt; i++)
		decrypt_ni(a, dst[i], src[i]);
}
