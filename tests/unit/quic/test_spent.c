/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "plx_spent.h"
#include "plx_test.h"

/* The register of used tickets: each opens early data once, whoever asks. */

static struct plx_spent *
make(uint32_t tickets, uint64_t seed)
{
	struct plx_rand rand;

	plx_rand_seed(&rand, seed);
	return plx_spent_new(tickets, &rand);
}

static void
a_ticket_is_new_once(void)
{
	struct plx_spent *s = make(64, 1);

	PLX_COVERS("C11");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (uint64_t i = 1; i <= 1000; i++) {
		CU_ASSERT_EQUAL(plx_spent_issue(s), i);
		CU_ASSERT_EQUAL(plx_spent_use(s, i), PLX_SPENT_FIRST);
		CU_ASSERT_EQUAL(plx_spent_use(s, i), PLX_SPENT_AGAIN);
		CU_ASSERT_EQUAL(plx_spent_use(s, i), PLX_SPENT_AGAIN);
	}
	plx_spent_free(s);
}

static void
a_used_ticket_hides_the_older_ones_of_its_place(void)
{
	struct plx_spent *s = make(64, 1);

	CU_ASSERT_EQUAL(plx_spent_use(s, 1), PLX_SPENT_OLD); /* not issued yet */
	for (int i = 0; i < 100; i++)
		plx_spent_issue(s);
	CU_ASSERT_EQUAL(plx_spent_use(s, 0), PLX_SPENT_OLD);
	CU_ASSERT_EQUAL(plx_spent_use(s, 101), PLX_SPENT_OLD);
	CU_ASSERT_EQUAL(plx_spent_use(s, 100), PLX_SPENT_FIRST);
	CU_ASSERT_EQUAL(plx_spent_use(s, 36), PLX_SPENT_OLD);
	CU_ASSERT_EQUAL(plx_spent_use(s, 100), PLX_SPENT_AGAIN);
	/* Older ones elsewhere are not touched. */
	CU_ASSERT_EQUAL(plx_spent_use(s, 1), PLX_SPENT_FIRST);
	CU_ASSERT_EQUAL(plx_spent_use(s, 65), PLX_SPENT_FIRST);
	CU_ASSERT_EQUAL(plx_spent_use(s, 1), PLX_SPENT_OLD);
	plx_spent_free(s);
}

static void
sizes_and_realms(void)
{
	struct plx_spent *a = make(64, 1), *b = make(128, 2);

	CU_ASSERT_PTR_NULL(make(0, 1));
	CU_ASSERT_PTR_NULL(make(32, 1));
	CU_ASSERT_PTR_NULL(make(100, 1));
	CU_ASSERT_PTR_NULL(make(UINT32_C(1) << 29, 1));
	CU_ASSERT_NOT_EQUAL(
	        memcmp(plx_spent_realm(a), plx_spent_realm(b), PLX_SPENT_REALM_LEN), 0);
	plx_spent_free(a);
	plx_spent_free(b);
	plx_spent_free(NULL);
}

#define THREADS 4
#define ROUNDS  20000

struct shared {
	struct plx_spent *s;
	atomic_uchar firsts[THREADS * ROUNDS + 1];
};

/* Issues tickets, and uses its own and those of the others. */
static void *
work(void *arg)
{
	struct shared *sh = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = plx_spent_issue(sh->s);

		for (uint64_t k = 0; k < 40; k += 13) {
			if (n > k && plx_spent_use(sh->s, n - k) == PLX_SPENT_FIRST)
				atomic_fetch_add(&sh->firsts[n - k], 1);
		}
	}
	return NULL;
}

static void
threads_that_use_the_same_tickets_get_each_once(void)
{
	static struct shared sh;
	pthread_t t[THREADS];
	uint32_t used = 0;

	PLX_COVERS("C11");
	sh.s = make(64, 1);
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, work, &sh), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (uint32_t i = 1; i <= THREADS * ROUNDS; i++) {
		uint8_t n = atomic_load(&sh.firsts[i]);

		if (n > 1)
			CU_FAIL("a ticket was new twice");
		used += n;
	}
	CU_ASSERT(used > THREADS * ROUNDS / 2);
	plx_spent_free(sh.s);
}

int
main(void)
{
	CU_TestInfo spent[] = {
	        {"a ticket is new once", a_ticket_is_new_once},
	        {"a used ticket hides the older ones of its place",
	         a_used_ticket_hides_the_older_ones_of_its_place},
	        {"sizes and realms", sizes_and_realms},
	        {"threads that use the same tickets get each once",
	         threads_that_use_the_same_tickets_get_each_once},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"used tickets", NULL, NULL, NULL, NULL, spent},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
