/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What tests of two endpoints (plx_pair.h) say again and again.
 *
 * Threads: the caller's.
 */
#ifndef PLX_PAIR_TEST_H
#define PLX_PAIR_TEST_H

#include "plx_pair.h"
#include "plx_test.h"

#define SEC PLX_NS_PER_S
#define MS  PLX_NS_PER_MS
#define MIB (UINT64_C(1) << 20)

/** Two endpoints; the test ends where they cannot be made. */
static inline struct plx_pair *
pair(const struct plx_pair_cfg *cfg)
{
	struct plx_pair *p = NULL;

	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, cfg), 0);
	return p;
}

static inline uint64_t
count(struct plx_pair *p, enum plx_pair_side s, enum plx_count c)
{
	return plx_obs_get(p->end[s].obs, c);
}

static inline uint64_t
drops(struct plx_pair *p, enum plx_pair_side s, enum plx_drop d)
{
	return plx_obs_get_drop(p->end[s].obs, d);
}

#endif
