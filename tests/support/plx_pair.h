/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two QUIC endpoints in one thread and in virtual time: a server and a client, each with its own
 * steering, packet protection, counters, randomness and TLS, joined by a link that delays, loses,
 * duplicates, reorders and corrupts by a seed.
 *
 * Threads: one.
 * Memory:  the heap; plx_pair_free() gives everything back.
 *
 *     plx_pair_cfg_init(&cfg);  change what the test is about
 *     plx_pair_new(&p, &cfg);
 *     plx_pair_dial(p, &app);
 *     plx_pair_run(p, until, arg, limit_ns);
 *     plx_pair_free(p);
 */
#ifndef PLX_PAIR_H
#define PLX_PAIR_H

#include "plx_quic.h"
#include "plx_testapp.h"
#include "plx_tls.h"

enum plx_pair_side { PLX_PAIR_SERVER = 0, PLX_PAIR_CLIENT, PLX_PAIR_SIDES };

/** Faults of one direction. Shares are in parts per million of packets. */
struct plx_pair_link {
	uint64_t delay_ns;  /**< one way, default 10 ms */
	uint64_t jitter_ns; /**< up to this much more, at random: reorders */
	uint32_t loss_ppm;
	uint32_t dup_ppm;
	uint32_t corrupt_ppm; /**< one bit of the packet changes */
	uint64_t per_pkt_ns;  /**< time a packet takes on the wire; 0 = none */
};

struct plx_pair;

/** A packet that one side has sent. */
struct plx_pair_pkt {
	enum plx_pair_side from;
	uint16_t len;
	uint8_t *data;         /**< room for 1500 bytes */
	struct plx_path *path; /**< as the sender sees it */
};

/**
 * Sees each packet before it is put on the link and may change it.
 * @return false: the packet is lost
 */
typedef bool (*plx_pair_tap_fn)(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt);

struct plx_pair_cfg {
	uint64_t seed;
	struct plx_quic_cfg quic[PLX_PAIR_SIDES];
	struct plx_pair_link link[PLX_PAIR_SIDES]; /**< by sender */
	enum plx_crypt_backend backend;
	bool ipv6;
	bool trust;      /**< the client trusts the server's certificate */
	bool wrong_name; /**< the certificate is for another name */
	uint8_t chain;   /**< certificates that the server sends besides its own */
	bool no_rand;    /**< OpenSSL draws from the system, as in production */
	const char *groups[PLX_PAIR_SIDES]; /**< key exchange, NULL = default */
	const char *ciphers;                /**< NULL = default */
	const char *server_alpn;            /**< default "plx-test" */
	plx_pair_tap_fn tap;
	void *tap_arg;
};

struct plx_pair_end {
	struct plx_quic *quic;
	struct plx_steer *steer;
	struct plx_crypt *crypt;
	struct plx_tls *tls;
	struct plx_obs *obs;
	struct plx_rand rand;
	struct plx_proto proto;
	struct plx_testapp app;
	struct plx_quic_deps deps;
	struct plx_addr addr;
	uint64_t tx_pkts, tx_bytes; /**< put on the link */
	void *steer_mem;
	char *ca_file;
};

struct plx_pair {
	struct plx_pair_cfg cfg;
	struct plx_pair_end end[PLX_PAIR_SIDES];
	uint64_t now; /**< ns */
	uint64_t steps;
	uint64_t limit; /**< the clock does not jump over this, ns */
	uint8_t hash_key[16];
	uint64_t
	        trace; /**< hash over (time, direction, length, packet type) of all packets */
	uint64_t lost, duplicated, corrupted;
	struct plx_rand rand;      /**< the link's */
	struct plx_flight *flight; /**< packets under way, a heap by arrival */
	uint32_t flight_cnt, flight_cap;
	uint64_t flight_seq;
	uint64_t wire_free[PLX_PAIR_SIDES]; /**< when the wire of a sender is free again */
	char *cert, *key;
};

void plx_pair_cfg_init(struct plx_pair_cfg *cfg);

/** plx_pair_new() makes both endpoints. @return 0 or enum plx_err, with a line on stderr */
int plx_pair_new(struct plx_pair **out, const struct plx_pair_cfg *cfg);
void plx_pair_free(struct plx_pair *p);

/** plx_pair_dial() dials the server; the client's application is end[CLIENT].app. */
int plx_pair_dial(struct plx_pair *p, bool verify, struct plx_conn_id *id);

/** plx_pair_send() puts a packet on the link as if one side had sent it. */
void plx_pair_send(struct plx_pair *p, enum plx_pair_side from, const struct plx_path *path,
                   const uint8_t *pkt, uint16_t len);

/**
 * plx_pair_reset() begins anew with other settings, but for certificates, keys and TLS: those
 * members of cfg are not looked at. A tenth of what plx_pair_new() costs, for fuzzing.
 */
int plx_pair_reset(struct plx_pair *p, const struct plx_pair_cfg *cfg);

/** plx_pair_lose_state() restarts the server's endpoint, as after a crash: same keys. */
int plx_pair_lose_state(struct plx_pair *p);

/** plx_pair_step() delivers, fires timers and writes; moves the clock if nothing happened. */
void plx_pair_step(struct plx_pair *p);

/** plx_pair_run() steps until the condition holds. @return false: limit_ns passed before */
bool plx_pair_run(struct plx_pair *p, bool (*until)(struct plx_pair *p), uint64_t limit_ns);

/** Conditions for plx_pair_run(). */
bool plx_pair_idle(struct plx_pair *p);      /**< no slot is in use on either side */
bool plx_pair_client_up(struct plx_pair *p); /**< the client is established */
bool plx_pair_both_up(struct plx_pair *p);
bool plx_pair_client_over(struct plx_pair *p); /**< closed or failed */
bool plx_pair_both_over(struct plx_pair *p);   /**< both closed */
bool
plx_pair_streams_done(struct plx_pair *p); /**< the client's streams, of one connection */

/** Bytes that the slab of a side has handed out. */
uint64_t plx_pair_slab_used(struct plx_pair *p, enum plx_pair_side side);

#endif
