/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A worker: one lcore that owns one queue of each port, a table of connections, their timers,
 * and the rings to its neighbours and applications.
 *
 * Path:    [nic -> net -> steer -> quic -> stream -> app]
 * Threads: plx_worker_turn() and plx_worker_run() on the worker's lcore; the rest by main
 *          before it runs or after it stopped.
 * Memory:  everything is made by plx_worker_new(); after a handshake a packet costs no heap
 *          allocation and no lock.
 * Spec:    architecture section 1
 */
#ifndef PLX_WORKER_H
#define PLX_WORKER_H

#include <time.h>

#include <plx/err.h>

#include "plx_clock.h"
#include "plx_crypt.h"
#include "plx_net.h"
#include "plx_pio.h"
#include "plx_quic.h"
#include "plx_rbufpool.h"
#include "plx_ring.h"
#include "plx_ringapp.h"
#include "plx_steer.h"
#include "plx_tls.h"

#define PLX_PORTS_MAX  8
#define PLX_ATTACH_MAX 32

/** What a worker does with packets. */
enum plx_role {
	PLX_ROLE_QUIC = 0, /**< end connections */
	PLX_ROLE_CNT
};

/** What a worker does when a turn moved nothing. */
enum plx_idle {
	PLX_IDLE_POLL = 0, /**< next turn at once: lowest latency, a core at 100 % */
	PLX_IDLE_PAUSE,    /**< a pause instruction: kinder to the sibling thread */
	PLX_IDLE_ADAPTIVE, /**< after empty_polls turns sleep until min(next timer, 50 us) */
};

/** Longest sleep of PLX_IDLE_ADAPTIVE, ns: what a first packet may wait on an idle worker. */
#define PLX_IDLE_SLEEP_NS UINT64_C(50000)

struct plx_worker_cfg {
	uint8_t number;     /**< of this worker, 0..worker_cnt-1 */
	uint8_t worker_cnt; /**< 1..PLX_WORKERS_MAX */
	uint8_t idle;       /**< enum plx_idle */
	uint8_t clock;      /**< enum plx_clock_kind */
	uint32_t
	        empty_polls; /**< PLX_IDLE_ADAPTIVE: empty turns before it sleeps, default 512 */
	int node;            /**< NUMA node of its memory, -1 none */

	struct plx_pio *pio[PLX_PORTS_MAX];
	const struct plx_net_cfg *net[PLX_PORTS_MAX];
	struct plx_neigh *neigh[PLX_PORTS_MAX];
	uint16_t port_cnt; /**< 1..PLX_PORTS_MAX */

	struct plx_quic_cfg quic;
	struct plx_steer_cfg steer; /**< worker fields are filled in */
	const struct plx_tls_cfg *tls_server, *tls_client; /**< NULL: that role is off */
	const struct plx_proto *proto;
	uint16_t proto_cnt;
	uint8_t crypt; /**< enum plx_crypt_backend */

	struct plx_pair *pair[PLX_ATTACH_MAX]; /**< rings to each attachment */
	uint16_t attach_cnt;
	size_t rbuf_bytes; /**< receive buffers for applications, bytes; 0 = none */
	struct plx_mailboxes *mailboxes; /**< NULL with one worker */

	uint64_t seed; /**< not 0: reproducible randomness (simulation) */
};

struct plx_worker;

/**
 * plx_worker_new() makes a worker.
 *
 * @param cfg  copied; what it points at outlives the worker
 * @param err  [out] one sentence for the operator
 * @return 0, PLX_E_CONFIG, PLX_E_CERT, PLX_E_TLS, PLX_E_NOMEM
 * Thread: main. Owns: caller frees, after the worker stopped. Errors: as returned.
 */
int plx_worker_new(struct plx_worker **out, const struct plx_worker_cfg *cfg, char *err,
                   size_t err_sz) PLX_ON_MAIN;
void plx_worker_free(struct plx_worker *w) PLX_ON_MAIN;

/**
 * plx_worker_turn() does one turn at time now_ns. A host program with its own loop calls it.
 * @return packets, commands, events and timers moved; 0 = nothing to do
 * Thread: the worker's. Owns: nothing. Errors: none; all refusals are counted.
 */
uint32_t plx_worker_turn(struct plx_worker *w, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_worker_host_turn() does one turn on a host's thread, with what plx_worker_run() does around
 * it; the worker's clock is virtual. @return as plx_worker_turn(), PLX_E_CLOSED: the worker was
 * stopped and its time to linger is over. plx_worker_deadline() is when the next turn is due at
 * the latest, 0 = now. Thread: the one that turns it.
 */
int plx_worker_host_turn(struct plx_worker *w, uint64_t now_ns) PLX_ON_WORKER;
uint64_t plx_worker_deadline(const struct plx_worker *w) PLX_ON_WORKER;

/** plx_worker_run() turns until plx_worker_stop(); arg is the worker. @return 0 */
int plx_worker_run(void *arg) PLX_ON_WORKER;

/**
 * plx_worker_drain() asks the worker to refuse new connections; plx_worker_stop() to close
 * every connection with code and leave its loop after linger_ms (time for the CONNECTION_CLOSE
 * frames to leave, 0..1000).
 * Thread: any. Owns: nothing. Errors: none.
 */
void plx_worker_drain(struct plx_worker *w) PLX_ANY_THREAD;
void plx_worker_stop(struct plx_worker *w, uint64_t code, uint32_t linger_ms)
        PLX_ANY_THREAD;

/**
 * plx_worker_set_links() tells the worker which ports have no link; their connections wait, and
 * send a probe at once when it is back (plx_quic_set_down()).
 * @param down  bit p: port p; a port that never had a link does not belong here
 * Thread: any. Owns: nothing. Errors: none.
 */
void plx_worker_set_links(struct plx_worker *w, uint32_t down) PLX_ANY_THREAD;

/**
 * plx_worker_ended() says whether plx_worker_run() is through; what the worker wrote is visible to
 * the caller then. Thread: any. Owns: nothing. Errors: none.
 */
bool plx_worker_ended(const struct plx_worker *w) PLX_ANY_THREAD;

/** plx_worker_cpu_ns() is the CPU time of the worker's thread, ns; 0 before it runs. */
uint64_t plx_worker_cpu_ns(const struct plx_worker *w) PLX_ANY_THREAD;

/** plx_worker_start_ns() is when its thread began, CLOCK_MONOTONIC; 0 before. Thread: any. */
uint64_t plx_worker_start_ns(const struct plx_worker *w) PLX_ANY_THREAD;

/** plx_worker_hints() is what frames said about the set-up, PLX_NET_HINT_*. Thread: any. */
uint32_t plx_worker_hints(const struct plx_worker *w) PLX_ANY_THREAD;

/** plx_worker_obs() are its counters, read with plx_obs_get(). Thread: any. */
const struct plx_obs *plx_worker_obs(const struct plx_worker *w) PLX_ANY_THREAD;

/** The endpoint of a worker, for a host that turns it itself and for tests. Thread: the worker's. */
struct plx_quic *plx_worker_quic(struct plx_worker *w) PLX_ON_WORKER;

/**
 * plx_worker_pick() is the struct plx_ringapp_cfg.pick of a worker: dialed connections go to
 * the attachment that dialed, accepted ones in rotation over the attachments that listen.
 * arg is the worker. Thread: the worker's.
 */
struct plx_appside *plx_worker_pick(void *arg, struct plx_conn *c) PLX_ON_WORKER;

/**
 * plx_worker_dial_user() is the struct plx_ringapp_cfg.user of a worker: the value of the DIAL
 * command; ends the worker's record of the dial, so it is called once. Thread: the worker's.
 */
uint64_t plx_worker_dial_user(void *arg, struct plx_conn *c) PLX_ON_WORKER;

#endif
