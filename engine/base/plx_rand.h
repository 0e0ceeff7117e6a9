/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Randomness, SipHash and mixing functions.
 *
 * Two kinds of generator behind one structure: seeded (xoshiro256**, reproducible, tests and
 * simulation, and whatever needs no secrecy) and system (getrandom(2) in blocks; keys, connection
 * IDs, reset tokens, path challenges in production).
 *
 * Threads: a generator has one owner.
 * Memory:  a plain structure.
 */
#ifndef PLX_RAND_H
#define PLX_RAND_H

#include <plx/defs.h>

struct plx_rand {
	uint64_t s[4];
	uint8_t buf[256]; /**< system: bytes fetched ahead */
	uint16_t left;    /**< system: bytes of buf not used yet */
	bool seeded;
};

/** plx_rand_seed() makes a reproducible generator; plx_rand_system() one from the kernel. */
void plx_rand_seed(struct plx_rand *r, uint64_t seed) PLX_ANY_THREAD;
void plx_rand_system(struct plx_rand *r) PLX_ANY_THREAD;

/**
 * plx_rand_bytes() fills dst with len bytes; plx_rand_u64() gives 64 bits;
 * plx_rand_below() a number in 0..n-1 without bias, n > 0.
 *
 * Thread: the owner of r.
 * Owns:   dst is the caller's.
 * Errors: none; a kernel that gives no randomness ends the process, since nothing could be
 *         done safely.
 */
void plx_rand_bytes(struct plx_rand *r, void *dst, size_t len) PLX_ANY_THREAD;
uint64_t plx_rand_u64(struct plx_rand *r) PLX_ANY_THREAD;
uint64_t plx_rand_below(struct plx_rand *r, uint64_t n) PLX_ANY_THREAD;

/**
 * plx_siphash24() is SipHash-2-4 of len bytes under a 16-byte key.
 *
 * Thread: any. Owns: nothing. Errors: none.
 * Spec:   Aumasson, Bernstein, "SipHash: a fast short-input PRF"; its vectors are the test.
 */
uint64_t plx_siphash24(const uint8_t key[16], const void *data, size_t len) PLX_ANY_THREAD;

#endif
