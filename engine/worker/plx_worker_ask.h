/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Questions to a worker about its connections: no thread but the owner reads a connection, so
 * whoever wants to know asks, and the worker answers between two turns.
 *
 * Threads: plx_worker_ask() from any thread but the worker's; one question at a time is before a
 *          worker.
 * Memory:  the question and its answer are the asker's.
 * Spec:    architecture section 1 (telemetry), S2-46
 */
#ifndef PLX_WORKER_ASK_H
#define PLX_WORKER_ASK_H

#include <stdatomic.h>

#include <plx/conn.h>
#include <plx/err.h>

/** Connections in one answer: more do not fit the 16 KiB of a telemetry answer. */
#define PLX_ASK_CONNS 50
/** Slots looked at for one answer: what it may cost the worker, some 50 us. */
#define PLX_ASK_SLOTS 1024

struct plx_worker;

/** A line of a list of connections. */
struct plx_ask_line {
	struct plx_conn_id id;
	struct plx_addr remote;
	const char *state; /**< "HANDSHAKE", "OPEN", "CLOSING", "DRAINING" */
};

struct plx_ask {
	/** Handle of the connection wanted; PLX_CONN_NONE: the list from slot `from` on. */
	struct plx_conn_id id;
	uint32_t from;

	struct plx_conn_info info; /**< [out] of the connection */
	uint32_t cnt;              /**< [out] of the list */
	uint32_t next;             /**< [out] slot to go on from, 0: the list is complete */
	struct plx_ask_line line[PLX_ASK_CONNS];

	int rc;            /**< the worker's; plx_worker_ask() returns it */
	_Atomic bool done; /**< the worker's last word */
};

/**
 * plx_worker_ask() asks and waits for the answer.
 *
 * @param a           question and answer
 * @param timeout_ms  for a worker that does not run
 * @return 0, PLX_E_STALE no such connection, PLX_E_AGAIN another question is before the worker,
 *         PLX_E_TIMEOUT no answer in time
 * Thread: any but the worker's. Owns: a stays the caller's, also after a timeout.
 */
int plx_worker_ask(struct plx_worker *w, struct plx_ask *a, uint32_t timeout_ms)
        PLX_ANY_THREAD;

#endif
