/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_crypt.h"
#include "plx_test.h"

#define BYTES_MAX 256

/* Length of the bytes that a string of hex digits stands for. */
static size_t
unhex(const char *s, uint8_t *out)
{
	size_t n = 0;

	for (; s[0] != '\0' && s[1] != '\0'; s += 2) {
		char pair[3] = {s[0], s[1], '\0'};

		CU_ASSERT_FATAL(n < BYTES_MAX);
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static const struct {
	const char *where;
	enum plx_aead aead;
	const char *key, *nonce, *aad, *plain, *cipher; /* cipher with tag */
} packets[] = {
        {"GCM specification, test case 1", PLX_AEAD_AES_128_GCM,
         "00000000000000000000000000000000", "000000000000000000000000", "", "",
         "58e2fccefa7e3061367f1d57a4e7455a"},
        {"GCM specification, test case 2", PLX_AEAD_AES_128_GCM,
         "00000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000",
         "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
        {"GCM specification, test case 4", PLX_AEAD_AES_128_GCM,
         "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf"
         "0e2449a6b525b16aedf5aa0de657ba637b39",
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f"
         "6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
        {"GCM specification, test case 16", PLX_AEAD_AES_256_GCM,
         "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf"
         "0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b0"
         "8b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
        {"RFC 9001 A.3, server Initial", PLX_AEAD_AES_128_GCM,
         "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03f",
         "c1000000010008f067a5502a4262b50040750001",
         "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc543"
         "0b9a045a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c83"
         "4d5311bcf32bb9da1a002b00020304",
         "5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a18"
         "39b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795"
         "d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"},
        {"RFC 9001 A.5, ChaCha20 short header", PLX_AEAD_CHACHA20_POLY1305,
         "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
         "e0459b3474bdd0e46d417eb0", "4200bff4", "01",
         "655e5cd55c41f69080575d7999c25a5bfb"},
};

static const struct {
	const char *where;
	enum plx_aead aead;
	const char *key, *sample, *mask;
} masks[] = {
        {"RFC 9001 A.2, client Initial", PLX_AEAD_AES_128_GCM,
         "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b",
         "437b9aec36"},
        {"RFC 9001 A.3, server Initial", PLX_AEAD_AES_128_GCM,
         "c206b8d9b9f0f37644430b490eeaa314", "2cd0991cd25b0aac406a5816b6394100",
         "2ec0d8356a"},
        /* FIPS 197 C.3: the first bytes of an AES-256 block. */
        {"FIPS 197 C.3", PLX_AEAD_AES_256_GCM,
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff", "8ea2b7ca51"},
        {"RFC 9001 A.5, ChaCha20 short header", PLX_AEAD_CHACHA20_POLY1305,
         "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
         "5e5cd55c41f69080575d7999c25a5bfb", "aefefe7d03"},
};

/* Every back end that this machine has, by name. */
static const enum plx_crypt_backend backends[] = {PLX_CRYPT_IPSEC_MB, PLX_CRYPT_EVP};

static void
check_packets(struct plx_crypt *c)
{
	void *mem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_key_sz());

	for (unsigned i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		uint8_t key[BYTES_MAX], nonce[BYTES_MAX], aad[BYTES_MAX], plain[BYTES_MAX];
		uint8_t cipher[BYTES_MAX], out[BYTES_MAX] = {0};
		size_t len, aad_len, cipher_len;
		struct plx_crypt_key *k;

		unhex(packets[i].key, key);
		CU_ASSERT_EQUAL_FATAL(unhex(packets[i].nonce, nonce), PLX_AEAD_NONCE_LEN);
		aad_len = unhex(packets[i].aad, aad);
		len = unhex(packets[i].plain, plain);
		cipher_len = unhex(packets[i].cipher, cipher);
		CU_ASSERT_EQUAL_FATAL(cipher_len, len + PLX_AEAD_TAG_LEN);
		k = plx_crypt_key_init(c, mem, packets[i].aead, key);
		CU_ASSERT_PTR_NOT_NULL_FATAL(k);
		CU_ASSERT_EQUAL(plx_crypt_seal(c, k, out, plain, len, nonce, aad, aad_len),
		                0);
		if (memcmp(out, cipher, cipher_len) != 0)
			CU_FAIL(packets[i].where);
		CU_ASSERT_EQUAL(
		        plx_crypt_open(c, k, out, cipher, cipher_len, nonce, aad, aad_len),
		        0);
		if (memcmp(out, plain, len) != 0)
			CU_FAIL(packets[i].where);
		plx_crypt_key_fini(k);
	}
	free(mem);
}

static void
check_masks(struct plx_crypt *c)
{
	void *mem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_hp_sz());

	for (unsigned i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		uint8_t key[BYTES_MAX], sample[BYTES_MAX], mask[BYTES_MAX];
		uint8_t out[PLX_HP_MASK_LEN + 1] = {0};
		struct plx_crypt_hp *hp;

		unhex(masks[i].key, key);
		unhex(masks[i].sample, sample);
		unhex(masks[i].mask, mask);
		out[PLX_HP_MASK_LEN] = 0x5a;
		hp = plx_crypt_hp_init(c, mem, masks[i].aead, key);
		CU_ASSERT_PTR_NOT_NULL_FATAL(hp);
		CU_ASSERT_EQUAL(plx_crypt_mask(c, hp, out, sample), 0);
		if (memcmp(out, mask, PLX_HP_MASK_LEN) != 0)
			CU_FAIL(masks[i].where);
		CU_ASSERT_EQUAL(out[PLX_HP_MASK_LEN], 0x5a);
		plx_crypt_hp_fini(hp);
	}
	free(mem);
}

static void
check_all(void (*check)(struct plx_crypt *c))
{
	for (unsigned b = 0; b < sizeof(backends) / sizeof(backends[0]); b++) {
		struct plx_crypt *c;
		int rc = plx_crypt_new(&c, backends[b]);

		if (rc == PLX_E_UNSUPPORTED && backends[b] == PLX_CRYPT_IPSEC_MB) {
			printf("ipsec-mb cannot be used here; ");
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(rc, 0);
		check(c);
		plx_crypt_free(c);
	}
}

static void
test_published_packets_seal_and_open(void)
{
	check_all(check_packets);
}

static void
test_published_samples_give_their_masks(void)
{
	check_all(check_masks);
}

/* RFC 9001 A.5 from end to end: seal, take the sample, mask the header. */
static void
test_the_chacha20_packet_of_rfc_9001_comes_out_whole(void)
{
	static const uint8_t want[] = {0x4c, 0xfe, 0x41, 0x89, 0x65, 0x5e, 0x5c,
	                               0xd5, 0x5c, 0x41, 0xf6, 0x90, 0x80, 0x57,
	                               0x5d, 0x79, 0x99, 0xc2, 0x5a, 0x5b, 0xfb};
	void *kmem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_key_sz());
	void *hmem = aligned_alloc(PLX_CACHE_LINE, plx_crypt_hp_sz());
	uint8_t key[BYTES_MAX], hpkey[BYTES_MAX], nonce[BYTES_MAX], mask[PLX_HP_MASK_LEN];
	uint8_t p[4 + 1 + PLX_AEAD_TAG_LEN] = {0x42, 0x00, 0xbf, 0xf4, 0x01};
	struct plx_crypt_key *k;
	struct plx_crypt_hp *hp;
	struct plx_crypt *c;

	CU_ASSERT_EQUAL_FATAL(plx_crypt_new(&c, PLX_CRYPT_AUTO), 0);
	unhex(packets[5].key, key);
	unhex(packets[5].nonce, nonce);
	unhex(masks[3].key, hpkey);
	k = plx_crypt_key_init(c, kmem, PLX_AEAD_CHACHA20_POLY1305, key);
	hp = plx_crypt_hp_init(c, hmem, PLX_AEAD_CHACHA20_POLY1305, hpkey);
	CU_ASSERT_FATAL(k != NULL && hp != NULL);
	CU_ASSERT_EQUAL(plx_crypt_seal(c, k, p + 4, p + 4, 1, nonce, p, 4), 0);
	/* Three bytes of packet number: the sample begins four behind its first. */
	CU_ASSERT_EQUAL(plx_crypt_mask(c, hp, mask, p + 5), 0);
	p[0] ^= mask[0] & 0x1f;
	for (int i = 0; i < 3; i++)
		p[1 + i] ^= mask[1 + i];
	CU_ASSERT_EQUAL(memcmp(p, want, sizeof(want)), 0);
	plx_crypt_key_fini(k);
	plx_crypt_hp_fini(hp);
	plx_crypt_free(c);
	free(kmem);
	free(hmem);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"published packets seal and open", test_published_packets_seal_and_open},
	        {"published samples give their masks",
	         test_published_samples_give_their_masks},
	        {"the ChaCha20 packet of RFC 9001 comes out whole",
	         test_the_chacha20_packet_of_rfc_9001_comes_out_whole},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"packet protection, vectors", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
