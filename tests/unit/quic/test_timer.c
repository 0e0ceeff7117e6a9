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

/* Two connections of one endpoint on the worker's ports 0 and 1, downloading. */
static void
only_connections_on_the_port_without_a_link_wait(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;
	struct plx_conn *c[2];
	struct plx_conn_id id;
	struct plx_quic *q;
	uint64_t end;

	PLX_COVERS("F1");
	plx_pair_cfg_init(&cfg);
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	p->end[PLX_PAIR_CLIENT].app.streams = 1;
	p->end[PLX_PAIR_CLIENT].app.up = UINT64_C(1) << 40;
	q = p->end[PLX_PAIR_CLIENT].quic;
	for (uint8_t i = 0; i < 2; i++) {
		uint64_t up = p->end[PLX_PAIR_CLIENT].app.established;

		CU_ASSERT_EQUAL_FATAL(plx_pair_dial(p, false, &id), 0);
		c[i] = plx_quic_find(q, id);
		c[i]->path[0].tx.port = (uint8_t)(i + 1);
		end = p->now + PLX_NS_PER_S;
		while (p->end[PLX_PAIR_CLIENT].app.established == up && p->now < end)
			plx_pair_step(p);
	}
	/* Neither port is every port: a connection that knows none goes on. */
	plx_quic_set_down(q, 1 << 1, false, p->now);
	for (end = p->now + PLX_NS_PER_S; p->now < end;)
		plx_pair_step(p);
	CU_ASSERT_FALSE(c[0]->held);
	CU_ASSERT_TRUE(c[1]->held);
	CU_ASSERT_EQUAL(plx_obs_get(p->end[PLX_PAIR_CLIENT].obs, PLX_COUNT_conns_held), 1);
	/* The other one: the first is back, and was not told to wait twice. */
	plx_quic_set_down(q, 1 << 0, false, p->now);
	CU_ASSERT_TRUE(plx_quic_deadline(q) <= p->now);
	for (end = p->now + PLX_NS_PER_S; p->now < end;)
		plx_pair_step(p);
	CU_ASSERT_TRUE(c[0]->held);
	CU_ASSERT_FALSE(c[1]->held);
	c[1]->path[0].tx.port = 0;
	plx_quic_set_down(q, 3, true, p->now);
	for (end = p->now + PLX_NS_PER_S; p->now < end;)
		plx_pair_step(p);
	CU_ASSERT_TRUE(c[0]->held && c[1]->held);
	plx_quic_set_down(q, 0, false, p->now);
	for (end = p->now + PLX_NS_PER_S; p->now < end;)
		plx_pair_step(p);
	CU_ASSERT_FALSE(c[0]->held || c[1]->held);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.closed, 0);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the deadline is the smallest, whatever is set and cleared",
	         the_deadline_is_the_smallest_whatever_is_set_and_cleared},
	        {"the states follow the drawing", the_states_follow_the_drawing},
	        {"only connections on the port without a link wait",
	         only_connections_on_the_port_without_a_link_wait},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"timers and states", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
