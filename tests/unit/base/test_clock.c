/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_clock.h"
#include "plx_test.h"

static void
test_virtual_time_moves_only_when_set(void)
{
	struct plx_clock c;

	PLX_COVERS("F8");
	plx_clock_init(&c, PLX_CLOCK_VIRTUAL);
	CU_ASSERT_EQUAL(plx_clock_now(&c), 0);
	CU_ASSERT_EQUAL(plx_clock_now(&c), 0);
	plx_clock_set(&c, 5 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(plx_clock_now(&c), 5 * PLX_NS_PER_S);
	plx_clock_set(&c, 4 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(plx_clock_now(&c), 5 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(c.back_cnt, 1);
}

/* A source behind the last reading, by whatever cause: the last reading stands. */
static void
check_clamp(enum plx_clock_kind kind)
{
	struct plx_clock c;
	uint64_t now, ahead;

	plx_clock_init(&c, kind);
	now = plx_clock_now(&c);
	ahead = now + 3600 * PLX_NS_PER_S;
	c.last_ns = ahead;
	CU_ASSERT_EQUAL(plx_clock_now(&c), ahead);
	CU_ASSERT_EQUAL(plx_clock_now(&c), ahead);
	CU_ASSERT_EQUAL(c.back_cnt, 2);
}

static void
test_a_source_that_goes_back_is_clamped_and_counted(void)
{
	struct plx_clock c;

	PLX_COVERS("F8");
	check_clamp(PLX_CLOCK_SYSTEM);
	check_clamp(PLX_CLOCK_TSC);

	/* The TSC itself jumps back, below the base of the calibration. */
	plx_clock_init(&c, PLX_CLOCK_TSC);
	if (c.kind == PLX_CLOCK_TSC) {
		uint64_t before = plx_clock_now(&c);

		c.base_tsc += UINT64_C(1) << 40;
		CU_ASSERT_EQUAL(plx_clock_now(&c), before);
		CU_ASSERT_EQUAL(c.back_cnt, 1);
	}
}

static void
test_a_million_readings_never_go_back(void)
{
	const enum plx_clock_kind kinds[] = {PLX_CLOCK_SYSTEM, PLX_CLOCK_TSC};

	PLX_COVERS("F8");
	for (unsigned k = 0; k < 2; k++) {
		struct plx_clock c;
		uint64_t last = 0, back_cnt = 0;

		plx_clock_init(&c, kinds[k]);
		for (int i = 0; i < 1000000; i++) {
			uint64_t now = plx_clock_now(&c);

			back_cnt += now < last;
			last = now;
		}
		CU_ASSERT_EQUAL(back_cnt, 0);
	}
}

static void
test_the_tsc_clock_keeps_pace_with_the_kernel(void)
{
	struct plx_clock tsc, sys;
	uint64_t t0, s0, t1, s1;

	plx_clock_init(&tsc, PLX_CLOCK_TSC);
	plx_clock_init(&sys, PLX_CLOCK_SYSTEM);
	/* Without an invariant TSC it has to be the kernel's, and keeps pace all the more. */
	CU_ASSERT(tsc.kind == PLX_CLOCK_TSC || tsc.kind == PLX_CLOCK_SYSTEM);
	s0 = plx_clock_now(&sys);
	t0 = plx_clock_now(&tsc);
	do {
		s1 = plx_clock_now(&sys);
		t1 = plx_clock_now(&tsc);
	} while (s1 - s0 < 50 * PLX_NS_PER_MS);
	/* 1 % is far above the error of the scale and of a lost time slice between reads. */
	CU_ASSERT(t1 - t0 > (s1 - s0) / 100 * 98);
	/* Both read the same monotonic time, so that values may be compared. */
	CU_ASSERT(t0 >= s0 && t0 - s0 < PLX_NS_PER_S);
}

static void
test_a_tsc_reading_days_after_the_calibration_does_not_wrap(void)
{
	struct plx_clock c;
	uint64_t now;

	plx_clock_init(&c, PLX_CLOCK_TSC);
	if (c.kind != PLX_CLOCK_TSC)
		return; /* no invariant TSC: the kernel's clock has no product to wrap */
	now = plx_clock_now(&c);
	/* 2^50 ticks are some five days: the product with the scale needs more than 64 bits. */
	c.base_tsc -= UINT64_C(1) << 50;
	CU_ASSERT(plx_clock_now(&c) > now + 24 * 3600 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(c.back_cnt, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"virtual time moves only when it is set",
	         test_virtual_time_moves_only_when_set},
	        {"a source that goes back is clamped and counted",
	         test_a_source_that_goes_back_is_clamped_and_counted},
	        {"a million readings never go back", test_a_million_readings_never_go_back},
	        {"the TSC clock keeps pace with the kernel",
	         test_the_tsc_clock_keeps_pace_with_the_kernel},
	        {"a TSC reading days after the calibration does not wrap",
	         test_a_tsc_reading_days_after_the_calibration_does_not_wrap},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"clock", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
