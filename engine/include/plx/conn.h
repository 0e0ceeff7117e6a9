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
	bool resumed;    /**< with a session ticket: no certificate was shown */
	bool early_data; /**< 0-RTT was accepted */
	char alpn[16];   /**< terminated, "" = none */
	char sni[256];   /**< server: what the client asked for; terminated */
	char cipher[48]; /**< TLS cipher suite; terminated */
};

/* clang-format off */
/**
 * Numbers of a connection, as socket statistics name them (S2-3 to S2-6): name, sentence. Those
 * that the protocol library neither gives nor lets us count have no bit in
 * plx_socket_stats.valid, ever; docs/limits.md says why.
 */
#define PLX_SOCKET_STAT_LIST(X)                                                                \
	X(pmtu,              "UDP payload that the path takes, bytes")                         \
	X(rtt_us,            "smoothed round-trip time, us; valid from the first sample")      \
	X(min_rtt_us,        "least round-trip time, us; valid from the first sample")         \
	X(max_rtt_us,        "largest round-trip time; not available")                         \
	X(rtt_var_us,        "mean deviation of the round-trip time, us; from the first sample") \
	X(cwnd,              "congestion window, bytes")                                       \
	X(total_pto_count,   "probe timeouts; not available")                                  \
	X(delivery_rate,     "bytes per second; not available")                                \
	X(max_bandwidth,     "bytes per second; not available")                                \
	X(startup_exit_cwnd, "window at which slow start ended, bytes; valid once it did")     \
	X(packets_sent,      "QUIC packets sent")                                              \
	X(packets_recvd,     "QUIC packets received, discarded ones not counted")              \
	X(packets_lost,      "QUIC packets taken for lost")                                    \
	X(packets_lost_spurious, "of these, acknowledged later; not available")                \
	X(packets_retrans,   "packets with frames of lost ones; not available")                \
	X(bytes_sent,        "bytes of packets_sent")                                          \
	X(bytes_recvd,       "bytes of packets_recvd")                                         \
	X(bytes_lost,        "bytes of packets_lost")                                          \
	X(bytes_retrans,     "stream bytes sent again; not available")                         \
	X(bytes_unsent,      "always 0 (S2-5)")                                                \
	X(bytes_in_flight,   "bytes sent and not acknowledged")                                \
	X(bytes_in_flight_us, "time with bytes in flight; not available")
/* clang-format on */

enum plx_socket_stat {
#define PLX_SOCKET_STAT_ENUM(name, text) PLX_SOCKET_##name,
	PLX_SOCKET_STAT_LIST(PLX_SOCKET_STAT_ENUM)
#undef PLX_SOCKET_STAT_ENUM
	        PLX_SOCKET_STAT_CNT
};

/** A copy. val[i] says something only if bit i of valid is set; it is 0 otherwise. */
struct plx_socket_stats {
	uint64_t valid;
	uint64_t val[PLX_SOCKET_STAT_CNT];
};

/** The handshake of a connection, times of plx_conn_now() (S2-29). */
struct plx_handshake_info {
	uint64_t start_ns;    /**< first packet */
	uint64_t deadline_ns; /**< when it has to be complete (S2-31) */
	uint64_t elapsed_ns;  /**< start to established; 0 = not complete (S2-30) */
};

/** plx_handshake_expired(): is it over its time? Never once it is complete (S2-32). Thread: any. */
static inline bool
plx_handshake_expired(const struct plx_handshake_info *h, uint64_t now_ns)
{
	return h->elapsed_ns == 0 && now_ns >= h->deadline_ns;
}

/** What a log of connections keeps (S2-11): codes are -1 where there was no such frame. */
struct plx_conn_audit {
	int64_t sent_transport_code, sent_app_code;
	int64_t recvd_transport_code, recvd_app_code;
	int64_t handshake_us;   /**< -1 until it is complete */
	uint64_t start_wall_ns; /**< first packet, CLOCK_REALTIME, ns */
	uint8_t cid[19];        /**< the ID we chose when it began (S2-50) */
	struct plx_close_info why;
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
 * plx_conn_get_stats() copies the numbers of this moment, plx_conn_get_handshake() and
 * plx_conn_get_audit() what their structures say. In on_conn_closed they are the last ones.
 * plx_socket_stat_name() is the name of a number, "rtt_us".
 *
 * Thread: the worker that owns c; another thread sends PLX_CMD_CALL (S2-45, S2-46).
 * Owns:   nothing.
 * Errors: none.
 */
PLX_API void plx_conn_get_stats(const struct plx_conn *c, struct plx_socket_stats *out)
        PLX_ON_WORKER;
PLX_API void plx_conn_get_handshake(const struct plx_conn *c,
                                    struct plx_handshake_info *out) PLX_ON_WORKER;
PLX_API void plx_conn_get_audit(const struct plx_conn *c, struct plx_conn_audit *out)
        PLX_ON_WORKER;
PLX_API const char *plx_socket_stat_name(enum plx_socket_stat s) PLX_ANY_THREAD;

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
