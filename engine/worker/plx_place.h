/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Which lcores workers run on: those of the NUMA node that the port is on come first. A worker
 * of another node reads each packet over the link between the nodes.
 *
 * Threads: main.
 * Memory:  the caller's.
 */
#ifndef PLX_PLACE_H
#define PLX_PLACE_H

#include "plx_mem.h"
#include "plx_pio.h"

/** plx_place_node() gives the node of an EAL lcore. @param numa  NULL = this machine */
int plx_place_node(const struct plx_numa *numa, unsigned lcore) PLX_ON_MAIN;

/** plx_place_node_of() gives the node of the first port that is on one, -1: none is. */
int plx_place_node_of(struct plx_pio *const *pio, uint16_t port_cnt) PLX_ON_MAIN;

/**
 * plx_place_pick() chooses lcores: those on node in the order given, then the others in theirs.
 *
 * @param out   [out] cnt lcores
 * @param from  from_cnt lcores that may be chosen
 * @param node  -1 = any: the first cnt
 * @return whether from_cnt was enough
 * Thread: main. Owns: nothing. Errors: none; out is not written when it was not.
 */
bool plx_place_pick(unsigned *out, uint16_t cnt, const unsigned *from, unsigned from_cnt,
                    int node, const struct plx_numa *numa) PLX_ON_MAIN;

/**
 * plx_place_check() warns of each port that is on another node than the worker.
 * @return warnings logged. Thread: main. Errors: none.
 */
unsigned plx_place_check(uint16_t worker, int node, struct plx_pio *const *pio,
                         uint16_t port_cnt) PLX_ON_MAIN;

#endif
