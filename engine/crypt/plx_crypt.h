/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Packet protection: one function table per back end, chosen once per connection.
 *
 * Path:    nic -> net -> steer -> [quic] -> stream -> app
 * Threads: a struct plx_crypt belongs to one worker (it holds the IMB_MGR); keys belong to the
 *          connection's worker.
 * Memory:  keys are caller-provided memory of plx_crypt_key_sz() bytes, 64-byte aligned; wiped
 *          by plx_crypt_key_fini(). No allocation per packet; EVP contexts are made once per
 *          key.
 * Spec:    RFC 9001 sections 5.3, 5.4; RFC 8439
 *
 * Back ends: ipsec-mb for AES-128/256-GCM and their header masks, key schedules expanded once
 * per key; EVP for ChaCha20-Poly1305 and for machines without the instructions. Both agree bit
 * for bit. Header and library versions of ipsec-mb are compared at init: single calls go
 * through structure offsets, and a mismatch falls back to EVP with a warning.
 */
#ifndef PLX_CRYPT_H
#define PLX_CRYPT_H

#include <plx/defs.h>
#include <plx/err.h>

enum plx_aead {
	PLX_AEAD_AES_128_GCM = 0,
	PLX_AEAD_AES_256_GCM,
	PLX_AEAD_CHACHA20_POLY1305,
	PLX_AEAD_CNT
};

enum plx_crypt_backend {
	PLX_CRYPT_AUTO = 0, /**< ipsec-mb where it serves the suite, else EVP */
	PLX_CRYPT_IPSEC_MB,
	PLX_CRYPT_EVP,
};

#define PLX_AEAD_TAG_LEN   16
#define PLX_AEAD_NONCE_LEN 12
#define PLX_HP_SAMPLE_LEN  16
#define PLX_HP_MASK_LEN    5

struct plx_crypt;
struct plx_crypt_key; /**< AEAD key of one direction and generation */
struct plx_crypt_hp;  /**< header protection key of one direction */

/**
 * plx_crypt_new() prepares a back end.
 * @return 0; PLX_E_UNSUPPORTED when IPSEC_MB was asked for by name and cannot be used; NOMEM
 * Thread: main or the owner. Owns: caller frees with plx_crypt_free(). Errors: as returned.
 */
int plx_crypt_new(struct plx_crypt **out, enum plx_crypt_backend want) PLX_ANY_THREAD;
void plx_crypt_free(struct plx_crypt *c) PLX_ANY_THREAD;

/** plx_crypt_backend_of() says which back end serves a suite. Thread: any. Errors: none. */
enum plx_crypt_backend plx_crypt_backend_of(const struct plx_crypt *c, enum plx_aead aead)
        PLX_ANY_THREAD;

/** Bytes of memory of a key, the same for every suite; alignment is PLX_CACHE_LINE. */
size_t plx_crypt_key_sz(void) PLX_ANY_THREAD;
size_t plx_crypt_hp_sz(void) PLX_ANY_THREAD;

/**
 * plx_crypt_key_init() expands a key in mem; plx_crypt_hp_init() a header protection key.
 *
 * @param key  16 or 32 bytes by suite
 * @return the object (== mem), NULL when OpenSSL refused
 *
 * Thread: the owner of c. Owns: mem stays the caller's; call _fini before it is reused.
 * Errors: NULL.
 */
struct plx_crypt_key *plx_crypt_key_init(struct plx_crypt *c, void *mem, enum plx_aead aead,
                                         const uint8_t *key) PLX_ON_WORKER;
void plx_crypt_key_fini(struct plx_crypt_key *k) PLX_ON_WORKER;
struct plx_crypt_hp *plx_crypt_hp_init(struct plx_crypt *c, void *mem, enum plx_aead aead,
                                       const uint8_t *key) PLX_ON_WORKER;
void plx_crypt_hp_fini(struct plx_crypt_hp *hp) PLX_ON_WORKER;

/**
 * plx_crypt_seal() writes ciphertext and tag to dst (len + 16 bytes); dst may equal src.
 * plx_crypt_open() writes plaintext to dst (len - 16 bytes), PLX_E_CRYPTO when the tag is
 * wrong (compared in constant time; dst is then wiped).
 * plx_crypt_mask() computes the 5-byte header mask of a 16-byte sample.
 *
 * Thread: the owner of c. Owns: nothing. Errors: as returned. No allocation.
 * Cost:   ipsec-mb about half of EVP at 1200 B (reference performance, section 0a).
 */
int plx_crypt_seal(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                   const uint8_t *src, size_t len, const uint8_t nonce[PLX_AEAD_NONCE_LEN],
                   const uint8_t *aad, size_t aad_len) PLX_ON_WORKER;
int plx_crypt_open(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
                   const uint8_t *src, size_t len, const uint8_t nonce[PLX_AEAD_NONCE_LEN],
                   const uint8_t *aad, size_t aad_len) PLX_ON_WORKER;
int plx_crypt_mask(struct plx_crypt *c, struct plx_crypt_hp *hp,
                   uint8_t mask[PLX_HP_MASK_LEN], const uint8_t sample[PLX_HP_SAMPLE_LEN])
        PLX_ON_WORKER;

#endif
