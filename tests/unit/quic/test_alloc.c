/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_heap.h"
#include "plx_pair.h"
#include "plx_test.h"

#define SEC PLX_NS_PER_S
#define MIB (UINT64_C(1) << 20)

static void
the_heap_is_not_used_after_the_handshake(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;
	uint64_t before, bytes, pkts;

	PLX_COVERS("R16");
	plx_pair_cfg_init(&cfg);
	cfg.link[0].loss_ppm = cfg.link[1].loss_ppm =
	        300; /* recovery must not allocate either */
	cfg.link[0].per_pkt_ns = cfg.link[1].per_pkt_ns = 12 * PLX_NS_PER_US;
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	p->end[1].app.streams = 4;
	p->end[1].app.up = p->end[1].app.down = 256 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	/* The test's own list of packets under way grows by the heap: let it find its size. */
	plx_pair_run(p, NULL, SEC);
	before = plx_heap_calls();
	CU_ASSERT_TRUE(before > 0); /* the counting works */
	bytes = p->end[0].app.rx_bytes + p->end[1].app.rx_bytes;
	pkts = p->end[0].tx_pkts + p->end[1].tx_pkts;
	plx_pair_run(p, NULL, 2 * SEC);
	CU_ASSERT_EQUAL(plx_heap_calls() - before, 0);
	CU_ASSERT_TRUE(p->end[0].app.rx_bytes + p->end[1].app.rx_bytes > bytes + 10 * MIB);
	CU_ASSERT_TRUE(p->end[0].tx_pkts + p->end[1].tx_pkts > pkts + 10000);
	CU_ASSERT_TRUE(p->lost > 0);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the heap is not used after the handshake",
	         the_heap_is_not_used_after_the_handshake},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"allocation", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
