/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The application side of the rings.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [app]
 * Threads: one thread uses an attachment (any lcore or ordinary thread).
 * Memory:  see <plx/event.h>.
 *
 *   1. plx_app_attach()            once, before the engine starts
 *   2. plx_events_take() …         work; release every buf; plx_cmd_put()
 *      plx_sent_take()             send buffers that came back
 *      plx_events_wait()           when there was nothing
 *   3. plx_app_detach()            after the engine stopped
 */
#ifndef PLX_ATTACH_H
#define PLX_ATTACH_H

#include <plx/err.h>
#include <plx/event.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plx_engine;
struct plx_attach;

/**
 * plx_app_attach() makes an attachment to all workers of an engine.
 *
 * @param depth  entries of each ring, power of two, 64..65536
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM, PLX_E_CLOSING when the engine runs already
 * Thread: main. Owns: caller detaches. Errors: as returned.
 */
PLX_API int plx_app_attach(struct plx_engine *e, uint32_t depth, struct plx_attach **out)
        PLX_ON_MAIN;
PLX_API void plx_app_detach(struct plx_attach *a) PLX_ON_MAIN;

/**
 * plx_events_take() takes up to max events, workers in rotation.
 * @return events, 0..max
 * Thread: the attachment's. Owns: buf of each event until plx_rbuf_release(). Errors: none.
 */
PLX_API uint32_t plx_events_take(struct plx_attach *a, struct plx_event *ev, uint32_t max)
        PLX_ON_APP;

/**
 * plx_events_wait() sleeps until events or send buffers wait, a worker took commands after
 * plx_cmd_put() had answered PLX_E_FULL, plx_events_wake() was called, or timeout. Woken by an
 * eventfd that workers write only while someone sleeps.
 * @param timeout_us  0 = look only, and let the eventfd tell: an application that sleeps in its
 *                    own epoll set calls it with 0 before; UINT64_MAX = for ever
 * @return 1 one of the above, 0 timeout or a signal
 * Thread: the attachment's. Owns: nothing. Errors: none.
 */
PLX_API int plx_events_wait(struct plx_attach *a, uint64_t timeout_us) PLX_ON_APP;

/**
 * plx_events_fd() is that eventfd, for the application's own epoll set; never read or write it:
 *
 *   1. plx_events_take() until it gives 0, and whatever else there is to do
 *   2. plx_events_wait(a, 0); 1: back to 1.
 *   3. epoll_wait(); readable: back to 1.
 *
 * Thread: the attachment's. Owns: the attachment closes it. Errors: none.
 */
PLX_API int plx_events_fd(const struct plx_attach *a) PLX_ON_APP;

/**
 * plx_events_wake() wakes the thread in plx_events_wait() without an event.
 * Thread: any. Owns: nothing. Errors: none.
 */
PLX_API void plx_events_wake(struct plx_attach *a) PLX_ANY_THREAD;

/**
 * plx_cmd_put() gives a command to a worker: the one in cmd->conn, or `worker` for DIAL.
 *
 * @return 0; PLX_E_FULL: handed back unchanged, try again after plx_events_wait(), which
 *         returns when there is room; commands that end something (CLOSE, STREAM_RESET,
 *         STREAM_STOP, H3_CANCEL) have reserved slots and do not fail while the engine runs;
 *         PLX_E_CLOSED: the engine stopped; PLX_E_INVAL: no such worker, or the wrong type
 * Thread: the attachment's. Owns: on 0, what ptr names is lent (see event.h). Errors: as above.
 */
PLX_API int plx_cmd_put(struct plx_attach *a, uint16_t worker, const struct plx_cmd *cmd)
        PLX_ON_APP;

/**
 * plx_rbuf_release() gives a received buffer back to its worker; flow-control credit follows.
 * Never fails: the return ring is as deep as the worker's pool. Thread: the attachment's.
 */
PLX_API void plx_rbuf_release(struct plx_attach *a, struct plx_rbuf *b) PLX_ON_APP;

/**
 * plx_sent_take() takes send buffers that are acknowledged or whose stream ended (then
 * sbuf.acked is below sbuf.len).
 * @return buffers, 0..max
 * Thread: the attachment's. Owns: the buffers are the application's again. Errors: none.
 */
PLX_API uint32_t plx_sent_take(struct plx_attach *a, struct plx_sbuf **b, uint32_t max)
        PLX_ON_APP;

/** plx_attach_workers() is the number of workers, 1..PLX_WORKERS_MAX. */
PLX_API uint16_t plx_attach_workers(const struct plx_attach *a) PLX_ON_APP;

#ifdef __cplusplus
}
#endif

#endif
