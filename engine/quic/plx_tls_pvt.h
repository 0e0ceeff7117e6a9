/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * TLS inside engine/quic: the context behind struct plx_tls, the session of one handshake, the
 * key derivation of RFC 9001.
 *
 * Path:    nic -> net -> steer -> [quic] -> stream -> app
 * Threads: a context is made by main and used by one worker; a session by its worker.
 * Memory:  a session lives from the first packet to the end of the handshake, its CRYPTO data
 *          in the endpoint's slab, its SSL object in OpenSSL's heap.
 * Spec:    RFC 9001 sections 4, 5; RFC 8446 section 7.1
 */
#ifndef PLX_TLS_PVT_H
#define PLX_TLS_PVT_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/ssl.h>

#include "plx_crypt.h"
#include "plx_tls.h"

struct plx_conn;
struct plx_tls_sess;
struct plx_quic;
struct plx_quic_dial;
struct plx_proto;

/** Keys of tickets that are at hand: of three periods, and one more so that none of them collide. */
#define PLX_TICKET_KEYS 4

struct plx_ticket_key {
	uint64_t period; /**< time since 1970 in key periods */
	bool made;
	uint8_t name[16];
	uint8_t aes[32], mac[32];
};

struct plx_tls {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *def; /**< OpenSSL's default provider in lib */
	OSSL_PROVIDER
	*seeded; /**< simulation: the generator of plx_tls_rand.c; else NULL */
	SSL_CTX *ctx;
	plx_keylog_fn keylog;
	void *keylog_arg;
	bool server;
	bool keep_tickets;        /**< client: as in the configuration */
	struct plx_spent *spent;  /**< server: early data is taken; not owned */
	uint64_t (*wall_s)(void); /**< time since 1970, s; a test may set another one */
	EVP_CIPHER *ticket_cipher;
	uint8_t ticket_secret[32];
	struct plx_ticket_key ticket_key[PLX_TICKET_KEYS]; /**< by period */
};

/**
 * plx_tls_lib_new() makes a library context whose randomness comes from rand, or from the
 * system when rand is NULL. Give both providers back with plx_tls_lib_free().
 *
 * Thread: main. Owns: the caller. Errors: NULL.
 */
OSSL_LIB_CTX *plx_tls_lib_new(struct plx_rand *rand, OSSL_PROVIDER **def,
                              OSSL_PROVIDER **seeded) PLX_ON_MAIN;
void plx_tls_lib_free(OSSL_LIB_CTX *lib, OSSL_PROVIDER *def, OSSL_PROVIDER *seeded)
        PLX_ON_MAIN;

/** plx_tls_rand_load() makes lib draw every random byte from rand. Errors: NULL. */
OSSL_PROVIDER *plx_tls_rand_load(OSSL_LIB_CTX *lib, struct plx_rand *rand) PLX_ON_MAIN;

/** plx_tls_load_cert() puts certificate chain and key of cfg into ctx; as plx_tls_new(). */
int plx_tls_load_cert(struct plx_tls *t, const struct plx_tls_cfg *cfg, char *err,
                      size_t err_sz) PLX_ON_MAIN;

/** Longest label and secret of the QUIC key schedule, bytes. */
#define PLX_HKDF_LABEL_MAX 32
#define PLX_SECRET_MAX     64

/** What a cipher suite of TLS 1.3 means for packet protection. */
struct plx_suite {
	enum plx_aead aead;
	uint8_t key_len;         /**< of AEAD and header protection key, bytes */
	bool sha384;             /**< hash of the key schedule: SHA-384, else SHA-256 */
	uint64_t max_encryption; /**< packets under one key, RFC 9001 section 6.6 */
	uint64_t max_decryption_failure; /**< forged packets tolerated over all keys */
};

/** plx_suite_of() finds a suite by its IANA number (0x1301 ..). @return NULL: not supported */
const struct plx_suite *plx_suite_of(uint16_t id) PLX_ANY_THREAD;

/**
 * plx_hkdf_expand_label() is HKDF-Expand-Label of RFC 8446 section 7.1 with an empty context.
 * label comes without its prefix "tls13 ".
 *
 * Thread: any. Owns: nothing. Errors: PLX_E_CRYPTO.
 */
int plx_hkdf_expand_label(uint8_t *dst, size_t dst_len, bool sha384, const uint8_t *secret,
                          size_t secret_len, const char *label) PLX_ANY_THREAD;

/** Key material of one direction. Wiped by whoever holds it. */
struct plx_keys {
	uint8_t key[32];
	uint8_t hp[32];
	uint8_t iv[PLX_AEAD_NONCE_LEN];
};

/**
 * plx_derive_keys() derives key, IV and header protection key of a secret; plx_next_secret()
 * the secret of the next key phase ("quic ku").
 *
 * @param version  QUIC version, which chooses the labels (RFC 9001 5.1, RFC 9369 3.3.2)
 * Thread: any. Owns: nothing. Errors: PLX_E_CRYPTO.
 */
int plx_derive_keys(struct plx_keys *out, uint32_t version, const struct plx_suite *s,
                    const uint8_t *secret, size_t secret_len) PLX_ANY_THREAD;
int plx_next_secret(uint8_t *next, uint32_t version, const struct plx_suite *s,
                    const uint8_t *secret, size_t secret_len) PLX_ANY_THREAD;

/**
 * plx_tls_sess_new() makes the TLS side of a connection.
 *
 * @param d  client: server, protocol, ticket; else NULL
 * @return 0, PLX_E_TLS, PLX_E_NOMEM
 * Thread: the owner of c. Owns: c->tls. Errors: as returned.
 */
int plx_tls_sess_new(struct plx_conn *c, struct plx_tls *t, const struct plx_quic_dial *d)
        PLX_ON_WORKER;
void plx_tls_sess_free(struct plx_conn *c) PLX_ON_WORKER;

/**
 * Behind the handshake of a client that keeps tickets its session waits for one, until
 * plx_tls_due(), when plx_tls_trim() ends it. PLX_TIME_NEVER: there is nothing to wait for.
 */
uint64_t plx_tls_due(const struct plx_conn *c) PLX_ON_WORKER;
void plx_tls_trim(struct plx_conn *c) PLX_ON_WORKER;

/** Our protocol of this name, NULL: none. */
const struct plx_proto *plx_tls_find_proto(const struct plx_quic *q, const uint8_t *alpn,
                                           size_t len) PLX_ANY_THREAD;

/* plx_tls_ticket.c */

/** Longest ticket that a client is given, and longest NewSessionTicket it looks at, bytes. */
#define PLX_TICKET_MAX 8192

/** Tickets of a new context; as plx_tls_new(). */
int plx_tls_ticket_setup(struct plx_tls *t, const struct plx_tls_cfg *cfg) PLX_ON_MAIN;
void plx_tls_ticket_fini(struct plx_tls *t) PLX_ON_MAIN;

/** The name that a client's dial gave; "" without, or where no tickets are kept. */
const char *plx_tls_name(const struct plx_conn *c) PLX_ON_WORKER;

/**
 * plx_tls_ticket_fits() says whether a ticket is for what is dialed: name, protocol, version, and
 * no less proof of the server than is asked for. The bytes may be anything.
 */
bool plx_tls_ticket_fits(const uint8_t *ticket, size_t len, const struct plx_quic_dial *d)
        PLX_ANY_THREAD;

/**
 * plx_tls_ticket_offer() puts the ticket of a dial, if it fits, into a client's session.
 * @return early data may be sent
 */
bool plx_tls_ticket_offer(struct plx_conn *c, SSL *ssl, const struct plx_tls *t,
                          const struct plx_quic_dial *d) PLX_ON_WORKER;

/** plx_tls_alpn_select() is OpenSSL's callback of a server's context. */
int plx_tls_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                        const unsigned char *in, unsigned int in_len, void *arg)
        PLX_ON_WORKER;

/** plx_tls_client_start() produces the ClientHello. @return 0 or NGTCP2_ERR_* */
int plx_tls_client_start(struct plx_conn *c) PLX_ON_WORKER;

/** plx_tls_recv() takes CRYPTO bytes in order. @return 0 or NGTCP2_ERR_* */
int plx_tls_recv(struct plx_conn *c, ngtcp2_encryption_level level, uint64_t off,
                 const uint8_t *data, size_t len) PLX_ON_WORKER;

#endif
