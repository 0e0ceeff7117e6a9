/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two workers in one thread over the simulated wire, in virtual time: a server and a client that
 * asks it for bytes.
 */
#ifndef WORKER_PAIR_H
#define WORKER_PAIR_H

#include "plx_ring.h"
#include "plx_sim.h"
#include "plx_testapp.h"
#include "plx_worker.h"

enum { SERVER = 0, CLIENT = 1, SIDES };

struct worker_pair {
	struct plx_sim *sim;
	struct plx_clock clock;
	struct plx_pio *pio[SIDES];
	struct plx_neigh *neigh[SIDES];
	struct plx_worker *w[SIDES];
	struct plx_testapp app[SIDES];
	struct plx_proto proto[SIDES];
	struct plx_net_cfg net[SIDES];
	struct plx_tls_cfg tls[SIDES];
	char *cert, *key;
	uint64_t now;
	uint64_t busy; /**< turns that moved something */
	uint16_t next_port;
	unsigned pool_avail;
};

struct worker_pair_cfg {
	const char *name; /**< of the wire; unique in the process */
	uint32_t pool_cnt;
	uint32_t conns_max;       /**< 0 = 64 */
	uint32_t idle_ms;         /**< 0 = default */
	struct plx_sim_link link; /**< both ways; delay 0 = 100 us */
};

void worker_pair_make(struct worker_pair *r, const struct worker_pair_cfg *cfg);
/** One turn of both workers; when neither had anything to do, time moves on by up to 1 ms. */
void worker_pair_turn(struct worker_pair *r);
/** Turns until then. */
void worker_pair_until(struct worker_pair *r, uint64_t end_ns);
/** The client connects; each connection asks for what app[CLIENT] says. */
void worker_pair_dial(struct worker_pair *r);
/** One connection's worth of streams, to the last byte. */
void worker_pair_transfer(struct worker_pair *r);
/** Frees everything; no buffer may be missing. */
void worker_pair_end(struct worker_pair *r);

#endif
