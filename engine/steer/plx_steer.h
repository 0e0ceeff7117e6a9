/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Steering: which worker and which connection owns a datagram.
 *
 * Path:    nic -> net -> [steer] -> quic -> stream -> app
 * Before:  plx_net_rx_burst()      After: plx_quic_rx_burst(), plx_mailbox_put()
 * Threads: one instance per worker; keys and the bucket table are read-only copies.
 * Memory:  fixed at init; no allocation afterwards.
 * Spec:    RFC 8999 section 5, RFC 9000 section 5.2, draft-ietf-quic-load-balancers (single pass)
 *
 * The ID the server chooses (clients use the same for their own), 19 bytes:
 *
 *     byte 0      configuration rotation (3 bits) | 18, length of the rest (5 bits)
 *     byte 1..16  AES-128-ECB block of
 *                     0..S-1  server id, S = 1..4
 *                     S       worker
 *                     +3      slot, big endian
 *                     +2      slot generation (low 16 bits)
 *                     +2      sequence number of the ID
 *                     +4      boot epoch
 *                     rest    zero: check bytes
 *     byte 17     steer bucket b
 *     byte 18     b ^ 0xA5           (masked mode: b is XORed with a keyed hash of bytes 1..16)
 *
 * The block names worker, slot and generation: one AES decryption and an index replace a hash
 * table that a peer could flood. Hardware and XDP look at the bucket only.
 */
#ifndef PLX_STEER_H
#define PLX_STEER_H

#include <plx/err.h>

#include "plx_dgram.h"
#include "plx_obs.h"

#define PLX_CID_LEN         19
#define PLX_CID_BUCKETS     256
/** Slot that marks the ID of a Retry: the worker named verifies the token. */
#define PLX_CID_SLOT_RETRY  UINT32_C(0xffffff)
#define PLX_STEER_FIRST_MAX 4096 /**< entries of the first-packet table, per worker */

struct plx_steer_cfg {
	uint8_t key[16]; /**< AES key of the IDs; from the key file or random per boot */
	uint8_t hash_key[16]; /**< SipHash key: first packets, masking */
	uint32_t epoch;       /**< boot epoch, random */
	uint8_t server_id[4];
	uint8_t server_id_len; /**< 1..4 */
	uint8_t config_id;     /**< rotation bits, 0..6 */
	uint8_t worker;        /**< this worker */
	uint8_t worker_cnt;    /**< 1..PLX_WORKERS_MAX */
	bool masked;           /**< hide the bucket */
	bool first_local;      /**< the port hashes by flow: first packets stay here */
	bool portable;  /**< leave the AES instructions unused even where there are */
	uint32_t slots; /**< connection slots per worker, 1..2^24-2 */
};

/** What an ID of ours says. */
struct plx_cid_info {
	uint8_t worker;
	uint32_t slot;
	uint16_t gen;
	uint16_t seq;
	uint32_t epoch;
};

struct plx_steer;

/** Life: align, footprint, init, fini as everywhere; footprint 0 = cfg refused. */
size_t plx_steer_align(void) PLX_ANY_THREAD;
size_t plx_steer_footprint(const struct plx_steer_cfg *cfg) PLX_ANY_THREAD;
struct plx_steer *plx_steer_init(void *mem, const struct plx_steer_cfg *cfg,
                                 struct plx_obs *obs) PLX_ON_MAIN;
void plx_steer_fini(struct plx_steer *st) PLX_ON_MAIN;

/**
 * plx_steer_burst() decides for each datagram who owns it: fills verdict and, with it, worker,
 * slot, cid_seq or drop. Long headers with a 19-byte ID of ours, short headers: by the block.
 * Other long headers: the first-packet table, else PLX_VERDICT_NEW here or at worker
 * SipHash(DCID) mod n. Datagrams that came through a mailbox (hops > 0) with an ID we did not
 * issue are never sent on. In order:
 *
 *   form             ID                              verdict
 *   any              malformed, fixed bit 0          DROP under one PLX_DROP_STEER_*
 *   any              ours, worker below worker_cnt   OTHER; DROP STEER_HOPS after 2 hops
 *   any              ours, slot, gen and epoch live  CONN, cid_seq = sequence number in the ID
 *   long             ours, Retry slot                CONN if in the first table, else NEW
 *   short, long      ours, of another generation, epoch or configuration   RESET
 *   VN (version 0)   not live                        DROP QUIC_VERSION: it is never answered
 *   long             not ours, in the first table    CONN, cid_seq = 0
 *   long             not ours                        NEW or OTHER, as above
 *   short            not ours                        RESET
 *
 * RESET with a long header is for dropping: a stateless reset answers short headers only.
 * The bucket is never read here but for its check byte.
 *
 * @param dg   [in,out] parsed datagrams
 * @param cnt  1..PLX_BURST_MAX
 *
 * Thread: the worker that owns st.
 * Owns:   nothing changes hands.
 * Errors: none; refusals are verdicts and counted by the caller when it drops. NEW is counted
 *         here, under PLX_COUNT_first_pkts, when obs was given to init (it may be NULL).
 * Cost:   one AES block per packet, eight in flight; no allocation.
 */
void plx_steer_burst(struct plx_steer *st, struct plx_dgram *dg, uint16_t cnt)
        PLX_ON_WORKER;

/**
 * plx_steer_set_gen() tells steering the generation that lives in a slot (0 = free): an ID of
 * an older generation gets PLX_VERDICT_RESET. The slot takes the epoch in force.
 *
 * Thread: the worker that owns st. Owns: nothing. Errors: none; slot must be below cfg.slots.
 */
void plx_steer_set_gen(struct plx_steer *st, uint32_t slot, uint16_t gen) PLX_ON_WORKER;

/**
 * plx_steer_set_epoch() puts a new epoch in force, for slots taken and Retries sent from now
 * on; connections that live keep theirs. Generations of free slots may then begin again at 1.
 *
 * @param epoch  random, never used before under this key
 * Thread: the worker that owns st. Owns: nothing. Errors: none.
 */
void plx_steer_set_epoch(struct plx_steer *st, uint32_t epoch) PLX_ON_WORKER;

/**
 * plx_steer_make_cid() writes an ID of this worker. No ID is issued twice: (slot, gen, seq) is
 * new for each call of one epoch, the caller sees to that. Call plx_steer_set_gen() first, so
 * that the ID carries the epoch of the connection.
 *
 * @param slot  below cfg.slots, or PLX_CID_SLOT_RETRY
 * @param cid  [out] PLX_CID_LEN bytes
 * Thread: the worker that owns st. Owns: nothing. Errors: none.
 */
void plx_steer_make_cid(struct plx_steer *st, uint32_t slot, uint16_t gen, uint16_t seq,
                        uint8_t cid[PLX_CID_LEN]) PLX_ON_WORKER;

/**
 * plx_steer_decode() reads an ID.
 *
 * @return true when it is one of ours: of any worker, slot, generation and epoch
 * Thread: the worker that owns st. Owns: nothing. Errors: none.
 */
bool plx_steer_decode(const struct plx_steer *st, const uint8_t *cid, size_t len,
                      struct plx_cid_info *out) PLX_ON_WORKER;

/**
 * First-packet table: client-chosen IDs of handshakes in progress, SipHash-keyed, bounded.
 * add returns PLX_E_FULL when its buckets are full (the caller refuses the connection),
 * PLX_E_EXIST when the ID is there already, PLX_E_INVAL for a length outside 1..20.
 * IDs of a Retry belong here too, once the token was good.
 *
 * Thread: the worker that owns st. Owns: nothing. Errors: as returned.
 */
int plx_steer_first_add(struct plx_steer *st, const uint8_t *cid, size_t len, uint32_t slot)
        PLX_ON_WORKER;
void plx_steer_first_del(struct plx_steer *st, const uint8_t *cid, size_t len)
        PLX_ON_WORKER;
int64_t plx_steer_first_find(const struct plx_steer *st, const uint8_t *cid, size_t len)
        PLX_ON_WORKER; /**< slot or -1 */

/**
 * plx_steer_reset_token() is the stateless reset token of an ID: AES-CBC-MAC under a key made
 * from hash_key, the same in every worker and after a restart with the same key file.
 *
 * @param len  0..20
 * Thread: the worker that owns st. Owns: nothing. Errors: none.
 * Spec:   RFC 9000 section 10.3.2
 */
void plx_steer_reset_token(const struct plx_steer *st, const uint8_t *cid, size_t len,
                           uint8_t token[16]) PLX_ON_WORKER;

#endif
