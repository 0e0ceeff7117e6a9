/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Key log sink: workers put lines into a ring of their own, the main thread writes them to the
 * file, so that a full or slow disk never stalls a worker (F14). A line that finds its ring
 * full is dropped and counted.
 *
 * Threads: put: the worker of the ring; flush: main.
 * Memory:  PLX_KEYLOG_LINES lines a worker, made at open.
 * Spec:    NSS key log format (draft-ietf-tls-keylogfile)
 *
 * The file lets anyone who has it read the traffic: mode 0600, off unless asked for.
 */
#ifndef PLX_KEYLOG_H
#define PLX_KEYLOG_H

#include <plx/err.h>

/** Lines a worker may be ahead of the disk: 4 handshakes' worth each 100 us for 10 ms. */
#define PLX_KEYLOG_LINES   1024
#define PLX_KEYLOG_LINE_SZ 256

struct plx_keylog;
struct plx_keylog_ring; /**< of one worker */

/**
 * plx_keylog_open() appends to a file, created with mode 0600.
 * @return 0, PLX_E_IO (errno says why), PLX_E_NOMEM
 * Thread: main. Owns: caller closes. Errors: as returned.
 */
int plx_keylog_open(struct plx_keylog **out, const char *path, uint16_t workers)
        PLX_ON_MAIN;
/** Flushes and closes. */
void plx_keylog_close(struct plx_keylog *k) PLX_ON_MAIN;
struct plx_keylog_ring *plx_keylog_ring_of(struct plx_keylog *k, uint16_t worker)
        PLX_ON_MAIN;

/** plx_keylog_put() is a plx_keylog_fn; arg is the ring. Thread: the worker. Errors: counted. */
void plx_keylog_put(void *arg, const char *line) PLX_ON_WORKER;

/** plx_keylog_flush() writes what waits. @return lines dropped so far. Thread: main. */
uint64_t plx_keylog_flush(struct plx_keylog *k) PLX_ON_MAIN;

#endif
