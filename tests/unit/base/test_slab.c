/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plx_mem.h"
#include "plx_rand.h"
#include "plx_test.h"

static struct plx_slab *
make(size_t limit)
{
	const struct plx_slab_cfg cfg = {
	        .limit = limit, .region_sz = 256 << 10, .node = -1};
	struct plx_slab *s;

	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&s, &cfg), 0);
	return s;
}

/* Blocks that a test cannot go on without. */
static void *
need(void *p)
{
	CU_ASSERT_PTR_NOT_NULL(p);
	if (p == NULL)
		abort();
	return p;
}

static struct plx_slab_stats
stats_of(const struct plx_slab *s)
{
	struct plx_slab_stats st;

	plx_slab_get_stats(s, &st);
	return st;
}

static void
test_a_block_counts_for_its_class(void)
{
	static const struct {
		size_t sz, cls;
	} want[] = {
	        {0, 32},        {1, 32},        {32, 32},         {33, 48},
	        {48, 48},       {49, 64},       {64, 64},         {65, 80},
	        {112, 112},     {113, 128},     {128, 128},       {129, 144},
	        {256, 256},     {257, 288},     {1000, 1024},     {1025, 1152},
	        {1537, 1664},   {49152, 49152}, {49153, 53248},   {65535, 65536},
	        {65536, 65536}, {65537, 69632}, {100000, 102400},
	};
	struct plx_slab *s = make(1 << 20);

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		void *p = plx_slab_alloc(s, want[i].sz);

		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL(stats_of(s).used, want[i].cls);
		CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
		plx_slab_release(s, p);
		CU_ASSERT_EQUAL(stats_of(s).used, 0);
	}
	plx_slab_free(s);
}

static void
test_blocks_of_every_size_are_whole_and_apart(void)
{
	struct plx_slab *s = make(16 << 20);
	uint8_t *p[400];
	size_t sz[400];
	bool ok = true;

	for (unsigned i = 0; i < 400; i++) {
		sz[i] = (size_t)i * i / 2;
		p[i] = need(plx_slab_alloc(s, sz[i]));
		if (sz[i] > 0)
			memset(p[i], (int)(i & 0xff), sz[i]);
	}
	for (unsigned i = 0; i < 400; i++) {
		for (size_t k = 0; k < sz[i]; k++)
			ok = ok && p[i][k] == (i & 0xff);
		plx_slab_release(s, p[i]);
	}
	CU_ASSERT_TRUE(ok);
	CU_ASSERT_EQUAL(stats_of(s).allocs, 400);
	CU_ASSERT_EQUAL(stats_of(s).frees, 400);
	plx_slab_free(s);
}

static void
test_the_limit_holds_and_room_given_back_is_room_again(void)
{
	struct plx_slab *s = make(10 * 1024);
	void *p[10];

	PLX_COVERS("F13");
	for (unsigned i = 0; i < 10; i++) {
		p[i] = plx_slab_alloc(s, 1024);
		CU_ASSERT_PTR_NOT_NULL(p[i]);
	}
	CU_ASSERT_PTR_NULL(plx_slab_alloc(s, 1));
	CU_ASSERT_PTR_NULL(plx_slab_calloc(s, 1, 1));
	CU_ASSERT_EQUAL(stats_of(s).fails, 2);
	CU_ASSERT_EQUAL(stats_of(s).used, 10 * 1024);
	plx_slab_release(s, p[3]);
	p[3] = plx_slab_alloc(s, 1000);
	CU_ASSERT_PTR_NOT_NULL(p[3]);
	CU_ASSERT_EQUAL(stats_of(s).peak, 10 * 1024);
	/* What is still handed out goes with the slab. */
	plx_slab_free(s);
}

static void
test_absurd_sizes_are_refused(void)
{
	struct plx_slab *s = make(1 << 20);

	CU_ASSERT_PTR_NULL(plx_slab_alloc(s, SIZE_MAX));
	CU_ASSERT_PTR_NULL(plx_slab_alloc(s, SIZE_MAX - 4096));
	CU_ASSERT_PTR_NULL(plx_slab_alloc(s, (1 << 20) + 1));
	CU_ASSERT_PTR_NULL(plx_slab_calloc(s, SIZE_MAX / 2, 3));
	CU_ASSERT_PTR_NULL(plx_slab_calloc(s, (UINT64_C(1) << 32) + 1, UINT64_C(1) << 32));
	CU_ASSERT_EQUAL(stats_of(s).fails, 5);
	CU_ASSERT_EQUAL(stats_of(s).used, 0);
	plx_slab_free(s);
}

static void
test_calloc_clears_a_block_that_was_used_before(void)
{
	struct plx_slab *s = make(1 << 20);
	uint8_t *p = need(plx_slab_alloc(s, 500));
	bool ok = true;

	memset(p, 0xff, 500);
	plx_slab_release(s, p);
	p = need(plx_slab_calloc(s, 50, 10));
	for (unsigned i = 0; i < 500; i++)
		ok = ok && p[i] == 0;
	CU_ASSERT_TRUE(ok);
	plx_slab_free(s);
}

static void
test_realloc_keeps_the_bytes_and_counts_only_when_it_moves(void)
{
	struct plx_slab *s = make(1 << 20);
	uint8_t *p = need(plx_slab_realloc(s, NULL, 40));
	bool ok = true;

	CU_ASSERT_EQUAL(stats_of(s).allocs, 1);
	for (unsigned i = 0; i < 40; i++)
		p[i] = (uint8_t)i;
	p = plx_slab_realloc(s, p, 48);
	CU_ASSERT_EQUAL(stats_of(s).allocs, 1);
	CU_ASSERT_EQUAL(stats_of(s).used, 48);
	for (size_t sz = 49; sz < 200000; sz = sz * 5 / 3) {
		p = plx_slab_realloc(s, p, sz);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		for (unsigned i = 0; i < 40; i++)
			ok = ok && p[i] == i;
		p[sz - 1] = 1;
	}
	p = plx_slab_realloc(s, p, 40);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (unsigned i = 0; i < 40; i++)
		ok = ok && p[i] == i;
	CU_ASSERT_TRUE(ok);
	/* A refusal leaves the old block as it was. */
	CU_ASSERT_PTR_NULL(plx_slab_realloc(s, p, 2 << 20));
	CU_ASSERT_EQUAL(p[39], 39);
	plx_slab_release(s, p);
	CU_ASSERT_EQUAL(stats_of(s).used, 0);
	CU_ASSERT_EQUAL(stats_of(s).allocs, stats_of(s).frees);
	plx_slab_release(s, NULL);
	plx_slab_free(s);
}

static void
test_a_planned_failure_comes_once_and_at_its_turn(void)
{
	struct plx_slab *s = make(1 << 20);

	PLX_COVERS("F13");
	for (uint64_t n = 1; n <= 5; n++) {
		plx_slab_fail_at(s, n);
		for (uint64_t i = 1; i <= 7; i++) {
			void *p = plx_slab_alloc(s, 100);

			CU_ASSERT_EQUAL(p == NULL, i == n);
			plx_slab_release(s, p);
		}
	}
	CU_ASSERT_EQUAL(stats_of(s).fails, 5);
	plx_slab_fail_at(s, 1);
	plx_slab_fail_at(s, 0);
	CU_ASSERT_PTR_NOT_NULL(plx_slab_alloc(s, 100));
	plx_slab_free(s);
}

/* R16 rests on this: what is freed and taken in turn maps nothing new. */
static void
test_a_steady_load_maps_no_more_memory(void)
{
	struct plx_slab *s = make(1 << 20);
	struct plx_rand r;
	void *p[64] = {NULL};
	uint64_t mapped = 0;

	PLX_COVERS("R16");
	plx_rand_seed(&r, 1);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned k = (unsigned)plx_rand_below(&r, 64);

		plx_slab_release(s, p[k]);
		p[k] = plx_slab_alloc(s, UINT64_C(1) << plx_rand_below(&r, 13));
		CU_ASSERT_PTR_NOT_NULL_FATAL(p[k]);
		if (i == 20000)
			mapped = stats_of(s).mapped;
	}
	CU_ASSERT_EQUAL(stats_of(s).mapped, mapped);
	CU_ASSERT(stats_of(s).peak <= 1 << 20);
	plx_slab_free(s);
}

static void
test_a_large_block_given_back_is_used_again(void)
{
	struct plx_slab *s = make(1 << 20);
	uint64_t mapped;
	void *p = plx_slab_alloc(s, 150000);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	mapped = stats_of(s).mapped;
	for (unsigned i = 0; i < 1000; i++) {
		plx_slab_release(s, p);
		p = plx_slab_alloc(s, 150000 - i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	}
	CU_ASSERT_EQUAL(stats_of(s).mapped, mapped);
	plx_slab_release(s, p);
	while (plx_slab_alloc(s, 65536) != NULL)
		;
	CU_ASSERT(stats_of(s).used <= 1 << 20);
	CU_ASSERT(stats_of(s).mapped <= (2 << 20) + 2 * (256 << 10));
	plx_slab_free(s);
}

static void
test_a_longer_block_is_not_reused_past_the_limit(void)
{
	struct plx_slab *s = make(300 << 10);
	void *p = need(plx_slab_alloc(s, 150000));

	need(plx_slab_alloc(s, 65536));
	need(plx_slab_alloc(s, 65536));
	plx_slab_release(s, p);
	need(plx_slab_alloc(s, 65536));
	/* 110,592 bytes are left: enough for this, not for the free block of 151,552. */
	CU_ASSERT_PTR_NOT_NULL(plx_slab_alloc(s, 100000));
	CU_ASSERT(stats_of(s).used <= 300 << 10);
	CU_ASSERT_PTR_NULL(plx_slab_alloc(s, 65536));
	plx_slab_free(s);
}

#ifndef PLX_SANITIZE /* there the slab takes single blocks from the heap */

struct asked {
	unsigned cnt;
	int node;
};

static bool
two_nodes(void *arg, int node)
{
	(void)arg;
	return node < 2;
}

static bool
note(void *arg, void *base, size_t sz, int node)
{
	struct asked *a = arg;

	(void)base;
	(void)sz;
	a->cnt++;
	a->node = node;
	return true;
}

/* Page faults of this process that needed no disk. */
static long
faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

static void
test_what_is_ready_costs_no_page_fault(void)
{
	static void *p[1000];
	struct plx_slab_cfg cfg = {.limit = 16 << 20, .ready = 6 << 20, .node = -1};
	struct plx_slab_stats st;
	struct plx_slab *s;
	long before;

	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&s, &cfg), 0);
	plx_slab_get_stats(s, &st);
	CU_ASSERT(st.mapped >= cfg.ready && st.mapped < cfg.ready + (4 << 20));
	memset(p, 0xff, sizeof(p));
	faults(); /* maps what it needs itself */
	before = faults();
	for (unsigned i = 0; i < 1000; i++) {
		p[i] = plx_slab_alloc(s, 6000);
		if (p[i] != NULL)
			memset(p[i], 1, 6000);
	}
	/* None: a page more costs hundreds of microseconds where it is a huge one. */
	CU_ASSERT_EQUAL(faults() - before, 0);
	plx_slab_get_stats(s, &st);
	CU_ASSERT_EQUAL(st.regions, 1);
	for (unsigned i = 0; i < 1000; i++)
		plx_slab_release(s, p[i]);
	plx_slab_free(s);

	/* More than the limit allows to map is not taken either. */
	cfg.limit = 64 << 10;
	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&s, &cfg), 0);
	plx_slab_get_stats(s, &st);
	CU_ASSERT(st.mapped <= 4 << 20);
	plx_slab_free(s);
}

static void
test_every_region_of_a_slab_is_asked_for_on_its_node(void)
{
	struct asked a = {0};
	const struct plx_numa numa = {.has_node = two_nodes, .bind = note, .arg = &a};
	struct plx_slab_cfg cfg = {
	        .limit = 4 << 20, .region_sz = 256 << 10, .node = 1, .numa = &numa};
	struct plx_slab *s;

	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&s, &cfg), 0);
	while (stats_of(s).regions < 4)
		CU_ASSERT_PTR_NOT_NULL_FATAL(plx_slab_alloc(s, 60000));
	CU_ASSERT_EQUAL(a.cnt, 4);
	CU_ASSERT_EQUAL(a.node, 1);
	CU_ASSERT_EQUAL(stats_of(s).regions_far, 0);
	plx_slab_free(s);

	cfg.node = 5;
	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&s, &cfg), 0);
	CU_ASSERT_EQUAL(stats_of(s).regions_far, 1);
	CU_ASSERT_PTR_NOT_NULL(plx_slab_alloc(s, 100));
	plx_slab_free(s);
}

#endif

/* Wait status of a child that runs fn with its stderr thrown away. */
static int
run_child(void (*fn)(struct plx_slab *s))
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		struct plx_slab *s = make(1 << 20);

		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(0);
		fn(s);
		plx_slab_free(s);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void
give_twice(struct plx_slab *s)
{
	void *p = plx_slab_alloc(s, 100);

	plx_slab_release(s, p);
	plx_slab_release(s, p);
}

static void
test_giving_a_block_back_twice_ends_the_process(void)
{
	int status = run_child(give_twice);

	/* By the check of the slab, or by the sanitizer. */
	CU_ASSERT((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) ||
	          (WIFEXITED(status) && WEXITSTATUS(status) != 0));
}

#ifdef __SANITIZE_ADDRESS__

static void
read_behind(struct plx_slab *s)
{
	const volatile uint8_t *p = plx_slab_calloc(s, 1, 33);

	(void)p[33];
}

static void
read_after_release(struct plx_slab *s)
{
	volatile uint8_t *p = plx_slab_calloc(s, 1, 33);

	plx_slab_release(s, (void *)(uintptr_t)p);
	(void)p[0];
}

static void
read_after_shrinking(struct plx_slab *s)
{
	void *p = plx_slab_calloc(s, 1, 64);
	const volatile uint8_t *q = plx_slab_realloc(s, p, 50);

	(void)q[50];
}

/* These test the harness: a sanitizer build that sees nothing would pass everything. */
static void
test_a_planted_bad_read_is_reported(void)
{
	CU_ASSERT_NOT_EQUAL(run_child(read_behind), 0);
	CU_ASSERT_NOT_EQUAL(run_child(read_after_release), 0);
	CU_ASSERT_NOT_EQUAL(run_child(read_after_shrinking), 0);
}

#endif

static void
test_a_random_story_keeps_every_byte_and_every_count(void)
{
	struct plx_slab *s = make(2 << 20);
	struct plx_rand r;
	uint8_t *p[100] = {NULL};
	size_t sz[100] = {0};
	unsigned bad = 0;

	plx_rand_seed(&r, 7);
	for (unsigned i = 0; i < 50000; i++) {
		unsigned k = (unsigned)plx_rand_below(&r, 100);
		size_t n = plx_rand_below(&r, plx_rand_below(&r, 50) == 0 ? 100000 : 3000);
		uint8_t *q;

		if (p[k] != NULL && sz[k] > 0)
			bad += p[k][0] != (uint8_t)k || p[k][sz[k] - 1] != (uint8_t)k;
		if (plx_rand_below(&r, 3) == 0) {
			plx_slab_release(s, p[k]);
			p[k] = NULL;
			continue;
		}
		if (plx_rand_below(&r, 10) == 0)
			plx_slab_fail_at(s, 1);
		q = plx_slab_realloc(s, p[k], n);
		plx_slab_fail_at(s, 0);
		if (q == NULL)
			continue;
		if (p[k] != NULL && n > 0 && sz[k] > 0)
			bad += q[0] != (uint8_t)k;
		p[k] = q;
		sz[k] = n;
		memset(q, (int)k, n);
	}
	CU_ASSERT_EQUAL(bad, 0);
	for (unsigned k = 0; k < 100; k++)
		plx_slab_release(s, p[k]);
	CU_ASSERT_EQUAL(stats_of(s).used, 0);
	CU_ASSERT_EQUAL(stats_of(s).allocs, stats_of(s).frees);
	CU_ASSERT(stats_of(s).fails > 0);
	plx_slab_free(s);
	plx_slab_free(NULL);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a block counts for its class", test_a_block_counts_for_its_class},
	        {"blocks of every size are whole and apart",
	         test_blocks_of_every_size_are_whole_and_apart},
	        {"the limit holds, and room given back is room again",
	         test_the_limit_holds_and_room_given_back_is_room_again},
	        {"absurd sizes are refused", test_absurd_sizes_are_refused},
	        {"calloc clears a block that was used before",
	         test_calloc_clears_a_block_that_was_used_before},
	        {"realloc keeps the bytes and counts only when it moves",
	         test_realloc_keeps_the_bytes_and_counts_only_when_it_moves},
	        {"a planned failure comes once and at its turn",
	         test_a_planned_failure_comes_once_and_at_its_turn},
	        {"a steady load maps no more memory",
	         test_a_steady_load_maps_no_more_memory},
	        {"a large block given back is used again",
	         test_a_large_block_given_back_is_used_again},
	        {"a longer block is not reused past the limit",
	         test_a_longer_block_is_not_reused_past_the_limit},
#ifndef PLX_SANITIZE
	        {"what is ready costs no page fault",
	         test_what_is_ready_costs_no_page_fault},
	        {"every region of a slab is asked for on its node",
	         test_every_region_of_a_slab_is_asked_for_on_its_node},
#endif
#ifdef __SANITIZE_ADDRESS__
	        {"a planted bad read is reported", test_a_planted_bad_read_is_reported},
#endif
	        {"giving a block back twice ends the process",
	         test_giving_a_block_back_twice_ends_the_process},
	        {"a random story keeps every byte and every count",
	         test_a_random_story_keeps_every_byte_and_every_count},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"slab", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
