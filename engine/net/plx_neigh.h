/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The neighbour table of a port: which MAC address an IP address on the link has.
 *
 * Path:    nic -> [net] -> steer -> quic -> stream -> app
 * Threads: one writer, the worker of queue 0 (take, age); every worker of the port reads
 *          (find, epoch) and posts what it learnt or wants (post).
 * Memory:  fixed at init: one cache line per entry, 256 messages.
 * Spec:    RFC 826, 1122 section 2.3.2, 4861 section 7.3, 5227
 *
 * States of an entry, and what moves it (n = 3 probes, 1 s apart):
 *
 *                WANT                  REPLY                 60 s
 *     FREE ──────────────▶ INCOMPLETE ───────▶ REACHABLE ──────────▶ STALE ──600 s──▶ FREE
 *      ▲                     │     ▲              ▲                   │ used by find()
 *      │ 5 s                 │ n   └──── n ────┐  │ REPLY             ▼
 *      └────────── FAILED ◀──┘                 └─────────────────── PROBE (asks the known MAC)
 *
 * LEARN (a request that was meant for us) makes or refreshes an entry as STALE; UPDATE
 * (gratuitous) changes entries that exist, nothing else: a flood of announcements fills nothing.
 * REACHABLE, STALE and PROBE can be sent to.
 *
 * The epoch changes whenever a packet template made from the table may have become wrong, or a
 * packet that waits may go: users compare one number per packet instead of looking up. An entry
 * that grows stale changes the epoch too, so that those who use it look it up once, which is
 * what starts the probe.
 */
#ifndef PLX_NEIGH_H
#define PLX_NEIGH_H

#include <plx/types.h>

#include "plx_net.h"

#define PLX_NEIGH_PROBES       3
#define PLX_NEIGH_PROBE_NS     (1 * PLX_NS_PER_S)
#define PLX_NEIGH_FAILED_NS    (5 * PLX_NS_PER_S)
#define PLX_NEIGH_REACHABLE_NS (60 * PLX_NS_PER_S)
#define PLX_NEIGH_STALE_NS     (600 * PLX_NS_PER_S)
/** Probes of one call of take or age at most; what is over waits for the next call. */
#define PLX_NEIGH_BURST        32

enum plx_neigh_state {
	PLX_NEIGH_FREE = 0,
	PLX_NEIGH_INCOMPLETE,
	PLX_NEIGH_REACHABLE,
	PLX_NEIGH_STALE,
	PLX_NEIGH_PROBE,
	PLX_NEIGH_FAILED,
	PLX_NEIGH_STATE_CNT
};

enum plx_neigh_op {
	PLX_NEIGH_WANT = 0, /**< resolve this address */
	PLX_NEIGH_REPLY,    /**< it answered us */
	PLX_NEIGH_LEARN,    /**< it asked us */
	PLX_NEIGH_UPDATE,   /**< it announced itself */
};

/** A request to send. */
struct plx_neigh_probe {
	struct plx_addr ip;
	uint8_t mac[6]; /**< whom to ask; all zero = everybody */
};

/** plx_neigh_usable(): can a packet be sent to an entry in this state? */
static inline bool
plx_neigh_usable(enum plx_neigh_state s)
{
	return s == PLX_NEIGH_REACHABLE || s == PLX_NEIGH_STALE || s == PLX_NEIGH_PROBE;
}

/**
 * plx_neigh_epoch() is the number of changes that matter to templates; never 0. Read it before
 * plx_neigh_find(): a change between the two then costs one look-up more, not a wrong template.
 *
 * Thread: any worker of the port. Owns: nothing. Errors: none.
 */
uint32_t plx_neigh_epoch(const struct plx_neigh *t) PLX_ON_WORKER;

/**
 * plx_neigh_find() looks an address up in order to send to it: a stale entry is probed soon.
 * plx_neigh_peek() only looks.
 *
 * @param mac  [out] valid when plx_neigh_usable()
 * @return the state, PLX_NEIGH_FREE when there is no entry
 *
 * Thread: any worker of the port. Owns: nothing. Errors: none.
 */
enum plx_neigh_state plx_neigh_find(struct plx_neigh *t, const struct plx_addr *ip,
                                    uint8_t mac[6]) PLX_ON_WORKER;
enum plx_neigh_state plx_neigh_peek(const struct plx_neigh *t, const struct plx_addr *ip)
        PLX_ON_WORKER;

/**
 * plx_neigh_post() tells the writer something.
 *
 * @param mac  of the neighbour; NULL with PLX_NEIGH_WANT, and with PLX_NEIGH_REPLY when the
 *             answer confirms the address without naming a MAC
 * @return 0, PLX_E_FULL: 256 messages wait; the caller drops it, the peer will ask again
 *
 * Thread: any worker of the port. Owns: nothing. Errors: as returned.
 */
int plx_neigh_post(struct plx_neigh *t, enum plx_neigh_op op, const struct plx_addr *ip,
                   const uint8_t *mac) PLX_ON_WORKER;

/** plx_neigh_pending(): do messages wait? One load. Thread: the writer. */
bool plx_neigh_pending(const struct plx_neigh *t) PLX_ON_WORKER;

/**
 * plx_neigh_take() works off what was posted; plx_neigh_age() moves entries on with time, to
 * be called about every 100 ms.
 *
 * @param out  [out] requests to send, room for PLX_NEIGH_BURST
 * @return requests written
 *
 * Thread: the writer. Owns: nothing. Errors: none.
 * Cost:   age reads every entry: 64 bytes each.
 */
uint16_t plx_neigh_take(struct plx_neigh *t, uint64_t now_ns, struct plx_neigh_probe *out)
        PLX_ON_WORKER;
uint16_t plx_neigh_age(struct plx_neigh *t, uint64_t now_ns, struct plx_neigh_probe *out)
        PLX_ON_WORKER;

/**
 * plx_neigh_recheck() is told that the link came back: what was known is stale, so that it is
 * used and probed; what nobody answered for is asked again at once.
 * Thread: the writer. Owns: nothing. Errors: none. Cost: reads every entry.
 */
void plx_neigh_recheck(struct plx_neigh *t, uint64_t now_ns) PLX_ON_WORKER;

#endif
