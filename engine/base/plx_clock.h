/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The clock of a worker: monotonic nanoseconds, from the TSC, from the kernel, or virtual.
 *
 * A worker reads it once a turn and hands the value down. Time never goes back: a reading below
 * the last one gives the last one (ngtcp2 aborts otherwise).
 *
 * Threads: one owner per struct plx_clock. Main calibrates one and gives each worker a copy, so
 *          that all have the same scale.
 * Memory:  a plain structure.
 */
#ifndef PLX_CLOCK_H
#define PLX_CLOCK_H

#include <plx/defs.h>

enum plx_clock_kind {
	PLX_CLOCK_SYSTEM = 0, /**< CLOCK_MONOTONIC */
	PLX_CLOCK_TSC,     /**< invariant TSC, scaled; falls back to SYSTEM without one */
	PLX_CLOCK_VIRTUAL, /**< moves only by plx_clock_set() */
};

struct plx_clock {
	uint64_t last_ns;
	uint64_t base_ns, base_tsc;
	uint64_t mult;     /**< ns = ((tsc - base_tsc) * mult) >> 32 */
	uint64_t back_cnt; /**< readings that went back and were clamped */
	uint8_t kind;      /**< enum plx_clock_kind in force */
};

/** plx_clock_system_ns() reads CLOCK_MONOTONIC, ns. Thread: any. Errors: none. */
uint64_t plx_clock_system_ns(void) PLX_ANY_THREAD;

/**
 * plx_clock_init() prepares a clock; TSC calibration takes about 10 ms. A virtual clock starts
 * at 0.
 *
 * Thread: any. Owns: c is the caller's. Errors: none; c->kind says what is in force.
 */
void plx_clock_init(struct plx_clock *c, enum plx_clock_kind kind) PLX_ANY_THREAD;

/**
 * plx_clock_now() reads it.
 *
 * @return ns, never below the last reading
 * Thread: the owner. Owns: nothing. Errors: none; a step back is counted in c->back_cnt.
 */
uint64_t plx_clock_now(struct plx_clock *c) PLX_ON_WORKER;

/**
 * plx_clock_set() moves a virtual clock forward to now_ns; a value behind is ignored and counted
 * in c->back_cnt. The other kinds cannot be set: doing so is a bug.
 *
 * Thread: the owner. Owns: nothing. Errors: none.
 */
void plx_clock_set(struct plx_clock *c, uint64_t now_ns) PLX_ON_WORKER;

#endif
