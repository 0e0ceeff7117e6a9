/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The first-packet table: IDs that clients chose, while their handshake lasts.
 *
 * Two choices of a bucket with eight entries each, both from one keyed hash: a lookup reads at
 * most sixteen tags in two lines, whatever a peer sends, and the table is more than nine
 * tenths full before an entry finds no room. IDs are stored in full and compared in full, so
 * that no collision makes one name another.
 *
 * Threads: one owner.
 * Memory:  inside struct plx_steer.
 */
#ifndef PLX_FIRST_PVT_H
#define PLX_FIRST_PVT_H

#include <plx/defs.h>

#define PLX_FIRST_ID_MAX  20 /* RFC 9000 section 17.2 */
#define PLX_FIRST_WAYS    8
#define PLX_FIRST_BUCKETS 512

/* First 64 bytes: what a miss reads. */
struct plx_first_bucket {
	/** 0 = empty, else bit 15 and bits 18..31 of the hash. */
	uint16_t tag[PLX_FIRST_WAYS];
	uint32_t slot[PLX_FIRST_WAYS]; /**< connection slot */
	uint8_t len[PLX_FIRST_WAYS];   /**< bytes of id, 1..PLX_FIRST_ID_MAX */
	uint8_t pad[8];
	/** The first len bytes count. */
	uint8_t id[PLX_FIRST_WAYS][PLX_FIRST_ID_MAX];
} PLX_CACHE_ALIGNED;
PLX_STATIC_ASSERT(offsetof(struct plx_first_bucket, id) == PLX_CACHE_LINE,
                  "a miss, one line");
PLX_STATIC_ASSERT(sizeof(struct plx_first_bucket) % PLX_CACHE_LINE == 0,
                  "buckets begin on a line");

/** hash is the keyed hash of the ID, its low 32 bits are used. */
int plx_first_add(struct plx_first_bucket *t, uint64_t hash, const uint8_t *id, size_t len,
                  uint32_t slot) PLX_ANY_THREAD;
void plx_first_del(struct plx_first_bucket *t, uint64_t hash, const uint8_t *id, size_t len)
        PLX_ANY_THREAD;
int64_t plx_first_find(const struct plx_first_bucket *t, uint64_t hash, const uint8_t *id,
                       size_t len) PLX_ANY_THREAD;

#endif
