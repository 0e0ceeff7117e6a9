/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Latency histogram: log-linear as HdrHistogram, 128 steps in every octave, so that a percentile
 * is within 0.8 % of the value recorded.
 *
 * Threads: one writer; merge and read when it has stopped, or a copy.
 * Memory:  one struct of 34 KiB, nothing else; all zero is an empty histogram.
 *
 *   value, binary   1xxxxxxx yyyy…     index
 *                   ^^^^^^^^           octave (position of the leading 1) * 128 + x
 *                           ^^^^       forgotten
 */
#ifndef PLX_HIST_H
#define PLX_HIST_H

#include <plx/defs.h>

/**
 * Steps in an octave, log2. 7 gives an error below 1/128; 8 would double the memory for a
 * precision that no latency has, 6 would miss one per cent.
 */
#define PLX_HIST_LG_STEPS 7

/** Values at or above 2^40 ns (18 minutes) are counted as the largest one. */
#define PLX_HIST_LG_MAX 40

#define PLX_HIST_SLOTS ((PLX_HIST_LG_MAX - PLX_HIST_LG_STEPS + 1) << PLX_HIST_LG_STEPS)

struct plx_hist {
	uint64_t count;
	uint64_t sum; /**< ns, exact */
	uint64_t min; /**< ns, exact; valid when count > 0 */
	uint64_t max; /**< ns, exact */
	uint64_t slot[PLX_HIST_SLOTS];
};

/**
 * plx_hist_add() records one value.
 *
 * @param v_ns  any value, ns
 * Thread: the writer. Owns: nothing. Errors: none; values past the range count as the largest.
 * Cost:   one count-leading-zeros, two additions; no division, no allocation.
 */
void plx_hist_add(struct plx_hist *h, uint64_t v_ns) PLX_ANY_THREAD;

/** plx_hist_merge() adds all of from to h. Thread: owner of both. Errors: none. */
void plx_hist_merge(struct plx_hist *h, const struct plx_hist *from) PLX_ANY_THREAD;

/** plx_hist_reset() empties. Thread: the writer. Errors: none. */
void plx_hist_reset(struct plx_hist *h) PLX_ANY_THREAD;

/**
 * plx_hist_percentile() is a value that p per cent of those recorded do not exceed.
 *
 * @param p  0..100; 0 gives the smallest value, 100 the largest, both exactly
 * @return ns, within 1/128 of a recorded value; 0 when nothing was recorded
 * Thread: the reader. Owns: nothing. Errors: none.
 */
uint64_t plx_hist_percentile(const struct plx_hist *h, double p) PLX_ANY_THREAD;

/** plx_hist_mean() is the exact mean, ns; 0 when nothing was recorded. Thread: the reader. */
double plx_hist_mean(const struct plx_hist *h) PLX_ANY_THREAD;

#endif
