/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx_test.h>

#include "plx_hist.h"

static struct plx_hist h, g;

static bool
within(uint64_t got, uint64_t want)
{
	uint64_t diff = got > want ? got - want : want - got;

	return diff * 100 <= want;
}

static void
test_single_values(void)
{
	/* Both sides of every octave, and values between. */
	for (unsigned bit = 0; bit < PLX_HIST_LG_MAX; bit++) {
		uint64_t base = UINT64_C(1) << bit;
		uint64_t v[] = {base, base - 1, base + base / 3, base + base / 128};

		for (unsigned i = 0; i < 4; i++) {
			plx_hist_reset(&h);
			plx_hist_add(&h, v[i]);
			/* Min and max would hide what the slot gives. */
			h.min = 0;
			h.max = UINT64_MAX;
			CU_ASSERT_TRUE(within(plx_hist_percentile(&h, 50), v[i]));
			if (v[i] < 256)
				CU_ASSERT_EQUAL(plx_hist_percentile(&h, 50), v[i]);
		}
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
test_percentiles(void)
{
	static uint64_t v[10000];
	static const double p[] = {0.1, 1, 10, 50, 90, 99, 99.9, 99.99};
	uint64_t seed = 42;

	plx_hist_reset(&h);
	for (unsigned i = 0; i < 10000; i++) {
		/* xorshift, spread over 30 octaves */
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		v[i] = (seed >> 20) >> (seed % 30);
		plx_hist_add(&h, v[i]);
	}
	qsort(v, 10000, sizeof(v[0]), compare);
	for (unsigned i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		unsigned rank = (unsigned)(p[i] * 100 + 0.999);
		uint64_t want = v[rank > 0 ? rank - 1 : 0];

		if (want >= UINT64_C(1) << PLX_HIST_LG_MAX)
			continue;
		CU_ASSERT_TRUE(within(plx_hist_percentile(&h, p[i]), want));
	}
	CU_ASSERT_EQUAL(plx_hist_percentile(&h, 0), v[0]);
	CU_ASSERT_EQUAL(plx_hist_percentile(&h, 100), v[9999]);
}

static void
test_edges(void)
{
	plx_hist_reset(&h);
	CU_ASSERT_EQUAL(plx_hist_percentile(&h, 50), 0);
	CU_ASSERT_DOUBLE_EQUAL(plx_hist_mean(&h), 0, 0);
	plx_hist_add(&h, UINT64_MAX);
	CU_ASSERT_EQUAL(h.slot[PLX_HIST_SLOTS - 1], 1);
	CU_ASSERT_EQUAL(plx_hist_percentile(&h, 50), UINT64_MAX);
	plx_hist_reset(&h);
	plx_hist_add(&h, (UINT64_C(1) << PLX_HIST_LG_MAX) - 1);
	CU_ASSERT_EQUAL(h.slot[PLX_HIST_SLOTS - 1], 1);
	plx_hist_reset(&h);
	plx_hist_add(&h, 0);
	CU_ASSERT_EQUAL(plx_hist_percentile(&h, 100), 0);
	CU_ASSERT_EQUAL(h.count, 1);
}

static void
test_merge(void)
{
	plx_hist_reset(&h);
	plx_hist_reset(&g);
	for (uint64_t i = 1; i <= 1000; i++)
		plx_hist_add(i % 2 ? &h : &g, i * 1000);
	plx_hist_merge(&h, &g);
	CU_ASSERT_EQUAL(h.count, 1000);
	CU_ASSERT_EQUAL(h.min, 1000);
	CU_ASSERT_EQUAL(h.max, 1000000);
	CU_ASSERT_DOUBLE_EQUAL(plx_hist_mean(&h), 500500, 0.001);
	CU_ASSERT_TRUE(within(plx_hist_percentile(&h, 50), 500000));
	plx_hist_reset(&g);
	plx_hist_merge(&h, &g);
	CU_ASSERT_EQUAL(h.min, 1000);
	plx_hist_merge(&g, &h);
	CU_ASSERT_EQUAL(g.min, 1000);
	CU_ASSERT_EQUAL(memcmp(&g, &h, sizeof(g)), 0);
}

static CU_TestInfo tests[] = {
        {"every value comes back within one per cent, small ones exactly",
         test_single_values},
        {"percentiles agree with a sorted list", test_percentiles},
        {"empty, zero and larger than the range", test_edges},
        {"merging equals recording into one", test_merge},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"hist", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
