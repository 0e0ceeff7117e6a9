/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_crypt_pvt.h"

#include <string.h>

/*
 * Contexts are made and keyed once; a packet only sets the nonce. With a NULL cipher and key
 * OpenSSL allocates nothing.
 */
static EVP_CIPHER_CTX *
make_ctx(const EVP_CIPHER *cipher, const uint8_t *key)
{
	EVP_CIPHER_CTX *ctx;

	if (cipher == NULL)
		return NULL;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return NULL;
	if (EVP_CipherInit_ex2(ctx, cipher, key, NULL, 1, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool
evp_key_init(struct plx_crypt *c, struct plx_crypt_key *k, const uint8_t *key)
{
	k->evp = make_ctx(c->aead[k->aead], key);
	return k->evp != NULL;
}

static bool
evp_hp_init(struct plx_crypt *c, struct plx_crypt_hp *hp, const uint8_t *key)
{
	hp->evp = make_ctx(c->hp[hp->aead], key);
	return hp->evp != NULL;
}

/* Nonce, AAD and text; what follows differs by direction. */
static bool
run(EVP_CIPHER_CTX *ctx, int enc, uint8_t *dst, const uint8_t *src, size_t len,
    const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
	int n;

	if (EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, enc, NULL) != 1)
		return false;
	if (aad_len > 0 && EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) != 1)
		return false;
	return len == 0 || EVP_CipherUpdate(ctx, dst, &n, src, (int)len) == 1;
}

static int
evp_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst, const uint8_t *src,
         size_t len, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
	uint8_t *tag = dst + len;
	int n;

	(void)c;
	if (!run(k->evp, 1, dst, src, len, nonce, aad, aad_len) ||
	    EVP_CipherFinal_ex(k->evp, tag, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_GET_TAG, PLX_AEAD_TAG_LEN, tag) != 1)
		return PLX_E_CRYPTO;
	return 0;
}

static bool
evp_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst, const uint8_t *src,
         size_t len, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
	uint8_t tag[PLX_AEAD_TAG_LEN], none[PLX_AEAD_TAG_LEN];
	int n;

	(void)c;
	memcpy(tag, src + len, sizeof(tag));
	/* Final compares the tag, in constant time. It writes nothing in these modes. */
	return run(k->evp, 0, dst, src, len, nonce, aad, aad_len) &&
	       EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	       EVP_CipherFinal_ex(k->evp, none, &n) == 1;
}

static int
evp_mask(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t *mask, const uint8_t *sample)
{
	static const uint8_t zero[PLX_HP_MASK_LEN];
	uint8_t block[PLX_HP_SAMPLE_LEN];
	int n;

	(void)c;
	if (hp->aead == PLX_AEAD_CHACHA20_POLY1305) {
		/* RFC 9001 section 5.4.4: counter and nonce lie in the sample just as OpenSSL
		 * wants them in the IV. */
		if (EVP_CipherInit_ex2(hp->evp, NULL, NULL, sample, 1, NULL) != 1 ||
		    EVP_CipherUpdate(hp->evp, mask, &n, zero, sizeof(zero)) != 1)
			return PLX_E_CRYPTO;
		return 0;
	}
	if (EVP_CipherUpdate(hp->evp, block, &n, sample, sizeof(block)) != 1)
		return PLX_E_CRYPTO;
	memcpy(mask, block, PLX_HP_MASK_LEN);
	return 0;
}

const struct plx_crypt_ops plx_crypt_evp = {
        .id = PLX_CRYPT_EVP,
        .key_init = evp_key_init,
        .hp_init = evp_hp_init,
        .seal = evp_seal,
        .open = evp_open,
        .mask = evp_mask,
};
