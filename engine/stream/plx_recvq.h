/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Receive side of a stream: bytes in order, in buffers that are lent to an application core.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker that owns the stream.
 * Memory:  plx_rbufpool buffers; while none is free, slab chunks ("spill"), because ngtcp2
 *          cannot take back bytes that it handed over. The spill is bounded by the credit that
 *          was given out: credit returns only when a lent buffer does.
 * Spec:    RFC 9000 sections 2.2, 4.1; rows S1-29, S1-31; architecture section 3
 *
 *     append --> [ rbuf | rbuf | tail rbuf with room ][ spill chunk | chunk ]
 *                  |                                     |
 *     take  <------+ (lent; the tail too)                +-- plx_appside_refill() moves it
 *                                                            behind the tail when rbufs return
 *
 * Used by raw streams (plx_rawapp.c) and by HTTP/3 bodies (engine/h3):
 *
 *   1. plx_recvq_init() when the stream is made
 *   2. plx_recvq_append() with what the peer sent, then mark the stream's event source
 *   3. in the source's take(): plx_recvq_take() once per event; NULL with plx_recvq_len() > 0
 *      means that the bytes wait for buffers: keep the mark and report nothing; refilled() is
 *      called when there is something to take again, and marks the source
 *   4. plx_recvq_fini() when the stream object goes or the rest is not wanted (STOP_SENDING)
 */
#ifndef PLX_RECVQ_H
#define PLX_RECVQ_H

#include <plx/err.h>
#include <plx/event.h>

struct plx_appside;
struct plx_recvq;
struct plx_recvq_chunk;

/** Called by plx_appside_refill() when bytes that waited can be taken: mark the source. */
typedef void (*plx_recvq_refilled_fn)(struct plx_recvq *q);

struct plx_recvq {
	struct plx_appside *side;
	plx_recvq_refilled_fn refilled;
	struct plx_rbuf *head, *tail; /**< not lent; only the tail has room */
	struct plx_recvq_chunk *spill_head, *spill_tail;
	uint64_t len;       /**< bytes queued, spill included */
	uint64_t spill_len; /**< bytes of these in the spill */
	uint32_t chunk_off; /**< bytes of spill_head already moved */
	bool starved;       /**< in the side's list of queues that wait for buffers */
	struct plx_recvq *next, *prev; /**< that list */
};

/** plx_recvq_init() makes an empty queue. refilled is mandatory. Errors: none. */
void plx_recvq_init(struct plx_recvq *q, struct plx_appside *side,
                    plx_recvq_refilled_fn refilled) PLX_ON_WORKER;

/**
 * plx_recvq_append() copies bytes to the end of the queue: into the tail buffer, new buffers,
 * and into the spill when the pool is empty.
 *
 * @param data  bytes; may be NULL with len 0
 * @param len   bytes, 0..
 * @return 0; PLX_E_NOMEM when pool and slab are both exhausted: the stream has a hole then and
 *         its connection must be closed (return the error from on_stream_data)
 *
 * Thread: the owner. Owns: data stays the caller's. Errors: as returned.
 * Cost:   one copy; no allocation while the pool has buffers.
 */
int plx_recvq_append(struct plx_recvq *q, const uint8_t *data, size_t len) PLX_ON_WORKER;

/**
 * plx_recvq_take() gives the next buffer for an event, ready to be lent: conn, stream_id and
 * credit (= len) are filled, bytes behind len are unreadable in sanitizer builds.
 *
 * @return NULL when nothing is queued, or when all of it waits for buffers (plx_recvq_len()
 *         tells which)
 * Thread: the owner. Owns: the event's reader, until plx_rbuf_release(). Errors: none.
 */
struct plx_rbuf *plx_recvq_take(struct plx_recvq *q, struct plx_conn_id conn,
                                int64_t stream_id) PLX_ON_WORKER;

/**
 * plx_recvq_fini() drops what is queued and leaves an empty queue that may be used again.
 * Buffers that are lent are not concerned.
 * @return bytes dropped: their credit is the caller's to return, plx_conn_consume()
 * Thread: the owner. Errors: none.
 */
uint64_t plx_recvq_fini(struct plx_recvq *q) PLX_ON_WORKER;

/** Bytes queued and not taken. */
static inline uint64_t
plx_recvq_len(const struct plx_recvq *q)
{
	return q->len;
}

/**
 * plx_appside_refill() moves bytes that wait into buffers that came back, one buffer per queue
 * in turn, and calls refilled(). plx_pair_publish() does it each time; a user without rings
 * calls it after plx_rbuf_give().
 * Thread: the worker. Errors: none.
 */
void plx_appside_refill(struct plx_appside *s) PLX_ON_WORKER;

#endif
