/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The n-th allocation fails, n = 1, 2, 3 … until the story passes without one: the connection
 * that it hits may die, the endpoint lives, the next connection works, and nothing leaks.
 */
#include "plx_fuse.h"
#include "plx_pair.h"
#include "plx_test.h"

#define STORY_LIMIT_NS (60 * PLX_NS_PER_S)
/** More allocations than any story makes. */
#define TRIES_MAX      4000

static struct plx_pair *
make(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.seed = 11;
	cfg.trust = true;
	cfg.quic[PLX_PAIR_SERVER].conns_max = 16;
	cfg.quic[PLX_PAIR_CLIENT].conns_max = 16;
	/* A half-open connection of a failed try must not outlive the story. */
	cfg.quic[PLX_PAIR_SERVER].handshake_timeout_ms = 3000;
	cfg.quic[PLX_PAIR_CLIENT].handshake_timeout_ms = 3000;
	cfg.quic[PLX_PAIR_SERVER].idle_timeout_ms = 5000;
	cfg.quic[PLX_PAIR_CLIENT].idle_timeout_ms = 5000;
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	/* As a worker does before its first handshake. */
	CU_ASSERT_EQUAL_FATAL(plx_tls_warm(p->end[PLX_PAIR_SERVER].tls), 0);
	CU_ASSERT_EQUAL_FATAL(plx_tls_warm(p->end[PLX_PAIR_CLIENT].tls), 0);
	p->end[PLX_PAIR_CLIENT].app.streams = 3;
	p->end[PLX_PAIR_CLIENT].app.up = 20000;
	p->end[PLX_PAIR_CLIENT].app.down = 50000;
	p->end[PLX_PAIR_CLIENT].app.close_when_done = true;
	return p;
}

/* A whole connection: handshake, three streams both ways, close, slots back. */
static void
story(struct plx_pair *p)
{
	struct plx_conn_id id;

	if (plx_pair_dial(p, true, &id) != 0)
		return; /* refused for want of memory: an answer too */
	plx_pair_run(p, plx_pair_idle, STORY_LIMIT_NS);
}

static void
next_connection_works(struct plx_pair *p, uint64_t n)
{
	uint64_t done = p->end[PLX_PAIR_CLIENT].app.streams_done;

	story(p);
	if (p->end[PLX_PAIR_CLIENT].app.streams_done != done + 3)
		printf("allocation %llu: the connection behind it did not work\n",
		       (unsigned long long)n);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.streams_done, done + 3);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.mismatches, 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.mismatches, 0);
	CU_ASSERT_TRUE(plx_pair_idle(p));
}

static void
the_slab_of(enum plx_pair_side side)
{
	struct plx_slab_stats st;
	uint64_t n, hits = 0;

	for (n = 1; n < TRIES_MAX; n++) {
		struct plx_pair *p = make();
		uint64_t base = plx_pair_slab_used(p, side);

		plx_slab_fail_at(plx_quic_slab(p->end[side].quic), n);
		story(p);
		plx_slab_get_stats(plx_quic_slab(p->end[side].quic), &st);
		plx_slab_fail_at(plx_quic_slab(p->end[side].quic), 0);
		next_connection_works(p, n);
		CU_ASSERT_EQUAL(plx_pair_slab_used(p, side), base);
		plx_pair_free(p);
		if (st.fails == 0)
			break;
		hits++;
	}
	printf("%llu allocations failed one by one ", (unsigned long long)hits);
	CU_ASSERT_TRUE(hits > 20);
	CU_ASSERT_TRUE(n < TRIES_MAX);
}

static void
each_allocation_of_a_server_may_fail(void)
{
	PLX_COVERS("F13");
	the_slab_of(PLX_PAIR_SERVER);
}

static void
each_allocation_of_a_client_may_fail(void)
{
	PLX_COVERS("F13");
	the_slab_of(PLX_PAIR_CLIENT);
}

static void
allocations_inside_openssl_may_fail(void)
{
	uint64_t hits = 0;

	/* Both sides share the heap; a stride keeps the run short and still visits every phase. */
	PLX_COVERS("F13");
	for (uint64_t n = 1; n < 20000; n += 37) {
		struct plx_pair *p = make();

		fuse = n;
		story(p);
		if (fuse > 0) {
			fuse = 0;
			plx_pair_free(p);
			break;
		}
		hits++;
		next_connection_works(p, n);
		plx_pair_free(p);
	}
	printf("%llu allocations failed one by one ", (unsigned long long)hits);
	CU_ASSERT_TRUE(hits > 20);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"each allocation of a server may fail",
	         each_allocation_of_a_server_may_fail},
	        {"each allocation of a client may fail",
	         each_allocation_of_a_client_may_fail},
	        {"allocations inside OpenSSL may fail",
	         allocations_inside_openssl_may_fail},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"shortage", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	/* A test hosts the library: it may give OpenSSL an allocator. */
	if (CRYPTO_set_mem_functions(fuse_malloc, fuse_realloc, fuse_free) != 1)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
