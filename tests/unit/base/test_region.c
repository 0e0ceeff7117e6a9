/* SPDX-License-Identifier: BSD-3-Clause */
#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>

#include "plx_mem.h"
#include "plx_test.h"

/* A machine with nodes 0..nodes-1 that notes what it is asked. */
struct fake {
	int nodes;
	bool refuses;
	unsigned bind_cnt;
	int node;
	void *base;
	size_t sz;
};

static bool
fake_has_node(void *arg, int node)
{
	const struct fake *f = arg;

	return node < f->nodes;
}

static bool
fake_bind(void *arg, void *base, size_t sz, int node)
{
	struct fake *f = arg;

	f->bind_cnt++;
	f->node = node;
	f->base = base;
	f->sz = sz;
	return !f->refuses;
}

static struct plx_numa
numa_of(struct fake *f)
{
	return (struct plx_numa){.has_node = fake_has_node, .bind = fake_bind, .arg = f};
}

static bool
is_zero(const uint8_t *p, size_t sz)
{
	for (size_t i = 0; i < sz; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

static void
test_regions_of_all_sizes_are_mapped_zeroed_and_writable(void)
{
	const size_t sizes[] = {1, 4096, 100000, 1 << 20, (4 << 20) + 1};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct plx_region r;

		CU_ASSERT_EQUAL_FATAL(plx_region_map(&r, sizes[i], -1), 0);
		CU_ASSERT(r.sz >= sizes[i]);
		CU_ASSERT_EQUAL(r.sz % 4096, 0);
		CU_ASSERT_EQUAL((uintptr_t)r.base % 4096, 0);
		CU_ASSERT(is_zero(r.base, r.sz));
		memset(r.base, 0xa5, r.sz);
		/* Huge ones only where they pay, and then on their own boundary. */
		if (sizes[i] < PLX_REGION_HUGE_MIN)
			CU_ASSERT_EQUAL(r.pages, PLX_PAGES_PLAIN);
		if (r.pages != PLX_PAGES_PLAIN)
			CU_ASSERT_EQUAL((uintptr_t)r.base % (2 << 20), 0);
		CU_ASSERT_EQUAL(r.node, -1);
		CU_ASSERT_FALSE(r.far);
		plx_region_unmap(&r);
		CU_ASSERT_PTR_NULL(r.base);
		plx_region_unmap(&r);
	}
}

static void
test_the_node_asked_for_is_what_the_kernel_is_asked_for(void)
{
	struct fake f = {.nodes = 4};
	const struct plx_numa numa = numa_of(&f);
	const size_t sizes[] = {8192, 4 << 20};

	for (unsigned i = 0; i < 2; i++) {
		struct plx_region r;

		f.bind_cnt = 0;
		CU_ASSERT_EQUAL_FATAL(plx_region_map_on(&r, sizes[i], 2, &numa), 0);
		CU_ASSERT(f.bind_cnt > 0);
		CU_ASSERT_EQUAL(f.node, 2);
		CU_ASSERT_PTR_EQUAL(f.base, r.base);
		CU_ASSERT_EQUAL(f.sz, r.sz);
		CU_ASSERT_EQUAL(r.node, 2);
		CU_ASSERT_FALSE(r.far);
		plx_region_unmap(&r);
	}
}

static void
test_without_a_node_nothing_is_bound(void)
{
	struct fake f = {.nodes = 4};
	const struct plx_numa numa = numa_of(&f);
	struct plx_region r;

	CU_ASSERT_EQUAL_FATAL(plx_region_map_on(&r, 8192, -1, &numa), 0);
	CU_ASSERT_EQUAL(f.bind_cnt, 0);
	CU_ASSERT_EQUAL(r.node, -1);
	CU_ASSERT_FALSE(r.far);
	plx_region_unmap(&r);
}

static void
test_a_node_that_does_not_exist_gives_far_memory_and_says_so(void)
{
	struct fake f = {.nodes = 2};
	const struct plx_numa numa = numa_of(&f);
	struct plx_region r;

	CU_ASSERT_EQUAL_FATAL(plx_region_map_on(&r, 8192, 7, &numa), 0);
	CU_ASSERT_EQUAL(f.bind_cnt, 0);
	CU_ASSERT_TRUE(r.far);
	CU_ASSERT_EQUAL(r.node, -1);
	memset(r.base, 1, r.sz);
	plx_region_unmap(&r);

	/* No machine has node 1000000; this one, with the real libnuma, says so too. */
	CU_ASSERT_EQUAL_FATAL(plx_region_map(&r, 8192, 1000000), 0);
	CU_ASSERT_TRUE(r.far);
	memset(r.base, 1, r.sz);
	plx_region_unmap(&r);
}

static void
test_on_this_machine_the_kernel_prefers_the_node(void)
{
	struct plx_region r;
	int mode = -1, node;

	if (numa_available() < 0)
		return; /* a kernel without NUMA; what happens then is the test above */
	node = numa_node_of_cpu(0);
	CU_ASSERT_EQUAL_FATAL(plx_region_map(&r, 4 << 20, node), 0);
	CU_ASSERT_EQUAL(r.node, node);
	CU_ASSERT_FALSE(r.far);
	CU_ASSERT_EQUAL(get_mempolicy(&mode, NULL, 0, r.base, MPOL_F_ADDR), 0);
	CU_ASSERT_EQUAL(mode, MPOL_PREFERRED);
	plx_region_unmap(&r);
}

static void
test_a_refused_binding_gives_far_memory_and_says_so(void)
{
	struct fake f = {.nodes = 2, .refuses = true};
	const struct plx_numa numa = numa_of(&f);
	struct plx_region r;

	CU_ASSERT_EQUAL_FATAL(plx_region_map_on(&r, 8192, 1, &numa), 0);
	CU_ASSERT_EQUAL(f.bind_cnt, 1);
	CU_ASSERT_TRUE(r.far);
	plx_region_unmap(&r);
}

static void
test_what_cannot_be_had_is_an_error_and_leaves_nothing(void)
{
	struct plx_region r;

	PLX_COVERS("F13");
	CU_ASSERT_EQUAL(plx_region_map(&r, 0, -1), PLX_E_INVAL);
	CU_ASSERT_PTR_NULL(r.base);
	CU_ASSERT_EQUAL(plx_region_map(&r, SIZE_MAX, -1), PLX_E_NOMEM);
	CU_ASSERT_PTR_NULL(r.base);
	CU_ASSERT_EQUAL(plx_region_map(&r, SIZE_MAX / 2, -1), PLX_E_NOMEM);
	CU_ASSERT_PTR_NULL(r.base);
	CU_ASSERT_EQUAL(r.sz, 0);
}

/* @return pages of a region that are in memory */
static size_t
resident(const struct plx_region *r)
{
	static unsigned char in[4096];
	size_t cnt = r->sz / 4096, n = 0;

	CU_ASSERT_FATAL(cnt <= sizeof(in));
	CU_ASSERT_EQUAL_FATAL(mincore(r->base, r->sz, in), 0);
	for (size_t i = 0; i < cnt; i++)
		n += in[i] & 1;
	return n;
}

static void
test_touching_a_region_makes_every_page_be_there(void)
{
	const size_t sizes[] = {4096, 200000, 6 << 20};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct plx_region r;

		CU_ASSERT_EQUAL_FATAL(plx_region_map(&r, sizes[i], -1), 0);
		if (r.pages != PLX_PAGES_HUGE)
			CU_ASSERT_EQUAL(resident(&r), 0);
		((uint8_t *)r.base)[100] = 7;
		CU_ASSERT_EQUAL(plx_region_touch(&r), 0);
		CU_ASSERT_EQUAL(resident(&r), r.sz / 4096);
		CU_ASSERT_EQUAL(((uint8_t *)r.base)[100], 7);
		((uint8_t *)r.base)[100] = 0;
		CU_ASSERT(is_zero(r.base, r.sz));
		plx_region_unmap(&r);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"regions of all sizes are mapped, zeroed and writable",
	         test_regions_of_all_sizes_are_mapped_zeroed_and_writable},
	        {"the node asked for is what the kernel is asked for",
	         test_the_node_asked_for_is_what_the_kernel_is_asked_for},
	        {"without a node nothing is bound", test_without_a_node_nothing_is_bound},
	        {"a node that does not exist gives far memory and says so",
	         test_a_node_that_does_not_exist_gives_far_memory_and_says_so},
	        {"on this machine the kernel prefers the node",
	         test_on_this_machine_the_kernel_prefers_the_node},
	        {"a refused binding gives far memory and says so",
	         test_a_refused_binding_gives_far_memory_and_says_so},
	        {"touching a region makes every page be there",
	         test_touching_a_region_makes_every_page_be_there},
	        {"what cannot be had is an error and leaves nothing",
	         test_what_cannot_be_had_is_an_error_and_leaves_nothing},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"region", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
