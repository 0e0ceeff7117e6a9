/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_clock.h"

#include <string.h>
#include <time.h>

#include "plx_bug.h"

#if defined(__x86_64__)
# include <cpuid.h>
# include <x86intrin.h>
#endif

/* 10 ms against reads that are some 50 ns apart: the scale is right to about 10 ppm. */
#define CALIBRATE_NS (10 * PLX_NS_PER_MS)

uint64_t
plx_clock_system_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
static bool
has_invariant_tsc(void)
{
	unsigned a, b, c, d;

	/* Leaf 0x80000007, EDX bit 8: the TSC runs at one rate in every power state. */
	return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
}

static uint64_t
read_tsc(void)
{
	return __rdtsc();
}

/* A pair of readings that belong together: the tightest of a few. */
static void
read_both(uint64_t *ns, uint64_t *tsc)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t before = read_tsc(), now = plx_clock_system_ns(),
		         after = read_tsc();

		if (after - before < best) {
			best = after - before;
			*ns = now;
			*tsc = before + best / 2;
		}
	}
}

static bool
calibrate(struct plx_clock *c)
{
	const struct timespec pause = {.tv_nsec = (long)CALIBRATE_NS};
	uint64_t ns = 0, tsc = 0;

	if (!has_invariant_tsc())
		return false;
	read_both(&c->base_ns, &c->base_tsc);
	nanosleep(&pause, NULL);
	read_both(&ns, &tsc);
	if (tsc <= c->base_tsc || ns <= c->base_ns)
		return false;
	c->mult = (uint64_t)(((unsigned __int128)(ns - c->base_ns) << 32) /
	                     (tsc - c->base_tsc));
	return c->mult != 0;
}
#else
static uint64_t
read_tsc(void)
{
	return 0;
}

static bool
calibrate(struct plx_clock *c)
{
	(void)c;
	return false;
}
#endif

void
plx_clock_init(struct plx_clock *c, enum plx_clock_kind kind)
{
	memset(c, 0, sizeof(*c));
	c->kind = (uint8_t)kind;
	if (kind == PLX_CLOCK_TSC && !calibrate(c))
		c->kind = PLX_CLOCK_SYSTEM;
}

uint64_t
plx_clock_now(struct plx_clock *c)
{
	uint64_t now = 0;

	switch (c->kind) {
	case PLX_CLOCK_SYSTEM:
		now = plx_clock_system_ns();
		break;
	case PLX_CLOCK_TSC:
		/* 128 bits: 64 would be exhausted after a few seconds. A TSC behind its base
		 * (another socket) makes a huge difference; as a signed number it is small. */
		now = c->base_ns +
		      (uint64_t)((__int128)(int64_t)(read_tsc() - c->base_tsc) *
		                         (int64_t)c->mult >>
		                 32);
		break;
	case PLX_CLOCK_VIRTUAL:
		return c->last_ns;
	default:
		PLX_BUG_ON(true);
	}
	if (plx_unlikely(now < c->last_ns)) {
		c->back_cnt++;
		return c->last_ns;
	}
	c->last_ns = now;
	return now;
}

void
plx_clock_set(struct plx_clock *c, uint64_t now_ns)
{
	PLX_BUG_ON(c->kind != PLX_CLOCK_VIRTUAL);
	if (now_ns < c->last_ns)
		c->back_cnt++;
	else
		c->last_ns = now_ns;
}
