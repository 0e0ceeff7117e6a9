/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The QUIC endpoint of one worker, sans-IO: datagrams in, packets out, time and randomness from
 * the caller. It needs no DPDK; thousands of them run in one thread in virtual time.
 *
 * Path:    nic -> net -> steer -> [quic] -> stream -> app
 * Before:  plx_steer_burst()      After: struct plx_app of the connection
 * Threads: one owner; nothing here is shared but the read-only struct plx_tls.
 * Memory:  connections are slots of an array made at init; ngtcp2 allocates from the
 *          endpoint's slab; OpenSSL from the heap, during handshakes only.
 * Spec:    RFC 9000, 9001, 9002, 9369, 9221; rows S1-1 ..
 *
 * One turn of a user:
 *
 *   1. plx_steer_burst(), then plx_quic_rx_burst() with what is ours   whole burst first:
 *                                                                      one ACK per burst
 *   2. plx_quic_timers_run()
 *   3. plx_quic_tx_burst() until it returns 0 or buffers run out
 *   4. sleep until plx_quic_deadline()
 *
 * The clock is an argument everywhere, ns; a value below the last one is taken as the last one.
 */
#ifndef PLX_QUIC_H
#define PLX_QUIC_H

#include <plx/app.h>
#include <plx/conn.h>
#include <plx/err.h>
#include <plx/types.h>

#include "plx_crypt.h"
#include "plx_dgram.h"
#include "plx_mem.h"
#include "plx_obs.h"
#include "plx_rand.h"
#include "plx_steer.h"

struct plx_quic;
struct plx_tls;

/** Protocols an endpoint speaks: ALPN name -> inline application. First match of ours wins. */
struct plx_proto {
	const char *alpn;          /**< "h3", "hq-interop", …; 1..15 bytes, terminated */
	const struct plx_app *app; /**< functions */
	void *arg;                 /**< first argument of on_conn_established */
};

enum plx_cc {
	PLX_CC_CUBIC = 0,
	PLX_CC_RENO,
	PLX_CC_BBR,
};

enum plx_retry {
	PLX_RETRY_OFF = 0,
	PLX_RETRY_ON,
	PLX_RETRY_AUTO, /**< on while more than retry_half_open handshakes are open */
};

/** Settings of an endpoint. plx_quic_cfg_init() gives the defaults named here. */
struct plx_quic_cfg {
	uint32_t conns_max;      /**< connection slots, default 4096; 1..2^24-2 */
	uint32_t handshakes_max; /**< half-open server connections at most, default 1024 */
	uint32_t
	        handshake_timeout_ms; /**< default 10000; 0 is refused (S0-1, reliability 0.2) */
	uint32_t idle_timeout_ms;  /**< default 30000 (S0-2) */
	uint32_t keep_alive_ms;    /**< PING after this much silence; 0 = off, default 0 */
	uint64_t max_data;         /**< connection receive window, bytes, default 16 MiB */
	uint64_t max_stream_data;  /**< stream receive window, bytes, default 4 MiB */
	uint32_t max_streams_bidi; /**< peer's, default 256 */
	uint32_t max_streams_uni;  /**< peer's, default 16 (HTTP/3 needs 3) */
	uint16_t
	        max_tx_udp_payload; /**< bytes, default 1452, 1200..1472 over a 1500 B MTU */
	uint16_t max_datagram_frame; /**< bytes, 0 = DATAGRAM off (default) */
	uint16_t
	        ack_thresh; /**< packets; default 2, the burst rule makes it one per burst */
	bool pmtud;         /**< default off; see max_tx_udp_payload */
	bool migration;     /**< clients may change address; default on */
	bool no_pacing;     /**< default off */
	uint8_t cc;         /**< enum plx_cc */
	uint8_t retry;      /**< enum plx_retry */
	uint32_t retry_half_open; /**< default 100 */
	uint32_t initial_rtt_ms;  /**< default 333 */
	size_t slab_limit; /**< bytes for ngtcp2 and streams, default conns_max * 48 KiB */
	size_t slab_ready; /**< of these, bytes whose pages are there from the start, with those of
			       all tables; default 0: pages come with their first use */
	int node;          /**< NUMA node, -1 none */
	bool server; /**< accept connections */
	bool qlog;   /**< reserved for the sampled qlog sink; default off */
	/** Client that keeps tickets (plx_tls_cfg): how many of the newest serve later dials that
	 *  bring none, each once, up to 8 KiB of the slab for each; default 0 */
	uint16_t tickets_kept;
	uint8_t token_key[32]; /**< Retry and NEW_TOKEN tokens; all zero = random */
};

struct plx_conn;

/** Moments of a connection that its application is not told of. Members may be NULL. */
struct plx_quic_watch {
	/** Server: name and protocol of the client are known, the handshake goes on. */
	void (*on_hello)(void *arg, struct plx_conn *c, const char *sni, const char *alpn);
	/** Client that keeps tickets: one came. The bytes are for plx_quic_dial.ticket, as they
	 *  are; they are secret, and valid until this returns. */
	void (*on_ticket)(void *arg, struct plx_conn *c, const uint8_t *ticket, size_t len);
	/** The slot is free from here on; nothing may be asked of c but its handle. */
	void (*on_free)(void *arg, struct plx_conn *c);
};

/** What an endpoint is given; all outlive it. */
struct plx_quic_deps {
	struct plx_steer *steer;
	struct plx_crypt *crypt;
	struct plx_obs *obs;
	struct plx_rand *rand;
	struct plx_tls *tls_server;    /**< NULL when cfg.server is false */
	struct plx_tls *tls_client;    /**< NULL when the endpoint never dials */
	const struct plx_proto *proto; /**< entries, in order of preference */
	uint16_t proto_cnt;
	uint8_t worker;                     /**< number in handles */
	const struct plx_quic_watch *watch; /**< NULL = nobody looks */
	void *watch_arg;
};

void plx_quic_cfg_init(struct plx_quic_cfg *cfg) PLX_ANY_THREAD;

/** Versions of the libraries that run, "1.22.1" and "3.5.5"; constants. Thread: any. */
const char *plx_quic_ngtcp2(void) PLX_ANY_THREAD;
const char *plx_quic_openssl(void) PLX_ANY_THREAD;

/**
 * plx_quic_new() makes an endpoint, plx_quic_free() ends it: open connections are closed
 * without a word to the peer, on_conn_closed is called for each.
 *
 * @return 0, PLX_E_CONFIG, PLX_E_NOMEM
 * Thread: main before the worker starts and after it stopped. Owns: caller owns *out.
 * Errors: as returned.
 */
int plx_quic_new(struct plx_quic **out, const struct plx_quic_cfg *cfg,
                 const struct plx_quic_deps *deps) PLX_ON_MAIN;
void plx_quic_free(struct plx_quic *q) PLX_ON_MAIN;

/**
 * plx_quic_rx_burst() feeds datagrams with verdict CONN, NEW or RESET; others are ignored.
 * Consecutive datagrams of one connection are fed in arrival order. Nothing is written: ACKs
 * wait for plx_quic_tx_burst().
 *
 * @param cnt  1..PLX_BURST_MAX
 * Thread: the owner. Owns: the bytes stay the caller's and may be reused on return.
 * Errors: none; every refusal is one drop reason.
 */
void plx_quic_rx_burst(struct plx_quic *q, struct plx_dgram *dg, uint16_t cnt,
                       uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_quic_tx_burst() writes packets into the buffers given, connections in rotation, at most
 * one burst per connection and call. Stateless answers go first.
 *
 * @param out  buffers, at least max_tx_udp_payload bytes each
 * @param cnt  1..PLX_BURST_MAX
 * @return packets written, 0..cnt; fewer than cnt means that nothing more can be sent now
 * Thread: the owner. Owns: buffers stay the caller's. Errors: none.
 */
uint16_t plx_quic_tx_burst(struct plx_quic *q, struct plx_txpkt *out, uint16_t cnt,
                           uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_quic_too_big() takes note of a router's word that packets of a path are too large: the
 * connections on exactly that path send no more than udp_max, until their path changes. Anybody
 * can send such a word, so it never goes below 1200 bytes and never raises anything, and at most
 * one in 10 ms is looked at.
 *
 * @param udp_max  UDP payload that fits, bytes
 * Thread: the owner. Owns: nothing. Errors: none.
 * Spec:   RFC 9000 section 14.2.1, RFC 8899
 */
void plx_quic_too_big(struct plx_quic *q, const struct plx_path *path, uint16_t udp_max,
                      uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_quic_set_down() says which ports of the worker have no link. Connections on them write
 * nothing but their end, and only the timers that end them fire: loss recovery does not back off
 * against a wire that carries nothing. When a port is back each of its connections sends a probe
 * or a PING at once, some 64,000 connections a second; the time counts in plx_quic_deadline().
 *
 * @param ports  bit p: struct plx_tx_path.port == p + 1
 * @param all    no port has a link: also those not looked up yet (port 0) wait
 * Thread: the owner. Owns: nothing. Errors: none.
 * Spec:   RFC 9002 section 6.2; docs/adr/0008
 */
void plx_quic_set_down(struct plx_quic *q, uint32_t ports, bool all, uint64_t now_ns)
        PLX_ON_WORKER;

/** plx_quic_timers_run() fires what is due. @return timers fired. Thread: the owner. */
uint32_t plx_quic_timers_run(struct plx_quic *q, uint64_t now_ns) PLX_ON_WORKER;

/** plx_quic_deadline() is when the next timer is due, ns; PLX_TIME_NEVER if none. O(1). */
uint64_t plx_quic_deadline(const struct plx_quic *q) PLX_ON_WORKER;

/** plx_quic_has_tx() says whether a connection waits for a write turn. Thread: the owner. */
bool plx_quic_has_tx(const struct plx_quic *q) PLX_ON_WORKER;

struct plx_quic_dial {
	struct plx_path path;  /**< local with port; both complete */
	const char *sni;       /**< name, at most 255 bytes */
	const char *alpn;      /**< one of the endpoint's protocols */
	bool verify;           /**< certificate against trust store and sni */
	uint32_t handshake_ms; /**< 0 = cfg.handshake_timeout_ms */
	uint64_t user;         /**< plx_conn_user() */
	/** Called once if the handshake fails (then on_conn_established never is). */
	void (*on_failed)(void *arg, uint64_t user, const struct plx_close_info *why);
	void *on_failed_arg;
	/** A ticket of an earlier connection to the same name, NULL none. One that does not fit,
	 *  or is no ticket, is not used; whether the server takes it is its own choice. */
	const uint8_t *ticket;
	size_t ticket_len;
	bool early; /**< send 0-RTT data, if ticket and application allow it (plx_app) */
};

/**
 * plx_quic_dial() starts a client connection. Exactly one of on_conn_established (of the ALPN's
 * application) and on_failed follows, never from inside this call; on_conn_early may come from
 * inside it.
 *
 * @param id  [out] handle
 * @return 0, PLX_E_FULL no slot, PLX_E_INVAL, PLX_E_NOMEM, PLX_E_TLS
 * Thread: the owner. Owns: strings are copied. Errors: as returned, nothing follows then.
 */
int plx_quic_dial(struct plx_quic *q, const struct plx_quic_dial *d, uint64_t now_ns,
                  struct plx_conn_id *id) PLX_ON_WORKER;

/** plx_quic_find() gives the connection of a handle, NULL when stale. Thread: the owner. */
struct plx_conn *plx_quic_find(struct plx_quic *q, struct plx_conn_id id) PLX_ON_WORKER;

/**
 * plx_quic_next() gives the first connection at slot *slot or behind it, below slot `end`, and
 * moves *slot behind it (behind all that it looked at, if there is none). plx_quic_state_name() is
 * the state it is in, a constant: "OPEN".
 * Thread: the owner. Owns: nothing. Errors: NULL: none there.
 */
struct plx_conn *plx_quic_next(struct plx_quic *q, uint32_t *slot, uint32_t end)
        PLX_ON_WORKER;
const char *plx_quic_state_name(const struct plx_conn *c) PLX_ON_WORKER;

/** plx_quic_conn_cnt() counts slots in use, draining ones included (S1-63). */
uint32_t plx_quic_conn_cnt(const struct plx_quic *q) PLX_ON_WORKER;

/** plx_quic_slab() is the endpoint's allocator, for applications on the same worker. */
struct plx_slab *plx_quic_slab(struct plx_quic *q) PLX_ON_WORKER;

/**
 * plx_quic_drain() refuses new connections from now on (S0-34); existing ones go on.
 * plx_quic_close_all() closes every connection with an application code.
 * Thread: the owner. Owns: nothing. Errors: none.
 */
void plx_quic_drain(struct plx_quic *q) PLX_ON_WORKER;
void plx_quic_close_all(struct plx_quic *q, uint64_t code) PLX_ON_WORKER;

/**
 * plx_quic_abort_all() ends every connection at once and without a word to the peer:
 * on_conn_closed (or on_failed) is called for each, slots are freed. plx_quic_free() does it
 * too; a worker calls it first, while the users of the slab still exist.
 * Thread: the owner. Owns: nothing. Errors: none.
 */
void plx_quic_abort_all(struct plx_quic *q) PLX_ON_WORKER;

#endif
