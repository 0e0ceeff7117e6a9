/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair.h"
#include "plx_quic_pvt.h"
#include "plx_test.h"

/* The heap of deadlines and the states, by themselves: an endpoint whose slots are set by hand. */

#define CONNS 200

static struct plx_pair *
pair(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;

	plx_pair_cfg_init(&cfg);
	cfg.quic[0].conns_max = CONNS;
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	for (uint32_t i = 0; i < CONNS; i++) {
		p->end[0].quic->conns[i].q = p->end[0].quic;
		p->end[0].quic->conns[i].heap_idx = PLX_HEAP_NONE;
		p->end[0].quic->conns[i].expiry_ns = PLX_TIME_NEVER;
	}
	return p;
}

static void
the_deadline_is_the_smallest_whatever_is_set_and_cleared(void)
{
	struct plx_pair *p = pair();
	struct plx_quic *q = p->end[0].quic;
	uint64_t want[CONNS];

	PLX_COVERS("S1-17");
	for (int i = 0; i < CONNS; i++)
		want[i] = PLX_TIME_NEVER;
	CU_ASSERT_EQUAL(plx_quic_deadline(q), PLX_TIME_NEVER);
	for (int step = 0; step < 100000; step++) {
		uint64_t i = plx_rand_below(&p->rand, CONNS), min = PLX_TIME_NEVER;
		uint64_t when = plx_rand_below(&p->rand, 1000);

		if (plx_rand_below(&p->rand, 4) == 0)
			when = PLX_TIME_NEVER;
		plx_timer_set(&q->conns[i], when);
		want[i] = when;
		for (int k = 0; k < CONNS; k++)
			min = want[k] < min ? want[k] : min;
		if (plx_quic_deadline(q) != min) {
			CU_FAIL("the heap lost its order");
			break;
		}
	}
	/* Taken out one by one they come in order, each from where it says it is. */
	for (uint64_t last = 0; q->heap_cnt > 0;) {
		struct plx_conn *c = &q->conns[q->heap[0].slot];

		CU_ASSERT_EQUAL(c->heap_idx, 0);
		CU_ASSERT_EQUAL(c->expiry_ns, want[c->slot]);
		CU_ASSERT_TRUE(q->heap[0].when >= last);
		last = q->heap[0].when;
		plx_timer_clear(c);
		CU_ASSERT_EQUAL(c->heap_idx, PLX_HEAP_NONE);
	}
	plx_pair_free(p);
}

static void
the_states_follow_the_drawing(void)
{
	/* Rows: from; columns: to. FREE HANDSHAKE OPEN CLOSING DRAINING */
	static const char *const allowed[PLX_CONN_STATE_CNT] = {
	        ".x...", "x.xxx", "x..xx", "x....", "x....",
	};
	struct plx_pair *p = pair();
	struct plx_conn *c = &p->end[0].quic->conns[0];

	for (int from = 0; from < PLX_CONN_STATE_CNT; from++) {
		for (int to = 0; to < PLX_CONN_STATE_CNT; to++) {
			CU_ASSERT_EQUAL(plx_conn_may_follow((enum plx_conn_state)from,
			                                    (enum plx_conn_state)to),
			                allowed[from][to] == 'x');
		}
	}
	c->state = PLX_CONN_FREE;
	plx_conn_set_state(c, PLX_CONN_HANDSHAKE);
	plx_conn_set_state(c, PLX_CONN_FREE);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the deadline is the smallest, whatever is set and cleared",
	         the_deadline_is_the_smallest_whatever_is_set_and_cleared},
	        {"the states follow the drawing", the_states_follow_the_drawing},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"timers and states", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
