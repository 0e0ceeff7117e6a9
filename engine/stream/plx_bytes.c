/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_bug.h"
#include "plx_bytes.h"

#define CHUNK_DATA (PLX_BYTES_CHUNK - 16 - sizeof(struct plx_bytes_chunk))
#define CHUNK_MIN  ((size_t)96)

static struct plx_bytes_chunk *
grow(struct plx_bytes *b, struct plx_slab *slab, size_t want)
{
	/* The first block is as small as what it is for: most streams are short. */
	size_t cap = b->head != NULL || want > CHUNK_DATA ? CHUNK_DATA : want;
	struct plx_bytes_chunk *k;

	if (cap < CHUNK_MIN)
		cap = CHUNK_MIN;
	k = plx_slab_alloc(slab, sizeof(*k) + cap);
	if (k == NULL)
		return NULL;
	k->next = NULL;
	k->cap = (uint32_t)cap;
	k->len = 0;
	if (b->tail != NULL) {
		b->tail->next = k;
	} else {
		b->head = k;
		b->base = b->end;
	}
	b->tail = k;
	return k;
}

size_t
plx_bytes_append(struct plx_bytes *b, struct plx_slab *slab, const uint8_t *data,
                 size_t len)
{
	size_t left = len;

	while (left > 0) {
		struct plx_bytes_chunk *k = b->tail;
		size_t n;

		if (k == NULL || k->len == k->cap)
			k = grow(b, slab, left);
		if (k == NULL)
			break;
		n = k->cap - k->len;
		if (n > left)
			n = left;
		memcpy(k->data + k->len, data, n);
		if (b->at == NULL) {
			b->at = k;
			b->at_base = b->end - k->len;
		}
		k->len += (uint32_t)n;
		b->end += n;
		data += n;
		left -= n;
	}
	return len - left;
}

uint16_t
plx_bytes_peek(const struct plx_bytes *b, struct plx_iov *vec, uint16_t max)
{
	const struct plx_bytes_chunk *k = b->at;
	size_t skip = (size_t)(b->next - b->at_base);
	uint16_t n = 0;

	for (; k != NULL && n < max; k = k->next, skip = 0) {
		vec[n].base = k->data + skip;
		vec[n].len = k->len - skip;
		n++;
	}
	return n;
}

void
plx_bytes_sent(struct plx_bytes *b, size_t len)
{
	PLX_BUG_ON(len > b->end - b->next);
	b->next += len;
	while (b->at != NULL && b->next >= b->at_base + b->at->len) {
		b->at_base += b->at->len;
		b->at = b->at->next;
	}
}

void
plx_bytes_drop(struct plx_bytes *b, struct plx_slab *slab, uint64_t off)
{
	PLX_BUG_ON(off > b->next);
	if (off <= b->front)
		return;
	b->front = off;
	while (b->head != NULL && off >= b->base + b->head->len && b->head != b->at) {
		struct plx_bytes_chunk *k = b->head;

		b->base += k->len;
		b->head = k->next;
		if (b->head == NULL)
			b->tail = NULL;
		plx_slab_release(slab, k);
	}
}

size_t
plx_bytes_take(struct plx_bytes *b, struct plx_slab *slab, uint8_t *dst, size_t len)
{
	size_t done = 0;

	while (done < len && b->head != NULL && b->front < b->end) {
		size_t skip = (size_t)(b->front - b->base);
		size_t n = b->head->len - skip;

		if (n > len - done)
			n = len - done;
		memcpy(dst + done, b->head->data + skip, n);
		done += n;
		plx_bytes_sent(b, n);
		plx_bytes_drop(b, slab, b->front + n);
	}
	return done;
}

uint64_t
plx_bytes_fini(struct plx_bytes *b, struct plx_slab *slab)
{
	uint64_t kept = b->end - b->front;

	while (b->head != NULL) {
		struct plx_bytes_chunk *k = b->head;

		b->head = k->next;
		plx_slab_release(slab, k);
	}
	b->tail = b->at = NULL;
	b->front = b->next = b->base = b->at_base = b->end;
	return kept;
}
