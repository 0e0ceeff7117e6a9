/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * An attack beside honest clients, in virtual time: the same story is run twice, once in peace and
 * once under attack, and what honest clients got is compared.
 *
 * What every attack must leave behind, checked by siege_run() itself: honest clients got at least
 * 80 % of what they get in peace, in the same virtual time, without a wrong byte; once all are
 * gone, no slot, no half-open handshake and no byte of the server's slab is in use.
 *
 * Threads: one.
 * Memory:  the heap, given back before siege_run() returns.
 */
#ifndef PLX_SIEGE_H
#define PLX_SIEGE_H

#include "plx_quic_pvt.h"
#include "plx_rogue.h"
#include "plx_test.h"

#define SEC PLX_NS_PER_S
#define MS  PLX_NS_PER_MS

/** What the server's wire carries in a siege, packets, however long it is. */
#define SIEGE_PKTS 20000

struct siege {
	uint64_t ns; /**< how long it lasts */
	uint32_t
	        honest; /**< clients; half of them come before the attack, half during it */
	void *arg;      /**< of the functions below, each may be NULL */
	void (*setup)(struct plx_pair_cfg *cfg);
	void (*begin)(struct plx_pair *p, void *arg);
	void (*tick)(struct plx_pair *p, void *arg); /**< every millisecond */
	void (*end)(struct plx_pair *p, void *arg);  /**< checks; frees what begin made */
	/* Results. */
	uint64_t calm, stormy;           /**< bytes that honest clients got */
	uint64_t calm_peak, stormy_peak; /**< of the server's slab, bytes */
	uint64_t half_open_peak;
	uint64_t server_tx[2]; /**< packets of the server, in peace and under attack */
};

/** siege_run() runs both stories and checks what is said above. */
void siege_run(struct siege *s);

/** siege_scale() multiplies a number of packets by PLX_ATTACK_SCALE of the environment. */
uint64_t siege_scale(uint64_t cnt);

/** siege_count() and siege_drops() read the server's counters. */
uint64_t siege_count(struct plx_pair *p, enum plx_count c);
uint64_t siege_drops(struct plx_pair *p, enum plx_drop d);

/** Processor time of this thread, ns: for bounds that are generous. */
uint64_t siege_cpu_ns(void);

/** Bytes of malloc() in use, without the slab; 0 under a sanitizer, which finds leaks itself. */
uint64_t siege_heap_used(void);

#endif
