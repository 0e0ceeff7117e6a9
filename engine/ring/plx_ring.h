/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Rings of a pair (worker, attachment) and mailboxes between workers, on rte_ring.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [ring] -> app
 * Threads: every ring has one producer and one consumer; the thread is named per function.
 * Memory:  EAL memory, made by main before workers start.
 */
#ifndef PLX_RING_H
#define PLX_RING_H

#include <plx/attach.h>

#include "plx_ringapp.h"

struct rte_mbuf;
struct plx_pair; /**< rings of one pair (worker, attachment) */

/** Longest prefix of EAL object names, characters; rte_ring allows 28 for the whole name. */
#define PLX_RING_PREFIX_MAX 12

/**
 * plx_attach_new() makes an attachment with worker_cnt pairs; prefix begins every EAL object
 * name (the engine's name). rbuf_max is the number of receive buffers of a worker's pool: the
 * return ring is at least that deep, so that a release never fails.
 *
 * @param prefix      1..PLX_RING_PREFIX_MAX characters
 * @param number      of the attachment, unique per prefix
 * @param worker_cnt  1..PLX_WORKERS_MAX
 * @param depth       entries of events, commands and sent buffers, power of two, 64..65536
 * @param rbuf_max    1..2^24
 * @param node        NUMA node, -1 any
 * Thread: main. Owns: caller frees with plx_attach_free(), when neither a worker nor the
 * application can reach it. Errors: PLX_E_NOMEM, PLX_E_INVAL, PLX_E_EXIST when a ring of that
 * name exists; nothing is left behind then.
 */
int plx_attach_new(struct plx_attach **out, const char *prefix, uint16_t number,
                   uint16_t worker_cnt, uint32_t depth, uint32_t rbuf_max, int node)
        PLX_ON_MAIN;
void plx_attach_free(struct plx_attach *a) PLX_ON_MAIN;
struct plx_pair *plx_attach_pair(struct plx_attach *a, uint16_t worker) PLX_ON_MAIN;
/** Marks the attachment closed: plx_cmd_put() returns PLX_E_CLOSED from now on. */
void plx_attach_close(struct plx_attach *a) PLX_ANY_THREAD;

/**
 * Worker side. plx_pair_publish() refills streams that wait for buffers, moves done send
 * buffers and then events of side->evq into the rings until they are full, counts events and
 * events_deferred in side->obs, and wakes the application if it sleeps. plx_pair_cmds() takes
 * up to max commands (pass plx_appside_cmd_room() at most); plx_pair_returns() takes returned
 * buffers.
 * Thread: the worker of the pair. Owns: commands and buffers taken are the caller's.
 * Errors: none; counts say what was moved.
 * Cost:   with nothing to do two loads; one fence per call that moved something.
 */
uint32_t plx_pair_publish(struct plx_pair *p, struct plx_appside *side) PLX_ON_WORKER;
uint32_t plx_pair_cmds(struct plx_pair *p, struct plx_cmd *cmd, uint32_t max) PLX_ON_WORKER;
uint32_t plx_pair_returns(struct plx_pair *p, struct plx_rbuf **b, uint32_t max)
        PLX_ON_WORKER;
/** Is a command or return waiting? (adaptive idle asks before it sleeps) */
bool plx_pair_pending(const struct plx_pair *p) PLX_ON_WORKER;

/**
 * N x N mailboxes; the diagonal does not exist. Up to PLX_MAILBOX_SPSC_MAX workers each pair has
 * a ring of its own (one producer, one consumer, order kept); above, the rings and the scan over
 * them grow with the square, and each worker has one ring with many producers (RTS: relaxed tail,
 * so that a preempted producer holds up no other; order is kept per producer).
 */
#define PLX_MAILBOX_SPSC_MAX 16
struct plx_mailboxes;

/**
 * plx_mailboxes_new() makes the mailboxes of worker_cnt workers.
 * @param prefix      as plx_attach_new()
 * @param worker_cnt  2..PLX_WORKERS_MAX
 * @param depth       packets that one ring holds, at least; 32..65536
 * @param node        NUMA node, -1 any
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM, PLX_E_EXIST
 * Thread: main. Owns: the caller owns *out. Errors: as returned; nothing is left behind then.
 */
int plx_mailboxes_new(struct plx_mailboxes **out, const char *prefix, uint16_t worker_cnt,
                      uint32_t depth, int node) PLX_ON_MAIN;
/** plx_mailboxes_free() frees the rings and the packets still in them. Thread: main. */
void plx_mailboxes_free(struct plx_mailboxes *m) PLX_ON_MAIN;

/**
 * plx_mailbox_put() hands packets from worker src to dst, all or a prefix.
 * @return packets taken; the rest is the caller's to drop and count (PLX_DROP_STEER_MAILBOX)
 * Thread: worker src. Cost: <= 20 ns per packet at bursts of 32.
 */
uint16_t plx_mailbox_put(struct plx_mailboxes *m, uint16_t src, uint16_t dst,
                         struct rte_mbuf **pkt, uint16_t cnt) PLX_ON_WORKER;
/** plx_mailbox_take() takes at most max packets from all mailboxes of dst, in rotation. */
uint16_t plx_mailbox_take(struct plx_mailboxes *m, uint16_t dst, struct rte_mbuf **pkt,
                          uint16_t max) PLX_ON_WORKER;
bool plx_mailbox_pending(const struct plx_mailboxes *m, uint16_t dst) PLX_ON_WORKER;

#endif
