/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "plx_bug.h"
#include "plx_rbufpool.h"

#define SMALL_SZ ((size_t)2048)
#define LARGE_SZ ((size_t)16384)

/*
 * A quarter of the memory is small buffers: heads and short messages need one each whatever they
 * hold, while bulk data fills large ones. More small ones would make bulk transfers fall back to
 * eight events where one does; fewer would spend 16 KiB on each short message.
 */
#define SMALL_SHARE 4
#define BYTES_LEAST (4 * LARGE_SZ)

enum cls {
	CLS_SMALL = 0,
	CLS_LARGE,
	CLS_CNT,
};

static const uint32_t cls_sz[CLS_CNT] = {SMALL_SZ, LARGE_SZ};

/*
 * Free buffers are kept as pointers beside the region and not linked through the buffers, so that
 * a freed buffer can be poisoned whole: a reader that is late is reported.
 */
struct stack {
	uint8_t **free;
	uint8_t *base;
	uint32_t free_cnt, cnt;
};

struct plx_rbufpool {
	struct stack cls[CLS_CNT];
	uint64_t fails;
	uint64_t free_bytes, all_bytes;
	uint16_t worker;
	struct plx_region region;
};

static void
fill(struct plx_rbufpool *p, enum cls cls, uint8_t **slots, uint8_t *base, uint32_t cnt)
{
	struct stack *st = &p->cls[cls];

	st->free = slots;
	st->base = base;
	st->cnt = st->free_cnt = cnt;
	/* Lowest address on top: a pool that is mostly free stays in few pages, and in caches. */
	for (uint32_t i = 0; i < cnt; i++)
		slots[i] = base + (size_t)(cnt - 1 - i) * cls_sz[cls];
	PLX_POISON(base, (size_t)cnt * cls_sz[cls]);
}

int
plx_rbufpool_new(struct plx_rbufpool **out, size_t bytes, int node, uint16_t worker)
{
	size_t small_cnt = bytes / SMALL_SHARE / SMALL_SZ;
	size_t large_cnt = (bytes - small_cnt * SMALL_SZ) / LARGE_SZ;
	struct plx_rbufpool *p;
	uint8_t **slots;
	int rc;

	*out = NULL;
	if (bytes < BYTES_LEAST || small_cnt > UINT32_MAX / 2)
		return PLX_E_INVAL;
	p = calloc(1, sizeof(*p) + (small_cnt + large_cnt) * sizeof(*slots));
	if (p == NULL)
		return PLX_E_NOMEM;
	rc = plx_region_map(&p->region, bytes, node);
	if (rc == 0)
		rc = plx_region_touch(&p->region);
	if (rc != 0) {
		plx_region_unmap(&p->region);
		free(p);
		return rc;
	}
	p->worker = worker;
	slots = (uint8_t **)(p + 1);
	fill(p, CLS_LARGE, slots, p->region.base, (uint32_t)large_cnt);
	fill(p, CLS_SMALL, slots + large_cnt,
	     (uint8_t *)p->region.base + large_cnt * LARGE_SZ, (uint32_t)small_cnt);
	p->all_bytes = p->free_bytes = small_cnt * SMALL_SZ + large_cnt * LARGE_SZ;
	*out = p;
	return 0;
}

void
plx_rbufpool_free(struct plx_rbufpool *p)
{
	if (p == NULL)
		return;
	/* The addresses may be mapped again for something else. */
	PLX_UNPOISON(p->region.base, p->region.sz);
	plx_region_unmap(&p->region);
	free(p);
}

struct plx_rbuf *
plx_rbuf_take(struct plx_rbufpool *p, size_t len)
{
	enum cls cls = len <= PLX_RBUF_SMALL ? CLS_SMALL : CLS_LARGE;
	struct stack *st;
	struct plx_rbuf *b;

	if (p->cls[cls].free_cnt == 0 && cls == CLS_SMALL)
		cls = CLS_LARGE;
	st = &p->cls[cls];
	if (plx_unlikely(st->free_cnt == 0 || len > PLX_RBUF_LARGE)) {
		p->fails++;
		return NULL;
	}
	b = (struct plx_rbuf *)(void *)st->free[--st->free_cnt];
	PLX_UNPOISON(b, cls_sz[cls]);
	p->free_bytes -= cls_sz[cls];
	*b = (struct plx_rbuf){
	        .data = plx_rbuf_room(b),
	        .worker = p->worker,
	        .cls = (uint16_t)cls,
	        .slot = (uint32_t)(((uint8_t *)b - st->base) / cls_sz[cls]),
	        .stream_id = -1,
	};
	return b;
}

void
plx_rbuf_give(struct plx_rbufpool *p, struct plx_rbuf *b)
{
	uint32_t cls = b->cls;
	struct stack *st;

	/* cls and slot are ours; a buffer that names other ones was written to by its reader. */
	PLX_BUG_ON(b->worker != p->worker || cls >= CLS_CNT);
	st = &p->cls[cls];
	PLX_BUG_ON((uint8_t *)b != st->base + (size_t)b->slot * cls_sz[cls]);
	PLX_BUG_ON(st->free_cnt == st->cnt);
	b->worker = UINT16_MAX; /* a second time is noticed above */
	p->free_bytes += cls_sz[cls];
	st->free[st->free_cnt++] = (uint8_t *)b;
	PLX_POISON(b, cls_sz[cls]);
}

size_t
plx_rbuf_cap(const struct plx_rbuf *b)
{
	return cls_sz[b->cls] - sizeof(*b);
}

void
plx_rbufpool_get_stats(const struct plx_rbufpool *p, struct plx_rbufpool_stats *out)
{
	*out = (struct plx_rbufpool_stats){
	        .small_cnt = p->cls[CLS_SMALL].cnt,
	        .small_free = p->cls[CLS_SMALL].free_cnt,
	        .large_cnt = p->cls[CLS_LARGE].cnt,
	        .large_free = p->cls[CLS_LARGE].free_cnt,
	        .fails = p->fails,
	};
}

uint32_t
plx_rbufpool_level(const struct plx_rbufpool *p)
{
	return (uint32_t)(p->free_bytes * 256 / p->all_bytes);
}
