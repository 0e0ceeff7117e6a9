/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Connections, as inline applications use them.
 *
 * Path:    nic -> net -> steer -> [quic] -> stream -> app
 * Threads: only the worker that owns the connection; a struct plx_conn pointer is valid from
 *          on_conn_established until on_conn_closed returns.
 * Memory:  owned by the worker's endpoint.
 * Spec:    RFC 9000
 */
#ifndef PLX_CONN_H
#define PLX_CONN_H

#include <plx/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plx_conn;

/** What is known of a connection; a copy. */
struct plx_conn_info {
	struct plx_conn_id id;
	struct plx_path path;
	uint64_t handshake_ns;       /**< first packet to handshake complete, ns */
	uint64_t rtt_ns;             /**< smoothed, ns; 0 = no sample */
	uint64_t rtt_min_ns;         /**< ns */
	uint64_t cwnd;               /**< bytes */
	uint64_t in_flight;          /**< bytes */
	uint64_t tx_pkts, rx_pkts;   /**< QUIC packets */
	uint64_t tx_bytes, rx_bytes; /**< UDP payload bytes */
	uint64_t lost_pkts;
	uint32_t version;         /**< QUIC version on the wire */
	uint16_t max_udp_payload; /**< bytes we send at most in one datagram now */
	bool is_server;
	bool early_data; /**< 0-RTT was accepted */
	char alpn[16];   /**< terminated, "" = none */
	char sni[256];   /**< server: what the client asked for; terminated */
	char cipher[48]; /**< TLS cipher suite; terminated */
};

/**
 * plx_conn_open_stream() opens a stream of ours.
 *
 * @param c     connection, established
 * @param bidi  bidirectional or unidirectional
 * @param id    [out] stream id
 * @return 0, PLX_E_STREAM_LIMIT when the peer allows no more now (on_streams_available follows
 *         when it does), PLX_E_CLOSED
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: as returned; the connection is unchanged then.
 * Spec:   RFC 9000 section 4.6, row S1-37.
 */
PLX_API int plx_conn_open_stream(struct plx_conn *c, bool bidi, int64_t *id) PLX_ON_WORKER;

/**
 * plx_conn_want_write() says that next_tx has something. The connection joins the list of
 * those that get write turns; it leaves it when next_tx returns 0. Cheap and idempotent.
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: none.
 */
PLX_API void plx_conn_want_write(struct plx_conn *c) PLX_ON_WORKER;

/**
 * plx_conn_consume() returns flow-control credit for len bytes that the application has
 * taken from a stream, to the stream and to the connection.
 *
 * @param stream_id  stream; a stream that is gone gives credit to the connection only
 * @param len        bytes, at most what on_stream_data handed over and was not consumed
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: none.
 * Spec:   RFC 9000 section 4.1; architecture section 3 (credit is memory).
 */
PLX_API void plx_conn_consume(struct plx_conn *c, int64_t stream_id, size_t len)
        PLX_ON_WORKER;

/**
 * plx_conn_grant_stream() lets the peer open one more stream, in place of one that ended. For
 * applications with plx_app.holds_streams: once for each stream of the peer.
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: none.
 * Spec:   RFC 9000 section 4.6.
 */
PLX_API void plx_conn_grant_stream(struct plx_conn *c, bool bidi) PLX_ON_WORKER;

/**
 * plx_conn_reset_stream() sends RESET_STREAM; plx_conn_stop_stream() sends STOP_SENDING;
 * both together are plx_conn_shut_stream().
 *
 * @param code  application error code, 0..2^62-1
 * @return 0, PLX_E_NOENT no such stream, PLX_E_STREAM_CLOSED that side is finished already
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: as returned.
 * Spec:   RFC 9000 sections 19.4, 19.5.
 */
PLX_API int plx_conn_reset_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
        PLX_ON_WORKER;
PLX_API int plx_conn_stop_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
        PLX_ON_WORKER;
PLX_API int plx_conn_shut_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
        PLX_ON_WORKER;

/**
 * plx_conn_close() closes with an application code: CONNECTION_CLOSE goes out with the next
 * write turn, on_conn_closed is called from there, once. A second call changes nothing.
 *
 * @param code    application error code, 0..2^62-1
 * @param reason  text for the peer, may be NULL; at most 117 bytes are used
 *
 * Thread: the worker that owns c; also from inside an application function.
 * Owns:   reason stays the caller's.
 * Errors: none.
 * Spec:   RFC 9000 section 10.2, rows S1-39, S2-49.
 */
PLX_API void plx_conn_close(struct plx_conn *c, uint64_t code, const char *reason)
        PLX_ON_WORKER;

/**
 * plx_conn_get_info() copies what is known of the connection.
 *
 * Thread: the worker that owns c.
 * Owns:   out is the caller's.
 * Errors: none.
 */
PLX_API void plx_conn_get_info(const struct plx_conn *c, struct plx_conn_info *out)
        PLX_ON_WORKER;

/**
 * plx_conn_id_of() gives the handle of a connection; plx_conn_ctx() the context that
 * on_conn_established set; plx_conn_user() the value given to the dial that made it (0 for an
 * accepted connection).
 *
 * Thread: the worker that owns c.
 * Owns:   nothing.
 * Errors: none.
 */
PLX_API struct plx_conn_id plx_conn_id_of(const struct plx_conn *c) PLX_ON_WORKER;
PLX_API void *plx_conn_ctx(const struct plx_conn *c) PLX_ON_WORKER;
PLX_API uint64_t plx_conn_user(const struct plx_conn *c) PLX_ON_WORKER;
PLX_API bool plx_conn_is_server(const struct plx_conn *c) PLX_ON_WORKER;

/** plx_conn_set_user() changes what plx_conn_user() gives. Thread: the owner. Errors: none. */
PLX_API void plx_conn_set_user(struct plx_conn *c, uint64_t user) PLX_ON_WORKER;

/** plx_conn_now() is the clock of this turn, monotonic ns. Thread: the owner. Errors: none. */
PLX_API uint64_t plx_conn_now(const struct plx_conn *c) PLX_ON_WORKER;

#ifdef __cplusplus
}
#endif

#endif
