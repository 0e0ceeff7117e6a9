/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What the back ends of packet protection share.
 *
 * Threads: as in plx_crypt.h.
 */
#ifndef PLX_CRYPT_PVT_H
#define PLX_CRYPT_PVT_H

#include <intel-ipsec-mb.h>
#include <openssl/evp.h>

#include "plx_crypt.h"

/** First word of a live object: tells it from a raw EVP context, and from a wiped one. */
#define PLX_CRYPT_KEY_TAG UINT64_C(0x504c584b45590001)
#define PLX_CRYPT_HP_TAG  UINT64_C(0x504c584850000001)

/** One back end. Functions as in plx_crypt.h; init has wiped memory and says whether it went. */
struct plx_crypt_ops {
	enum plx_crypt_backend id;
	bool (*key_init)(struct plx_crypt *c, struct plx_crypt_key *k, const uint8_t *key);
	bool (*hp_init)(struct plx_crypt *c, struct plx_crypt_hp *hp, const uint8_t *key);
	int (*seal)(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
	            const uint8_t *src, size_t len, const uint8_t *nonce,
	            const uint8_t *aad, size_t aad_len);
	/** len without the tag, which lies at src + len; false = tag wrong, dst is anything. */
	bool (*open)(struct plx_crypt *c, struct plx_crypt_key *k, uint8_t *dst,
	             const uint8_t *src, size_t len, const uint8_t *nonce,
	             const uint8_t *aad, size_t aad_len);
	int (*mask)(struct plx_crypt *c, struct plx_crypt_hp *hp, uint8_t *mask,
	            const uint8_t *sample);
};

extern const struct plx_crypt_ops plx_crypt_evp;
extern const struct plx_crypt_ops plx_crypt_imb;

struct plx_crypt {
	const struct plx_crypt_ops *ops[PLX_AEAD_CNT]; /**< back end of each suite */
	IMB_MGR *imb;                                  /**< NULL = not used */
	struct gcm_context_data gcm_ctx;               /**< scratch of one ipsec-mb call */
	EVP_CIPHER *aead[PLX_AEAD_CNT]; /**< fetched once; NULL = not there */
	EVP_CIPHER *hp[PLX_AEAD_CNT];
} PLX_CACHE_ALIGNED;

struct plx_crypt_key {
	uint64_t tag;
	const struct plx_crypt_ops *ops;
	EVP_CIPHER_CTX *evp;                       /**< EVP only */
	uint8_t aead;                              /**< enum plx_aead */
	struct gcm_key_data gcm PLX_CACHE_ALIGNED; /**< ipsec-mb only */
} PLX_CACHE_ALIGNED;

#define PLX_AES_ROUND_KEYS_MAX 15

struct plx_crypt_hp {
	uint64_t tag;
	const struct plx_crypt_ops *ops;
	EVP_CIPHER_CTX *evp; /**< EVP only */
	uint8_t aead;        /**< enum plx_aead */
	uint8_t rounds;      /**< ipsec-mb only: 10 or 14 */
	uint8_t rk[PLX_AES_ROUND_KEYS_MAX][16] __attribute__((aligned(16)));
} PLX_CACHE_ALIGNED;

/** plx_aead_key_len() is the length of AEAD and header keys of a suite, bytes. */
static inline size_t
plx_aead_key_len(enum plx_aead aead)
{
	return aead == PLX_AEAD_AES_128_GCM ? 16 : 32;
}

/** plx_crypt_imb_fits() compares the version of the header with that of the library. */
bool plx_crypt_imb_fits(const char *header, const char *library) PLX_ANY_THREAD;

/**
 * plx_crypt_imb_new() makes a manager for this CPU.
 * @param why  [out] what is missing, when NULL is returned
 */
IMB_MGR *plx_crypt_imb_new(const char **why) PLX_ANY_THREAD;

#endif
