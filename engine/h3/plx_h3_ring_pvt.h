/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of plx_h3_ring: a connection and its streams, as an application core sees them.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [h3] -> app
 * Threads: the worker that owns the connection.
 * Memory:  slab and buffer pool of the attachment's side. A stream object lives until its last
 *          event was published, the connection's until CONN_CLOSED was.
 */
#ifndef PLX_H3_RING_PVT_H
#define PLX_H3_RING_PVT_H

#include <plx/err.h>

#include "plx_h3.h"
#include "plx_recvq.h"
#include "plx_ringapp.h"
#include "plx_sendq.h"

/* Events of a stream in the order in which they are reported. DATA stands for the body, the
 * trailers and the end of the message. */
#define PLX_H3RING_EV_HEAD     0x01u
#define PLX_H3RING_EV_DATA     0x02u
#define PLX_H3RING_EV_RESET    0x04u
#define PLX_H3RING_EV_WRITABLE 0x08u
#define PLX_H3RING_EV_CLOSED   0x10u

/* Bits that wait until the message before them was reported. */
#define PLX_H3RING_EV_BEHIND (PLX_H3RING_EV_RESET | PLX_H3RING_EV_CLOSED)

/* A header list that waits for a buffer. */
struct late_head {
	struct late_head *next;
	bool trailers;
	struct plx_h3_head head; /* last: fields and strings follow */
};

struct ring_conn {
	struct plx_ringconn rc; /* first */
	struct plx_h3 *h;       /* NULL once the connection is over */
	struct plx_h3_cfg cfg;
	uint64_t send_high;
	bool hit; /* a request met the stream limit: STREAMS_AVAIL is owed */
};

struct ring_stream {
	struct plx_evsrc ev; /* first */
	struct ring_conn *c;
	int64_t id;
	uint64_t user;
	struct plx_rbuf *heads, *heads_tail; /* header lists to report */
	struct plx_rbuf *trailers;
	struct late_head *late, *late_tail;
	struct plx_recvq rq; /* body */
	struct plx_recvq
	        wake; /* holds a byte in the queue for buffers while late is not empty */
	struct plx_sendq sq;
	uint64_t body_acked;
	uint64_t reset_code, close_code;
	bool rx_end;   /* the message is complete */
	bool fin_told; /* ... and the application knows */
	bool rx_off;   /* cancelled: nothing but the end is reported */
	bool tx_off;   /* the message had no body, or the stream is over */
	bool full;     /* above send_high: WRITABLE is owed */
	bool over;     /* only events are left */
};

/* plx_h3_ringev.c */
void plx_h3ring_mark(struct ring_stream *s, uint32_t bits);
struct ring_stream *plx_h3ring_stream_new(struct ring_conn *c, int64_t id, uint64_t user);
/** Queues a header list for its event. @return PLX_E_NOMEM: no buffer, and none to wait for */
int plx_h3ring_head_add(struct ring_stream *s, const struct plx_h3_head *src,
                        bool trailers);
/** Nothing more is reported but the end; credit of what was not taken goes back. */
void plx_h3ring_rx_drop(struct ring_stream *s);
/** Nothing more is sent; the buffers go back to the application. */
void plx_h3ring_tx_drop(struct ring_stream *s);

#endif
