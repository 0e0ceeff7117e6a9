/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "plx_bug.h"
#include "plx_mem.h"

/*
 * Every 16 B up to 128, and from there eight classes in each doubling: 144, 160 ... 256, 288 ...
 * 65536. Two would waste 10 KiB of each half-open connection, four 2: ngtcp2's largest blocks lie
 * just above a power of two, and there are few sizes of them.
 */
#define CLS_FINE   7 /* 32, 48, 64, 80, 96, 112, 128 */
#define LG_FINE    7
#define CLS_CNT    (CLS_FINE + 8 * 9)
#define CLS_LARGE  CLS_CNT
#define CLS_MAX_SZ 65536
/* Larger blocks are cut in this unit, so that a freed one fits the next of about its size. */
#define LARGE_UNIT 4096

#define REGION_SZ_DEFAULT (UINT64_C(4) << 20)
#define REGION_SZ_LEAST   (UINT64_C(128) << 10)

#define STATE_LIVE UINT32_C(0x4c495645)
#define STATE_FREE UINT32_C(0x46524545)

/* In front of every block. */
struct head {
#ifdef PLX_SANITIZE
	struct head *prev, *all; /* every live block: plx_slab_free() gives them back */
	uint64_t len;            /* bytes asked for: what the heap block has */
	uint64_t pad;
#endif
	uint32_t cls;
	uint32_t state; /* STATE_* */
	union {
		uint64_t sz;       /* live: bytes of room behind the head */
		struct head *next; /* free: next of its class */
	};
};
PLX_STATIC_ASSERT(sizeof(struct head) % 16 == 0, "blocks are 16-byte aligned");

/* At the beginning of every region. */
struct region_head {
	struct region_head *next;
	struct plx_region region;
} __attribute__((aligned(16)));

struct plx_slab {
	/* Each allocation reads and writes these. */
	struct head *free[CLS_CNT];
	uint64_t fail_in; /* allocations until the planned failure; 0 = none planned */
	uint64_t limit;
	uint64_t limit_mapped;
	uint8_t *tail, *end; /* what is left of the newest region */
	struct plx_slab_stats stats;
	/* Now and then. */
	struct head *large; /* free blocks above CLS_MAX_SZ; sz lies behind the head */
	struct region_head *regions;
#ifdef PLX_SANITIZE
	struct head *live;
#endif
	struct plx_slab_cfg cfg;
};

static inline uint32_t
cls_of(size_t sz)
{
	unsigned lg;

	if (sz <= UINT64_C(1) << LG_FINE)
		return sz <= 32 ? 0 : (uint32_t)(sz - 17) / 16;
	if (sz > CLS_MAX_SZ)
		return CLS_LARGE;
	lg = 63 - (unsigned)__builtin_clzll(sz - 1); /* 2^lg < sz <= 2^(lg + 1) */
	return CLS_FINE + 8 * (lg - LG_FINE) + ((uint32_t)((sz - 1) >> (lg - 3)) & 7);
}

static inline size_t
cls_sz(uint32_t cls)
{
	if (cls < CLS_FINE)
		return 32 + (size_t)16 * cls;
	cls -= CLS_FINE;
	return (size_t)(9 + cls % 8) << (LG_FINE - 3 + cls / 8);
}

/* What a request counts for: its class, or whole units above the classes. */
static inline size_t
room_of(size_t sz, uint32_t cls)
{
	if (cls < CLS_LARGE)
		return cls_sz(cls);
	return (sz + LARGE_UNIT - 1) & ~(size_t)(LARGE_UNIT - 1);
}

static inline struct head *
head_of(void *p)
{
	return (struct head *)p - 1;
}

#ifdef PLX_SANITIZE

/* One heap block per request, exactly as long as asked, so that sanitizers see every byte. */
static struct head *
block_take(struct plx_slab *s, size_t sz, size_t room, uint32_t cls)
{
	struct head *h = malloc(sizeof(*h) + sz);

	if (h == NULL)
		return NULL;
	h->cls = cls;
	h->state = STATE_LIVE;
	h->sz = room;
	h->len = sz;
	h->prev = NULL;
	h->all = s->live;
	if (s->live != NULL)
		s->live->prev = h;
	s->live = h;
	return h;
}

static void
block_give(struct plx_slab *s, struct head *h)
{
	if (h->prev != NULL)
		h->prev->all = h->all;
	else
		s->live = h->all;
	if (h->all != NULL)
		h->all->prev = h->prev;
	free(h);
}

static inline size_t
block_len(const struct head *h)
{
	return h->len;
}

/* The class fits, but the heap block is as long as asked: it moves, whatever it counts for. */
static struct head *
block_resize(struct plx_slab *s, struct head *h, size_t sz)
{
	struct head *n = block_take(s, sz, h->sz, h->cls);

	if (n == NULL)
		return NULL;
	memcpy(n + 1, h + 1, sz < h->len ? sz : h->len);
	h->state = STATE_FREE;
	block_give(s, h);
	return n;
}

static void
blocks_drop(struct plx_slab *s)
{
	while (s->live != NULL)
		block_give(s, s->live);
}

#else

static void
block_push(struct plx_slab *s, struct head *h, uint32_t cls)
{
	h->cls = cls;
	h->state = STATE_FREE;
	h->next = s->free[cls];
	s->free[cls] = h;
}

/* The rest of a region that is too short for the next block still serves smaller ones. */
static void
tail_cut(struct plx_slab *s)
{
	for (uint32_t cls = CLS_CNT; cls-- > 0;) {
		size_t step = sizeof(struct head) + cls_sz(cls);

		while ((size_t)(s->end - s->tail) >= step) {
			block_push(s, (struct head *)s->tail, cls);
			s->tail += step;
		}
	}
	s->tail = s->end = NULL;
}

static bool
grow(struct plx_slab *s, size_t need)
{
	size_t sz = s->cfg.region_sz;
	struct plx_region r;
	struct region_head *rh;

	if (need > SIZE_MAX / 4)
		return false;
	if (sz < need + sizeof(*rh))
		sz = need + sizeof(*rh);
	if (sz > s->limit_mapped || s->stats.mapped > s->limit_mapped - sz)
		return false;
	if (plx_region_map_on(&r, sz, s->cfg.node, s->cfg.numa) != 0)
		return false;
	tail_cut(s);
	rh = r.base;
	rh->region = r;
	rh->next = s->regions;
	s->regions = rh;
	s->tail = (uint8_t *)(rh + 1);
	s->end = (uint8_t *)r.base + r.sz;
	s->stats.mapped += r.sz;
	s->stats.regions++;
	s->stats.regions_far += r.far;
	return true;
}

static struct head *
tail_take(struct plx_slab *s, size_t room)
{
	size_t step = sizeof(struct head) + room;
	struct head *h;

	if ((size_t)(s->end - s->tail) < step && !grow(s, step))
		return NULL;
	h = (struct head *)s->tail;
	s->tail += step;
	return h;
}

/* First free block that is long enough and not twice as long as needed. */
static struct head *
large_take(struct plx_slab *s, size_t *room)
{
	for (struct head **at = &s->large; *at != NULL; at = &(*at)->next) {
		struct head *h = *at;
		uint64_t sz;

		memcpy(&sz, h + 1, sizeof(sz));
		if (sz < *room || sz / 2 > *room || sz > s->limit - s->stats.used)
			continue;
		*at = h->next;
		*room = sz;
		return h;
	}
	return NULL;
}

static struct head *
block_take(struct plx_slab *s, size_t sz, size_t room, uint32_t cls)
{
	struct head *h;

	(void)sz;
	if (plx_likely(cls < CLS_LARGE)) {
		h = s->free[cls];
		if (plx_likely(h != NULL))
			s->free[cls] = h->next;
	} else {
		h = large_take(s, &room);
	}
	if (h == NULL)
		h = tail_take(s, room);
	if (h == NULL)
		return NULL;
	h->cls = cls;
	h->state = STATE_LIVE;
	h->sz = room;
	return h;
}

static void
block_give(struct plx_slab *s, struct head *h)
{
	uint64_t sz = h->sz;

	if (plx_likely(h->cls < CLS_LARGE)) {
		block_push(s, h, h->cls);
		return;
	}
	h->state = STATE_FREE;
	h->next = s->large;
	memcpy(h + 1, &sz, sizeof(sz));
	s->large = h;
}

static inline size_t
block_len(const struct head *h)
{
	return h->sz;
}

static inline struct head *
block_resize(struct plx_slab *s, struct head *h, size_t sz)
{
	(void)s;
	(void)sz;
	return h;
}

static void
blocks_drop(struct plx_slab *s)
{
	while (s->regions != NULL) {
		struct plx_region r = s->regions->region;

		s->regions = s->regions->next;
		plx_region_unmap(&r);
	}
}

#endif

int
plx_slab_new(struct plx_slab **out, const struct plx_slab_cfg *cfg)
{
	struct plx_slab *s;

	*out = NULL;
	if (cfg->region_sz > SIZE_MAX / 4 || cfg->limit > SIZE_MAX / 4)
		return PLX_E_INVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return PLX_E_NOMEM;
	s->cfg = *cfg;
	if (s->cfg.region_sz == 0)
		s->cfg.region_sz = REGION_SZ_DEFAULT;
	if (s->cfg.region_sz < REGION_SZ_LEAST)
		s->cfg.region_sz = REGION_SZ_LEAST;
	s->limit = cfg->limit != 0 ? cfg->limit : s->cfg.region_sz;
	if (s->cfg.ready > 2 * s->limit)
		s->cfg.ready = 2 * s->limit;
	s->limit_mapped = 2 * s->limit + s->cfg.region_sz;
#ifndef PLX_SANITIZE
	/* The first region is mapped now: a machine without memory says so at start. */
	if (!grow(s, s->cfg.ready > sizeof(struct region_head)
	                     ? s->cfg.ready - sizeof(struct region_head)
	                     : 0) ||
	    (s->cfg.ready > 0 && plx_region_touch(&s->regions->region) != 0)) {
		plx_slab_free(s);
		return PLX_E_NOMEM;
	}
#endif
	*out = s;
	return 0;
}

void
plx_slab_free(struct plx_slab *s)
{
	if (s == NULL)
		return;
	blocks_drop(s);
	free(s);
}

void *
plx_slab_alloc(struct plx_slab *s, size_t sz)
{
	uint32_t cls = cls_of(sz);
	size_t room = room_of(sz, cls);
	struct head *h;

	if (plx_unlikely(s->fail_in != 0) && --s->fail_in == 0)
		goto fail;
	/* room < sz: the rounding wrapped. */
	if (plx_unlikely(room < sz || room > s->limit - s->stats.used))
		goto fail;
	h = block_take(s, sz, room, cls);
	if (plx_unlikely(h == NULL))
		goto fail;
	s->stats.allocs++;
	s->stats.used += h->sz;
	if (s->stats.used > s->stats.peak)
		s->stats.peak = s->stats.used;
	return h + 1;
fail:
	s->stats.fails++;
	return NULL;
}

void *
plx_slab_calloc(struct plx_slab *s, size_t n, size_t sz)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, sz, &bytes))
		return plx_slab_alloc(s, SIZE_MAX); /* refused, and counted */
	p = plx_slab_alloc(s, bytes);
	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

void
plx_slab_release(struct plx_slab *s, void *p)
{
	struct head *h;

	if (p == NULL)
		return;
	h = head_of(p);
	PLX_BUG_ON(h->state != STATE_LIVE);
	s->stats.frees++;
	s->stats.used -= h->sz;
	block_give(s, h);
}

void *
plx_slab_realloc(struct plx_slab *s, void *p, size_t sz)
{
	struct head *h;
	void *q;

	if (p == NULL)
		return plx_slab_alloc(s, sz);
	h = head_of(p);
	PLX_BUG_ON(h->state != STATE_LIVE);
	if (sz <= h->sz) {
		h = block_resize(s, h, sz);
		return h != NULL ? h + 1 : NULL;
	}
	q = plx_slab_alloc(s, sz);
	if (q == NULL)
		return NULL;
	memcpy(q, p, block_len(h)); /* it grows: all of the old block fits */
	plx_slab_release(s, p);
	return q;
}

void
plx_slab_get_stats(const struct plx_slab *s, struct plx_slab_stats *out)
{
	*out = s->stats;
}

void
plx_slab_fail_at(struct plx_slab *s, uint64_t n)
{
	s->fail_in = n;
}
