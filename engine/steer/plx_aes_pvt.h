/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * One AES-128 key and single blocks, for connection IDs: eight decryptions in flight with the
 * instructions of the CPU, OpenSSL's EVP where it has none. Neither uses a table that the
 * cache could tell about.
 *
 * Threads: one owner (the EVP contexts hold state while a block is computed).
 * Memory:  a plain structure; portable mode holds two contexts made at init.
 * Spec:    FIPS 197
 */
#ifndef PLX_AES_PVT_H
#define PLX_AES_PVT_H

#include <openssl/evp.h>

#include <plx/defs.h>

#define PLX_AES_BLOCK 16
#define PLX_AES_KEYS  11 /* round keys of AES-128 */

struct plx_aes {
	uint8_t enc[PLX_AES_KEYS][PLX_AES_BLOCK];
	uint8_t dec[PLX_AES_KEYS][PLX_AES_BLOCK]; /**< for the equivalent inverse cipher */
	EVP_CIPHER_CTX *evp_enc, *evp_dec;        /**< NULL with instructions */
} PLX_CACHE_ALIGNED;

/**
 * plx_aes_init() expands a key; portable = do not use the instructions even where there are.
 *
 * @return 0, PLX_E_NOMEM
 * Thread: the owner. Owns: the caller calls plx_aes_fini(), which wipes. Errors: as returned.
 */
int plx_aes_init(struct plx_aes *a, const uint8_t key[16], bool portable) PLX_ANY_THREAD;
void plx_aes_fini(struct plx_aes *a) PLX_ANY_THREAD;

/** plx_aes_encrypt() computes one block; dst may equal src. Thread: the owner. No errors. */
void plx_aes_encrypt(const struct plx_aes *a, uint8_t dst[PLX_AES_BLOCK],
                     const uint8_t src[PLX_AES_BLOCK]) PLX_ANY_THREAD;

/**
 * plx_aes_decrypt_burst() decrypts cnt blocks that lie anywhere.
 *
 * @param cnt  0..PLX_BURST_MAX
 * Thread: the owner. Owns: nothing. Errors: none.
 */
void plx_aes_decrypt_burst(const struct plx_aes *a, uint8_t (*dst)[PLX_AES_BLOCK],
                           const uint8_t *const *src, unsigned cnt) PLX_ANY_THREAD;

#endif
