/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Tickets that early data was taken with: each opens 0-RTT once. One register for all workers of
 * an engine; tickets are numbered when they are issued.
 *
 * The register has places, and a ticket has the one that follows from its number. A place knows the
 * newest ticket that was used there; an older one is as good as used. So nothing is ever full, no
 * clock is asked, and what is forgotten is refused. A ticket of another server, or of the same one
 * before it was started again, has another realm.
 *
 * Threads: made by main; used by all workers at once, without locks.
 * Memory:  four bytes a place, fixed.
 * Spec:    RFC 8446 section 8.1 (single-use tickets), RFC 9001 section 9.2, docs/adr/0009
 */
#ifndef PLX_SPENT_H
#define PLX_SPENT_H

#include <stdint.h>

#include <plx/defs.h>

#include "plx_rand.h"

#define PLX_SPENT_REALM_LEN 8

/** Places of the register of an engine: 262,144 in 1 MiB. */
#define PLX_SPENT_PLACES (UINT32_C(1) << 18)

struct plx_spent;

enum plx_spent_verdict {
	PLX_SPENT_FIRST = 0, /**< not used before; it is now */
	PLX_SPENT_AGAIN,     /**< used before */
	PLX_SPENT_OLD,       /**< forgotten, or never issued */
};

/**
 * plx_spent_new() makes a register.
 *
 * @param places  a power of two, 64..2^28
 * @return NULL: no memory, or places is out of range
 * Thread: main. Owns: the caller, plx_spent_free(). Errors: as returned.
 */
struct plx_spent *plx_spent_new(uint32_t places, struct plx_rand *rand) PLX_ON_MAIN;
void plx_spent_free(struct plx_spent *s) PLX_ON_MAIN;

/** plx_spent_realm() is what tells tickets of this register from others. Thread: any. */
const uint8_t *plx_spent_realm(const struct plx_spent *s) PLX_ANY_THREAD;

/** plx_spent_issue() gives the number of a new ticket, 1 and up. Thread: any. Errors: none. */
uint64_t plx_spent_issue(struct plx_spent *s) PLX_ANY_THREAD;

/**
 * plx_spent_use() marks a ticket used. Of all calls for one number, on all threads, one at most
 * is told PLX_SPENT_FIRST.
 * Thread: any. Owns: nothing. Errors: none.
 */
enum plx_spent_verdict plx_spent_use(struct plx_spent *s, uint64_t number) PLX_ANY_THREAD;

#endif
