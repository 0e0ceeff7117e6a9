/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A QUIC client that does as it is told: real TLS (OpenSSL), real keys, but every packet and
 * frame is the test's. It shares the link of a struct plx_pair with the honest client, at an
 * address of its own, and shows the server's CONNECTION_CLOSE with its code. As a server it stands
 * in the place of the honest one, and the pair's client dials it.
 *
 * It owes nothing to ngtcp2 or engine/quic but the key schedule (plx_derive_keys(), which has the
 * vectors of RFC 9001 as its test): what it sends is what stands here.
 *
 * Threads: one, the pair's.
 * Memory:  the heap; plx_rogue_free() gives everything back. Free rogues before the pair.
 * Spec:    RFC 9000, RFC 9001; version 1 and TLS_AES_128_GCM_SHA256 only
 *
 *     r = plx_rogue_new(p, NULL);
 *     plx_rogue_connect(r);                        handshake, confirmed
 *     PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x20);     one packet with these varints
 *     plx_rogue_wait_close(r);                     r->close says how the server ended it
 *     plx_rogue_free(r);
 *
 * The other side's packets reach it without delay, out of plx_pair's tap; its own go over the
 * link. It acknowledges what it gets unless told otherwise, and never retransmits.
 */
#ifndef PLX_ROGUE_H
#define PLX_ROGUE_H

#include <openssl/ssl.h>

#include "plx_pair.h"
#include "plx_tls_pvt.h"

enum plx_rogue_level {
	PLX_ROGUE_INITIAL = 0,
	PLX_ROGUE_0RTT,
	PLX_ROGUE_HANDSHAKE,
	PLX_ROGUE_1RTT,
	PLX_ROGUE_LEVELS
};

/** What happens to the ClientHello before it is sent. */
enum plx_rogue_hello {
	PLX_ROGUE_HELLO_AS_IS = 0,
	PLX_ROGUE_HELLO_NO_PARAMS,    /**< without quic_transport_parameters */
	PLX_ROGUE_HELLO_DRAFT_PARAMS, /**< under the drafts' number 0xffa5 */
	PLX_ROGUE_HELLO_NO_ALPN,      /**< without application_layer_protocol_negotiation */
};

struct plx_rogue_cfg {
	const char *alpn;            /**< NULL = "plx-test" */
	uint16_t port;               /**< 0 = 50000 */
	uint8_t host;                /**< last byte of the address, 0 = 9 */
	bool no_iscid;               /**< leave initial_source_connection_id out */
	const uint8_t *extra_params; /**< put behind the usual transport parameters */
	size_t extra_len;
	enum plx_rogue_hello hello;
	bool server;        /**< a server, of one connection */
	bool hold_finished; /**< keep CRYPTO of Handshake packets back: a client's Finished, a
			       server's flight from EncryptedExtensions on */
	bool no_acks;       /**< acknowledge nothing */
	bool by_hand;       /**< no TLS: the test writes what CRYPTO frames hold */
	bool keep_retry;    /**< note the token of a Retry and fall silent */
};

#define PLX_ROGUE_CID_LEN   8
#define PLX_ROGUE_SEEN      4096 /**< newest packet numbers that acknowledgements cover */
#define PLX_ROGUE_CIDS      8
#define PLX_ROGUE_FRAME_MAX 0x40

/** One direction of one level. */
struct plx_rogue_keys {
	EVP_CIPHER_CTX *aead, *hp; /**< NULL: no keys */
	uint8_t iv[PLX_AEAD_NONCE_LEN];
};

struct plx_rogue_space {
	struct plx_rogue_keys rx, tx;
	int64_t next_pn;
	int64_t largest; /**< of the other side's packets, -1 = none */
	uint64_t seen[PLX_ROGUE_SEEN / 64];
	bool ack_due;
	uint8_t out[8192]; /**< CRYPTO bytes, from offset 0 */
	size_t out_len, out_sent;
	uint8_t in[16384], in_known[16384]; /**< bytes, and 1 where they came */
	size_t in_len, in_read;             /**< without a gap; of these given to TLS */
};

/** The other side's CONNECTION_CLOSE. */
struct plx_rogue_close {
	bool got, app;
	enum plx_rogue_level level; /**< of the packet */
	uint64_t code, frame_type;
	uint64_t cnt; /**< frames seen */
};

struct plx_rogue {
	struct plx_pair *p;
	struct plx_rogue_cfg cfg;
	struct plx_rogue *next; /**< rogues of one pair */
	struct plx_path path;
	SSL_CTX *ctx;
	SSL *ssl;
	enum plx_rogue_level rx_level, tx_level;
	struct plx_rogue_space sp[PLX_ROGUE_LEVELS];
	uint8_t dcid[20], scid[PLX_ROGUE_CID_LEN];
	uint8_t dcid_len;
	uint8_t token[512];
	size_t token_len;
	uint8_t params[512];
	bool dcid_known;   /**< the other side's own ID is in use */
	uint8_t odcid[20]; /**< server: the client's first destination ID */
	uint8_t odcid_len;
	bool tls_done, confirmed, tls_failed;
	uint8_t alert;
	/* Seen. */
	struct plx_rogue_close close;
	uint64_t frames[PLX_ROGUE_FRAME_MAX]; /**< by type */
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
	uint64_t bad; /**< packets that did not open */
	uint64_t retries, negotiations;
	uint64_t stream_bytes;
	int64_t acked; /**< largest 1-RTT packet number the server acknowledged */
	uint8_t cid[PLX_ROGUE_CIDS][20]; /**< NEW_CONNECTION_ID, by sequence number */
	uint8_t cid_len[PLX_ROGUE_CIDS];
	uint8_t challenge[8]; /**< the last PATH_CHALLENGE */
	uint8_t last[64];     /**< beginning of the last datagram */
	size_t last_len;
};

/**
 * plx_rogue_new() makes a client, or the server that the pair's client meets instead of the honest
 * one; nothing is sent. It ends the program if it cannot. A server is the only rogue of its pair.
 */
struct plx_rogue *plx_rogue_new(struct plx_pair *p, const struct plx_rogue_cfg *cfg);
void plx_rogue_free(struct plx_rogue *r);

/**
 * plx_rogue_tap() is the pair's tap while there are rogues, with the first of them as argument. A
 * test that wants to see the packets too puts its own in front and calls this one.
 */
bool plx_rogue_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt);

/** plx_rogue_hello() makes the ClientHello and sends it. */
void plx_rogue_hello(struct plx_rogue *r);

/** plx_rogue_flush() sends what TLS made and was kept back. */
void plx_rogue_flush(struct plx_rogue *r);

/** plx_rogue_make_hello() only makes it: sp[INITIAL].out holds the bytes. */
void plx_rogue_make_hello(struct plx_rogue *r);

/** plx_rogue_connect() goes on until HANDSHAKE_DONE came. @return false: it did not */
bool plx_rogue_connect(struct plx_rogue *r);

/** plx_rogue_run() steps the pair until the condition holds or ns have passed. */
bool plx_rogue_run(struct plx_rogue *r, bool (*until)(const struct plx_rogue *r),
                   uint64_t ns);

/** plx_rogue_wait_close() waits for the other side's CONNECTION_CLOSE, 5 s at most. */
bool plx_rogue_wait_close(struct plx_rogue *r);

/** Conditions for plx_rogue_run(). */
bool plx_rogue_has_handshake_keys(const struct plx_rogue *r);
bool plx_rogue_is_confirmed(const struct plx_rogue *r);
bool plx_rogue_is_closed(const struct plx_rogue *r);

/** A packet to be. Zero is the usual value of each member but level. */
struct plx_rogue_pkt {
	enum plx_rogue_level level;
	const uint8_t *frames;
	size_t len;
	uint8_t reserved; /**< reserved bits, 0..3 */
	bool pn_given;    /**< take pn, else the next one */
	int64_t pn;
	size_t pad_to;       /**< PADDING until the packet has this size, bytes */
	int length_lie;      /**< added to the Length field */
	const uint8_t *dcid; /**< instead of the connection's */
	uint8_t dcid_len;
	const uint8_t *token; /**< Initial; else r->token */
	size_t token_len;
};

/** plx_rogue_seal() writes a protected packet. @return bytes, 0: no keys or no room */
size_t plx_rogue_seal(struct plx_rogue *r, const struct plx_rogue_pkt *pkt, uint8_t *out,
                      size_t cap);

/** plx_rogue_send_raw() puts any bytes on the link, as a datagram of this client's. */
void plx_rogue_send_raw(struct plx_rogue *r, const uint8_t *dgram, size_t len);

/** plx_rogue_send() sends one packet with these frames; an Initial fills its datagram. */
void plx_rogue_send(struct plx_rogue *r, enum plx_rogue_level level, const uint8_t *frames,
                    size_t len);

/** plx_rogue_send_ints() sends one packet with these numbers as its payload, as varints. */
void plx_rogue_send_ints(struct plx_rogue *r, enum plx_rogue_level level, const uint64_t *v,
                         size_t cnt);

#define PLX_ROGUE_SEND(r, level, ...)                                      \
	plx_rogue_send_ints((r), (level), (const uint64_t[]){__VA_ARGS__}, \
	                    sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/** plx_rogue_crypto() sends TLS bytes of the test in a CRYPTO frame. */
void plx_rogue_crypto(struct plx_rogue *r, enum plx_rogue_level level, uint64_t off,
                      const uint8_t *data, size_t len);

/** plx_rogue_varint() appends a number. @return bytes written, 1..8 */
size_t plx_rogue_varint(uint8_t *dst, uint64_t v);

/** plx_rogue_ack() writes an ACK frame of what came. @return bytes, 0: nothing came */
size_t plx_rogue_ack(const struct plx_rogue *r, enum plx_rogue_level level, uint8_t *dst,
                     size_t cap);

/* Between plx_rogue.c and plx_rogue_pkt.c. */

/** Makes keys of a secret, or of the Initial secret of the current DCID. */
bool plx_rogue_set_keys(struct plx_rogue_keys *k, const uint8_t *secret, size_t len,
                        bool encrypt);
bool plx_rogue_initial_keys(struct plx_rogue *r, const uint8_t *dcid, size_t len);
/** A server: takes the client's first destination ID, and makes keys of it. */
void plx_rogue_accept(struct plx_rogue *r, const uint8_t *dcid, size_t len);
void plx_rogue_clear_keys(struct plx_rogue_keys *k);

/** Reads varints and bytes; bad once something was missing. */
struct plx_rogue_reader {
	const uint8_t *p, *end;
	bool bad;
};

uint64_t plx_rogue_get(struct plx_rogue_reader *rd);
/** @return NULL: not so many are left */
const uint8_t *plx_rogue_take(struct plx_rogue_reader *rd, uint64_t len);

/** A packet of a received datagram, opened. */
struct plx_rogue_opened {
	enum plx_rogue_level level;
	int64_t pn;
	uint8_t payload[1500];
	size_t len;
};

/**
 * Takes the first packet off a datagram. @return bytes that it took, 0: the rest is of no use
 * @param o  [out] len is 0 when the packet was none of ours, or did not open
 */
size_t plx_rogue_open(struct plx_rogue *r, const uint8_t *dgram, size_t len,
                      struct plx_rogue_opened *o);

#endif
