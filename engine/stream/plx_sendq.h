/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Send side of a stream: application buffers in order, kept until acknowledged.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker that owns the stream.
 * Memory:  buffers are the application's; the queue links them by plx_sbuf.next and gives each
 *          back, whole, when its last byte is acknowledged or the stream ends.
 * Spec:    rows S1-25 .. S1-37; RFC 9000 section 2.2
 *
 *     head                 cur,cur_off                    tail
 *     [ acked | sent, not acked ][ sent | to send ][ to send ] fin?
 */
#ifndef PLX_SENDQ_H
#define PLX_SENDQ_H

#include <plx/event.h>

struct plx_sendq {
	struct plx_sbuf *head, *tail;
	struct plx_sbuf *cur; /**< first with bytes not sent yet */
	uint64_t cur_off;     /**< bytes of cur already sent */
	uint64_t head_off;    /**< stream offset of the first byte of head */
	uint64_t sent_off;    /**< stream offset of the next byte to send */
	uint64_t acked_off;   /**< bytes below are acknowledged */
	uint64_t end_off;     /**< stream offset behind the last byte queued */
	bool fin;             /**< the stream ends at end_off */
	bool fin_sent;
};

void plx_sendq_init(struct plx_sendq *q) PLX_ON_WORKER;

/** Appends; b NULL with fin ends the stream. PLX_E_STREAM_CLOSED after fin. */
int plx_sendq_append(struct plx_sendq *q, struct plx_sbuf *b, bool fin) PLX_ON_WORKER;

/**
 * plx_sendq_peek() lists what can be sent next, without taking it.
 * @param vec  [out] pieces
 * @param cnt  room of vec, 1..
 * @param fin  [out] the stream ends behind the pieces
 * @return pieces, 0.. (0 with *fin true: only FIN is left; 0 with false: nothing)
 */
uint16_t plx_sendq_peek(const struct plx_sendq *q, struct plx_iov *vec, uint16_t cnt,
                        bool *fin) PLX_ON_WORKER;

/** len bytes of what peek listed (and fin) went into a packet. */
void plx_sendq_sent(struct plx_sendq *q, uint64_t len, bool fin) PLX_ON_WORKER;

/**
 * plx_sendq_acked() marks everything below off + len as acknowledged (QUIC reports in order).
 * @return buffers that are done, linked by next in order; NULL if none. The caller hands them
 *         back to the application.
 */
struct plx_sbuf *plx_sendq_acked(struct plx_sendq *q, uint64_t off, uint64_t len)
        PLX_ON_WORKER;

/** plx_sendq_flush() empties the queue at the end of a stream. @return all buffers left. */
struct plx_sbuf *plx_sendq_flush(struct plx_sendq *q) PLX_ON_WORKER;

/** Bytes queued and not sent. */
static inline uint64_t
plx_sendq_pending(const struct plx_sendq *q)
{
	return q->end_off - q->sent_off;
}

#endif
