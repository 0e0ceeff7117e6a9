/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rand.h"
#include "plx_streamtab.h"
#include "plx_test.h"

#define IDS 4096

static struct plx_slab *slab;

static int
init(void)
{
	return plx_slab_new(&slab, &(struct plx_slab_cfg){.limit = 1 << 20, .node = -1});
}

static int
fini(void)
{
	plx_slab_free(slab);
	return 0;
}

/* Puts and deletes in random order, against an array indexed by id. */
static void
test_random(void)
{
	static void *model[IDS];
	static int obj[IDS];
	struct plx_streamtab t = {0};
	struct plx_slab_stats st;
	struct plx_rand r;
	uint32_t cnt = 0;

	plx_rand_seed(&r, 7);
	for (int step = 0; step < 200000; step++) {
		int64_t id = (int64_t)plx_rand_below(&r, IDS);

		if (model[id] == NULL && cnt < 300) {
			CU_ASSERT_EQUAL_FATAL(plx_streamtab_put(&t, slab, id, &obj[id]), 0);
			model[id] = &obj[id];
			cnt++;
		} else {
			CU_ASSERT_PTR_EQUAL_FATAL(plx_streamtab_del(&t, id), model[id]);
			cnt -= model[id] != NULL;
			model[id] = NULL;
		}
		CU_ASSERT_EQUAL_FATAL(t.cnt, cnt);
		id = (int64_t)plx_rand_below(&r, IDS);
		CU_ASSERT_PTR_EQUAL_FATAL(plx_streamtab_get(&t, id), model[id]);
	}
	for (int64_t id = 0; id < IDS; id++)
		CU_ASSERT_PTR_EQUAL_FATAL(plx_streamtab_get(&t, id), model[id]);
	plx_streamtab_fini(&t, slab);
	plx_slab_get_stats(slab, &st);
	CU_ASSERT_EQUAL(st.used, 0);
}

/* A connection that opens streams one after the other keeps a small table. */
static void
test_counting_up(void)
{
	struct plx_streamtab t = {0};
	int obj;

	for (int64_t id = 0; id < 400000; id += 4) {
		CU_ASSERT_EQUAL_FATAL(plx_streamtab_put(&t, slab, id, &obj), 0);
		if (id >= 40)
			CU_ASSERT_PTR_EQUAL_FATAL(plx_streamtab_del(&t, id - 40), &obj);
	}
	CU_ASSERT_EQUAL(t.cnt, 10);
	CU_ASSERT(t.cap <= 32);
	plx_streamtab_fini(&t, slab);
}

static void
drained(void *arg, int64_t id, void *obj)
{
	uint32_t *cnt = arg;

	(void)obj;
	CU_ASSERT(id >= 0 && id < 100);
	(*cnt)++;
}

static void
test_drain(void)
{
	struct plx_streamtab t = {0};
	uint32_t cnt = 0;
	int obj;

	plx_streamtab_drain(&t, drained, &cnt);
	CU_ASSERT_EQUAL(cnt, 0);
	for (int64_t id = 0; id < 100; id++)
		plx_streamtab_put(&t, slab, id, &obj);
	plx_streamtab_drain(&t, drained, &cnt);
	CU_ASSERT_EQUAL(cnt, 100);
	CU_ASSERT_EQUAL(t.cnt, 0);
	CU_ASSERT_PTR_NULL(plx_streamtab_get(&t, 5));
	plx_streamtab_fini(&t, slab);
}

static void
test_no_memory(void)
{
	struct plx_streamtab t = {0};
	int obj;

	plx_slab_fail_at(slab, 1);
	CU_ASSERT_EQUAL(plx_streamtab_put(&t, slab, 1, &obj), PLX_E_NOMEM);
	CU_ASSERT_PTR_NULL(plx_streamtab_get(&t, 1));
	CU_ASSERT_EQUAL(plx_streamtab_put(&t, slab, 1, &obj), 0);
	for (int64_t id = 2; id < 5; id++)
		plx_streamtab_put(&t, slab, id, &obj);
	plx_slab_fail_at(slab, 1);
	CU_ASSERT_EQUAL(plx_streamtab_put(&t, slab, 9, &obj), PLX_E_NOMEM);
	CU_ASSERT_PTR_EQUAL(plx_streamtab_get(&t, 4), &obj);
	plx_streamtab_fini(&t, slab);
}

static CU_TestInfo tests[] = {
        {"random puts and deletes agree with an array", test_random},
        {"a hundred thousand streams in a row keep the table small", test_counting_up},
        {"draining names every stream once", test_drain},
        {"without memory the table stays as it was", test_no_memory},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"streamtab", init, fini, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
