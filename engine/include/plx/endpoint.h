/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A whole QUIC endpoint without input and output: datagrams in, packets and events out, the
 * clock an argument. It needs no DPDK, no socket and no thread; thousands of them run in one
 * thread in virtual time.
 *
 * Path:    nic -> net -> steer -> [quic -> stream] -> app
 * Threads: a single owner. Nothing is shared between two endpoints but struct
 *          plx_endpoint_cfg, which is only read by plx_endpoint_new().
 * Memory:  stream data, datagrams and records in a slab bounded by cfg.mem_max; packets that
 *          wait in the send queue beside it, bounded by cfg.send_queue_capacity; OpenSSL uses
 *          the heap during handshakes. What a peer can make an endpoint hold is bounded by
 *          the windows and limits of the configuration, also when events are never polled.
 * Spec:    RFC 9000, 9001, 9002, 9221, 9369; rows S1-1 .. S1-65
 *
 * One turn of a user:
 *
 *   1. plx_endpoint_batch_begin()      optional: packets wait until 5.
 *   2. plx_endpoint_feed() for each datagram that arrived
 *   3. plx_endpoint_timers()
 *   4. plx_endpoint_poll_event() until it returns false; stream and datagram calls
 *   5. plx_endpoint_batch_end()
 *   6. plx_endpoint_poll_packet() until it returns 0; after a full queue was emptied,
 *      plx_endpoint_flush() and again
 *   7. sleep until plx_endpoint_deadline() or a datagram
 *
 * feed, timers, flush, batch_end, connect and resume take the time, monotonic nanoseconds; a value below
 * the last one is taken as the last one. Every other call happens at that time (S1-64).
 *
 * Which calls make packets at once (outside a batch, while the send queue has room):
 *
 *   connect, resume, stream_recv, stream_finish, stream_stop, stream_reset, close, send_datagram,
 *   feed, timers, flush                                                        they do
 *   stream_send, stream_sendv, open                                   the next of the above
 *
 * Errors are those of <plx/err.h>. A handle of a connection that is gone, and one whose end was
 * reported or asked for, gives PLX_E_STALE from every call that acts on it.
 */
#ifndef PLX_ENDPOINT_H
#define PLX_ENDPOINT_H

#include <plx/err.h>
#include <plx/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plx_endpoint;
struct plx_spent;

/* Limits and tuning. */

/** Longest UDP payload of one datagram that an endpoint writes, bytes. */
#define PLX_ENDPOINT_UDP_MAX 1472

/** Protocols of one endpoint at most. */
#define PLX_ENDPOINT_ALPN_MAX 8

/** Server role: what a server shows. Strings are read by plx_endpoint_new() only. */
struct plx_endpoint_server {
	const char *cert_file, *key_file; /**< PEM files, or */
	const char *cert_pem, *key_pem;   /**< PEM in memory, terminated */
	bool no_tickets;                  /**< send no session tickets */
	uint8_t tickets;                  /**< session tickets sent to each client, 0 = 1 */
	/** What the keys of tickets follow from, 32..128 bytes; endpoints that have the same
	 *  resume each other's sessions. NULL: one of its own. Read by plx_endpoint_new() only. */
	const uint8_t *ticket_secret;
	size_t ticket_secret_len;
	/** Take early data (0-RTT), each ticket once; default off. Streams and datagrams that
	 *  come before PLX_EP_NEW_CONNECTION came this way: somebody may have recorded them and
	 *  sent them again, to be first. */
	bool early_data;
	/** Register of used tickets that endpoints share, plx_endpoint_spent_new(); it outlives
	 *  them. NULL: one of its own, of 64 KiB, so that no other endpoint takes early data with
	 *  the tickets of this one. */
	struct plx_spent *spent;
};

/** Client role: what a client trusts. */
struct plx_endpoint_client {
	const char *ca_file; /**< PEM file of trusted certificates, NULL = the system's */
	bool insecure;       /**< do not verify the server's certificate; default off */
	/** Report session tickets (PLX_EP_TICKET); default off. TLS objects then stay behind the
	 *  handshake until one came, for 10 s at most. */
	bool tickets;
};

/**
 * Settings. plx_endpoint_cfg_init() gives the defaults named here. A plain value: copy it, and
 * give the same to as many endpoints as there are workers (S1-2).
 */
struct plx_endpoint_cfg {
	const struct plx_endpoint_server *server; /**< NULL: accept nothing (default) */
	const struct plx_endpoint_client *client; /**< NULL: connect nothing (default) */
	const char
	        *alpn[PLX_ENDPOINT_ALPN_MAX]; /**< protocols in order of preference, 1..15
						    bytes each; clients offer the first */
	struct plx_addr local; /**< address of datagrams whose local address is not given */

	uint32_t send_queue_capacity;    /**< packets, default 4096, >= 1 */
	uint16_t max_transmit_datagrams; /**< segments of one packet, default 10; 0 is 1 */
	bool allow_mtud; /**< path MTU discovery, default on; off: 1452 bytes at once */
	bool has_seed;   /**< rng_seed is given; default off: the system's randomness */
	uint8_t rng_seed[32]; /**< tests only: IDs and keys follow from it; NEW_TOKEN
				   tokens alone are salted by the crypto library */

	uint32_t conns_max;            /**< connections, default 1024, 1..2^24-2 */
	uint32_t idle_timeout_ms;      /**< default 30000; 0 = never */
	uint32_t handshake_timeout_ms; /**< default 10000, > 0 */
	uint32_t keep_alive_ms;        /**< PING after this much silence, default 0 = off */
	uint32_t initial_rtt_ms;       /**< default 333, > 0 */
	uint32_t max_streams_bidi;     /**< the peer's at a time, default 100 */
	uint32_t max_streams_uni;      /**< the peer's at a time, default 100 */
	uint64_t stream_window;        /**< received and not read, bytes, default 1250000 */
	uint64_t conn_window;          /**< the same for all streams, default 10000000 */
	uint64_t send_window; /**< sent and not acknowledged, per stream; default 1250000 */
	uint32_t
	        datagram_recv_buffer; /**< bytes not polled, default 1250000; 0 = DATAGRAM off */
	uint32_t datagram_send_buffer; /**< bytes not sent, default 1 MiB */
	bool migration;                /**< peers may change their address, default on */
	bool no_pacing;                /**< default off */
	uint8_t cc;                    /**< 0 cubic (default), 1 reno, 2 bbr */
	size_t mem_max;                /**< bytes for all connections, default 256 MiB */
};

/**
 * plx_endpoint_cfg_init() gives the defaults; _server() and _client() those for one role.
 * Thread: any. Owns: server and client must outlive plx_endpoint_new(). Errors: none.
 */
PLX_API void plx_endpoint_cfg_init(struct plx_endpoint_cfg *cfg) PLX_ANY_THREAD;
PLX_API void plx_endpoint_cfg_server(struct plx_endpoint_cfg *cfg,
                                     const struct plx_endpoint_server *server,
                                     const char *alpn) PLX_ANY_THREAD;
PLX_API void plx_endpoint_cfg_client(struct plx_endpoint_cfg *cfg,
                                     const struct plx_endpoint_client *client,
                                     const char *alpn) PLX_ANY_THREAD;

/* Types. */

/** What happened: enum, what it says, row. */
enum plx_endpoint_ev {
	PLX_EP_NONE = 0,
	PLX_EP_CONNECTED,         /**< a connection of ours is established, once (S1-48) */
	PLX_EP_NEW_CONNECTION,    /**< one of the peer's is, once (S1-48) */
	PLX_EP_ZERO_RTT_REJECTED, /**< early data was discarded; behind CONNECTED (S1-49) */
	PLX_EP_CLOSED,          /**< the end, with why; once, nothing follows it (S1-50) */
	PLX_EP_HELLO,           /**< server: name and protocol are known, once (S1-59) */
	PLX_EP_STREAM_OPENED,   /**< by the peer; a READABLE follows at once (S1-52) */
	PLX_EP_STREAM_READABLE, /**< read until 0; may find nothing (S1-53) */
	PLX_EP_STREAM_WRITABLE, /**< room again after a short or blocked send (S1-53) */
	PLX_EP_STREAM_FINISHED, /**< our end and all before it is acknowledged (S1-54) */
	PLX_EP_STREAM_STOPPED,  /**< the peer wants no more, with code (S1-55) */
	PLX_EP_STREAMS_AVAILABLE,   /**< the limit that an open met was raised (S1-56) */
	PLX_EP_DATAGRAM,            /**< data and len (S1-57) */
	PLX_EP_DATAGRAMS_UNBLOCKED, /**< room again after PLX_E_BLOCKED (S1-58) */
	PLX_EP_PEER_ADDRESS,        /**< not validated yet: previous, current (S1-60) */
	PLX_EP_TICKET, /**< client.tickets: data and len, for plx_endpoint_resume() */
	PLX_EP_EV_CNT
};

struct plx_endpoint_event {
	uint8_t type; /**< enum plx_endpoint_ev */
	bool bidi;    /**< STREAM_OPENED, STREAMS_AVAILABLE: of bidirectional streams */
	struct plx_conn_id conn;
	int64_t stream_id;                 /**< STREAM_*, else -1 */
	uint64_t code;                     /**< STREAM_STOPPED: application error code */
	const uint8_t *data;               /**< DATAGRAM, TICKET; valid until the next
			        plx_endpoint_poll_event() */
	size_t len;                        /**< bytes at data */
	struct plx_addr previous, current; /**< PEER_ADDRESS */
	struct plx_close_info why;         /**< CLOSED */
};

/** A packet to send: one datagram, or with segment_len several behind each other. */
struct plx_endpoint_packet {
	struct plx_path path; /**< from local to remote */
	uint32_t len;         /**< bytes */
	uint16_t
	        segment_len; /**< 0 one datagram; else each has this many bytes, the last may
				 have fewer. Always below len (S1-8) */
	uint8_t ecn;         /**< the two ECN bits to send with */
};

/** A growing buffer; zeroed = empty. base comes from realloc(): give it back with free(). */
struct plx_endpoint_buf {
	uint8_t *base;
	size_t len; /**< bytes used */
	size_t cap;
};

/**
 * plx_endpoint_datagram() walks the datagrams of a packet (S1-7).
 *
 * @param buf  bytes of the packet
 * @param off  [in,out] 0 at first
 * @param len  [out] bytes of the datagram
 * @return its first byte, NULL at the end; an empty packet has none
 * Thread: any. Owns: nothing. Errors: none.
 */
static inline const uint8_t *
plx_endpoint_datagram(const struct plx_endpoint_packet *pkt, const uint8_t *buf,
                      uint32_t *off, uint32_t *len)
{
	uint32_t at = *off, left = pkt->len > at ? pkt->len - at : 0;

	if (left == 0)
		return NULL;
	*len = pkt->segment_len > 0 && pkt->segment_len < left ? pkt->segment_len : left;
	*off = at + *len;
	return buf + at;
}

/* clang-format off */
/**
 * Numbers of a connection: name, sentence. Those that the protocol library neither gives nor
 * lets us count have no bit in plx_endpoint_stats.valid, ever; docs/limits.md says why.
 */
#define PLX_ENDPOINT_STAT_LIST(X)                                                              \
	X(rtt_ns,            "smoothed round-trip time, ns; valid from the first sample")      \
	X(rtt_latest_ns,     "latest round-trip time, ns; valid from the first sample")        \
	X(rtt_min_ns,        "least round-trip time, ns; valid from the first sample")         \
	X(rtt_var_ns,        "mean deviation of the round-trip time, ns; from the first sample") \
	X(cwnd,              "congestion window, bytes")                                       \
	X(ssthresh,          "slow start threshold, bytes; valid once slow start ended")       \
	X(bytes_in_flight,   "bytes sent and not acknowledged")                                \
	X(mtu,               "UDP payload that the path takes, bytes")                         \
	X(sent_packets,      "QUIC packets sent")                                              \
	X(sent_bytes,        "bytes of these")                                                 \
	X(recv_packets,      "QUIC packets received, discarded ones not counted")              \
	X(recv_bytes,        "bytes of these")                                                 \
	X(lost_packets,      "QUIC packets taken for lost, MTU probes not counted")            \
	X(lost_bytes,        "bytes of these")                                                 \
	X(discarded_packets, "QUIC packets discarded: duplicates, forgeries")                  \
	X(udp_tx_datagrams,  "UDP datagrams put into the send queue")                          \
	X(udp_tx_bytes,      "bytes of these")                                                 \
	X(udp_tx_ios,        "entries of the send queue they make; one send call each")        \
	X(udp_rx_datagrams,  "UDP datagrams fed")                                              \
	X(udp_rx_bytes,      "bytes of these")                                                 \
	X(udp_rx_ios,        "plx_endpoint_feed() calls that brought them")                    \
	X(frame_rx_ping,     "PING frames received")                                           \
	X(frame_tx_datagram, "DATAGRAM frames sent")                                           \
	X(frame_rx_datagram, "DATAGRAM frames received")                                       \
	X(datagrams_dropped, "DATAGRAMs dropped here, oldest first, in both directions")       \
	X(path_changes,      "addresses that the peer changed to")                             \
	X(congestion_events, "congestion events; not available")                               \
	X(black_holes,       "black holes found; not available")                               \
	X(pmtud_sent,        "MTU probes sent; not available")                                 \
	X(pmtud_lost,        "MTU probes lost; not available")                                 \
	X(frame_tx_other,    "other frames sent, by type; not available")                      \
	X(frame_rx_other,    "other frames received, by type; not available")
/* clang-format on */

enum plx_endpoint_stat {
#define PLX_ENDPOINT_STAT_ENUM(name, text) PLX_EP_STAT_##name,
	PLX_ENDPOINT_STAT_LIST(PLX_ENDPOINT_STAT_ENUM)
#undef PLX_ENDPOINT_STAT_ENUM
	        PLX_EP_STAT_CNT
};

/** A copy. val[i] says something only if bit i of valid is set; it is 0 otherwise. */
struct plx_endpoint_stats {
	uint64_t valid;
	uint64_t val[PLX_EP_STAT_CNT];
};

/**
 * plx_endpoint_spent_new() makes a register of used tickets for endpoints that take each other's
 * early data (one a worker, say), plx_endpoint_spent_free() ends it, after them.
 *
 * @param places  a power of two, 64..2^28, four bytes each: about as many tickets as are out at a
 *                time; a used ticket may make one that is so much older look used
 * @return NULL: no memory, or places out of range
 * Thread: any; endpoints on several threads may share it. Owns: the caller. Errors: as returned.
 */
PLX_API struct plx_spent *plx_endpoint_spent_new(uint32_t places) PLX_ANY_THREAD;
PLX_API void plx_endpoint_spent_free(struct plx_spent *spent) PLX_ANY_THREAD;

/** plx_endpoint_stat_name() is a name of the list, "?" outside. Thread: any. Errors: none. */
PLX_API const char *plx_endpoint_stat_name(enum plx_endpoint_stat s) PLX_ANY_THREAD;

/** plx_endpoint_ev_name() is the name of an event, "?" outside. Thread: any. Errors: none. */
PLX_API const char *plx_endpoint_ev_name(enum plx_endpoint_ev e) PLX_ANY_THREAD;

/* Life. */

/**
 * plx_endpoint_new() makes an endpoint, plx_endpoint_free() ends it: connections are dropped
 * without a word to their peers (close them first), events and packets that wait are lost.
 *
 * @param err  [out] one sentence for the operator when a certificate or key is refused
 * @return 0, PLX_E_CONFIG a value out of range, PLX_E_CERT, PLX_E_TLS, PLX_E_NOMEM
 * Thread: the owner to be. Owns: the caller owns *out; cfg is copied. Errors: as returned, *out
 * is NULL then.
 */
PLX_API int plx_endpoint_new(struct plx_endpoint **out, const struct plx_endpoint_cfg *cfg,
                             char *err, size_t err_sz) PLX_ON_MAIN;
PLX_API void plx_endpoint_free(struct plx_endpoint *ep) PLX_ON_MAIN;

/* Driving. */

/**
 * plx_endpoint_feed() takes a datagram that arrived.
 *
 * @param path  remote it came from; local it came to (family 0 = cfg.local)
 * @param ecn   the two ECN bits of its IP header
 * Thread: the owner. Owns: data may be reused on return. Errors: none; what is refused is dropped
 * and counted.
 */
PLX_API void plx_endpoint_feed(struct plx_endpoint *ep, uint64_t now_ns,
                               const uint8_t *data, size_t len, const struct plx_path *path,
                               uint8_t ecn) PLX_ON_WORKER;

/** plx_endpoint_timers() fires every timer that is due, once. Thread: the owner. Errors: none. */
PLX_API void plx_endpoint_timers(struct plx_endpoint *ep, uint64_t now_ns) PLX_ON_WORKER;

/** plx_endpoint_deadline() is when the next timer is due, ns; PLX_TIME_NEVER: none. O(1). */
PLX_API uint64_t plx_endpoint_deadline(const struct plx_endpoint *ep) PLX_ON_WORKER;

/**
 * plx_endpoint_flush() writes the packets of all connections until nothing can be sent now or
 * the send queue is full. Nothing happens inside a batch.
 * Thread: the owner. Owns: nothing. Errors: none.
 */
PLX_API void plx_endpoint_flush(struct plx_endpoint *ep, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_endpoint_batch_begin() defers all packets, also those that only acknowledge, until the
 * plx_endpoint_batch_end() that ends the outermost scope: what many calls and datagrams ask for
 * then shares packets. Events are not deferred, nor are answers that need no connection.
 * An end without a begin does nothing (S1-9, S1-10).
 * Thread: the owner. Owns: nothing. Errors: none.
 */
PLX_API void plx_endpoint_batch_begin(struct plx_endpoint *ep) PLX_ON_WORKER;
PLX_API void plx_endpoint_batch_end(struct plx_endpoint *ep, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_endpoint_poll_event() takes the next event, in the order in which they happened. An event
 * of a stream or connection that repeats before it was taken is reported once.
 *
 * @param ev  [out] PLX_EP_NONE when false
 * @return false: there is none
 * Thread: the owner. Owns: ev->data as said there. Errors: none.
 */
PLX_API bool plx_endpoint_poll_event(struct plx_endpoint *ep, struct plx_endpoint_event *ev)
        PLX_ON_WORKER;

/**
 * plx_endpoint_poll_packet() takes the next packet, first in, first out. It makes no new ones:
 * after the queue was full, call plx_endpoint_flush().
 *
 * @param buf  room; plx_endpoint_packet_max() bytes take every packet
 * @param pkt  [out]
 * @return 1; 0 there is none; PLX_E_TOO_LARGE: it needs pkt->len bytes and stays in the queue
 * Thread: the owner. Owns: buf is the caller's. Errors: as returned.
 */
PLX_API int plx_endpoint_poll_packet(struct plx_endpoint *ep, uint8_t *buf, size_t cap,
                                     struct plx_endpoint_packet *pkt) PLX_ON_WORKER;

/** plx_endpoint_packet_max() is the longest packet this endpoint makes, bytes. Thread: any. */
PLX_API size_t plx_endpoint_packet_max(const struct plx_endpoint *ep) PLX_ANY_THREAD;

/* Connections. */

/**
 * plx_endpoint_connect() starts a connection. PLX_EP_CONNECTED or PLX_EP_CLOSED follows.
 *
 * @param path  remote; local with family 0 is cfg.local
 * @param name  server name, sent as SNI and verified; at most 255 bytes
 * @param id    [out]
 * @return 0, PLX_E_CLOSED no client role, PLX_E_FULL no slot, PLX_E_INVAL, PLX_E_NOMEM, PLX_E_TLS
 * Thread: the owner. Owns: strings are copied. Errors: as returned, no event follows then.
 */
PLX_API int plx_endpoint_connect(struct plx_endpoint *ep, uint64_t now_ns,
                                 const struct plx_path *path, const char *name,
                                 struct plx_conn_id *id) PLX_ON_WORKER;

/**
 * plx_endpoint_resume() is plx_endpoint_connect() with a session ticket of an earlier connection to
 * the same name. Use each ticket once: two uses can be told to be of one client.
 *
 * With early, streams may be opened and written at once, and datagrams sent: they go out under
 * 0-RTT keys with the first packets (plx_endpoint_has_0rtt() says if there are such keys). Send only
 * what does no harm when somebody sends it again. If the server does not take it,
 * PLX_EP_ZERO_RTT_REJECTED follows PLX_EP_CONNECTED: what was sent is lost, all streams are gone
 * and their numbers begin anew; open them and send again.
 *
 * @param ticket  data and len of PLX_EP_TICKET, as they were. Bytes that are no ticket, or one of
 *                another name or protocol, or had without the verification that is asked for now,
 *                are not used
 * Thread: the owner. Owns: the bytes stay the caller's. Errors: as of plx_endpoint_connect().
 */
PLX_API int plx_endpoint_resume(struct plx_endpoint *ep, uint64_t now_ns,
                                const struct plx_path *path, const char *name,
                                const void *ticket, size_t len, bool early,
                                struct plx_conn_id *id) PLX_ON_WORKER;

/**
 * plx_endpoint_close() closes with an application code. PLX_EP_CLOSED with PLX_CLOSE_LOCAL is
 * queued before it returns, and CONNECTION_CLOSE unless a batch or a full queue defers it. The
 * slot stays in use for three probe timeouts. A stale handle and a second call do nothing.
 *
 * @param reason  text for the peer, may be NULL; at most 117 bytes are used
 * Thread: the owner. Owns: reason stays the caller's. Errors: none.
 */
PLX_API void plx_endpoint_close(struct plx_endpoint *ep, struct plx_conn_id id,
                                uint32_t code, const char *reason) PLX_ON_WORKER;

/**
 * Getters. They answer as long as the slot is in use, also while the connection drains, except
 * plx_endpoint_remote().
 *
 *   plx_endpoint_get_stats()       0, PLX_E_STALE
 *   plx_endpoint_remote()          false: stale or draining
 *   plx_endpoint_hello()           name and protocol; 0, PLX_E_STALE, PLX_E_AGAIN not known
 *                                  yet. The strings are copied, terminated, cut to fit
 *   plx_endpoint_resumed()         with a ticket, no certificate was shown. False where stale
 *   plx_endpoint_has_0rtt()        0-RTT keys existed. False where stale
 *   plx_endpoint_accepted_0rtt()   client: and the server took the data. False where stale
 *   plx_endpoint_datagram_max()    largest payload now, bytes; -1: stale, off, or the peer
 *                                  takes none
 *   plx_endpoint_datagram_space()  bytes free in the send buffer; -1: stale
 *   plx_endpoint_conn_cnt()        slots in use, draining ones included
 *   plx_endpoint_send_queue_len()  packets that wait
 *
 * Thread: the owner. Owns: nothing. Errors: as said.
 */
PLX_API int plx_endpoint_get_stats(struct plx_endpoint *ep, struct plx_conn_id id,
                                   struct plx_endpoint_stats *out) PLX_ON_WORKER;
PLX_API bool plx_endpoint_remote(struct plx_endpoint *ep, struct plx_conn_id id,
                                 struct plx_addr *out) PLX_ON_WORKER;
PLX_API int plx_endpoint_hello(struct plx_endpoint *ep, struct plx_conn_id id, char *name,
                               size_t name_sz, char *alpn, size_t alpn_sz) PLX_ON_WORKER;
PLX_API bool plx_endpoint_resumed(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
PLX_API bool plx_endpoint_has_0rtt(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
PLX_API bool plx_endpoint_accepted_0rtt(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
PLX_API int64_t plx_endpoint_datagram_max(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
PLX_API int64_t plx_endpoint_datagram_space(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
PLX_API uint32_t plx_endpoint_conn_cnt(const struct plx_endpoint *ep) PLX_ON_WORKER;
PLX_API uint32_t plx_endpoint_send_queue_len(const struct plx_endpoint *ep) PLX_ON_WORKER;

/* Streams. A stream stays known until it ended both ways and the owner knows: read each to its
 * end, or stop it; the peer gets room for another one then. */

/**
 * plx_endpoint_open() opens a stream.
 *
 * @return its id >= 0; PLX_E_STREAM_LIMIT: none now, which is no fault: PLX_EP_STREAMS_AVAILABLE
 *         follows once there is one; PLX_E_STALE, PLX_E_NOMEM
 * Thread: the owner. Owns: nothing. Errors: as returned.
 */
PLX_API int64_t plx_endpoint_open(struct plx_endpoint *ep, struct plx_conn_id id, bool bidi)
        PLX_ON_WORKER;

/**
 * plx_endpoint_stream_send() copies bytes into the stream's send buffer, sendv() those of
 * several pieces: pieces taken whole become empty, one taken in part keeps its tail.
 *
 * @param code  [out] with PLX_E_STREAM_STOPPED: the peer's code; may be NULL
 * @return bytes taken, 0..len, fewer than len when cfg.send_window bytes are not acknowledged.
 *         PLX_E_BLOCKED: none now, PLX_EP_STREAM_WRITABLE follows. PLX_E_CLOSING: the peer or an
 *         error ended the connection and PLX_EP_CLOSED waits to be polled: do not try again.
 *         PLX_E_STREAM_STOPPED, PLX_E_STREAM_CLOSED finished, reset or unknown, PLX_E_STALE,
 *         PLX_E_NOMEM nothing was taken
 * Thread: the owner. Owns: bytes stay the caller's. Errors: as returned.
 */
PLX_API int64_t plx_endpoint_stream_send(struct plx_endpoint *ep, struct plx_conn_id id,
                                         int64_t stream_id, const void *data, size_t len,
                                         uint64_t *code) PLX_ON_WORKER;
PLX_API int64_t plx_endpoint_stream_sendv(struct plx_endpoint *ep, struct plx_conn_id id,
                                          int64_t stream_id, struct plx_iov *iov,
                                          uint16_t cnt, uint64_t *code) PLX_ON_WORKER;

/**
 * plx_endpoint_stream_recv() copies received bytes out, in order; recv_into() appends them to a
 * buffer that grows, at most max.
 *
 * @param fin   [out] the end was reached by this call. Bytes that fill buf to the last one do not
 *              show it: the next call gives 0 and fin
 * @param code  [out] with PLX_E_STREAM_RESET: the peer's code; may be NULL
 * @return bytes; 0 without fin: nothing is there. PLX_E_STREAM_RESET: the peer reset the stream,
 *         and all that came before was read. PLX_E_STREAM_CLOSED: unknown, read to its end or
 *         stopped; PLX_E_STALE; recv_into() also PLX_E_NOMEM, nothing was read then
 * Thread: the owner. Owns: buf is the caller's. Errors: as returned.
 */
PLX_API int64_t plx_endpoint_stream_recv(struct plx_endpoint *ep, struct plx_conn_id id,
                                         int64_t stream_id, void *buf, size_t len,
                                         bool *fin, uint64_t *code) PLX_ON_WORKER;
PLX_API int64_t plx_endpoint_stream_recv_into(struct plx_endpoint *ep,
                                              struct plx_conn_id id, int64_t stream_id,
                                              struct plx_endpoint_buf *buf, size_t max,
                                              bool *fin, uint64_t *code) PLX_ON_WORKER;

/**
 * plx_endpoint_stream_finish() ends our side behind what was sent; reset() ends it at once;
 * stop() asks the peer to end its side and drops what was received.
 *
 * @param code  finish: [out] with PLX_E_STREAM_STOPPED the peer's code, may be NULL; reset,
 *              stop: application error code for the peer
 * @return 0, PLX_E_STREAM_STOPPED the peer had stopped it (finish), PLX_E_STREAM_CLOSED that side
 *         is over already, or is not ours to end; PLX_E_STALE
 * Thread: the owner. Owns: nothing. Errors: as returned.
 */
PLX_API int plx_endpoint_stream_finish(struct plx_endpoint *ep, struct plx_conn_id id,
                                       int64_t stream_id, uint64_t *code) PLX_ON_WORKER;
PLX_API int plx_endpoint_stream_reset(struct plx_endpoint *ep, struct plx_conn_id id,
                                      int64_t stream_id, uint64_t code) PLX_ON_WORKER;
PLX_API int plx_endpoint_stream_stop(struct plx_endpoint *ep, struct plx_conn_id id,
                                     int64_t stream_id, uint64_t code) PLX_ON_WORKER;

/* Datagrams. */

/**
 * plx_endpoint_send_datagram() queues a DATAGRAM (RFC 9221) and sends what can be sent.
 *
 * @param drop_old  no room: drop the oldest ones that wait, until it fits
 * @return 0, PLX_E_BLOCKED no room (nothing was taken, data is still the caller's;
 *         PLX_EP_DATAGRAMS_UNBLOCKED follows), PLX_E_DISABLED by our configuration,
 *         PLX_E_UNSUPPORTED by the peer or not known yet, PLX_E_TOO_LARGE above
 *         plx_endpoint_datagram_max() or the send buffer, PLX_E_STALE, PLX_E_NOMEM
 * Thread: the owner. Owns: data is copied. Errors: as returned.
 */
PLX_API int plx_endpoint_send_datagram(struct plx_endpoint *ep, struct plx_conn_id id,
                                       const void *data, size_t len, bool drop_old)
        PLX_ON_WORKER;

#ifdef __cplusplus
}
#endif

#endif
