/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_hist.h"

#include <string.h>

#define STEPS (UINT32_C(1) << PLX_HIST_LG_STEPS)

static uint32_t
slot_of(uint64_t v)
{
	uint32_t octave;

	if (v < STEPS)
		return (uint32_t)v;
	if (v >= UINT64_C(1) << PLX_HIST_LG_MAX)
		return PLX_HIST_SLOTS - 1;
	octave = 63 - (uint32_t)__builtin_clzll(v) - PLX_HIST_LG_STEPS;
	/* Shifted down, v is STEPS..2*STEPS-1: the octave below it begins at octave * STEPS. */
	return (octave << PLX_HIST_LG_STEPS) + (uint32_t)(v >> octave);
}

/* The middle of what a slot counts. */
static uint64_t
value_of(uint32_t slot)
{
	uint32_t octave = slot >> PLX_HIST_LG_STEPS;
	uint64_t low;

	if (octave == 0)
		return slot;
	octave--;
	low = (uint64_t)(slot - (octave << PLX_HIST_LG_STEPS)) << octave;
	return low + ((UINT64_C(1) << octave) >> 1);
}

void
plx_hist_add(struct plx_hist *h, uint64_t v_ns)
{
	if (h->count == 0 || v_ns < h->min)
		h->min = v_ns;
	if (v_ns > h->max)
		h->max = v_ns;
	h->count++;
	h->sum += v_ns;
	h->slot[slot_of(v_ns)]++;
}

void
plx_hist_merge(struct plx_hist *h, const struct plx_hist *from)
{
	if (from->count == 0)
		return;
	if (h->count == 0 || from->min < h->min)
		h->min = from->min;
	if (from->max > h->max)
		h->max = from->max;
	h->count += from->count;
	h->sum += from->sum;
	for (uint32_t i = 0; i < PLX_HIST_SLOTS; i++)
		h->slot[i] += from->slot[i];
}

void
plx_hist_reset(struct plx_hist *h)
{
	memset(h, 0, sizeof(*h));
}

uint64_t
plx_hist_percentile(const struct plx_hist *h, double p)
{
	uint64_t rank, seen = 0, v;

	if (h->count == 0)
		return 0;
	if (p <= 0)
		return h->min;
	if (p >= 100)
		return h->max;
	/* Nearest rank: the smallest value that at least p per cent do not exceed. */
	rank = (uint64_t)(p / 100 * (double)h->count);
	rank += (double)rank < p / 100 * (double)h->count || rank == 0;
	for (uint32_t i = 0; i < PLX_HIST_SLOTS; i++) {
		seen += h->slot[i];
		if (seen < rank)
			continue;
		v = value_of(i);
		return v < h->min ? h->min : v > h->max ? h->max : v;
	}
	return h->max;
}

double
plx_hist_mean(const struct plx_hist *h)
{
	return h->count > 0 ? (double)h->sum / (double)h->count : 0;
}
