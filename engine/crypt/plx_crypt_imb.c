/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_crypt_pvt.h"

#include <immintrin.h>
#include <string.h>

#include <openssl/crypto.h>

#include "plx_bug.h"

/* What the code below needs; init_mb_mgr_auto() detects it, nothing is assumed. */
#define IMB_NEEDS (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ)

bool
plx_crypt_imb_fits(const char *header, const char *library)
{
	return library != NULL && strcmp(header, library) == 0;
}

IMB_MGR *
plx_crypt_imb_new(const char **why)
{
	IMB_ARCH arch = IMB_ARCH_NONE;
	IMB_MGR *m;

	/* Single calls go through members of IMB_MGR, whose offsets the header fixes. */
	if (!plx_crypt_imb_fits(IMB_VERSION_STR, imb_get_version_str())) {
		*why = "its header and library differ in version";
		return NULL;
	}
	m = alloc_mb_mgr(0);
	if (m == NULL) {
		*why = "no memory for its manager";
		return NULL;
	}
	init_mb_mgr_auto(m, &arch);
	if (arch == IMB_ARCH_NONE || (m->features & IMB_NEEDS) != IMB_NEEDS) {
		*why = "the CPU lacks AES or carry-less multiplication";
	} else if (imb_get_errno(m) != 0 ||
	           ((m->features & IMB_FEATURE_SELF_TEST) != 0 &&
	            (m->features & IMB_FEATURE_SELF_TEST_PASS) == 0)) {
		*why = "its self-test failed";
	} else {
		return m;
	}
	free_mb_mgr(m);
	return NULL;
}

static bool
imb_key_init(struct plx_crypt *c, struct plx_crypt_key *k, const uint8_t *key)
{
	if (k->aead == PLX_AEAD_AES_128_GCM)
		IMB_AES128_GCM_PRE(c->imb, key, &k->gcm);
	else
		IMB_AES256_GCM_PRE(c->imb, key, &k->gcm);
	return true;
}

static bool
imb_hp_init(struct plx_crypt *c, struct plx_crypt_hp *hp, const uint8_t *key)
{
	uint8_t unused[PLX_AES_ROUND_KEYS_MAX][16] __attribute__((aligned(16)));

	if (hp->aead == PLX_AEAD_AES_128_GCM) {
		hp->rounds = 10;
		IMB_AES_KEYEXP_128(c->imb, key, hp->rk, unused);
	} else {
		hp->rounds = 14;
		IMB_AES_KEYEXP_256(c->imb, key, hp->rk, unused);
	}
	OPENSSL_cleanse(unused, sizeof(unused));
	return true;
}

static int
imb_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst, const uint8_t *src,
         size_t len, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
	uint8_t *tag = dst + len;

	if (k->aead == PLX_AEAD_AES_128_GCM)
		IMB_AES128_GCM_ENC(c->imb, &k->gcm, &c->gcm_ctx, dst, src, len, nonce, aad,
		                   aad_len, tag, PLX_AEAD_TAG_LEN);
	else
		IMB_AES256_GCM_ENC(c->imb, &k->gcm, &c->gcm_ctx, dst, src, len, nonce, aad,
		                   aad_len, tag, PLX_AEAD_TAG_LEN);
	return 0;
}

static bool
imb_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst, const uint8_t *src,
         size_t len, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
	uint8_t tag[PLX_AEAD_TAG_LEN];

	if (k->aead == PLX_AEAD_AES_128_GCM)
		IMB_AES128_GCM_DEC(c->imb, &k->gcm, &c->gcm_ctx, dst, src, len, nonce, aad,
		                   aad_len, tag, sizeof(tag));
	else
		IMB_AES256_GCM_DEC(c->imb, &k->gcm, &c->gcm_ctx, dst, src, len, nonce, aad,
		                   aad_len, tag, sizeof(tag));
	return CRYPTO_memcmp(tag, src + len, sizeof(tag)) == 0;
}

/* One block; the library's own call takes an array of them and costs more than the block. */
__attribute__((target("aes,sse2"))) static int
imb_mask(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t *mask, const uint8_t *sample)
{
	const __m128i *rk = (const __m128i *)hp->rk;
	__m128i x = _mm_loadu_si128((const __m128i *)sample);
	uint8_t block[16];

	(void)c;
	x = _mm_xor_si128(x, rk[0]);
	for (int r = 1; r < hp->rounds; r++)
		x = _mm_aesenc_si128(x, rk[r]);
	x = _mm_aesenclast_si128(x, rk[hp->rounds]);
	_mm_storeu_si128((__m128i *)block, x);
	memcpy(mask, block, PLX_HP_MASK_LEN);
	return 0;
}

const struct plx_crypt_ops plx_crypt_imb = {
        .id = PLX_CRYPT_IPSEC_MB,
        .key_init = imb_key_init,
        .hp_init = imb_hp_init,
        .seal = imb_seal,
        .open = imb_open,
        .mask = imb_mask,
};
