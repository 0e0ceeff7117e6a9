/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx/err.h>

#include "plx_bug.h"
#include "plx_sendq.h"

void
plx_sendq_init(struct plx_sendq *q)
{
	*q = (struct plx_sendq){0};
}

/* cur must name bytes to send: step over what is sent, and over empty buffers. */
static void
skip_sent(struct plx_sendq *q)
{
	while (q->cur != NULL && q->cur_off == q->cur->len) {
		q->cur = q->cur->next;
		q->cur_off = 0;
	}
}

int
plx_sendq_append(struct plx_sendq *q, struct plx_sbuf *b, bool fin)
{
	if (q->fin)
		return PLX_E_STREAM_CLOSED;
	if (b != NULL) {
		b->next = NULL;
		b->acked = 0;
		if (q->tail != NULL)
			q->tail->next = b;
		else
			q->head = b;
		q->tail = b;
		q->end_off += b->len;
		if (q->cur == NULL) {
			q->cur = b;
			q->cur_off = 0;
			skip_sent(q);
		}
	}
	q->fin = fin;
	return 0;
}

uint16_t
plx_sendq_peek(const struct plx_sendq *q, struct plx_iov *vec, uint16_t cnt, bool *fin)
{
	const struct plx_sbuf *b = q->cur;
	uint64_t off = q->cur_off;
	uint16_t n = 0;

	for (; b != NULL && n < cnt; b = b->next, off = 0) {
		if (b->len == off)
			continue;
		vec[n].base = b->data + off;
		vec[n].len = (size_t)(b->len - off);
		n++;
	}
	while (b != NULL && b->len == 0)
		b = b->next;
	*fin = q->fin && !q->fin_sent && b == NULL;
	return n;
}

void
plx_sendq_sent(struct plx_sendq *q, uint64_t len, bool fin)
{
	PLX_BUG_ON(len > plx_sendq_pending(q));
	q->sent_off += len;
	while (len > 0) {
		uint64_t part = q->cur->len - q->cur_off;

		if (part > len)
			part = len;
		q->cur_off += part;
		len -= part;
		skip_sent(q);
	}
	if (fin) {
		PLX_BUG_ON(!q->fin || q->sent_off != q->end_off);
		q->fin_sent = true;
	}
}

struct plx_sbuf *
plx_sendq_acked(struct plx_sendq *q, uint64_t off, uint64_t len)
{
	struct plx_sbuf *done = q->head, *last = NULL;

	/* An acknowledgement behind the end of a flushed queue names buffers that are gone. */
	if (off + len > q->sent_off)
		len = q->sent_off > off ? q->sent_off - off : 0;
	if (off + len > q->acked_off)
		q->acked_off = off + len;
	while (q->head != NULL) {
		struct plx_sbuf *b = q->head;

		if (q->head_off + b->len > q->acked_off) {
			if (q->acked_off > q->head_off)
				b->acked = q->acked_off - q->head_off;
			break;
		}
		b->acked = b->len;
		q->head_off += b->len;
		last = b;
		q->head = b->next;
	}
	if (last == NULL)
		return NULL;
	last->next = NULL;
	if (q->head == NULL)
		q->tail = NULL;
	return done;
}

struct plx_sbuf *
plx_sendq_flush(struct plx_sendq *q)
{
	struct plx_sbuf *all = q->head;

	/* Nothing can be appended or sent any more: the stream is over. */
	q->head = q->tail = q->cur = NULL;
	q->cur_off = 0;
	q->head_off = q->end_off = q->sent_off;
	q->fin = q->fin_sent = true;
	return all;
}
