/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Workers without a loop and a port of their own: a program that has both hands frames to the
 * engine and takes frames from it, as mbufs.
 *
 * Path:    [net -> steer -> quic -> stream -> app]
 * Threads: each worker is turned by one thread of the host's, at a time; the rest by main.
 * Memory:  frames that are given belong to the engine, which frees them into their pool; frames
 *          that are taken belong to the host.
 *
 *   1. plx_conf_*()                 as for plx_engine_open(); workers.count is the number of
 *                                   turning threads, ports[0].addresses the engine's addresses
 *   2. plx_embed_open()             after rte_eal_init() and the start of the host's port
 *   3. plx_app_attach(), plx_engine_start()      the latter makes workers and starts nothing
 *   4. per thread, again and again: plx_embed_turn() with what came, plx_embed_take() until it
 *      gives 0; sleep, where the host sleeps, until plx_embed_deadline()
 *   5. plx_engine_poll()            about every 100 ms
 *   6. plx_engine_stop() asks; turn until plx_embed_turn() returns PLX_E_CLOSED;
 *      plx_engine_free()
 *
 * Which frames are the engine's is the host's choice. It needs UDP to its addresses and ports,
 * ARP and neighbour discovery (requests for its addresses and the answers to its own: a copy does
 * where the host wants them, too), and, for path MTU and ping, ICMP to its addresses. What it does
 * not understand it counts and frees.
 */
#ifndef PLX_EMBED_H
#define PLX_EMBED_H

#include <plx/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mbuf;
struct rte_mempool;

/** Frames of one worker that wait for plx_embed_take(); then the worker writes no more. */
#define PLX_EMBED_TX_MAX 512

/** The host's port, as the engine sees it. */
struct plx_embed_port {
	const char *name; /**< for messages; NULL = "host" */
	struct rte_mempool
	        *pool;  /**< frames to send are made of its mbufs: RTE_PKTMBUF_HEADROOM
				       and 2048 bytes of room, at least 1024 for each worker */
	uint8_t mac[6]; /**< source address of frames */
	uint16_t mtu;   /**< IP packet, bytes; 0 = 1500 */
	bool rx_cksum; /**< mbufs say in ol_flags what the port found of IPv4 and UDP checksums */
	bool tx_cksum; /**< the port fills in IPv4 and UDP checksums where ol_flags ask for it */
	bool by_flow; /**< frames of one address and port pair come to one worker always */
};

/**
 * plx_embed_open() makes an engine that the host turns.
 *
 * @param name  begins the name of every EAL object, unique in the process, at most 11 bytes
 * @param port  copied; the pool outlives the engine
 * @param err   [out] one sentence for the operator; err_sz bytes
 * @return 0; PLX_E_CONFIG, PLX_E_NOMEM with a sentence
 * Thread: main, after rte_eal_init(). Owns: caller frees. Errors: nothing is left behind.
 */
PLX_API int plx_embed_open(struct plx_engine **out, const struct plx_conf *c,
                           const char *name, const struct plx_embed_port *port, char *err,
                           size_t err_sz) PLX_ON_MAIN;

/**
 * plx_embed_turn() does one turn of a worker: connections read what came, timers that are due
 * run, applications are told, packets are written.
 *
 * @param worker  0..workers.count-1; always turned by the same thread
 * @param m       frames from Ethernet on, whole or in segments
 * @param cnt     0..65535; 32 at a time are cheapest
 * @param now_ns  any monotonic clock in ns, the same for all workers; a value behind the last
 *                one is taken as the last one
 * @return frames, commands, events and timers moved, 0 = nothing to do now; PLX_E_CLOSED: the
 *         engine was stopped and all is said, turn no more; PLX_E_INVAL no such worker, or not
 *         started. Frames are the engine's in any case
 * Thread: the worker's. Owns: takes the frames. Errors: as returned; all else is counted.
 */
PLX_API int plx_embed_turn(struct plx_engine *e, uint16_t worker, struct rte_mbuf **m,
                           uint16_t cnt, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_embed_take() takes frames that the worker wrote, in order.
 * @return 0..cnt; the frames are the host's, to send or to free
 * Thread: the worker's. Owns: as said. Errors: none.
 */
PLX_API uint16_t plx_embed_take(struct plx_engine *e, uint16_t worker, struct rte_mbuf **m,
                                uint16_t cnt) PLX_ON_WORKER;

/**
 * plx_embed_deadline() is when the worker wants its next turn if no frame comes before, on the
 * host's clock; 0: now. A command that an application thread gives later shows only here: a host
 * that sleeps and uses attachments looks again after some 50 us.
 * Thread: the worker's. Owns: nothing. Errors: none.
 */
PLX_API uint64_t plx_embed_deadline(struct plx_engine *e, uint16_t worker) PLX_ON_WORKER;

/** plx_embed_link() tells the engine that the host's port lost its link, or has it again. */
PLX_API void plx_embed_link(struct plx_engine *e, bool up) PLX_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
