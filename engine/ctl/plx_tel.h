/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * DPDK telemetry: the engines of this process as /pollux/… endpoints, and how busy their lcores
 * are. For reading only; dpdk-telemetry.py asks.
 *
 *     /pollux/info              versions, engines
 *     /pollux/summary           per engine: connections, packets, bytes, drops
 *     /pollux/quic              per engine: every counter of plx_count_list.h
 *     /pollux/drops             per engine: every drop reason that was counted
 *     /pollux/lcore[,id]        lcores with a worker; one of them: turns, busy time, CPU time
 *     /pollux/port[,n]          ports; one of them: link, offloads, counters
 *     /pollux/conn/list[,page]  connections, 50 a page; a page names the next one
 *     /pollux/conn,engine/handle  one connection, as the list names it
 *
 * Threads: DPDK's telemetry threads, one a client. Counters are read with relaxed loads; about
 *          connections the worker is asked (plx_worker_ask.h).
 * Memory:  one register for the process.
 */
#ifndef PLX_TEL_H
#define PLX_TEL_H

#include "plx_engine_int.h"

/**
 * plx_tel_watch enters engines into the register when their workers run and takes them out before
 * they end: struct plx_engine_cfg.watch. The endpoints themselves are there from the start of the
 * process.
 */
extern const struct plx_engine_watch plx_tel_watch;

#endif
