/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A queue of bytes with offsets: what a stream holds until it is acknowledged, or until it is
 * read. Bytes are copied in; they stay where they are until they are dropped, so that a packet
 * builder may point at them.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: one owner.
 * Memory:  slab blocks of at most PLX_BYTES_CHUNK bytes each, given back as the front moves.
 *
 *          front                     next                    end
 *            |      offered already    |    to be offered     |
 *     +------v------+-------------+----v--------+-------------v+
 *     |   chunk     |   chunk     |    chunk    |     chunk    |
 *     +-------------+-------------+-------------+--------------+
 */
#ifndef PLX_BYTES_H
#define PLX_BYTES_H

#include <plx/err.h>
#include <plx/types.h>

#include "plx_mem.h"

/**
 * Bytes of one block, header included. Four packets' worth: smaller makes a bulk stream pay for
 * a block per packet, larger makes a stream of few bytes pay for what it never fills (the
 * first block of a stream is only as large as what is put into it).
 */
#define PLX_BYTES_CHUNK 6144

struct plx_bytes_chunk {
	struct plx_bytes_chunk *next;
	uint32_t cap; /**< bytes of data[] */
	uint32_t len; /**< bytes used of data[] */
	uint8_t data[];
};

struct plx_bytes {
	struct plx_bytes_chunk *head, *tail;
	struct plx_bytes_chunk *at; /**< chunk that holds next; NULL = next is at the end */
	uint64_t front;             /**< offset of the first byte kept */
	uint64_t base;              /**< offset of head->data[0] */
	uint64_t at_base;           /**< offset of at->data[0] */
	uint64_t next;              /**< offset of the first byte not offered yet */
	uint64_t end;               /**< offset behind the last byte */
};

static inline uint64_t
plx_bytes_len(const struct plx_bytes *b)
{
	return b->end - b->front;
}

static inline uint64_t
plx_bytes_pending(const struct plx_bytes *b)
{
	return b->end - b->next;
}

/**
 * plx_bytes_append() copies bytes to the end.
 *
 * @return bytes taken, 0..len; fewer than len means that memory ran out
 * Thread: the owner. Owns: data stays the caller's. Errors: as said.
 */
size_t plx_bytes_append(struct plx_bytes *b, struct plx_slab *slab, const uint8_t *data,
                        size_t len) PLX_ON_WORKER;

/**
 * plx_bytes_peek() points at what was not offered yet; plx_bytes_sent() moves the mark behind
 * len bytes of it.
 *
 * @param max  pieces of room at vec
 * @return pieces filled
 * Thread: the owner. Owns: pieces are valid until plx_bytes_drop() passes them. Errors: none.
 */
uint16_t plx_bytes_peek(const struct plx_bytes *b, struct plx_iov *vec, uint16_t max)
        PLX_ON_WORKER;
void plx_bytes_sent(struct plx_bytes *b, size_t len) PLX_ON_WORKER;

/**
 * plx_bytes_drop() gives back everything below an offset.
 *
 * @param off  front..next; below front nothing happens
 * Thread: the owner. Owns: blocks go back to the slab. Errors: none.
 */
void plx_bytes_drop(struct plx_bytes *b, struct plx_slab *slab, uint64_t off) PLX_ON_WORKER;

/** plx_bytes_take() copies up to len bytes from the front out and drops them. @return bytes */
size_t plx_bytes_take(struct plx_bytes *b, struct plx_slab *slab, uint8_t *dst, size_t len)
        PLX_ON_WORKER;

/** plx_bytes_fini() gives all blocks back. @return bytes that were kept. Thread: the owner. */
uint64_t plx_bytes_fini(struct plx_bytes *b, struct plx_slab *slab) PLX_ON_WORKER;

#endif
