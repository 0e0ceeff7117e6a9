/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_first_pvt.h"
#include "steer_test.h"

static struct plx_steer *
make(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);

	return steer_make(&cfg, NULL);
}

static void
test_ids_of_every_length_are_found_until_they_are_deleted(void)
{
	struct plx_steer *st = make();
	uint8_t id[21];

	memset(id, 0xab, sizeof(id));
	/* All are prefixes of each other: only the length tells them apart. */
	for (uint32_t len = 1; len <= 20; len++)
		CU_ASSERT_EQUAL(plx_steer_first_add(st, id, len, 100 + len), 0);
	for (uint32_t len = 1; len <= 20; len++) {
		CU_ASSERT_EQUAL(plx_steer_first_find(st, id, len), 100 + len);
		CU_ASSERT_EQUAL(plx_steer_first_add(st, id, len, 1), PLX_E_EXIST);
		CU_ASSERT_EQUAL(plx_steer_first_find(st, id, len), 100 + len);
	}
	for (uint32_t len = 1; len <= 20; len++) {
		plx_steer_first_del(st, id, len);
		CU_ASSERT_EQUAL(plx_steer_first_find(st, id, len), -1);
		plx_steer_first_del(st, id, len);
		if (len < 20)
			CU_ASSERT_EQUAL(plx_steer_first_find(st, id, len + 1), 101 + len);
	}
	CU_ASSERT_EQUAL(plx_steer_first_add(st, id, 0, 1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_steer_first_add(st, id, 21, 1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_steer_first_find(st, id, 0), -1);
	CU_ASSERT_EQUAL(plx_steer_first_find(st, id, 21), -1);
	plx_steer_first_del(st, id, 21);
	steer_drop(st);
}

static void
test_two_hundred_thousand_random_ids_never_alias(void)
{
	struct plx_steer *st = make();
	struct plx_rand r;
	uint8_t(*id)[8] = calloc(2000, 8);
	unsigned wrong = 0, found = 0;

	PLX_COVERS("S1-3", "A5");
	plx_rand_seed(&r, 31);
	for (uint32_t i = 0; i < 2000; i++) {
		plx_rand_bytes(&r, id[i], 8);
		CU_ASSERT_EQUAL_FATAL(plx_steer_first_add(st, id[i], 8, i), 0);
	}
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t other[8];

		plx_rand_bytes(&r, other, sizeof(other));
		found += plx_steer_first_find(st, other, sizeof(other)) >= 0;
	}
	for (uint32_t i = 0; i < 2000; i++)
		wrong += plx_steer_first_find(st, id[i], 8) != i;
	CU_ASSERT_EQUAL(found, 0);
	CU_ASSERT_EQUAL(wrong, 0);
	free(id);
	steer_drop(st);
}

/* Below the hash: all IDs are given one and the same, as if its key were known. */
static void
test_ids_with_one_hash_are_still_told_apart(void)
{
	struct plx_first_bucket *t =
	        aligned_alloc(PLX_CACHE_LINE, sizeof(*t) * PLX_FIRST_BUCKETS);
	const uint64_t hash = 0x123456789;
	uint8_t id[20] = {0};
	uint32_t added = 0;

	PLX_COVERS("S1-3", "A5");
	if (t == NULL)
		abort();
	memset(t, 0, sizeof(*t) * PLX_FIRST_BUCKETS);
	/* Each a prefix of the next. */
	for (uint32_t len = 1; len <= 20; len++) {
		CU_ASSERT_EQUAL(plx_first_find(t, hash, id, len), -1);
		added += plx_first_add(t, hash, id, len, len) == 0;
	}
	/* Two buckets take sixteen; the rest is refused, and nothing else is touched. */
	CU_ASSERT_EQUAL(added, 2 * PLX_FIRST_WAYS);
	for (uint32_t len = 1; len <= added; len++) {
		CU_ASSERT_EQUAL(plx_first_find(t, hash, id, len), len);
		plx_first_del(t, hash, id, len);
		CU_ASSERT_EQUAL(plx_first_find(t, hash, id, len), -1);
	}
	for (unsigned b = 0; b < PLX_FIRST_BUCKETS; b++) {
		for (unsigned w = 0; w < PLX_FIRST_WAYS; w++)
			CU_ASSERT_EQUAL(t[b].tag[w], 0);
	}
	free(t);
}

static void
test_a_full_table_refuses_and_keeps_what_it_has(void)
{
	struct plx_steer *st = make();
	uint32_t added = 0, wrong = 0;

	/* Far more than fit: the table must say so, and never write outside itself. */
	for (uint32_t i = 0; i < 2 * PLX_STEER_FIRST_MAX; i++) {
		int rc = plx_steer_first_add(st, (const uint8_t *)&i, sizeof(i), i);

		CU_ASSERT_FATAL(rc == 0 || rc == PLX_E_FULL);
		added += rc == 0;
		CU_ASSERT_EQUAL(plx_steer_first_find(st, (const uint8_t *)&i, sizeof(i)) ==
		                        i,
		                rc == 0);
	}
	CU_ASSERT(added <= PLX_STEER_FIRST_MAX);
	CU_ASSERT(added > PLX_STEER_FIRST_MAX * 9 / 10);
	for (uint32_t i = 0; i < 2 * PLX_STEER_FIRST_MAX; i++) {
		int64_t at = plx_steer_first_find(st, (const uint8_t *)&i, sizeof(i));

		wrong += at >= 0 && at != i;
		plx_steer_first_del(st, (const uint8_t *)&i, sizeof(i));
	}
	CU_ASSERT_EQUAL(wrong, 0);
	/* Emptied, it takes as many again. */
	for (uint32_t i = 0; i < PLX_STEER_FIRST_MAX / 2; i++)
		CU_ASSERT_EQUAL(plx_steer_first_add(st, (const uint8_t *)&i, sizeof(i), i),
		                0);
	steer_drop(st);
}

/* CRC-32, one of the hashes whose collisions anybody can make. */
static uint32_t
crc32_of(const uint8_t *p, size_t len)
{
	uint32_t c = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~c;
}

/* Adds ids of a family; half of the table must take all of them, as it takes random ones. */
static void
check_family(const char *what, void (*make_id)(uint32_t i, uint8_t id[12]))
{
	struct plx_steer *st = make();
	uint32_t refused = 0;

	for (uint32_t i = 0; i < PLX_STEER_FIRST_MAX / 2; i++) {
		uint8_t id[12];

		make_id(i, id);
		refused += plx_steer_first_add(st, id, sizeof(id), i) != 0;
	}
	if (refused > 0)
		printf("%s: %u refused\n", what, refused);
	CU_ASSERT_EQUAL(refused, 0);
	steer_drop(st);
}

static void
id_same_low_bytes(uint32_t i, uint8_t id[12])
{
	memset(id, 0, 12);
	memcpy(id + 8, &i, sizeof(i));
}

static void
id_same_sum(uint32_t i, uint8_t id[12])
{
	uint32_t not_i = ~i;

	memset(id, 0x55, 12);
	memcpy(id, &i, sizeof(i));
	memcpy(id + 4, &not_i, sizeof(i));
}

/* Twelve bytes with CRC-32 0: eight chosen, four solved for. */
static void
id_same_crc(uint32_t i, uint8_t id[12])
{
	uint32_t reg, want = UINT32_MAX;

	memset(id, 0x33, 12);
	memcpy(id, &i, sizeof(i));
	reg = ~crc32_of(id, 8);
	/* Run the register backwards from its end; what differs is the four bytes. */
	for (int k = 0; k < 32; k++)
		want = want & UINT32_C(0x80000000) ? (want ^ UINT32_C(0xedb88320)) << 1 | 1
		                                   : want << 1;
	want ^= reg;
	memcpy(id + 8, &want, sizeof(want));
}

static void
test_ids_made_to_collide_elsewhere_spread_here(void)
{
	uint8_t a[12], b[12];

	PLX_COVERS("A5");
	id_same_crc(1, a);
	id_same_crc(99, b);
	CU_ASSERT_EQUAL_FATAL(crc32_of(a, 12), crc32_of(b, 12));
	CU_ASSERT_NOT_EQUAL(memcmp(a, b, 12), 0);
	check_family("same low bytes", id_same_low_bytes);
	check_family("same sum", id_same_sum);
	check_family("same CRC-32", id_same_crc);
}

static void
test_what_fills_a_bucket_under_one_key_is_spread_under_another(void)
{
	struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *known, *other;
	uint32_t stuck = 0, refused = 0;

	PLX_COVERS("A5");
	/* With the key an attacker can search IDs for a few buckets; find some that a fuller
	 * and fuller table refuses, and give just these to a table with another key. */
	known = steer_make(&cfg, NULL);
	cfg.hash_key[7] ^= 0x80;
	other = steer_make(&cfg, NULL);
	for (uint32_t i = 0; stuck < 1000 && i < 200000; i++) {
		if (plx_steer_first_add(known, (const uint8_t *)&i, sizeof(i), i) == 0)
			continue;
		stuck++;
		refused +=
		        plx_steer_first_add(other, (const uint8_t *)&i, sizeof(i), i) != 0;
	}
	CU_ASSERT_EQUAL(stuck, 1000);
	CU_ASSERT_EQUAL(refused, 0);
	steer_drop(known);
	steer_drop(other);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"IDs of every length are found until they are deleted",
	         test_ids_of_every_length_are_found_until_they_are_deleted},
	        {"200,000 random IDs never alias",
	         test_two_hundred_thousand_random_ids_never_alias},
	        {"IDs with one hash are still told apart",
	         test_ids_with_one_hash_are_still_told_apart},
	        {"a full table refuses and keeps what it has",
	         test_a_full_table_refuses_and_keeps_what_it_has},
	        {"IDs made to collide elsewhere spread here",
	         test_ids_made_to_collide_elsewhere_spread_here},
	        {"what fills a bucket under one key is spread under another",
	         test_what_fills_a_bucket_under_one_key_is_spread_under_another},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"first packets", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
