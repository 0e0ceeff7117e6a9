/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_bug.h"
#include "plx_recvq.h"
#include "plx_ringapp.h"

/*
 * Bytes of a spill chunk with its head: a class of the slab. Shortage is the only time it is used;
 * smaller chunks would cost more calls per byte, larger ones waste more on short streams.
 */
#define CHUNK_SZ   4096
#define CHUNK_ROOM (CHUNK_SZ - sizeof(struct plx_recvq_chunk))

struct plx_recvq_chunk {
	struct plx_recvq_chunk *next;
	uint32_t len;
	uint8_t bytes[];
};

void
plx_recvq_init(struct plx_recvq *q, struct plx_appside *side,
               plx_recvq_refilled_fn refilled)
{
	*q = (struct plx_recvq){.side = side, .refilled = refilled};
}

static void
starve(struct plx_recvq *q)
{
	struct plx_appside *s = q->side;

	if (q->starved)
		return;
	q->next = NULL;
	q->prev = s->starved_tail;
	if (s->starved_tail != NULL)
		s->starved_tail->next = q;
	else
		s->starved_head = q;
	s->starved_tail = q;
	q->starved = true;
}

static void
unstarve(struct plx_recvq *q)
{
	struct plx_appside *s = q->side;

	if (!q->starved)
		return;
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		s->starved_head = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		s->starved_tail = q->prev;
	q->prev = q->next = NULL;
	q->starved = false;
}

/*
 * The tail buffer, or a new one. A stream that has a buffer waiting already is faster than its
 * reader: give it a large one, so that the reader gets fewer events.
 */
static struct plx_rbuf *
room_for(struct plx_recvq *q, size_t len)
{
	struct plx_rbufpool *pool = q->side->pool;
	struct plx_rbuf *b = q->tail;

	if (b != NULL && b->len < plx_rbuf_cap(b))
		return b;
	if (q->tail != NULL)
		len = PLX_RBUF_LARGE;
	else if (len > PLX_RBUF_LARGE)
		len = PLX_RBUF_LARGE;
	b = plx_rbuf_take(pool, len);
	if (b == NULL && len > PLX_RBUF_SMALL)
		b = plx_rbuf_take(pool, 1);
	if (b == NULL)
		return NULL;
	if (q->tail != NULL)
		q->tail->next = b;
	else
		q->head = b;
	q->tail = b;
	return b;
}

static size_t
put(struct plx_rbuf *b, const uint8_t *data, size_t len)
{
	size_t room = plx_rbuf_cap(b) - b->len;

	if (len > room)
		len = room;
	memcpy(plx_rbuf_room(b) + b->len, data, len);
	b->len += (uint32_t)len;
	return len;
}

static int
spill(struct plx_recvq *q, const uint8_t *data, size_t len)
{
	starve(q);
	while (len > 0) {
		struct plx_recvq_chunk *c = q->spill_tail;
		size_t part;

		if (c == NULL || c->len == CHUNK_ROOM) {
			c = plx_slab_alloc(q->side->slab, CHUNK_SZ);
			if (c == NULL)
				return PLX_E_NOMEM;
			c->next = NULL;
			c->len = 0;
			if (q->spill_tail != NULL)
				q->spill_tail->next = c;
			else
				q->spill_head = c;
			q->spill_tail = c;
		}
		part = CHUNK_ROOM - c->len;
		if (part > len)
			part = len;
		memcpy(c->bytes + c->len, data, part);
		c->len += (uint32_t)part;
		data += part;
		len -= part;
		q->len += part;
		q->spill_len += part;
	}
	return 0;
}

int
plx_recvq_append(struct plx_recvq *q, const uint8_t *data, size_t len)
{
	while (len > 0 && q->spill_len == 0) {
		struct plx_rbuf *b = room_for(q, len);
		size_t n;

		if (b == NULL)
			break;
		n = put(b, data, len);
		data += n;
		len -= n;
		q->len += n;
	}
	return len > 0 ? spill(q, data, len) : 0;
}

/* Moves spilled bytes into one buffer. false: there was none. */
static bool
unspill(struct plx_recvq *q)
{
	struct plx_rbuf *b = room_for(q, (size_t)q->spill_len);

	if (b == NULL)
		return false;
	while (q->spill_head != NULL && b->len < plx_rbuf_cap(b)) {
		struct plx_recvq_chunk *c = q->spill_head;
		size_t n = put(b, c->bytes + q->chunk_off, c->len - q->chunk_off);

		q->chunk_off += (uint32_t)n;
		q->spill_len -= n;
		if (q->chunk_off < c->len)
			break;
		q->spill_head = c->next;
		if (c->next == NULL)
			q->spill_tail = NULL;
		q->chunk_off = 0;
		plx_slab_release(q->side->slab, c);
	}
	if (q->spill_len == 0)
		unstarve(q);
	return true;
}

struct plx_rbuf *
plx_recvq_take(struct plx_recvq *q, struct plx_conn_id conn, int64_t stream_id)
{
	struct plx_rbuf *b;

	if (q->head == NULL && (q->spill_len == 0 || !unspill(q)))
		return NULL;
	b = q->head;
	q->head = b->next;
	if (q->head == NULL)
		q->tail = NULL;
	b->next = NULL;
	b->conn = conn;
	b->stream_id = stream_id;
	b->credit = b->len;
	q->len -= b->len;
	plx_rbuf_seal(b);
	return b;
}

uint64_t
plx_recvq_fini(struct plx_recvq *q)
{
	uint64_t dropped = q->len;

	while (q->head != NULL) {
		struct plx_rbuf *b = q->head;

		q->head = b->next;
		plx_rbuf_give(q->side->pool, b);
	}
	while (q->spill_head != NULL) {
		struct plx_recvq_chunk *c = q->spill_head;

		q->spill_head = c->next;
		plx_slab_release(q->side->slab, c);
	}
	unstarve(q);
	plx_recvq_init(q, q->side, q->refilled);
	return dropped;
}

void
plx_appside_refill(struct plx_appside *s)
{
	struct plx_recvq *q;

	while ((q = s->starved_head) != NULL) {
		if (!unspill(q))
			return;
		if (q->starved) {
			/* Others wait too: to the end of the list. */
			unstarve(q);
			starve(q);
		}
		q->refilled(q);
	}
}
