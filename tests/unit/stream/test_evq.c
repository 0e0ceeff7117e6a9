/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_evq.h"
#include "plx_rand.h"
#include "plx_test.h"

#define SRC_MAX 8

/* A source that counts what it was asked to report, bit by bit. */
struct src {
	struct plx_evsrc ev;
	int64_t id;
	uint32_t taken[32];
	uint32_t idle_cnt;
	bool hold; /* has bits, but can report nothing now */
};

static struct plx_evq q;
static struct src src[SRC_MAX];

static bool
take(struct plx_evsrc *ev, struct plx_event *out)
{
	struct src *s = (struct src *)(void *)ev;
	unsigned bit;

	if (s->hold)
		return false;
	bit = (unsigned)__builtin_ctz(ev->mask);
	ev->mask &= ev->mask - 1;
	s->taken[bit]++;
	out->stream_id = s->id;
	out->type = (uint8_t)(bit + 1);
	return true;
}

static void
idle(struct plx_evsrc *ev)
{
	((struct src *)(void *)ev)->idle_cnt++;
}

static void
reset(void)
{
	plx_evq_init(&q);
	memset(src, 0, sizeof(src));
	for (int i = 0; i < SRC_MAX; i++) {
		plx_evsrc_init(&src[i].ev, take, idle);
		src[i].id = i;
	}
}

static void
test_order(void)
{
	struct plx_event ev[16];

	PLX_COVERS("S1-53");
	reset();
	plx_evq_mark(&q, &src[2].ev, 1);
	plx_evq_mark(&q, &src[0].ev, 1);
	plx_evq_mark(&q, &src[1].ev, 1);
	CU_ASSERT_EQUAL(q.ready, 3);
	CU_ASSERT_EQUAL_FATAL(plx_evq_publish(&q, ev, 16), 3);
	CU_ASSERT_EQUAL(ev[0].stream_id, 2);
	CU_ASSERT_EQUAL(ev[1].stream_id, 0);
	CU_ASSERT_EQUAL(ev[2].stream_id, 1);
	CU_ASSERT_EQUAL(q.ready, 0);
	CU_ASSERT_EQUAL(q.ready_max, 3);
	CU_ASSERT_EQUAL(src[0].idle_cnt, 1);
}

static void
test_merge(void)
{
	struct plx_event ev[4];

	reset();
	for (int i = 0; i < 1000; i++)
		plx_evq_mark(&q, &src[0].ev, 1);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 4), 1);
	CU_ASSERT_EQUAL(src[0].taken[0], 1);
}

static void
test_full(void)
{
	struct plx_event ev[4];

	PLX_COVERS("S0-15");
	reset();
	for (int i = 0; i < SRC_MAX; i++)
		plx_evq_mark(&q, &src[i].ev, 1);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 3), 3);
	CU_ASSERT_EQUAL(q.ready, SRC_MAX - 3);
	CU_ASSERT_EQUAL(q.deferred, 1);
	/* What was not published is marked again: still one event. */
	plx_evq_mark(&q, &src[5].ev, 1);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 4), 4);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 4), 1);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 4), 0);
	for (int i = 0; i < SRC_MAX; i++)
		CU_ASSERT_EQUAL(src[i].taken[0], 1);
	CU_ASSERT_EQUAL(q.published, SRC_MAX);
}

static void
test_turns(void)
{
	struct plx_event ev[8];

	reset();
	plx_evq_mark(&q, &src[0].ev, 0x7);
	plx_evq_mark(&q, &src[1].ev, 0x3);
	CU_ASSERT_EQUAL_FATAL(plx_evq_publish(&q, ev, 8), 5);
	CU_ASSERT_EQUAL(ev[0].stream_id, 0);
	CU_ASSERT_EQUAL(ev[1].stream_id, 1);
	CU_ASSERT_EQUAL(ev[2].stream_id, 0);
	CU_ASSERT_EQUAL(ev[3].stream_id, 1);
	CU_ASSERT_EQUAL(ev[4].stream_id, 0);
	/* Order inside a source holds. */
	CU_ASSERT(ev[0].type < ev[2].type && ev[2].type < ev[4].type);
}

static void
test_conn(void)
{
	struct plx_event ev[8];

	reset();
	src[0].id = -1;
	plx_evq_mark(&q, &src[0].ev, 0x3);
	plx_evq_mark(&q, &src[1].ev, 0x1);
	CU_ASSERT_EQUAL_FATAL(plx_evq_publish(&q, ev, 8), 3);
	CU_ASSERT_EQUAL(ev[0].stream_id, -1);
	CU_ASSERT_EQUAL(ev[1].stream_id, -1);
	CU_ASSERT_EQUAL(ev[2].stream_id, 1);
}

static void
test_hold(void)
{
	struct plx_event ev[8];

	reset();
	src[0].hold = true;
	plx_evq_mark(&q, &src[0].ev, 1);
	plx_evq_mark(&q, &src[1].ev, 1);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 8), 1);
	CU_ASSERT_EQUAL(src[0].idle_cnt, 0);
	CU_ASSERT_EQUAL(q.ready, 0);
	src[0].hold = false;
	plx_evq_mark(&q, &src[0].ev, 0);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 8), 1);
	CU_ASSERT_EQUAL(ev[0].stream_id, 0);
	CU_ASSERT_EQUAL(src[0].idle_cnt, 1);
}

static void
test_remove(void)
{
	struct plx_event ev[8];

	reset();
	for (int i = 0; i < 3; i++)
		plx_evq_mark(&q, &src[i].ev, 1);
	plx_evq_remove(&q, &src[1].ev);
	plx_evq_remove(&q, &src[1].ev);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 8), 2);
	plx_evq_mark(&q, &src[0].ev, 1);
	plx_evq_remove(&q, &src[0].ev);
	CU_ASSERT_EQUAL(plx_evq_publish(&q, ev, 8), 0);
	CU_ASSERT_PTR_NULL(q.head);
	CU_ASSERT_PTR_NULL(q.tail);
}

/* Random marks and publish calls of random room, against a plain count of bits owed. */
static void
test_random(void)
{
	struct plx_event ev[8];
	struct plx_rand r;

	reset();
	plx_rand_seed(&r, 42);
	for (int step = 0; step < 100000; step++) {
		struct src *s = &src[plx_rand_below(&r, SRC_MAX)];
		uint32_t owed = 0, got = 0, n, room;

		if (plx_rand_below(&r, 2) == 0) {
			plx_evq_mark(&q, &s->ev, 1u << plx_rand_below(&r, 6));
			continue;
		}
		for (int i = 0; i < SRC_MAX; i++)
			owed += (uint32_t)__builtin_popcount(src[i].ev.mask);
		room = (uint32_t)plx_rand_below(&r, 9);
		n = plx_evq_publish(&q, ev, room);
		CU_ASSERT_EQUAL_FATAL(n, owed < room ? owed : room);
		for (int i = 0; i < SRC_MAX; i++)
			got += (uint32_t)__builtin_popcount(src[i].ev.mask);
		CU_ASSERT_EQUAL_FATAL(got, owed - n);
	}
}

static CU_TestInfo tests[] = {
        {"events come out in the order in which sources became ready", test_order},
        {"repeats of one event merge", test_merge},
        {"a full ring defers events and loses none", test_full},
        {"streams take turns and keep their own order", test_turns},
        {"events of a connection go out together", test_conn},
        {"a source that can report nothing keeps its mask and does not spin", test_hold},
        {"a removed source reports nothing", test_remove},
        {"random marks and rooms lose and repeat nothing", test_random},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"evq", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
