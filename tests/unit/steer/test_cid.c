/* SPDX-License-Identifier: BSD-3-Clause */
#include <openssl/evp.h>

#include "steer_test.h"

/* Computed apart from this code, with the openssl program, from the drawing in plx_steer.h. */
static const uint8_t golden[PLX_CID_LEN] = {0x52, 0x8f, 0x03, 0x9d, 0x0a, 0xb9, 0xf0,
                                            0x4b, 0xfd, 0x26, 0x8e, 0x5b, 0xdd, 0x47,
                                            0x90, 0x80, 0xbb, 0x53, 0xf6};
static const uint8_t golden_masked_word[2] = {0x4b, 0xee};
static const uint8_t golden_long_sid[PLX_CID_LEN] = {
        0x12, 0xf7, 0xc1, 0xf4, 0x6c, 0x6c, 0xc9, 0x52, 0x8a, 0xa8,
        0x42, 0xa2, 0x0f, 0x7e, 0x43, 0x32, 0xd1, 0x59, 0xfc};
static const uint8_t golden_token[16] = {0x02, 0x15, 0x9c, 0xbc, 0xe5, 0x77, 0x76, 0xb6,
                                         0xf7, 0xc9, 0x4d, 0x73, 0x9a, 0x97, 0x0d, 0x32};

static void
test_an_id_has_exactly_the_bytes_that_the_header_draws(void)
{
	struct plx_steer_cfg cfg = steer_cfg(3, 8);
	struct plx_steer *st;
	uint8_t cid[PLX_CID_LEN];

	for (int portable = 0; portable < 2; portable++) {
		cfg = steer_cfg(3, 8);
		cfg.portable = portable;
		cfg.slots = 0x010204;
		st = steer_make(&cfg, NULL);
		plx_steer_make_cid(st, 0x010203, 0x0405, 0x0607, cid);
		CU_ASSERT_EQUAL(memcmp(cid, golden, sizeof(cid)), 0);
		steer_drop(st);

		cfg.masked = true;
		st = steer_make(&cfg, NULL);
		plx_steer_make_cid(st, 0x010203, 0x0405, 0x0607, cid);
		CU_ASSERT_EQUAL(memcmp(cid, golden, 17), 0);
		CU_ASSERT_EQUAL(memcmp(cid + 17, golden_masked_word, 2), 0);
		steer_drop(st);

		cfg = steer_cfg(0, 1);
		cfg.portable = portable;
		cfg.server_id_len = 4;
		cfg.config_id = 0;
		cfg.epoch = UINT32_MAX;
		st = steer_make(&cfg, NULL);
		plx_steer_make_cid(st, 0, 1, 0, cid);
		CU_ASSERT_EQUAL(memcmp(cid, golden_long_sid, sizeof(cid)), 0);
		steer_drop(st);
	}
}

/* What a balancer of the draft does with the key: length, one block, the first bytes of it. */
static void
test_a_balancer_with_the_key_reads_the_server_id(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(1, 4);
	struct plx_steer *st = steer_make(&cfg, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t cid[PLX_CID_LEN], block[16];
	int n = 0;

	plx_steer_make_cid(st, 5, 6, 7, cid);
	CU_ASSERT_EQUAL(cid[0] >> 5, cfg.config_id);
	CU_ASSERT_EQUAL(cid[0] & 31, PLX_CID_LEN - 1);
	EVP_DecryptInit_ex2(ctx, EVP_aes_128_ecb(), cfg.key, NULL, NULL);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	EVP_DecryptUpdate(ctx, block, &n, cid + 1, 16);
	CU_ASSERT_EQUAL(memcmp(block, cfg.server_id, cfg.server_id_len), 0);
	EVP_CIPHER_CTX_free(ctx);
	steer_drop(st);
}

static void
test_what_is_written_is_read_back(void)
{
	struct plx_rand r;

	PLX_COVERS("S1-4", "S2-9");
	plx_rand_seed(&r, 11);
	for (int round = 0; round < 300; round++) {
		uint8_t cnt = (uint8_t)(1 + plx_rand_below(&r, PLX_WORKERS_MAX));
		struct plx_steer_cfg cfg = steer_cfg((uint8_t)plx_rand_below(&r, cnt), cnt);
		struct plx_steer *st;

		plx_rand_bytes(&r, cfg.key, sizeof(cfg.key));
		plx_rand_bytes(&r, cfg.hash_key, sizeof(cfg.hash_key));
		plx_rand_bytes(&r, cfg.server_id, sizeof(cfg.server_id));
		cfg.server_id_len = (uint8_t)(1 + round % 4);
		cfg.config_id = (uint8_t)plx_rand_below(&r, 7);
		cfg.masked = round & 8;
		cfg.portable = round & 16;
		cfg.epoch = (uint32_t)plx_rand_u64(&r);
		st = steer_make(&cfg, NULL);
		for (int i = 0; i < 20; i++) {
			uint32_t slot = (uint32_t)plx_rand_below(&r, cfg.slots);
			uint16_t gen = (uint16_t)plx_rand_u64(&r);
			uint16_t seq = (uint16_t)plx_rand_u64(&r);
			struct plx_cid_info info;
			uint8_t cid[PLX_CID_LEN];

			if (i == 0)
				slot = PLX_CID_SLOT_RETRY;
			plx_steer_make_cid(st, slot, gen, seq, cid);
			CU_ASSERT_FATAL(plx_steer_decode(st, cid, sizeof(cid), &info));
			CU_ASSERT_EQUAL(info.worker, cfg.worker);
			CU_ASSERT_EQUAL(info.slot, slot);
			CU_ASSERT_EQUAL(info.gen, gen);
			CU_ASSERT_EQUAL(info.seq, seq);
			CU_ASSERT_EQUAL(info.epoch, cfg.epoch);
			if (!cfg.masked)
				CU_ASSERT_EQUAL(cid[17] % cnt, cfg.worker);
		}
		steer_drop(st);
	}
}

static void
test_every_single_bit_matters(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 2);
	struct plx_steer *st = steer_make(&cfg, NULL);
	struct plx_cid_info info;
	struct plx_rand r;
	uint8_t cid[PLX_CID_LEN];

	PLX_COVERS("S1-3");
	plx_rand_seed(&r, 3);
	for (int i = 0; i < 200; i++) {
		plx_steer_make_cid(st, (uint32_t)plx_rand_below(&r, TEST_SLOTS), 1,
		                   (uint16_t)i, cid);
		for (unsigned bit = 0; bit < 8 * PLX_CID_LEN; bit++) {
			cid[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CU_ASSERT_FALSE(plx_steer_decode(st, cid, sizeof(cid), &info));
			cid[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		CU_ASSERT_FALSE(plx_steer_decode(st, cid, sizeof(cid) - 1, &info));
	}
	steer_drop(st);
}

static void
test_another_key_or_server_id_reads_nothing(void)
{
	struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL), *other;
	struct plx_cid_info info;
	uint8_t cid[PLX_CID_LEN];

	plx_steer_make_cid(st, 1, 1, 0, cid);
	cfg.key[15] ^= 1;
	other = steer_make(&cfg, NULL);
	CU_ASSERT_FALSE(plx_steer_decode(other, cid, sizeof(cid), &info));
	steer_drop(other);
	cfg = steer_cfg(0, 1);
	cfg.server_id[1] ^= 1;
	other = steer_make(&cfg, NULL);
	CU_ASSERT_FALSE(plx_steer_decode(other, cid, sizeof(cid), &info));
	steer_drop(other);
	steer_drop(st);
}

static void
test_two_hundred_thousand_random_ids_are_none_of_ours(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL);
	struct plx_rand r;
	unsigned ours = 0;

	PLX_COVERS("S1-3");
	plx_rand_seed(&r, 200);
	for (int i = 0; i < 200000; i++) {
		struct plx_cid_info info;
		uint8_t cid[PLX_CID_LEN];

		plx_rand_bytes(&r, cid, sizeof(cid));
		/* The word made right, so that each gets as far as the block. */
		cid[0] = 2 << 5 | (PLX_CID_LEN - 1);
		cid[18] = cid[17] ^ 0xa5;
		ours += plx_steer_decode(st, cid, sizeof(cid), &info);
	}
	CU_ASSERT_EQUAL(ours, 0);
	steer_drop(st);
}

static void
test_no_id_is_like_another_and_buckets_do_not_link_them(void)
{
	struct plx_steer_cfg cfg = steer_cfg(2, 4);
	bool seen[PLX_CID_BUCKETS];
	unsigned hits;

	for (int masked = 0; masked < 2; masked++) {
		struct plx_steer *st;
		uint8_t(*cid)[PLX_CID_LEN] = calloc(4096, PLX_CID_LEN);

		cfg.masked = masked;
		st = steer_make(&cfg, NULL);
		memset(seen, 0, sizeof(seen));
		hits = 0;
		for (unsigned i = 0; i < 4096; i++) {
			plx_steer_make_cid(st, i % 8, 1, (uint16_t)(i / 8), cid[i]);
			hits += !seen[cid[i][17]];
			seen[cid[i][17]] = true;
			CU_ASSERT_EQUAL(cid[i][18], cid[i][17] ^ 0xa5);
			if (i > 0)
				CU_ASSERT_NOT_EQUAL(memcmp(cid[i] + 1, cid[i - 1] + 1, 16),
				                    0);
		}
		/* In the open: all 64 buckets of the worker. Masked: all 256, which says nothing
		 * about the worker. */
		CU_ASSERT_EQUAL(hits, masked ? 256 : 64);
		free(cid);
		steer_drop(st);
	}
}

static void
test_a_worker_alone_uses_all_buckets(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL);
	bool seen[PLX_CID_BUCKETS] = {false};
	unsigned hits = 0;
	uint8_t cid[PLX_CID_LEN];

	for (unsigned i = 0; i < 8192; i++) {
		plx_steer_make_cid(st, 0, 1, (uint16_t)i, cid);
		hits += !seen[cid[17]];
		seen[cid[17]] = true;
	}
	CU_ASSERT_EQUAL(hits, PLX_CID_BUCKETS);
	steer_drop(st);
}

static void
test_reset_tokens_are_the_same_everywhere_and_differ_by_id(void)
{
	struct plx_steer_cfg a = steer_cfg(3, 8), b = steer_cfg(1, 8);
	struct plx_steer *sa, *sb;
	uint8_t ta[16], tb[16], cid[20];

	b.epoch = 77; /* another boot, another worker, no instructions: the same secret */
	b.portable = true;
	sa = steer_make(&a, NULL);
	sb = steer_make(&b, NULL);
	plx_steer_reset_token(sa, golden, PLX_CID_LEN, ta);
	CU_ASSERT_EQUAL(memcmp(ta, golden_token, sizeof(ta)), 0);
	plx_steer_reset_token(sb, golden, PLX_CID_LEN, tb);
	CU_ASSERT_EQUAL(memcmp(ta, tb, sizeof(ta)), 0);
	memset(cid, 0, sizeof(cid));
	memcpy(cid, golden, PLX_CID_LEN);
	/* A zero more is another ID, and so is every changed bit. */
	plx_steer_reset_token(sb, cid, 20, tb);
	CU_ASSERT_NOT_EQUAL(memcmp(ta, tb, sizeof(ta)), 0);
	for (unsigned bit = 0; bit < 8 * PLX_CID_LEN; bit++) {
		cid[bit / 8] ^= (uint8_t)(1u << bit % 8);
		plx_steer_reset_token(sa, cid, PLX_CID_LEN, tb);
		CU_ASSERT_NOT_EQUAL(memcmp(ta, tb, sizeof(ta)), 0);
		cid[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	steer_drop(sa);
	/* Another secret, another token. */
	a.hash_key[0] ^= 1;
	sa = steer_make(&a, NULL);
	plx_steer_reset_token(sa, golden, PLX_CID_LEN, tb);
	CU_ASSERT_NOT_EQUAL(memcmp(ta, tb, sizeof(ta)), 0);
	steer_drop(sa);
	steer_drop(sb);
}

static void
test_settings_that_cannot_work_are_refused(void)
{
	static const struct plx_steer_cfg good = {
	        .server_id_len = 2, .worker_cnt = 2, .slots = 1};
	struct plx_steer_cfg cfg = good;
	void *mem = aligned_alloc(PLX_CACHE_LINE, PLX_CACHE_LINE);

	CU_ASSERT(plx_steer_footprint(&cfg) > 0);
	cfg.server_id_len = 0;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	CU_ASSERT_PTR_NULL(plx_steer_init(mem, &cfg, NULL));
	cfg.server_id_len = 5;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg = good;
	cfg.config_id = 7;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg = good;
	cfg.worker = 2;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg = good;
	cfg.worker_cnt = 0;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg.worker_cnt = PLX_WORKERS_MAX + 1;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg = good;
	cfg.slots = 0;
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	cfg.slots = 0xffffff; /* the Retry mark is no slot */
	CU_ASSERT_EQUAL(plx_steer_footprint(&cfg), 0);
	free(mem);
	plx_steer_fini(NULL);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"an ID has exactly the bytes that the header draws",
	         test_an_id_has_exactly_the_bytes_that_the_header_draws},
	        {"a balancer with the key reads the server ID",
	         test_a_balancer_with_the_key_reads_the_server_id},
	        {"what is written is read back", test_what_is_written_is_read_back},
	        {"every single bit matters", test_every_single_bit_matters},
	        {"another key or server ID reads nothing",
	         test_another_key_or_server_id_reads_nothing},
	        {"200,000 random IDs are none of ours",
	         test_two_hundred_thousand_random_ids_are_none_of_ours},
	        {"no ID is like another, and buckets do not link them",
	         test_no_id_is_like_another_and_buckets_do_not_link_them},
	        {"a worker alone uses all buckets", test_a_worker_alone_uses_all_buckets},
	        {"reset tokens are the same everywhere and differ by ID",
	         test_reset_tokens_are_the_same_everywhere_and_differ_by_id},
	        {"settings that cannot work are refused",
	         test_settings_that_cannot_work_are_refused},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"connection IDs", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
