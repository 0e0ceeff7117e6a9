/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <openssl/crypto.h>

#include "plx_quic_pvt.h"

/*
 * ngtcp2 keeps keys as opaque pointers. Those of Initial packets and Retry are EVP contexts of its
 * own crypto helper; ours carry bit 0. Heap pointers are aligned, so the bit cannot be set by
 * accident, and telling the two apart costs no load.
 */
#define TAG UINT64_C(1)

struct key {
	struct plx_quic *q;
	struct plx_crypt_key *aead; /* one of the two is NULL */
	struct plx_crypt_hp *hp;
};

static inline bool
is_ours(const void *handle)
{
	return ((uintptr_t)handle & TAG) != 0;
}

static inline struct key *
key_of(void *handle)
{
	return (struct key *)((uintptr_t)handle & ~(uintptr_t)TAG);
}

/* A key and its head in one block; the slab aligns to 16 only. */
static struct key *
key_alloc(struct plx_quic *q, size_t sz, void **mem)
{
	struct key *k = plx_slab_alloc(q->slab, sizeof(*k) + PLX_CACHE_LINE + sz);
	uintptr_t p;

	if (k == NULL)
		return NULL;
	*k = (struct key){.q = q};
	p = (uintptr_t)(k + 1);
	*mem = (void *)((p + PLX_CACHE_LINE - 1) & ~(uintptr_t)(PLX_CACHE_LINE - 1));
	return k;
}

void *
plx_protect_key(struct plx_quic *q, enum plx_aead aead, const uint8_t *key)
{
	void *mem;
	struct key *k = key_alloc(q, plx_crypt_key_sz(), &mem);

	if (k == NULL)
		return NULL;
	k->aead = plx_crypt_key_init(q->d.crypt, mem, aead, key);
	if (k->aead == NULL) {
		plx_slab_release(q->slab, k);
		return NULL;
	}
	return (void *)((uintptr_t)k | TAG);
}

void *
plx_protect_hp(struct plx_quic *q, enum plx_aead aead, const uint8_t *key)
{
	void *mem;
	struct key *k = key_alloc(q, plx_crypt_hp_sz(), &mem);

	if (k == NULL)
		return NULL;
	k->hp = plx_crypt_hp_init(q->d.crypt, mem, aead, key);
	if (k->hp == NULL) {
		plx_slab_release(q->slab, k);
		return NULL;
	}
	return (void *)((uintptr_t)k | TAG);
}

void
plx_protect_free(void *handle)
{
	struct key *k;

	if (handle == NULL)
		return;
	k = key_of(handle);
	if (k->aead != NULL)
		plx_crypt_key_fini(k->aead);
	if (k->hp != NULL)
		plx_crypt_hp_fini(k->hp);
	plx_slab_release(k->q->slab, k);
}

int
plx_protect_encrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                    size_t aad_len)
{
	struct key *k;

	if (plx_unlikely(!is_ours(ctx->native_handle)))
		return ngtcp2_crypto_encrypt_cb(dst, aead, ctx, src, len, nonce, nonce_len,
		                                aad, aad_len);
	k = key_of(ctx->native_handle);
	if (plx_unlikely(plx_crypt_seal(k->q->d.crypt, k->aead, dst, src, len, nonce, aad,
	                                aad_len) != 0))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

int
plx_protect_decrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                    size_t aad_len)
{
	struct key *k;

	if (plx_unlikely(!is_ours(ctx->native_handle)))
		return ngtcp2_crypto_decrypt_cb(dst, aead, ctx, src, len, nonce, nonce_len,
		                                aad, aad_len);
	if (plx_unlikely(len < PLX_AEAD_TAG_LEN))
		return NGTCP2_ERR_DECRYPT;
	k = key_of(ctx->native_handle);
	if (plx_unlikely(plx_crypt_open(k->q->d.crypt, k->aead, dst, src, len, nonce, aad,
	                                aad_len) != 0)) {
		plx_obs_drop(k->q->d.obs, PLX_DROP_QUIC_DECRYPT, 1);
		return NGTCP2_ERR_DECRYPT;
	}
	if ((aad[0] & 0x80) == 0) {
		k->q->opened = dst;
		k->q->opened_len = len - PLX_AEAD_TAG_LEN;
		if (k->q->stop_conn != NULL)
			plx_stop_scan(k->q, dst, len - PLX_AEAD_TAG_LEN);
	}
	return 0;
}

int
plx_protect_mask(uint8_t *dst, const ngtcp2_crypto_cipher *hp,
                 const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample)
{
	struct key *k;

	if (plx_unlikely(!is_ours(ctx->native_handle)))
		return ngtcp2_crypto_hp_mask_cb(dst, hp, ctx, sample);
	k = key_of(ctx->native_handle);
	if (plx_unlikely(plx_crypt_mask(k->q->d.crypt, k->hp, dst, sample) != 0))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

void
plx_protect_del_aead(ngtcp2_conn *nc, ngtcp2_crypto_aead_ctx *ctx, void *user)
{
	if (is_ours(ctx->native_handle))
		plx_protect_free(ctx->native_handle);
	else
		ngtcp2_crypto_delete_crypto_aead_ctx_cb(nc, ctx, user);
}

void
plx_protect_del_cipher(ngtcp2_conn *nc, ngtcp2_crypto_cipher_ctx *ctx, void *user)
{
	if (is_ours(ctx->native_handle))
		plx_protect_free(ctx->native_handle);
	else
		ngtcp2_crypto_delete_crypto_cipher_ctx_cb(nc, ctx, user);
}

static int
next_key(struct plx_conn *c, uint8_t *secret, uint8_t *iv, void **handle,
         const uint8_t *cur, size_t secret_len)
{
	uint32_t version = ngtcp2_conn_get_negotiated_version(c->nc);
	struct plx_keys keys;

	*handle = NULL;
	if (plx_next_secret(secret, version, c->suite, cur, secret_len) == 0 &&
	    plx_derive_keys(&keys, version, c->suite, secret, secret_len) == 0) {
		memcpy(iv, keys.iv, sizeof(keys.iv));
		*handle = plx_protect_key(c->q, c->suite->aead, keys.key);
	}
	OPENSSL_cleanse(&keys, sizeof(keys));
	return *handle != NULL ? 0 : PLX_E_CRYPTO;
}

/* Key update, RFC 9001 section 6: new AEAD keys and IVs, the header protection keys stay. */
int
plx_protect_update(ngtcp2_conn *nc, uint8_t *rx_secret, uint8_t *tx_secret,
                   ngtcp2_crypto_aead_ctx *rx_ctx, uint8_t *rx_iv,
                   ngtcp2_crypto_aead_ctx *tx_ctx, uint8_t *tx_iv, const uint8_t *cur_rx,
                   const uint8_t *cur_tx, size_t secret_len, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	if (next_key(c, rx_secret, rx_iv, &rx_ctx->native_handle, cur_rx, secret_len) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (next_key(c, tx_secret, tx_iv, &tx_ctx->native_handle, cur_tx, secret_len) !=
	    0) {
		plx_protect_free(rx_ctx->native_handle);
		rx_ctx->native_handle = NULL;
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	return 0;
}
