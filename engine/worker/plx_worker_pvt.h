/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of a worker, shared by the files of this folder.
 */
#ifndef PLX_WORKER_PVT_H
#define PLX_WORKER_PVT_H

#include <pthread.h>
#include <stdatomic.h>

#include "plx_worker.h"
#include "plx_worker_ask.h"

/** Commands taken from one attachment in one turn. */
#define PLX_CMDS_PER_TURN   64
/** Time between two rounds of housekeeping, ns. */
#define PLX_HOUSEKEEP_NS    (100 * PLX_NS_PER_MS)
/** First port that dials use; below are the well-known and registered ports. */
#define PLX_DIAL_PORT_FIRST 49152

/** A dial of an application core, until it is answered. */
struct plx_dialing {
	struct plx_appside *side;
	uint64_t user;
};

struct plx_worker {
	/* Read every turn. */
	struct plx_worker_cfg cfg;
	struct plx_net *net[PLX_PORTS_MAX];
	struct plx_steer *steer;
	struct plx_quic *quic;
	struct plx_clock clock;
	uint32_t (*turn)(struct plx_worker *w, uint64_t now_ns); /* of the role */

	/* Buffers prepared for writing and not used yet. */
	struct plx_txpkt spare[PLX_BURST_MAX];
	uint16_t spare_cnt;

	/* Packets on their way to other workers, flushed per burst. */
	struct rte_mbuf *staged[PLX_WORKERS_MAX][PLX_BURST_MAX];
	uint8_t staged_cnt[PLX_WORKERS_MAX];

	struct plx_appside side[PLX_ATTACH_MAX];
	uint16_t side_cnt;
	uint16_t next_side;
	uint16_t next_dial_port;
	uint64_t housekeep_ns; /* when the next round is due */
	uint64_t stop_ns;      /* 0, or when the loop ends */

	/* Bit p: port p. Changes with a link. */
	uint32_t link_seen; /* without link, as last reported */
	uint32_t no_link;   /* of these, those that received nothing since */
	uint32_t stalled;   /* took nothing for long */
	uint32_t down;      /* the two together: what the endpoint was told */

	bool draining;

	/* Parts that only life and shortage touch. */
	struct plx_crypt *crypt;
	struct plx_rand rand;
	struct plx_tls *tls_server, *tls_client;
	struct plx_rbufpool *pool;
	void *steer_mem;

	/* Written by any thread, read once a turn. */
	PLX_CACHE_ALIGNED _Atomic bool drain_asked;
	_Atomic bool stop_asked;
	_Atomic uint32_t links_down;
	_Atomic(struct plx_ask *) ask; /* a question that waits */
	_Atomic uint64_t stop_code;
	_Atomic uint32_t stop_linger_ms;

	/* Written by the worker, read by any thread. */
	PLX_CACHE_ALIGNED _Atomic bool running;
	clockid_t cpu_clock;
	_Atomic uint64_t start_ns; /* CLOCK_MONOTONIC, 0 = not yet */

	struct plx_obs obs;
};

/** plx_worker_cmds.c: step 3 of a turn. @return commands and returns carried out */
uint32_t plx_worker_cmds(struct plx_worker *w, uint64_t now_ns);

/**
 * plx_worker_link.c: which ports have no link. link_run() once a turn after receiving: blocked =
 * a port refused frames in this turn; link_rx(): the port received; link_housekeep() every
 * PLX_HOUSEKEEP_NS.
 */
void plx_worker_link_run(struct plx_worker *w, bool blocked, uint64_t now_ns);
void plx_worker_link_rx(struct plx_worker *w, uint16_t port);
void plx_worker_link_housekeep(struct plx_worker *w, uint64_t now_ns);

/** plx_worker_ask.c: answers the question that waits. */
void plx_worker_answer(struct plx_worker *w) PLX_ON_WORKER;

/** plx_worker_quic.c: the turn of role quic. */
uint32_t plx_worker_turn_quic(struct plx_worker *w, uint64_t now_ns);

#endif
