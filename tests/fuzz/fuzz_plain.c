/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet protection that protects nothing, put in place of the real one by the linker (--wrap):
 * packets travel as plain text with a tag of zeros that nobody checks, so that a fuzzer changes
 * frames and not ciphertext.
 */
#include <string.h>

#include <ngtcp2/ngtcp2_crypto.h>

#include "plx_crypt.h"

#define TAG 16

int __wrap_plx_crypt_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                          const uint8_t *src, size_t len, const uint8_t *nonce,
                          const uint8_t *aad, size_t aad_len);
int __wrap_plx_crypt_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                          const uint8_t *src, size_t len, const uint8_t *nonce,
                          const uint8_t *aad, size_t aad_len);
int __wrap_plx_crypt_mask(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t *mask,
                          const uint8_t *sample);
int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src,
                                    size_t len, const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len);
int __wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src,
                                    size_t len, const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len);
int __wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dst, const ngtcp2_crypto_cipher *hp,
                                    const ngtcp2_crypto_cipher_ctx *ctx,
                                    const uint8_t *sample);

static void
seal(uint8_t *dst, const uint8_t *src, size_t len)
{
	memmove(dst, src, len);
	memset(dst + len, 0, TAG);
}

static int
open_plain(uint8_t *dst, const uint8_t *src, size_t len, int err)
{
	if (len < TAG)
		return err;
	memmove(dst, src, len - TAG);
	return 0;
}

int
__wrap_plx_crypt_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                      const uint8_t *src, size_t len, const uint8_t *nonce,
                      const uint8_t *aad, size_t aad_len)
{
	(void)c, (void)k, (void)nonce, (void)aad, (void)aad_len;
	seal(dst, src, len);
	return 0;
}

int
__wrap_plx_crypt_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                      const uint8_t *src, size_t len, const uint8_t *nonce,
                      const uint8_t *aad, size_t aad_len)
{
	(void)c, (void)k, (void)nonce, (void)aad, (void)aad_len;
	return open_plain(dst, src, len, PLX_E_CRYPTO);
}

int
__wrap_plx_crypt_mask(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t *mask,
                      const uint8_t *sample)
{
	(void)c, (void)hp, (void)sample;
	memset(mask, 0, PLX_HP_MASK_LEN);
	return 0;
}

int
__wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                                const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src,
                                size_t len, const uint8_t *nonce, size_t nonce_len,
                                const uint8_t *aad, size_t aad_len)
{
	(void)aead, (void)ctx, (void)nonce, (void)nonce_len, (void)aad, (void)aad_len;
	seal(dst, src, len);
	return 0;
}

int
__wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                                const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src,
                                size_t len, const uint8_t *nonce, size_t nonce_len,
                                const uint8_t *aad, size_t aad_len)
{
	(void)aead, (void)ctx, (void)nonce, (void)nonce_len, (void)aad, (void)aad_len;
	return open_plain(dst, src, len, NGTCP2_ERR_DECRYPT);
}

int
__wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dst, const ngtcp2_crypto_cipher *hp,
                                const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample)
{
	(void)hp, (void)ctx, (void)sample;
	memset(dst, 0, PLX_HP_MASK_LEN);
	return 0;
}
