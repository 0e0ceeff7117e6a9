/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_bug.h"
#include "plx_evq.h"

static void
link_tail(struct plx_evq *q, struct plx_evsrc *s)
{
	s->prev = q->tail;
	s->next = NULL;
	if (q->tail != NULL)
		q->tail->next = s;
	else
		q->head = s;
	q->tail = s;
	s->linked = true;
	if (++q->ready > q->ready_max)
		q->ready_max = q->ready;
}

static void
unlink_src(struct plx_evq *q, struct plx_evsrc *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		q->head = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	else
		q->tail = s->prev;
	s->prev = s->next = NULL;
	s->linked = false;
	q->ready--;
}

void
plx_evq_init(struct plx_evq *q)
{
	*q = (struct plx_evq){0};
}

void
plx_evsrc_init(struct plx_evsrc *s, plx_evsrc_take_fn take, plx_evsrc_idle_fn idle)
{
	*s = (struct plx_evsrc){.take = take, .idle = idle};
}

void
plx_evq_mark(struct plx_evq *q, struct plx_evsrc *s, uint32_t bits)
{
	s->mask |= bits;
	if (!s->linked && s->mask != 0)
		link_tail(q, s);
}

void
plx_evq_remove(struct plx_evq *q, struct plx_evsrc *s)
{
	if (s->linked)
		unlink_src(q, s);
}

uint32_t
plx_evq_publish(struct plx_evq *q, struct plx_event *out, uint32_t max)
{
	uint32_t n = 0;

	while (q->head != NULL && n < max) {
		struct plx_evsrc *s = q->head;
		bool filled;

		memset(&out[n], 0, sizeof(out[n]));
		filled = s->take(s, &out[n]);
		if (filled)
			n++;
		if (!filled || s->mask == 0) {
			unlink_src(q, s);
			if (s->mask == 0 && s->idle != NULL)
				s->idle(s); /* s may be gone now */
		} else if (out[n - 1].stream_id >= 0 && s->next != NULL) {
			/* Streams take turns; events of a connection go out together. */
			unlink_src(q, s);
			link_tail(q, s);
		}
	}
	q->published += n;
	if (q->head != NULL)
		q->deferred++;
	return n;
}
