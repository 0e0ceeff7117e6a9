/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_h3_pvt.h"

/* Bytes of a chunk that waits: two packets of 1452 bytes fill it, a few bytes waste little. */
#define HELD_SZ 3072u

struct plx_h3_stream *
plx_h3_stream_new(struct plx_h3 *h, int64_t id)
{
	struct plx_h3_stream *s = plx_slab_calloc(h->slab, 1, sizeof(*s));

	if (!s)
		return NULL;
	s->id = id;
	s->content_len = -1;
	if (plx_streamtab_put(&h->streams, h->slab, id, s)) {
		plx_slab_release(h->slab, s);
		return NULL;
	}
	return s;
}

static void
unlink_todo(struct plx_h3 *h, struct plx_h3_stream *s)
{
	struct plx_h3_stream **p = &h->todo;

	while (*p && *p != s)
		p = &(*p)->todo_next;
	if (*p)
		*p = s->todo_next;
}

void
plx_h3_stream_unwait(struct plx_h3 *h, struct plx_h3_stream *s)
{
	if (!s->blocked)
		return;
	s->blocked = false;
	for (uint32_t i = 0; i < h->waiting_cnt; i++) {
		if (h->waiting[i] == s)
			h->waiting[i] = h->waiting[--h->waiting_cnt];
	}
}

void
plx_h3_stream_free(struct plx_h3 *h, struct plx_h3_stream *s)
{
	unlink_todo(h, s);
	plx_h3_stream_unwait(h, s);
	plx_h3_section_drop(h, s);
	plx_h3_stream_unhold(h, s);
	plx_slab_release(h->slab, s);
}

int
plx_h3_stream_hold(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len)
{
	while (len) {
		struct plx_h3_held *c = s->held_tail;
		size_t n;

		if (!c || c->len == c->cap) {
			c = plx_slab_alloc(h->slab, HELD_SZ);
			if (!c)
				return PLX_E_NOMEM;
			c->next = NULL;
			c->len = 0;
			c->cap = HELD_SZ - sizeof(*c);
			if (s->held_tail)
				s->held_tail->next = c;
			else
				s->held = c;
			s->held_tail = c;
		}
		n = c->cap - c->len < len ? c->cap - c->len : len;
		memcpy(c->data + c->len, p, n);
		c->len += (uint32_t)n;
		p += n;
		len -= n;
	}
	return 0;
}

size_t
plx_h3_stream_unhold(struct plx_h3 *h, struct plx_h3_stream *s)
{
	size_t len = 0;

	while (s->held) {
		struct plx_h3_held *c = s->held;

		s->held = c->next;
		len += c->len;
		plx_slab_release(h->slab, c);
	}
	s->held_tail = NULL;
	return len;
}
