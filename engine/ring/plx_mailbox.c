/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ring_pvt.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#define DEPTH_LEAST 32
#define DEPTH_MAX   65536

/*
 * A shared ring has many producers: with a relaxed tail (RTS) one that is preempted between its
 * two steps holds up no other. RTS stores position and count of its tail as 64 bits and reads the
 * position as 32; ThreadSanitizer does not connect the two. It does not look into the producer's
 * side, and is told what the ring promises: what was done before a packet was put is seen by who
 * takes it.
 */
#ifdef PLX_TSAN
# include <sanitizer/tsan_interface.h>
# define RING_OPAQUE       __attribute__((noinline, no_sanitize("thread")))
# define RING_RELEASE(ptr) __tsan_release(ptr)
# define RING_ACQUIRE(ptr) __tsan_acquire(ptr)
#else
# define RING_OPAQUE
# define RING_RELEASE(ptr) ((void)(ptr))
# define RING_ACQUIRE(ptr) ((void)(ptr))
#endif

/* What a worker reads of its own mailboxes. */
struct box {
	struct rte_ring **from; /* by source; NULL on the diagonal. One entry when shared */
	uint16_t from_cnt;
	uint16_t next; /* source that is asked first */
} PLX_CACHE_ALIGNED;

struct plx_mailboxes {
	uint16_t worker_cnt;
	bool shared;            /* one ring per destination, many producers */
	struct rte_ring **ring; /* [dst][src], or [dst] */
	struct box box[];
};

static uint16_t
per_dst(const struct plx_mailboxes *m)
{
	return m->shared ? 1 : m->worker_cnt;
}

static int
make_box(struct plx_mailboxes *m, const char *prefix, uint16_t dst, uint32_t cnt, int node)
{
	struct box *b = &m->box[dst];
	unsigned flags = RING_F_SC_DEQ | (m->shared ? RING_F_MP_RTS_ENQ : RING_F_SP_ENQ);
	char name[RTE_RING_NAMESIZE];

	b->from = &m->ring[(size_t)dst * per_dst(m)];
	b->from_cnt = per_dst(m);
	for (uint16_t src = 0; src < b->from_cnt; src++) {
		int rc;

		if (!m->shared && src == dst)
			continue;
		if (m->shared)
			snprintf(name, sizeof(name), "%s_m%u", prefix, dst);
		else
			snprintf(name, sizeof(name), "%s_m%u_%u", prefix, dst, src);
		rc = plx_ring_make(&b->from[src], name, sizeof(void *), cnt, node, flags);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
plx_mailboxes_new(struct plx_mailboxes **out, const char *prefix, uint16_t worker_cnt,
                  uint32_t depth, int node)
{
	struct plx_mailboxes *m;
	uint32_t cnt = 1;
	size_t rings;

	*out = NULL;
	if (!plx_ring_prefix_ok(prefix) || worker_cnt < 2 || worker_cnt > PLX_WORKERS_MAX ||
	    depth < DEPTH_LEAST || depth > DEPTH_MAX)
		return PLX_E_INVAL;
	while (cnt <= depth)
		cnt *= 2;
	m = rte_zmalloc_socket("plx_mailboxes", sizeof(*m) + worker_cnt * sizeof(m->box[0]),
	                       PLX_CACHE_LINE, node);
	if (m == NULL)
		return PLX_E_NOMEM;
	m->worker_cnt = worker_cnt;
	m->shared = worker_cnt > PLX_MAILBOX_SPSC_MAX;
	rings = (size_t)worker_cnt * per_dst(m);
	m->ring = rte_zmalloc_socket("plx_mailboxes", rings * sizeof(*m->ring),
	                             PLX_CACHE_LINE, node);
	if (m->ring == NULL) {
		rte_free(m);
		return PLX_E_NOMEM;
	}
	for (uint16_t dst = 0; dst < worker_cnt; dst++) {
		int rc = make_box(m, prefix, dst, cnt, node);

		if (rc != 0) {
			plx_mailboxes_free(m);
			return rc;
		}
	}
	*out = m;
	return 0;
}

void
plx_mailboxes_free(struct plx_mailboxes *m)
{
	struct rte_mbuf *pkt[PLX_BURST_MAX];

	if (m == NULL)
		return;
	for (size_t i = 0; i < (size_t)m->worker_cnt * per_dst(m); i++) {
		struct rte_ring *r = m->ring[i];
		unsigned n;

		if (r == NULL)
			continue;
		while ((n = rte_ring_dequeue_burst(r, (void **)pkt, PLX_BURST_MAX, NULL)) >
		       0)
			rte_pktmbuf_free_bulk(pkt, n);
		rte_ring_free(r);
	}
	rte_free(m->ring);
	rte_free(m);
}

RING_OPAQUE static uint16_t
put_shared(struct rte_ring *r, struct rte_mbuf **pkt, uint16_t cnt)
{
	RING_RELEASE(&r->prod);
	return (uint16_t)rte_ring_mp_rts_enqueue_burst(r, (void **)pkt, cnt, NULL);
}

static uint16_t
take_shared(struct rte_ring *r, struct rte_mbuf **pkt, uint16_t max)
{
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(r, (void **)pkt, max, NULL);

	RING_ACQUIRE(&r->prod);
	return n;
}

uint16_t
plx_mailbox_put(struct plx_mailboxes *m, uint16_t src, uint16_t dst, struct rte_mbuf **pkt,
                uint16_t cnt)
{
	if (plx_unlikely(m->shared))
		return put_shared(m->box[dst].from[0], pkt, cnt);
	return (uint16_t)rte_ring_sp_enqueue_burst(m->box[dst].from[src], (void **)pkt, cnt,
	                                           NULL);
}

uint16_t
plx_mailbox_take(struct plx_mailboxes *m, uint16_t dst, struct rte_mbuf **pkt, uint16_t max)
{
	struct box *b = &m->box[dst];
	uint16_t src = b->next;
	uint16_t n = 0;

	if (plx_unlikely(m->shared))
		return take_shared(b->from[0], pkt, max);
	for (uint16_t i = 0; i < b->from_cnt && n < max; i++) {
		if (b->from[src] != NULL)
			n += (uint16_t)rte_ring_sc_dequeue_burst(
			        b->from[src], (void **)&pkt[n], max - n, NULL);
		if (++src >= b->from_cnt)
			src = 0;
	}
	/* The first source may have filled everything: begin with the next one. */
	if (++b->next >= b->from_cnt)
		b->next = 0;
	return n;
}

bool
plx_mailbox_pending(const struct plx_mailboxes *m, uint16_t dst)
{
	const struct box *b = &m->box[dst];

	for (uint16_t src = 0; src < b->from_cnt; src++)
		if (b->from[src] != NULL && plx_ring_used(b->from[src]) > 0)
			return true;
	return false;
}
