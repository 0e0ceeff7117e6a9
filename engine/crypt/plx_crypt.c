/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "plx_bug.h"
#include "plx_crypt_pvt.h"
#include "plx_log.h"

static const struct {
	const char *aead;
	const char *hp;
} names[PLX_AEAD_CNT] = {
        [PLX_AEAD_AES_128_GCM] = {"AES-128-GCM", "AES-128-ECB"},
        [PLX_AEAD_AES_256_GCM] = {"AES-256-GCM", "AES-256-ECB"},
        [PLX_AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", "ChaCha20"},
};

int
plx_crypt_new(struct plx_crypt **out, enum plx_crypt_backend want)
{
	const char *why = NULL;
	struct plx_crypt *c;

	*out = NULL;
	c = aligned_alloc(PLX_CACHE_LINE, sizeof(*c));
	if (c == NULL)
		return PLX_E_NOMEM;
	memset(c, 0, sizeof(*c));
	/* A provider may lack a suite (FIPS has no ChaCha20): then its keys are refused. */
	for (int i = 0; i < PLX_AEAD_CNT; i++) {
		c->aead[i] = EVP_CIPHER_fetch(NULL, names[i].aead, NULL);
		c->hp[i] = EVP_CIPHER_fetch(NULL, names[i].hp, NULL);
		c->ops[i] = &plx_crypt_evp;
	}
	if (want != PLX_CRYPT_EVP)
		c->imb = plx_crypt_imb_new(&why);
	if (c->imb != NULL) {
		c->ops[PLX_AEAD_AES_128_GCM] = &plx_crypt_imb;
		c->ops[PLX_AEAD_AES_256_GCM] = &plx_crypt_imb;
	} else if (want == PLX_CRYPT_IPSEC_MB) {
		plx_crypt_free(c);
		return PLX_E_UNSUPPORTED;
	} else if (want == PLX_CRYPT_AUTO) {
		plx_log(PLX_LOG_WARN, "ipsec-mb is not used: %s; packets cost more", why);
	}
	*out = c;
	return 0;
}

void
plx_crypt_free(struct plx_crypt *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < PLX_AEAD_CNT; i++) {
		EVP_CIPHER_free(c->aead[i]);
		EVP_CIPHER_free(c->hp[i]);
	}
	if (c->imb != NULL)
		free_mb_mgr(c->imb);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

enum plx_crypt_backend
plx_crypt_backend_of(const struct plx_crypt *c, enum plx_aead aead)
{
	return c->ops[aead]->id;
}

size_t
plx_crypt_key_sz(void)
{
	return sizeof(struct plx_crypt_key);
}

size_t
plx_crypt_hp_sz(void)
{
	return sizeof(struct plx_crypt_hp);
}

struct plx_crypt_key *
plx_crypt_key_init(struct plx_crypt *c, void *mem, enum plx_aead aead, const uint8_t *key)
{
	struct plx_crypt_key *k = mem;

	PLX_BUG_ON(aead >= PLX_AEAD_CNT || (uintptr_t)mem % PLX_CACHE_LINE != 0);
	memset(k, 0, sizeof(*k));
	k->aead = (uint8_t)aead;
	k->ops = c->ops[aead];
	if (!k->ops->key_init(c, k, key)) {
		OPENSSL_cleanse(k, sizeof(*k));
		return NULL;
	}
	k->tag = PLX_CRYPT_KEY_TAG;
	return k;
}

void
plx_crypt_key_fini(struct plx_crypt_key *k)
{
	if (k == NULL)
		return;
	PLX_BUG_ON(k->tag != PLX_CRYPT_KEY_TAG);
	EVP_CIPHER_CTX_free(k->evp);
	OPENSSL_cleanse(k, sizeof(*k));
}

struct plx_crypt_hp *
plx_crypt_hp_init(struct plx_crypt *c, void *mem, enum plx_aead aead, const uint8_t *key)
{
	struct plx_crypt_hp *hp = mem;

	PLX_BUG_ON(aead >= PLX_AEAD_CNT || (uintptr_t)mem % PLX_CACHE_LINE != 0);
	memset(hp, 0, sizeof(*hp));
	hp->aead = (uint8_t)aead;
	hp->ops = c->ops[aead];
	if (!hp->ops->hp_init(c, hp, key)) {
		OPENSSL_cleanse(hp, sizeof(*hp));
		return NULL;
	}
	hp->tag = PLX_CRYPT_HP_TAG;
	return hp;
}

void
plx_crypt_hp_fini(struct plx_crypt_hp *hp)
{
	if (hp == NULL)
		return;
	PLX_BUG_ON(hp->tag != PLX_CRYPT_HP_TAG);
	EVP_CIPHER_CTX_free(hp->evp);
	OPENSSL_cleanse(hp, sizeof(*hp));
}

int
plx_crypt_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
               const uint8_t *src, size_t len, const uint8_t nonce[PLX_AEAD_NONCE_LEN],
               const uint8_t *aad, size_t aad_len)
{
	PLX_BUG_ON(k->tag != PLX_CRYPT_KEY_TAG);
	return k->ops->seal(c, k, dst, src, len, nonce, aad, aad_len);
}

int
plx_crypt_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
               const uint8_t *src, size_t len, const uint8_t nonce[PLX_AEAD_NONCE_LEN],
               const uint8_t *aad, size_t aad_len)
{
	PLX_BUG_ON(k->tag != PLX_CRYPT_KEY_TAG);
	if (len < PLX_AEAD_TAG_LEN)
		return PLX_E_CRYPTO;
	len -= PLX_AEAD_TAG_LEN;
	if (plx_likely(k->ops->open(c, k, dst, src, len, nonce, aad, aad_len)))
		return 0;
	/* Both back ends decrypt before they compare; forged text must not be read. */
	OPENSSL_cleanse(dst, len);
	return PLX_E_CRYPTO;
}

int
plx_crypt_mask(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t mask[PLX_HP_MASK_LEN],
               const uint8_t sample[PLX_HP_SAMPLE_LEN])
{
	PLX_BUG_ON(hp->tag != PLX_CRYPT_HP_TAG);
	return hp->ops->mask(c, hp, mask, sample);
}
