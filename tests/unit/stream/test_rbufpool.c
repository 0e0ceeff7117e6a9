/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plx/err.h>

#include "plx_rbufpool.h"
#include "plx_test.h"

#define MANY 4096

static void
test_classes(void)
{
	struct plx_rbufpool_stats st;
	struct plx_rbufpool *p;
	struct plx_rbuf *a, *b;

	CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&p, 1 << 20, -1, 7), 0);
	plx_rbufpool_get_stats(p, &st);
	CU_ASSERT_EQUAL(st.small_cnt, (1 << 18) / 2048);
	CU_ASSERT_EQUAL(st.large_cnt, (3 << 18) / 16384);
	CU_ASSERT_EQUAL(plx_rbufpool_level(p), 256);

	a = plx_rbuf_take(p, PLX_RBUF_SMALL);
	b = plx_rbuf_take(p, PLX_RBUF_SMALL + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(plx_rbuf_cap(a), PLX_RBUF_SMALL);
	CU_ASSERT_EQUAL(plx_rbuf_cap(b), PLX_RBUF_LARGE);
	CU_ASSERT_EQUAL(a->worker, 7);
	CU_ASSERT_EQUAL(a->len, 0);
	CU_ASSERT_PTR_EQUAL(a->data, plx_rbuf_room(a));
	memset(plx_rbuf_room(a), 1, plx_rbuf_cap(a));
	memset(plx_rbuf_room(b), 1, plx_rbuf_cap(b));
	CU_ASSERT(plx_rbufpool_level(p) < 256);
	plx_rbuf_give(p, a);
	plx_rbuf_give(p, b);
	CU_ASSERT_EQUAL(plx_rbufpool_level(p), 256);

	CU_ASSERT_PTR_NULL(plx_rbuf_take(p, PLX_RBUF_LARGE + 1));
	plx_rbufpool_get_stats(p, &st);
	CU_ASSERT_EQUAL(st.fails, 1);
	plx_rbufpool_free(p);
}

static void
test_exhaustion(void)
{
	static struct plx_rbuf *b[MANY];
	struct plx_rbufpool_stats st;
	struct plx_rbufpool *p;
	uint32_t n = 0;

	CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&p, 1 << 20, -1, 0), 0);
	while (n < MANY && (b[n] = plx_rbuf_take(p, 1)) != NULL) {
		memset(plx_rbuf_room(b[n]), (int)n, plx_rbuf_cap(b[n]));
		n++;
	}
	plx_rbufpool_get_stats(p, &st);
	/* Short requests take large buffers before they fail. */
	CU_ASSERT_EQUAL(n, st.small_cnt + st.large_cnt);
	CU_ASSERT_EQUAL(plx_rbufpool_level(p), 0);
	/* No two buffers overlap. */
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *d = b[i]->data;
		size_t cap = plx_rbuf_cap(b[i]);

		CU_ASSERT_FATAL(d[0] == (uint8_t)i && d[cap - 1] == (uint8_t)i);
	}
	for (uint32_t i = 0; i < n; i++)
		plx_rbuf_give(p, b[i]);
	CU_ASSERT_EQUAL(plx_rbufpool_level(p), 256);
	plx_rbufpool_free(p);
}

static void
test_too_small(void)
{
	struct plx_rbufpool *p;

	CU_ASSERT_EQUAL(plx_rbufpool_new(&p, 1000, -1, 0), PLX_E_INVAL);
	CU_ASSERT_PTR_NULL(p);
	plx_rbufpool_free(NULL);
}

/* Does fn end the process? */
static bool
dies(void (*fn)(struct plx_rbufpool *p, struct plx_rbuf *b))
{
	struct plx_rbufpool *p;
	struct plx_rbuf *b;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL ||
		    plx_rbufpool_new(&p, 1 << 20, -1, 3) != 0)
			_exit(0);
		plx_rbuf_take(p, 100);
		b = plx_rbuf_take(p, 100);
		b->len = 100;
		memset(plx_rbuf_room(b), 1, 100);
		fn(p, b);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
give_twice(struct plx_rbufpool *p, struct plx_rbuf *b)
{
	plx_rbuf_give(p, b);
	plx_rbuf_give(p, b);
}

static void
give_other(struct plx_rbufpool *p, struct plx_rbuf *b)
{
	b->slot++;
	plx_rbuf_give(p, b);
}

static void
test_bugs(void)
{
	CU_ASSERT_TRUE(dies(give_twice));
	CU_ASSERT_TRUE(dies(give_other));
}

#ifdef PLX_ASAN
static volatile uint8_t sink;

static void
read_behind(struct plx_rbufpool *p, struct plx_rbuf *b)
{
	(void)p;
	plx_rbuf_seal(b);
	sink = b->data[b->len];
}

static void
read_freed(struct plx_rbufpool *p, struct plx_rbuf *b)
{
	const uint8_t *d = b->data;

	plx_rbuf_give(p, b);
	sink = d[0];
}

static void
test_sanitizer(void)
{
	CU_ASSERT_TRUE(dies(read_behind));
	CU_ASSERT_TRUE(dies(read_freed));
}
#endif

#ifndef PLX_SANITIZE
static long
faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

/* Receiving is when the pages would be missed. */
static void
test_pages_are_there(void)
{
	struct plx_rbufpool *p;
	struct plx_rbuf *b;
	long before;

	CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&p, 4 << 20, -1, 0), 0);
	faults(); /* maps what it needs itself */
	before = faults();
	while ((b = plx_rbuf_take(p, PLX_RBUF_LARGE)) != NULL)
		memset(plx_rbuf_room(b), 1, plx_rbuf_cap(b));
	while ((b = plx_rbuf_take(p, 1)) != NULL)
		memset(plx_rbuf_room(b), 1, plx_rbuf_cap(b));
	CU_ASSERT_EQUAL(faults() - before, 0);
	plx_rbufpool_free(p);
}
#endif

static CU_TestInfo tests[] = {
        {"a buffer has room for what was asked, in two classes", test_classes},
        {"every buffer can be taken, none overlaps, all come back", test_exhaustion},
        {"memory for less than a few buffers is refused", test_too_small},
        {"a buffer given back twice or altered ends the process", test_bugs},
#ifndef PLX_SANITIZE
        {"no page fault waits for who receives", test_pages_are_there},
#endif
#ifdef PLX_ASAN
        {"reading behind a lent buffer, or a freed one, is reported", test_sanitizer},
#endif
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"rbufpool", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
