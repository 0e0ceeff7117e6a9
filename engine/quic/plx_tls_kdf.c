/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "plx_tls_pvt.h"

/* RFC 9001 section 6.6 and appendix B: how long a key may be used, how many forgeries it bears. */
static const struct plx_suite suites[] = {
        [PLX_AEAD_AES_128_GCM] = {.aead = PLX_AEAD_AES_128_GCM,
                                  .key_len = 16,
                                  .max_encryption = UINT64_C(1) << 23,
                                  .max_decryption_failure = UINT64_C(1) << 52},
        [PLX_AEAD_AES_256_GCM] = {.aead = PLX_AEAD_AES_256_GCM,
                                  .key_len = 32,
                                  .sha384 = true,
                                  .max_encryption = UINT64_C(1) << 23,
                                  .max_decryption_failure = UINT64_C(1) << 52},
        [PLX_AEAD_CHACHA20_POLY1305] = {.aead = PLX_AEAD_CHACHA20_POLY1305,
                                        .key_len = 32,
                                        .max_encryption = UINT64_C(1) << 62,
                                        .max_decryption_failure = UINT64_C(1) << 36},
};

const struct plx_suite *
plx_suite_of(uint16_t id)
{
	switch (id) {
	case 0x1301:
		return &suites[PLX_AEAD_AES_128_GCM];
	case 0x1302:
		return &suites[PLX_AEAD_AES_256_GCM];
	case 0x1303:
		return &suites[PLX_AEAD_CHACHA20_POLY1305];
	default:
		return NULL;
	}
}

int
plx_hkdf_expand_label(uint8_t *dst, size_t dst_len, bool sha384, const uint8_t *secret,
                      size_t secret_len, const char *label)
{
	static const char prefix[] = "tls13 ";
	uint8_t info[2 + 1 + sizeof(prefix) - 1 + PLX_HKDF_LABEL_MAX + 1];
	size_t label_len = strlen(label);
	uint8_t *p = info;
	ngtcp2_crypto_md md = {0};

	if (label_len > PLX_HKDF_LABEL_MAX || dst_len > UINT16_MAX)
		return PLX_E_CRYPTO;
	/* struct HkdfLabel: length (2), label with its length (1 + n), context, empty (1). */
	*p++ = (uint8_t)(dst_len >> 8);
	*p++ = (uint8_t)dst_len;
	*p++ = (uint8_t)(sizeof(prefix) - 1 + label_len);
	memcpy(p, prefix, sizeof(prefix) - 1);
	p += sizeof(prefix) - 1;
	memcpy(p, label, label_len);
	p += label_len;
	*p++ = 0;
	md.native_handle =
	        sha384 ? (void *)(uintptr_t)EVP_sha384() : (void *)(uintptr_t)EVP_sha256();
	if (ngtcp2_crypto_hkdf_expand(dst, dst_len, &md, secret, secret_len, info,
	                              (size_t)(p - info)) != 0)
		return PLX_E_CRYPTO;
	return 0;
}

int
plx_derive_keys(struct plx_keys *out, uint32_t version, const struct plx_suite *s,
                const uint8_t *secret, size_t secret_len)
{
	bool v2 = version == NGTCP2_PROTO_VER_V2;
	int rc;

	rc = plx_hkdf_expand_label(out->key, s->key_len, s->sha384, secret, secret_len,
	                           v2 ? "quicv2 key" : "quic key");
	if (rc == 0)
		rc = plx_hkdf_expand_label(out->iv, sizeof(out->iv), s->sha384, secret,
		                           secret_len, v2 ? "quicv2 iv" : "quic iv");
	if (rc == 0)
		rc = plx_hkdf_expand_label(out->hp, s->key_len, s->sha384, secret,
		                           secret_len, v2 ? "quicv2 hp" : "quic hp");
	return rc;
}

int
plx_next_secret(uint8_t *next, uint32_t version, const struct plx_suite *s,
                const uint8_t *secret, size_t secret_len)
{
	return plx_hkdf_expand_label(next, secret_len, s->sha384, secret, secret_len,
	                             version == NGTCP2_PROTO_VER_V2 ? "quicv2 ku"
	                                                            : "quic ku");
}
