/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside engine/quic: endpoint and connection, and what its files offer each other.
 *
 * Path:    nic -> net -> steer -> [quic] -> stream -> app
 * Threads: the worker that owns the endpoint.
 * Memory:  connections are slots of one region made at init; what a connection needs beyond its
 *          slot comes from the endpoint's slab and goes back when it closes.
 *
 *     plx_quic.c       endpoint: memory, slots, rotation list
 *     plx_open.c       how connections begin: accept and dial
 *     plx_rx.c         receive bursts
 *     plx_tx.c         transmit bursts
 *     plx_conn.c       connection: ngtcp2's callbacks, what applications may call
 *     plx_close.c      connection: how it ends
 *     plx_path.c       addresses of ngtcp2 and ours
 *     plx_stateless.c  answers without a connection: version negotiation, Retry, reset, refusal
 *     plx_srt.c        stateless reset tokens of peers
 *     plx_kept.c       tickets that a client keeps for later dials
 *     plx_stop.c       STOP_SENDING, which ngtcp2 does not report
 *     plx_timer.c      heap of deadlines
 *     plx_hold.c       connections whose port has no link
 *     plx_protect.c    packet protection: ngtcp2's callbacks on engine/crypt
 *     plx_tls*.c       TLS
 */
#ifndef PLX_QUIC_PVT_H
#define PLX_QUIC_PVT_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "plx_bug.h"
#include "plx_quic.h"
#include "plx_tls_pvt.h"

/*
 * Life of a slot:
 *
 *     FREE --accept, dial--> HANDSHAKE --complete--> OPEN
 *                                |                    |
 *                                +---- we close ------+--> CLOSING --3 PTO--> FREE
 *                                +---- peer closes ---+--> DRAINING -3 PTO--> FREE
 *                                +---- timeout -------+-------------------> FREE
 */
/* clang-format off */
#define PLX_CONN_STATE_LIST(X)                                                                 \
	X(FREE,      "no connection")                                                          \
	X(HANDSHAKE, "handshake in progress")                                                  \
	X(OPEN,      "established")                                                            \
	X(CLOSING,   "we closed; the close packet answers what still arrives")                 \
	X(DRAINING,  "the peer closed; nothing is sent")
/* clang-format on */

enum plx_conn_state {
#define PLX_CONN_STATE_ENUM(name, text) PLX_CONN_##name,
	PLX_CONN_STATE_LIST(PLX_CONN_STATE_ENUM)
#undef PLX_CONN_STATE_ENUM
	        PLX_CONN_STATE_CNT
};

/** Paths of a connection: the current one, and two more while addresses are validated. */
#define PLX_CONN_PATHS 3

/** Reset tokens of a peer that are kept: one for each destination ID in use. */
#define PLX_CONN_TOKENS 4

/** Not in the heap of deadlines. */
#define PLX_HEAP_NONE UINT32_MAX

/** IDs of one connection at most: the sequence number has 16 bits. */
#define PLX_CID_SEQ_MAX UINT16_MAX

/** An address pair in both forms. */
struct plx_conn_path {
	struct plx_tx_path tx;  /**< what engine/net sends by */
	ngtcp2_path_storage ps; /**< the same for ngtcp2 */
	uint16_t udp_max; /**< a router said that no more fits, bytes; 0 = nobody did */
};

struct plx_conn {
	/* First line: written and read with each packet. */
	ngtcp2_conn *nc; /**< NULL in FREE, CLOSING, DRAINING */
	struct plx_quic *q;
	const struct plx_app *app; /**< NULL until established */
	void *ctx;
	struct plx_conn *tx_next,
	        *tx_prev;   /**< rotation list of those that want to write */
	uint64_t expiry_ns; /**< deadline; PLX_TIME_NEVER = none */
	uint32_t heap_idx;  /**< place in the heap, PLX_HEAP_NONE */
	uint32_t slot;

	/* Second and third: read with each packet, written when an address changes. */
	uint32_t gen;      /**< of the handle; its low 16 bits stand in connection IDs */
	int app_err;       /**< what an application's refusal while writing became */
	uint8_t state;     /**< enum plx_conn_state */
	bool in_tx;        /**< in the rotation list */
	bool close_wanted; /**< a CONNECTION_CLOSE is to be written */
	bool app_closed;   /**< on_conn_closed or on_failed was called */
	bool is_server;
	bool held;                 /**< its port has no link, it waits */
	uint8_t nudges;            /**< PINGs still to send since its link is back */
	bool tx_cut;               /**< blocked streams took all questions of one packet */
	bool got_reset;            /**< a stateless reset was recognised */
	bool early;                /**< 0-RTT keys exist, or will with the ClientHello */
	bool early_ok;             /**< client: and the server took the data */
	bool resumed;              /**< with a ticket: no certificate was shown */
	bool got_ticket;           /**< client: one came, more are not looked at */
	bool finished_due;         /**< client: complete, Finished not yet written */
	uint8_t path_next;         /**< entry of path[] that a new path takes, 1.. */
	struct plx_path rx_path;   /**< path of the last datagram */
	ngtcp2_path_storage rx_ps; /**< the same for ngtcp2 */
	struct plx_conn_path path[PLX_CONN_PATHS]; /**< [0] is the current one */

	/* Handshake and end. */
	struct plx_tls_sess
	        *tls; /**< NULL after the handshake, and the ticket waited for */
	const struct plx_suite *suite;
	uint8_t *close_pkt; /**< CLOSING: the packet that answers; from the slab */
	uint16_t close_len;
	uint32_t close_rx; /**< CLOSING: datagrams since the close */
	uint32_t
	        close_next; /**< CLOSING: the datagram that is answered next: 1, 2, 4, 8 .. */
	ngtcp2_ccerr ccerr; /**< what close_wanted writes */
	struct plx_close_info why;
	uint64_t srt[PLX_CONN_TOKENS]; /**< hashes of the peer's reset tokens, 0 = none */
	uint16_t cid_seq;              /**< IDs issued */
	uint8_t first_len; /**< server: client's first destination ID, in steering's table */
	uint8_t first_cid[NGTCP2_MAX_CIDLEN];
	uint8_t post_hdr[4]; /**< client: header of a TLS message after the handshake */
	uint8_t post_hdr_len;
	uint32_t post_left; /**< bytes of that message still to come */

	/* Cold. */
	uint64_t start_ns, handshake_ns;
	uint64_t hs_due_ns; /**< when the handshake must be complete */
	uint64_t
	        hold_end_ns; /**< held: when it ends if its link stays away; 0 = not known */
	uint64_t nudge_ns;   /**< when the next PING leaves */
	uint64_t path_changes;
	uint64_t user;
	void (*on_failed)(void *arg, uint64_t user, const struct plx_close_info *why);
	void *on_failed_arg;
	const struct plx_proto *proto; /**< chosen by ALPN */
	const char *cipher;            /**< OpenSSL's constant */
	char *sni;                     /**< from the slab, or NULL */
	uint32_t version;
	uint32_t free_next; /**< FREE: next slot of the list */
} PLX_CACHE_ALIGNED;
PLX_STATIC_ASSERT(offsetof(struct plx_conn, gen) == PLX_CACHE_LINE, "first line");
PLX_STATIC_ASSERT(offsetof(struct plx_conn, path) <= (size_t)PLX_CACHE_LINE * 4,
                  "hot part");
PLX_STATIC_ASSERT(sizeof(struct plx_conn) <= (size_t)PLX_CACHE_LINE * 24,
                  "what a slot costs");

/** A stateless answer that waits for a buffer. */
#define PLX_RESP_SZ  576 /**< version negotiation with two IDs of 255 bytes is the longest */
#define PLX_RESP_CNT 64

struct plx_resp {
	struct plx_tx_path tx;
	uint16_t len;
	uint8_t buf[PLX_RESP_SZ];
};

/**
 * First packets that came before the packet they continue: the second half of a ClientHello. They
 * wait here, not in a connection, because their address is not validated: the ring is all the
 * memory that such packets can take.
 */
#define PLX_EARLY_CNT     32
#define PLX_EARLY_LIFE_NS (3 * PLX_NS_PER_S)

struct plx_early {
	uint64_t at_ns; /**< 0 = empty */
	struct plx_path path;
	uint16_t len;
	uint8_t ecn;
	uint8_t cid_len;
	uint8_t cid[NGTCP2_MAX_CIDLEN];
	uint8_t data[1500];
};

/** STOP_SENDING frames of one packet that are reported; more come in no honest packet. */
#define PLX_STOP_MAX 32

struct plx_stop {
	int64_t stream_id;
	uint64_t code;
};

/** Tokens that refill with time, so many per second. */
struct plx_bucket {
	uint64_t last_ns;
	uint64_t step_ns; /**< time for one token */
	uint32_t tokens, burst;
};

/** To whom stateless resets went lately, by a hash of the address. */
#define PLX_RESET_SEEN_CNT 256

struct plx_reset_seen {
	uint64_t hash;
	uint64_t at_ns; /**< 0 = empty */
};

/** A peer's reset token, by its hash. */
struct plx_srt {
	uint64_t hash; /**< 0 = empty */
	uint32_t slot;
};

struct plx_heap_item {
	uint64_t when;
	uint32_t slot;
};

struct plx_quic {
	struct plx_quic_deps d;
	struct plx_quic_cfg cfg;
	uint64_t now;    /**< ns; never goes back */
	uint32_t down;   /**< bit p: port p of the worker has no link */
	bool down_all;   /**< no port has */
	uint64_t ptb_ns; /**< when the next packet-too-big message is looked at */
	struct plx_conn *conns;
	struct plx_conn *tx_head, *tx_tail;
	struct plx_heap_item *heap;
	uint32_t heap_cnt;
	uint32_t conn_cnt;             /**< slots in use */
	uint32_t half_open;            /**< server connections in the handshake */
	uint32_t free_head, free_tail; /**< FIFO of free slots, UINT32_MAX = empty */
	uint32_t back;        /**< ports whose link came back: their connections go on */
	bool back_all;        /**< and those that know no port yet */
	uint32_t resume_left; /**< slots still to look at for them */
	uint64_t resume_ns;   /**< when the next of them may go on */
	uint32_t retry_seq;
	bool draining;  /**< no new connections */
	bool mem_tight; /**< below the reserve for new connections */
	bool mem_out;   /**< below the reserve for datagrams */
	size_t reserve; /**< bytes */
	ngtcp2_mem mem;
	struct plx_slab *slab;
	struct plx_region region, heap_region, srt_region;
	struct plx_srt *srt;
	uint32_t srt_mask, srt_cnt;
	uint8_t srt_key[16];
	struct plx_reset_seen reset_seen[PLX_RESET_SEEN_CNT];
	struct plx_bucket reset_rate, vn_rate, refuse_rate;
	uint16_t resp_head, resp_cnt;
	struct plx_resp resp[PLX_RESP_CNT];
	const uint8_t *opened; /**< while a connection reads: the last 1-RTT payload */
	size_t opened_len;
	struct plx_conn
	        *stop_conn;      /**< while it reads: who wants to hear of STOP_SENDING */
	uint64_t stop_discarded; /**< its discarded packets when the first one was seen */
	uint16_t stop_cnt;
	struct plx_stop stop[PLX_STOP_MAX];
	struct plx_kept *kept; /**< cfg.tickets_kept of them, or NULL */
	uint64_t kept_cnt;
	uint32_t early_next;
	struct plx_early early[PLX_EARLY_CNT];
};

static inline struct plx_conn *
plx_quic_slot(struct plx_quic *q, uint32_t slot)
{
	return slot < q->cfg.conns_max ? &q->conns[slot] : NULL;
}

/* plx_quic.c */

/** Takes the slot that was free for longest; NULL: none. */
struct plx_conn *plx_slot_take(struct plx_quic *q) PLX_ON_WORKER;
/** Gives slot back; nc, tls and the rest must be gone. */
void plx_slot_free(struct plx_conn *c) PLX_ON_WORKER;
/** Puts c at the end of the rotation list, if it is not in it. */
void plx_tx_join(struct plx_conn *c) PLX_ON_WORKER;
void plx_tx_leave(struct plx_conn *c) PLX_ON_WORKER;

/** The caller's clock; it never goes back. */
static inline void
plx_quic_advance(struct plx_quic *q, uint64_t now_ns)
{
	if (plx_likely(now_ns > q->now))
		q->now = now_ns;
}

/* plx_open.c */

/** A datagram that belongs to no connection: may open one, or be answered statelessly. */
void plx_rx_first(struct plx_quic *q, const struct plx_dgram *dg) PLX_ON_WORKER;

/* plx_rx.c */

/** A datagram for a connection, in whatever state it is. */
void plx_rx_conn(struct plx_conn *c, const struct plx_dgram *dg) PLX_ON_WORKER;

/* plx_conn.c */

extern const ngtcp2_callbacks plx_client_callbacks, plx_server_callbacks;
/** What the drawing of states allows. */
bool plx_conn_may_follow(enum plx_conn_state from, enum plx_conn_state to) PLX_ANY_THREAD;
/** The one place where the state changes; a successor that the drawing lacks is a bug. */
void plx_conn_set_state(struct plx_conn *c, enum plx_conn_state to) PLX_ON_WORKER;
/** Next connection ID of c and its reset token. PLX_E_FULL: used up. */
int plx_conn_new_cid(struct plx_conn *c, ngtcp2_cid *cid, uint8_t token[16]) PLX_ON_WORKER;
/** Deadline from ngtcp2, or from TLS, into the heap. */
void plx_conn_rearm(struct plx_conn *c) PLX_ON_WORKER;

/** Lets the application use streams before the handshake is complete. @return 0, negative: no */
int plx_conn_begin_early(struct plx_conn *c) PLX_ON_WORKER;

/* plx_close.c */

/** ngtcp2 refused to go on with liberr: decide how the connection ends, tell the application. */
void plx_conn_fail(struct plx_conn *c, int liberr) PLX_ON_WORKER;
/** Writes the close that was asked for. @return bytes, 0 = nothing to send */
uint16_t plx_conn_write_close(struct plx_conn *c, struct plx_txpkt *out) PLX_ON_WORKER;
/** A datagram for a connection in CLOSING or DRAINING. */
void plx_conn_closed_rx(struct plx_conn *c, const struct plx_dgram *dg) PLX_ON_WORKER;
/** Tells the application, once. */
void plx_conn_notify(struct plx_conn *c) PLX_ON_WORKER;
/** Takes back a connection that its first packet did not open. */
void plx_conn_forget(struct plx_conn *c) PLX_ON_WORKER;
/** Frees all but the slot. */
void plx_conn_drop(struct plx_conn *c) PLX_ON_WORKER;
/** Drops everything and gives the slot back. */
void plx_conn_free(struct plx_conn *c) PLX_ON_WORKER;

/* plx_path.c */

void plx_path_to_ngtcp2(ngtcp2_path_storage *ps, const struct plx_path *p) PLX_ON_WORKER;
void plx_path_set(struct plx_conn_path *p, const struct plx_path *path) PLX_ON_WORKER;
/** plx_path_room() is the room of a packet on the current path: the buffer's, or less. */
size_t plx_path_room(const struct plx_conn *c, const struct plx_txpkt *out) PLX_ON_WORKER;

/** Entry of path[] for what ngtcp2 wrote to; makes one if need be. */
struct plx_tx_path *plx_path_of(struct plx_conn *c, const ngtcp2_path *np) PLX_ON_WORKER;
/** Takes over ngtcp2's current path, counting a change. */
void plx_path_sync(struct plx_conn *c) PLX_ON_WORKER;
/** Addresses that nobody may be answered at: RFC 9000 section 21.5, reliability B5, B6. */
bool plx_path_sane(const struct plx_path *p) PLX_ON_WORKER;
/** The peer's port is that of a UDP service which would answer our answers. */
bool plx_path_reflects(const struct plx_path *p) PLX_ON_WORKER;

/* plx_stateless.c */

void plx_stateless_vn(struct plx_quic *q, const struct plx_dgram *dg,
                      const ngtcp2_version_cid *vc) PLX_ON_WORKER;
void plx_stateless_retry(struct plx_quic *q, const struct plx_dgram *dg,
                         const ngtcp2_pkt_hd *hd) PLX_ON_WORKER;
void plx_stateless_reset(struct plx_quic *q, const struct plx_dgram *dg) PLX_ON_WORKER;
void plx_stateless_close(struct plx_quic *q, const struct plx_dgram *dg,
                         const ngtcp2_pkt_hd *hd, uint64_t code) PLX_ON_WORKER;
/** Queues a copy of a packet; false: the queue is full (counted). */
bool plx_resp_put(struct plx_quic *q, const struct plx_path *path, const uint8_t *pkt,
                  size_t len) PLX_ON_WORKER;
uint16_t plx_resp_take(struct plx_quic *q, struct plx_txpkt *out, uint16_t cnt)
        PLX_ON_WORKER;
void plx_bucket_init(struct plx_bucket *b, uint32_t per_s, uint32_t burst) PLX_ON_WORKER;
bool plx_bucket_take(struct plx_bucket *b, uint64_t now_ns) PLX_ON_WORKER;

/** What the token of a first packet proved. */
struct plx_token {
	ngtcp2_token_type type; /**< UNKNOWN: no address validation */
	ngtcp2_cid odcid;       /**< RETRY: the client's first destination ID */
	bool bad_retry;         /**< a Retry token that does not verify */
};

void plx_token_check(struct plx_quic *q, const struct plx_dgram *dg,
                     const ngtcp2_pkt_hd *hd, struct plx_token *out) PLX_ON_WORKER;
/** Writes a NEW_TOKEN token. @return bytes, <= 0 on failure */
ngtcp2_ssize plx_token_make(struct plx_conn *c, uint8_t *dst) PLX_ON_WORKER;

/* plx_srt.c */

void plx_srt_add(struct plx_conn *c, const uint8_t *token) PLX_ON_WORKER;
void plx_srt_del(struct plx_conn *c, const uint8_t *token) PLX_ON_WORKER;
void plx_srt_del_all(struct plx_conn *c) PLX_ON_WORKER;
/** The connection that a packet may be a stateless reset of, NULL none. */
struct plx_conn *plx_srt_find(struct plx_quic *q, const struct plx_dgram *dg) PLX_ON_WORKER;

/* plx_kept.c */

int plx_kept_init(struct plx_quic *q) PLX_ON_MAIN;
void plx_kept_fini(struct plx_quic *q) PLX_ON_WORKER;
/** Keeps a copy of a ticket; the oldest makes room. Nothing happens where none are kept. */
void plx_kept_put(struct plx_quic *q, const uint8_t *ticket, size_t len) PLX_ON_WORKER;
/** Takes the newest one that fits out of the store: free it with plx_slab_release(). @return
 *  bytes, 0 none */
size_t plx_kept_take(struct plx_quic *q, const struct plx_quic_dial *d, uint8_t **ticket)
        PLX_ON_WORKER;

/* plx_stop.c */

/** Notes the STOP_SENDING frames of a 1-RTT packet just opened. */
void plx_stop_scan(struct plx_quic *q, const uint8_t *p, size_t len) PLX_ON_WORKER;
/** Tells the application what the last packet brought, if rv, its result, is 0. @return rv, or
 *  what became of it. */
int plx_stop_tell(struct plx_conn *c, int rv) PLX_ON_WORKER;
/** The packet just opened resets a stream that only we send on. */
bool plx_stop_reset_of_ours(const struct plx_conn *c) PLX_ON_WORKER;

/* plx_timer.c */

void plx_timer_set(struct plx_conn *c, uint64_t when) PLX_ON_WORKER;
void plx_timer_clear(struct plx_conn *c) PLX_ON_WORKER;

/* plx_hold.c */

/**
 * A connection's turn to write has come, or a timer of it fires: has its port no link?
 * @return true: that was all, it waits (or goes on, and has joined the rotation again)
 */
bool plx_hold_write(struct plx_conn *c) PLX_ON_WORKER;
bool plx_hold_fire(struct plx_conn *c) PLX_ON_WORKER;
/**
 * Around the turn to write of a connection with nudges: is one due? Then the packet asks for an
 * acknowledgement, and _end() is called behind it.
 */
bool plx_nudge_begin(struct plx_conn *c) PLX_ON_WORKER;
void plx_nudge_end(struct plx_conn *c) PLX_ON_WORKER;
/** When plx_hold_run() has something to do, ns; PLX_TIME_NEVER never. */
uint64_t plx_hold_deadline(const struct plx_quic *q) PLX_ON_WORKER;
/** Lets the next connections go on whose port has its link again. @return how many were seen */
uint32_t plx_hold_run(struct plx_quic *q) PLX_ON_WORKER;

/** Whether the two have anything to say: nearly always false. */
static inline bool
plx_hold_any(const struct plx_conn *c)
{
	return c->held || c->q->down != 0 || c->q->down_all;
}

/* plx_protect.c */

/** Handle of an AEAD or header protection key for ngtcp2. NULL: no memory, or refused. */
void *plx_protect_key(struct plx_quic *q, enum plx_aead aead, const uint8_t *key)
        PLX_ON_WORKER;
void *plx_protect_hp(struct plx_quic *q, enum plx_aead aead, const uint8_t *key)
        PLX_ON_WORKER;
void plx_protect_free(void *handle) PLX_ON_WORKER;

int plx_protect_encrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                        const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                        const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                        size_t aad_len);
int plx_protect_decrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                        const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                        const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                        size_t aad_len);
int plx_protect_mask(uint8_t *dst, const ngtcp2_crypto_cipher *hp,
                     const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample);
void plx_protect_del_aead(ngtcp2_conn *nc, ngtcp2_crypto_aead_ctx *ctx, void *user);
void plx_protect_del_cipher(ngtcp2_conn *nc, ngtcp2_crypto_cipher_ctx *ctx, void *user);
int plx_protect_update(ngtcp2_conn *nc, uint8_t *rx_secret, uint8_t *tx_secret,
                       ngtcp2_crypto_aead_ctx *rx_ctx, uint8_t *rx_iv,
                       ngtcp2_crypto_aead_ctx *tx_ctx, uint8_t *tx_iv,
                       const uint8_t *cur_rx, const uint8_t *cur_tx, size_t secret_len,
                       void *user);

#endif
