/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_first_pvt.h"

#include <string.h>

#include <plx/err.h>

#include "plx_steer.h"

PLX_STATIC_ASSERT(PLX_FIRST_BUCKETS *PLX_FIRST_WAYS == PLX_STEER_FIRST_MAX,
                  "the header says how many fit");

struct place {
	uint32_t bucket[2];
	uint16_t tag;
};

static inline struct place
place_of(uint64_t hash)
{
	/* Bits 0..8 and 9..17 choose buckets, 18..31 are the tag; the upper half of the hash
	 * chose the worker and says nothing new here. */
	return (struct place){
	        .bucket = {(uint32_t)hash % PLX_FIRST_BUCKETS,
	                   (uint32_t)(hash >> 9) % PLX_FIRST_BUCKETS},
	        .tag = (uint16_t)(0x8000 | ((hash >> 18) & 0x3fff)),
	};
}

/* Way of an ID in a bucket, -1 when it is not there. */
static inline int
way_of(const struct plx_first_bucket *b, uint16_t tag, const uint8_t *id, size_t len)
{
	for (int w = 0; w < PLX_FIRST_WAYS; w++) {
		if (b->tag[w] == tag && b->len[w] == len && memcmp(b->id[w], id, len) == 0)
			return w;
	}
	return -1;
}

static int
used(const struct plx_first_bucket *b)
{
	int n = 0;

	for (int w = 0; w < PLX_FIRST_WAYS; w++)
		n += b->tag[w] != 0;
	return n;
}

int64_t
plx_first_find(const struct plx_first_bucket *t, uint64_t hash, const uint8_t *id,
               size_t len)
{
	const struct place p = place_of(hash);

	for (int i = 0; i < 2; i++) {
		const struct plx_first_bucket *b = &t[p.bucket[i]];
		int w = way_of(b, p.tag, id, len);

		if (w >= 0)
			return b->slot[w];
	}
	return -1;
}

int
plx_first_add(struct plx_first_bucket *t, uint64_t hash, const uint8_t *id, size_t len,
              uint32_t slot)
{
	const struct place p = place_of(hash);
	struct plx_first_bucket *b = &t[p.bucket[0]];
	int w = 0;

	if (len == 0 || len > PLX_FIRST_ID_MAX)
		return PLX_E_INVAL;
	if (plx_first_find(t, hash, id, len) >= 0)
		return PLX_E_EXIST;
	/* The emptier of the two: that is what keeps all of them even. */
	if (used(&t[p.bucket[1]]) < used(b))
		b = &t[p.bucket[1]];
	while (w < PLX_FIRST_WAYS && b->tag[w] != 0)
		w++;
	if (w == PLX_FIRST_WAYS)
		return PLX_E_FULL;
	b->tag[w] = p.tag;
	b->slot[w] = slot;
	b->len[w] = (uint8_t)len;
	memcpy(b->id[w], id, len);
	return 0;
}

void
plx_first_del(struct plx_first_bucket *t, uint64_t hash, const uint8_t *id, size_t len)
{
	const struct place p = place_of(hash);

	for (int i = 0; i < 2; i++) {
		struct plx_first_bucket *b = &t[p.bucket[i]];
		int w = way_of(b, p.tag, id, len);

		if (w >= 0) {
			b->tag[w] = 0;
			return;
		}
	}
}
