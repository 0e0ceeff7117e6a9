/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_aes_pvt.h"
#include "plx_rand.h"
#include "plx_test.h"

/* FIPS 197 appendix C.1, and the single-pass vector of draft-ietf-quic-load-balancers B. */
static const struct {
	uint8_t key[16], plain[16], cipher[16];
} vectors[] = {
        {
                {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
                 0x0c, 0x0d, 0x0e, 0x0f},
                {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                 0xcc, 0xdd, 0xee, 0xff},
                {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80,
                 0x70, 0xb4, 0xc5, 0x5a},
        },
        {
                {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80, 0x25, 0x69, 0x34, 0xe5,
                 0x0c, 0x66, 0x20, 0x7f},
                {0xed, 0x79, 0x3a, 0x51, 0xd4, 0x9b, 0x8f, 0x5f, 0xee, 0x08, 0x0d, 0xbf,
                 0x48, 0xc0, 0xd1, 0xe5},
                {0x4d, 0xd2, 0xd0, 0x5a, 0x7b, 0x0d, 0xe9, 0xb2, 0xb9, 0x90, 0x7a, 0xfb,
                 0x5e, 0xcf, 0x8c, 0xc3},
        },
};

static void
test_known_blocks_hold_with_and_without_instructions(void)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		for (int portable = 0; portable < 2; portable++) {
			const uint8_t *src = vectors[i].cipher;
			uint8_t out[1][16];
			struct plx_aes a;

			CU_ASSERT_EQUAL_FATAL(plx_aes_init(&a, vectors[i].key, portable),
			                      0);
			plx_aes_encrypt(&a, out[0], vectors[i].plain);
			CU_ASSERT_EQUAL(memcmp(out[0], vectors[i].cipher, 16), 0);
			plx_aes_decrypt_burst(&a, out, &src, 1);
			CU_ASSERT_EQUAL(memcmp(out[0], vectors[i].plain, 16), 0);
			plx_aes_fini(&a);
		}
	}
}

static void
test_both_ways_agree_for_every_burst_length(void)
{
	struct plx_aes fast, slow;
	struct plx_rand r;
	uint8_t key[16];

	plx_rand_seed(&r, 5);
	for (int round = 0; round < 50; round++) {
		plx_rand_bytes(&r, key, sizeof(key));
		CU_ASSERT_EQUAL_FATAL(plx_aes_init(&fast, key, false), 0);
		CU_ASSERT_EQUAL_FATAL(plx_aes_init(&slow, key, true), 0);
		for (unsigned cnt = 0; cnt <= PLX_BURST_MAX; cnt++) {
			uint8_t plain[PLX_BURST_MAX][16], cipher[PLX_BURST_MAX][16];
			uint8_t out[PLX_BURST_MAX][16], out2[PLX_BURST_MAX][16];
			const uint8_t *src[PLX_BURST_MAX] = {NULL};

			plx_rand_bytes(&r, plain, sizeof(plain));
			for (unsigned i = 0; i < cnt; i++) {
				/* Alternately, so that neither path agrees only with itself. */
				plx_aes_encrypt(i & 1 ? &fast : &slow, cipher[i], plain[i]);
				src[i] = cipher[i];
			}
			plx_aes_decrypt_burst(&fast, out, src, cnt);
			plx_aes_decrypt_burst(&slow, out2, src, cnt);
			CU_ASSERT_EQUAL(memcmp(out, plain, cnt * sizeof(out[0])), 0);
			CU_ASSERT_EQUAL(memcmp(out2, plain, cnt * sizeof(out[0])), 0);
		}
		plx_aes_fini(&fast);
		plx_aes_fini(&slow);
	}
}

static bool
is_wiped(const struct plx_aes *a)
{
	static const struct plx_aes zero;

	return memcmp(a->enc, zero.enc, sizeof(a->enc)) == 0 &&
	       memcmp(a->dec, zero.dec, sizeof(a->dec)) == 0 && a->evp_enc == NULL &&
	       a->evp_dec == NULL;
}

static void
test_an_ended_key_is_wiped(void)
{
	struct plx_aes a;

	CU_ASSERT_EQUAL_FATAL(plx_aes_init(&a, vectors[0].key, false), 0);
	CU_ASSERT_FALSE(is_wiped(&a));
	plx_aes_fini(&a);
	CU_ASSERT_TRUE(is_wiped(&a));
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"known blocks hold with and without instructions",
	         test_known_blocks_hold_with_and_without_instructions},
	        {"both ways agree for every burst length",
	         test_both_ways_agree_for_every_burst_length},
	        {"an ended key is wiped", test_an_ended_key_is_wiped},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"AES", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
