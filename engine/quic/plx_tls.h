/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * TLS contexts of an endpoint: certificates, trust store, ALPN, keylog. One per worker and
 * role, each in its own OSSL_LIB_CTX, so that workers share no reference counts or locks.
 *
 * Threads: made by main, then used by one worker.
 * Memory:  OpenSSL's heap.
 * Spec:    RFC 9001, RFC 8446; OpenSSL SSL_set_quic_tls_cbs(3)
 */
#ifndef PLX_TLS_H
#define PLX_TLS_H

#include <plx/defs.h>
#include <plx/err.h>

#include "plx_rand.h"

struct plx_tls;
struct plx_spent;

/** A line of the NSS key log format, without newline. Called on the worker. */
typedef void (*plx_keylog_fn)(void *arg, const char *line);

/** Session tickets that a server sends behind a handshake, unless told otherwise. */
#define PLX_TLS_TICKETS 1

struct plx_tls_cfg {
	bool server;
	const char *cert_file;          /**< PEM chain; server: mandatory unless cert_pem */
	const char *key_file;           /**< PEM */
	const char *cert_pem, *key_pem; /**< in memory instead of files; terminated */
	const char *ca_file;            /**< client: trust store, NULL = the system's */
	const char
	        *ciphers; /**< TLS 1.3 suites, NULL = AES-128-GCM, AES-256-GCM, ChaCha20 */
	const char
	        *groups; /**< NULL = X25519MLKEM768:X25519:P-256 (client: X25519 first) */
	bool no_tickets; /**< server: send no session tickets */
	uint8_t tickets; /**< server: session tickets sent, 0 = PLX_TLS_TICKETS */
	/** Server: what ticket keys follow from, the same for all workers and servers that share
	 *  clients; 32..128 bytes, copied. NULL: one of its own, so that only this context resumes its
	 *  sessions. */
	const uint8_t *ticket_secret;
	size_t ticket_secret_len;
	/** Server: takes early data, with this register of used tickets; all workers of an engine
	 *  share it, and it outlives the context. NULL: early data is refused (default). */
	struct plx_spent *spent;
	/** Client: hands tickets to plx_quic_watch.on_ticket. The SSL object then stays behind the
	 *  handshake until a ticket came, for 10 s at most. */
	bool keep_tickets;
	plx_keylog_fn keylog;
	void *keylog_arg;
	/** Not NULL: OpenSSL draws from this generator (simulation only). */
	struct plx_rand *rand;
};

/**
 * plx_tls_new() loads certificate and key and checks that they belong together.
 *
 * @param err  [out] one sentence for the operator that names the file and the fix
 * @return 0; PLX_E_CERT: missing, unreadable, malformed, expired or not matching; PLX_E_TLS;
 *         PLX_E_NOMEM
 * Thread: main. Owns: caller frees with plx_tls_free(). Errors: as returned.
 */
int plx_tls_new(struct plx_tls **out, const struct plx_tls_cfg *cfg, char *err,
                size_t err_sz) PLX_ON_MAIN;
void plx_tls_free(struct plx_tls *t) PLX_ON_MAIN;

/**
 * plx_tls_warm() makes what OpenSSL would make in the first handshakes of a thread: lists of
 * algorithms, random generators. A shortage of memory in the midst of that would leave them
 * broken for the life of the context (OpenSSL 3.5).
 * @return 0, PLX_E_NOMEM
 * Thread: the worker, before its first handshake. Owns: nothing. Errors: as returned.
 */
int plx_tls_warm(struct plx_tls *t) PLX_ON_WORKER;

/**
 * plx_tls_thread_end() frees what OpenSSL keeps for the calling thread, before plx_tls_free() is
 * called by another one: that could not reach it.
 * Thread: the worker, after its last handshake. Owns: nothing. Errors: none.
 */
void plx_tls_thread_end(struct plx_tls *t) PLX_ON_WORKER;

/**
 * plx_tls_self_signed() makes a certificate and key for demo and tests (Ed25519 or ECDSA P-256)
 * in PEM; free both with free().
 * Thread: any; rand is the caller's. Errors: PLX_E_TLS, PLX_E_NOMEM.
 */
int plx_tls_self_signed(const char *name, bool ed25519, struct plx_rand *rand,
                        char **cert_pem, char **key_pem) PLX_ANY_THREAD;

#endif
