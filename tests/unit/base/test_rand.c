/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rand.h"
#include "plx_test.h"

static void
test_the_seeded_generator_is_xoshiro256starstar(void)
{
	/* Published test vector of the generator, state 1, 2, 3, 4. */
	static const uint64_t want[] = {
	        UINT64_C(11520),
	        UINT64_C(0),
	        UINT64_C(1509978240),
	        UINT64_C(1215971899390074240),
	        UINT64_C(1216172134540287360),
	        UINT64_C(607988272756665600),
	        UINT64_C(16172922978634559625),
	        UINT64_C(8476171486693032832),
	        UINT64_C(10595114339597558777),
	        UINT64_C(2904607092377533576),
	};
	struct plx_rand r;

	plx_rand_seed(&r, 0);
	for (unsigned i = 0; i < 4; i++)
		r.s[i] = i + 1;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CU_ASSERT_EQUAL(plx_rand_u64(&r), want[i]);
}

static void
test_the_state_comes_from_splitmix64(void)
{
	/* Published outputs of splitmix64 for this seed. */
	struct plx_rand r;

	plx_rand_seed(&r, 1234567);
	CU_ASSERT_EQUAL(r.s[0], UINT64_C(6457827717110365317));
	CU_ASSERT_EQUAL(r.s[1], UINT64_C(3203168211198807973));
	CU_ASSERT_EQUAL(r.s[2], UINT64_C(9817491932198370423));
	CU_ASSERT_EQUAL(r.s[3], UINT64_C(4593380528125082431));
}

static void
test_one_seed_gives_one_sequence(void)
{
	struct plx_rand a, b, other;
	uint8_t x[1000], y[1000];
	unsigned same_cnt = 0;

	PLX_COVERS("S1-2");
	plx_rand_seed(&a, 42);
	plx_rand_seed(&b, 42);
	plx_rand_seed(&other, 43);
	for (unsigned len = 0; len < sizeof(x); len += 37) {
		plx_rand_bytes(&a, x, len);
		plx_rand_bytes(&b, y, len);
		CU_ASSERT_EQUAL(memcmp(x, y, len), 0);
		CU_ASSERT_EQUAL(plx_rand_u64(&a), plx_rand_u64(&b));
		CU_ASSERT_EQUAL(plx_rand_below(&a, 1000), plx_rand_below(&b, 1000));
	}
	for (unsigned i = 0; i < 1000; i++)
		same_cnt += plx_rand_u64(&a) == plx_rand_u64(&other);
	CU_ASSERT_EQUAL(same_cnt, 0);
}

static void
test_bytes_fill_exactly_what_was_asked(void)
{
	struct plx_rand kinds[2];

	plx_rand_seed(&kinds[0], 7);
	plx_rand_system(&kinds[1]);
	for (unsigned k = 0; k < 2; k++) {
		for (size_t len = 0; len < 600; len++) {
			uint8_t *p = malloc(len + 1);

			p[len] = 0x5a;
			plx_rand_bytes(&kinds[k], p, len);
			CU_ASSERT_EQUAL(p[len], 0x5a);
			free(p);
		}
	}
}

static void
test_below_stays_below_and_reaches_every_number_evenly(void)
{
	struct plx_rand r;
	unsigned hits[10] = {0};

	plx_rand_seed(&r, 99);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t v = plx_rand_below(&r, 10);

		CU_ASSERT_FATAL(v < 10);
		hits[v]++;
	}
	/* Ten standard deviations. */
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT(hits[i] > 9050 && hits[i] < 10950);
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(plx_rand_below(&r, 1), 0);
	/* Three quarters of the range: without drawing again, every third number would come
	 * twice as often as the others. */
	memset(hits, 0, sizeof(hits));
	for (unsigned i = 0; i < 30000; i++)
		hits[plx_rand_below(&r, UINT64_C(3) << 62) % 3]++;
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(hits[i] > 9200 && hits[i] < 10800);
}

static void
test_the_system_generator_neither_repeats_nor_keeps_what_it_gave(void)
{
	static const uint8_t zero[256];
	struct plx_rand a, b;
	uint8_t x[100], y[100];

	plx_rand_system(&a);
	plx_rand_system(&b);
	plx_rand_bytes(&a, x, sizeof(x));
	plx_rand_bytes(&b, y, sizeof(y));
	CU_ASSERT_NOT_EQUAL(memcmp(x, y, sizeof(x)), 0);
	CU_ASSERT_EQUAL(a.left, sizeof(a.buf) - sizeof(x));
	CU_ASSERT_EQUAL(memcmp(a.buf, zero, sizeof(x)), 0);
	plx_rand_bytes(&a, y, sizeof(y));
	CU_ASSERT_NOT_EQUAL(memcmp(x, y, sizeof(x)), 0);
	CU_ASSERT_NOT_EQUAL(plx_rand_u64(&a), plx_rand_u64(&a));
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the seeded generator is xoshiro256**",
	         test_the_seeded_generator_is_xoshiro256starstar},
	        {"its state comes from splitmix64", test_the_state_comes_from_splitmix64},
	        {"one seed gives one sequence", test_one_seed_gives_one_sequence},
	        {"bytes fill exactly what was asked",
	         test_bytes_fill_exactly_what_was_asked},
	        {"below() stays below and reaches every number evenly",
	         test_below_stays_below_and_reaches_every_number_evenly},
	        {"the system generator neither repeats nor keeps what it gave",
	         test_the_system_generator_neither_repeats_nor_keeps_what_it_gave},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"rand", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
