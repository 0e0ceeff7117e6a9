/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The application core of `pollux serve`: HTTP/3 requests come as events, files are read by the
 * threads of plx_serve_io, responses go back as commands.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> h3 -> [app]
 * Threads: plx_serve_core_run() on one thread per core; stop and counters from any thread.
 * Memory:  PLX_SERVE_BUFS buffers of PLX_SERVE_BUF_SZ for file bytes; requests wait for one
 *          when all are on their way, nobody fails.
 * Spec:    RFC 9114; rows Q6-4, Q6-5
 *
 *     GET, HEAD /path           a file below root (index.html for a directory)
 *     GET /stream-bytes/N       N bytes of 0x57
 *     POST /discard             counts the body, answers with the number
 *     POST /echo                sends the body back while it comes
 *     anything, without a root  200 with an empty body
 */
#ifndef PLX_SERVE_CORE_H
#define PLX_SERVE_CORE_H

#include <stdatomic.h>

#include <plx/attach.h>

#include "plx_serve_io.h"

/** File bytes in one send buffer: 45 packets, one QUIC send quantum. */
#define PLX_SERVE_BUF_SZ 65536
/** Buffers of a core, 64 MiB: what 128 transfers keep in flight at PLX_SERVE_WINDOW each. */
#define PLX_SERVE_BUFS   1024
/** Buffers that one request may have on its way: 512 KiB covers 4 Gbit/s at 1 ms. */
#define PLX_SERVE_WINDOW 8

struct plx_serve_stats {
	_Atomic uint64_t requests, responses_2xx, responses_4xx, responses_5xx;
	_Atomic uint64_t body_tx, body_rx; /**< bytes acknowledged; bytes received */
	_Atomic uint64_t conns_open, conns_total;
	_Atomic uint64_t cancelled; /**< requests that ended before their response did */
};

struct plx_serve_core;

/**
 * plx_serve_core_new() makes an application core on an attachment.
 * @param io        pool of file threads, or NULL: no files are served
 * @param has_root  without it every other path answers 200 with an empty body
 * @return 0, PLX_E_NOMEM
 * Thread: main. Owns: caller frees after run() returned and after plx_io_pool_free() returned 0,
 *         which waits for the jobs that still name requests; a outlives the core.
 */
int plx_serve_core_new(struct plx_serve_core **out, struct plx_attach *a,
                       struct plx_io_pool *io, bool has_root) PLX_ON_MAIN;
void plx_serve_core_free(struct plx_serve_core *c) PLX_ON_MAIN;

/** plx_serve_core_run() works until plx_serve_core_stop(); arg is the core. Returns NULL. */
void *plx_serve_core_run(void *arg) PLX_ON_APP;
void plx_serve_core_stop(struct plx_serve_core *c) PLX_ANY_THREAD;

/** Requests in hand now. Thread: any. */
uint64_t plx_serve_core_active(const struct plx_serve_core *c) PLX_ANY_THREAD;
const struct plx_serve_stats *plx_serve_core_stats(const struct plx_serve_core *c)
        PLX_ANY_THREAD;

#endif
