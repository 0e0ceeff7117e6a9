/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plx_mem.h"

/* The hugepage of x86-64 and of arm64 with 4 KiB pages. */
#define HUGE_SZ (UINT64_C(2) << 20)

#ifndef MAP_HUGE_2MB
# define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MADV_POPULATE_WRITE
# define MADV_POPULATE_WRITE 23
#endif

static bool
machine_has_node(void *arg, int node)
{
	(void)arg;
	return numa_available() >= 0 && node <= numa_max_node() &&
	       numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node);
}

static bool
machine_bind(void *arg, void *base, size_t sz, int node)
{
	struct bitmask *mask = numa_allocate_nodemask();
	long rc;

	(void)arg;
	if (mask == NULL)
		return false;
	numa_bitmask_setbit(mask, (unsigned)node);
	/* Preferred, not bound: a bound mapping on an exhausted node is killed, not slowed. */
	rc = mbind(base, sz, MPOL_PREFERRED, mask->maskp, mask->size + 1, 0);
	numa_free_nodemask(mask);
	return rc == 0;
}

static const struct plx_numa machine = {.has_node = machine_has_node, .bind = machine_bind};

static size_t
round_up(size_t sz, size_t unit)
{
	return (sz + unit - 1) & ~(unit - 1);
}

static void
place(struct plx_region *r, int node, const struct plx_numa *numa)
{
	r->node = -1;
	r->far = false;
	if (node < 0)
		return;
	if (numa->has_node(numa->arg, node) && numa->bind(numa->arg, r->base, r->sz, node))
		r->node = node;
	else
		r->far = true;
}

static void *
map_anonymous(size_t sz, int flags)
{
	void *p = mmap(NULL, sz, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool
map_huge(struct plx_region *r, size_t sz, int node, const struct plx_numa *numa)
{
	r->sz = round_up(sz, HUGE_SZ);
	r->base = map_anonymous(r->sz, MAP_HUGETLB | MAP_HUGE_2MB);
	if (r->base == NULL)
		return false;
	place(r, node, numa);
	/* A reservation is a promise of the whole machine, which a cpuset or a control group
	 * may break at the first touch; this touches now, and fails instead of killing. */
	if (madvise(r->base, r->sz, MADV_POPULATE_WRITE) != 0) {
		munmap(r->base, r->sz);
		return false;
	}
	r->pages = PLX_PAGES_HUGE;
	return true;
}

/* Maps a hugepage more than needed and cuts both ends, so that the kernel can use huge ones. */
static bool
map_thp(struct plx_region *r, size_t sz, int node, const struct plx_numa *numa)
{
	uint8_t *raw, *base;
	size_t front, back;

	r->sz = round_up(sz, HUGE_SZ);
	raw = map_anonymous(r->sz + HUGE_SZ, 0);
	if (raw == NULL)
		return false;
	base = (uint8_t *)round_up((uintptr_t)raw, HUGE_SZ);
	front = (size_t)(base - raw);
	back = HUGE_SZ - front;
	if (front > 0)
		munmap(raw, front);
	if (back > 0)
		munmap(base + r->sz, back);
	if (madvise(base, r->sz, MADV_HUGEPAGE) != 0) {
		munmap(base, r->sz);
		return false;
	}
	r->base = base;
	r->pages = PLX_PAGES_THP;
	place(r, node, numa);
	return true;
}

static bool
map_plain(struct plx_region *r, size_t sz, int node, const struct plx_numa *numa)
{
	r->sz = round_up(sz, (size_t)sysconf(_SC_PAGESIZE));
	r->base = map_anonymous(r->sz, 0);
	if (r->base == NULL)
		return false;
	r->pages = PLX_PAGES_PLAIN;
	place(r, node, numa);
	return true;
}

int
plx_region_map_on(struct plx_region *r, size_t sz, int node, const struct plx_numa *numa)
{
	memset(r, 0, sizeof(*r));
	if (sz == 0)
		return PLX_E_INVAL;
	/* Room for rounding and alignment, so that neither can wrap. */
	if (sz > SIZE_MAX / 2)
		return PLX_E_NOMEM;
	if (numa == NULL)
		numa = &machine;
	if (sz >= PLX_REGION_HUGE_MIN &&
	    (map_huge(r, sz, node, numa) || map_thp(r, sz, node, numa)))
		return 0;
	if (map_plain(r, sz, node, numa))
		return 0;
	memset(r, 0, sizeof(*r));
	return PLX_E_NOMEM;
}

int
plx_region_map(struct plx_region *r, size_t sz, int node)
{
	return plx_region_map_on(r, sz, node, NULL);
}

int
plx_region_touch(const struct plx_region *r)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile uint8_t *p = r->base;

	if (r->pages == PLX_PAGES_HUGE || madvise(r->base, r->sz, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return PLX_E_NOMEM;
	/* A kernel before 5.14. */
	for (size_t i = 0; i < r->sz; i += page)
		p[i] = p[i];
	return 0;
}

void
plx_region_unmap(struct plx_region *r)
{
	if (r->base != NULL)
		munmap(r->base, r->sz);
	memset(r, 0, sizeof(*r));
}
