/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Events as state: sources with a mask of what was not reported yet, linked in a ready list.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: one owner (the worker, or the single thread of a sans-IO user).
 * Memory:  a source is embedded in the object it reports of; the list is intrusive. Marking
 *          never fails and never allocates, publishing stops when the ring is full and goes on
 *          there next turn, so no event is lost and none needs memory.
 *
 *     mark(bits) --> mask |= bits, source linked at the tail if it was not
 *     publish    --> head: take() fills one event and clears its bit; put() hands it over;
 *                    mask empty --> unlinked (and released, if the owner asked for it)
 */
#ifndef PLX_EVQ_H
#define PLX_EVQ_H

#include <plx/event.h>

struct plx_evsrc;

/**
 * Fills the next event of a source and clears what it reports. Called with room assured, ev is
 * zeroed.
 * @return true when ev was filled; false when nothing can be reported now: the source is
 *         unlinked, and what is left in its mask waits for the next plx_evq_mark() (bytes that
 *         wait for a buffer)
 */
typedef bool (*plx_evsrc_take_fn)(struct plx_evsrc *src, struct plx_event *ev);

/**
 * Called when a source was unlinked with nothing left in its mask, e.g. to free an object at its
 * end. It may mark other sources and free the object that holds src.
 */
typedef void (*plx_evsrc_idle_fn)(struct plx_evsrc *src);

struct plx_evsrc {
	struct plx_evsrc *next, *prev;
	plx_evsrc_take_fn take;
	plx_evsrc_idle_fn idle; /**< or NULL */
	uint32_t mask;          /**< the source's own bits: what was not reported yet */
	bool linked;
};

struct plx_evq {
	struct plx_evsrc *head, *tail;
	uint32_t ready;     /**< sources linked */
	uint32_t ready_max; /**< high-water mark */
	uint64_t published;
	uint64_t deferred; /**< publish calls that ended for lack of room */
};

void plx_evq_init(struct plx_evq *q) PLX_ON_WORKER;
void plx_evsrc_init(struct plx_evsrc *s, plx_evsrc_take_fn take, plx_evsrc_idle_fn idle)
        PLX_ON_WORKER;

/** plx_evq_mark() sets bits of a source and links it. Thread: the owner. Errors: none. */
void plx_evq_mark(struct plx_evq *q, struct plx_evsrc *s, uint32_t bits) PLX_ON_WORKER;

/** plx_evq_remove() unlinks a source without reporting. Thread: the owner. Errors: none. */
void plx_evq_remove(struct plx_evq *q, struct plx_evsrc *s) PLX_ON_WORKER;

/**
 * plx_evq_publish() moves events until the list is empty, max were moved, or no room is left.
 *
 * @param out  [out] room for max events, written in order
 * @param max  events of room
 * @return events written
 *
 * Sources take turns: one that still has something goes to the tail after each event of a
 * stream kind, so that one busy stream does not starve the rest; events of one source keep
 * their order.
 *
 * Thread: the owner. Owns: rbufs named in events pass to the reader. Errors: none.
 */
uint32_t plx_evq_publish(struct plx_evq *q, struct plx_event *out, uint32_t max)
        PLX_ON_WORKER;

#endif
