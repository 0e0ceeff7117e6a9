/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Measuring in windows on a machine that is shared with others: many short ones, those in which
 * the kernel took the CPU away dropped and counted, RAW measured before and after each.
 *
 * RAW(s) is what one core protects without any protocol: Gbit/s of IMB_AES128_GCM_ENC over
 * records of s bytes in cache, 13 bytes of additional data.
 *
 * Threads: a struct bench_win belongs to the thread that opens and closes its windows.
 * Memory:  nothing is allocated between bench_win_new() and bench_win_free().
 */
#ifndef BENCH_WIN_H
#define BENCH_WIN_H

#include <plx/types.h>

#define BENCH_SIDES 2

/** What happened in a window, per side. The user fills it in. */
struct bench_side {
	uint64_t tsc;   /**< ticks of turns that moved something */
	uint64_t bytes; /**< stream payload */
	uint64_t pkts;  /**< data packets */
};

struct bench_win;

/** @param raw_len  record length of RAW, bytes; @param max  windows at most. NULL: no memory */
struct bench_win *bench_win_new(size_t raw_len, unsigned max);
void bench_win_free(struct bench_win *b);

/** Ticks of the time stamp counter per second. */
double bench_tsc_hz(void);
uint64_t bench_tsc(void);

/** Measures RAW, then begins a window. @return false: there have been max windows */
bool bench_win_open(struct bench_win *b);

/** Ends it; side[] holds what happened since bench_win_open(). */
void bench_win_close(struct bench_win *b, const struct bench_side side[BENCH_SIDES]);

/** What the windows say of one side. ns and tsc are per data packet. */
struct bench_figures {
	double gbps, gbps_med; /**< best and median window */
	double ns, ns_med, tsc, tsc_med;
	double ratio;     /**< best window to best RAW */
	double ratio_med; /**< median over windows of window to RAW around it */
};

void bench_win_figures(struct bench_win *b, unsigned side, struct bench_figures *out);
/** Both sides as if one core did them: bytes of side 0 by the ticks of both. */
void bench_win_sum(struct bench_win *b, struct bench_figures *out);

/** Best RAW, Gbit/s; windows kept and dropped; context switches seen; heap calls per packet. */
struct bench_totals {
	double raw_gbps, raw_gbps_med;
	unsigned kept, dropped;
	uint64_t switches;
	double heap_per_pkt;
};
void bench_win_totals(struct bench_win *b, struct bench_totals *out);

#endif
