/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inline applications: a table of functions that the worker calls on its own lcore.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [app]
 * Threads: all functions of one connection are called on the worker that owns it, one at a
 *          time (S2-42). None may block.
 * Memory:  pointers handed to a function are valid until it returns.
 *
 * HTTP/3, the multiplexor, raw streams for application cores and the benchmark responder are
 * inline applications. What is received is pushed (on_stream_data); what is to be sent is
 * pulled (next_tx), because only the connection knows when congestion and flow control let a
 * packet go. Call order of one connection:
 *
 *   0. on_conn_early                  with early data only, see there
 *   1. on_conn_established            once; gives the context for the rest
 *   2. on_stream_* / on_datagram_* / next_tx / tx_*   any number
 *   3. on_conn_closed                 once, if and only if 1. or 0. returned 0
 *
 * A function that returns a negative value closes the connection: with the application code
 * given to plx_conn_close() if it was called before, else with PLX_E's translation
 * INTERNAL_ERROR. Functions may be NULL where a default is named.
 */
#ifndef PLX_APP_H
#define PLX_APP_H

#include <plx/conn.h>
#include <plx/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What to send next; filled by next_tx. */
struct plx_tx_next {
	int64_t stream_id;         /**< stream; -1 with cnt 0 = only control frames */
	const struct plx_iov *vec; /**< pieces, in order; they stay until acknowledged */
	uint16_t cnt;              /**< pieces, 0..256 */
	bool fin;                  /**< the stream ends behind these pieces */
};

struct plx_app {
	const char *name; /**< for statistics and logs */

	/**
	 * A stream of the peer that ended makes no room for another by itself: the application
	 * calls plx_conn_grant_stream() when it is done with it. Default: it does.
	 */
	bool holds_streams;

	/**
	 * Early data (0-RTT) begins: streams and datagrams may be used, on both sides, before
	 * the handshake is complete. On a server whatever comes before on_conn_established may
	 * have been recorded and sent again by somebody else, though each ticket is taken once.
	 * Default: no early data.
	 * @param app, c  as below
	 * @param ctx     [out] context for the other functions
	 * @return 0, or negative to fail the connection
	 */
	int (*on_conn_early)(void *app, struct plx_conn *c, void **ctx);

	/**
	 * Client: the server did not take the early data. What was sent is lost, all streams
	 * are gone, and their numbers begin anew. Comes before on_conn_established.
	 * Mandatory with on_conn_early.
	 */
	void (*on_early_rejected)(void *ctx);

	/**
	 * The handshake is complete. Default: refuse.
	 * @param app  what was registered with the table
	 * @param c    the connection
	 * @param ctx  [in,out] context for the other functions; NULL, or that of on_conn_early
	 * @return 0, or negative to close the connection
	 */
	int (*on_conn_established)(void *app, struct plx_conn *c, void **ctx);

	/** The peer opened a stream. Default: nothing. */
	int (*on_stream_open)(void *ctx, int64_t stream_id);

	/**
	 * Stream bytes, in order. Credit returns to the peer when plx_conn_consume() is
	 * called, not here. len may be 0 with fin. Mandatory.
	 * @param off  offset of data in the stream, bytes
	 */
	int (*on_stream_data)(void *ctx, int64_t stream_id, uint64_t off,
	                      const uint8_t *data, size_t len, bool fin);

	/** Bytes up to off + len are acknowledged and no longer needed. Default: nothing. */
	int (*on_stream_acked)(void *ctx, int64_t stream_id, uint64_t off, uint64_t len);

	/** The peer reset its side (RFC 9000 section 19.4). Default: nothing. */
	int (*on_stream_reset)(void *ctx, int64_t stream_id, uint64_t final_sz,
	                       uint64_t code);

	/**
	 * The peer wants no more of the stream; RESET_STREAM was sent. Comes after the other
	 * calls of the packet that brought it, and not for a stream whose end that packet was;
	 * tx_shut may come first. Default: nothing.
	 */
	int (*on_stream_stop)(void *ctx, int64_t stream_id, uint64_t code);

	/** Flow control reopened for a stream that tx_blocked named. Default: nothing. */
	int (*on_stream_writable)(void *ctx, int64_t stream_id);

	/**
	 * Both sides are done, the id is gone. Once per stream.
	 * @param code  application error code, or UINT64_MAX for none
	 */
	int (*on_stream_closed)(void *ctx, int64_t stream_id, uint64_t code);

	/** The peer raised the number of streams we may open. Default: nothing. */
	int (*on_streams_available)(void *ctx, bool bidi);

	/** DATAGRAM of the peer (RFC 9221). Default: dropped and counted. */
	int (*on_datagram)(void *ctx, const uint8_t *data, size_t len);

	/**
	 * The next DATAGRAM to send, before stream data. Default: none.
	 * @param data  [out] payload; it stays until datagram_done
	 * @return 1 data is filled, 0 none
	 */
	int (*next_datagram)(void *ctx, struct plx_iov *data);

	/**
	 * What became of the last next_datagram. Mandatory with next_datagram.
	 * @param sent  it is in a packet; false: it fits none, or the peer takes none
	 */
	void (*datagram_done)(void *ctx, bool sent);

	/**
	 * What should be sent next? Called while packets can be written.
	 * @return 1 next is filled, 0 nothing to send, negative: close
	 */
	int (*next_tx)(void *ctx, struct plx_tx_next *next);

	/** len bytes of the last next_tx (and its fin, if all went) are in a packet. */
	int (*tx_done)(void *ctx, int64_t stream_id, size_t len, bool fin);

	/** Flow control of the stream stopped the last next_tx: offer other streams. */
	int (*tx_blocked)(void *ctx, int64_t stream_id);

	/** The stream of the last next_tx can no longer be written. */
	int (*tx_shut)(void *ctx, int64_t stream_id);

	/**
	 * The connection is over. Nothing may be sent; ctx is not used afterwards.
	 * Frees ctx.
	 */
	void (*on_conn_closed)(void *ctx, const struct plx_close_info *why);
};

#ifdef __cplusplus
}
#endif

#endif
