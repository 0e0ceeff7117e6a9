/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers in one thread over the simulated wire, while the port or the pool gives out.
 */
#include <arpa/inet.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "net/net_rig.h"
#include "plx_test.h"
#include "plx_test_eal.h"
#include "worker/worker_pair.h"

/* A port that takes only part of what it is given: every other burst nothing, else a third. */
struct mean_port {
	const struct plx_pio_ops *real;
	struct plx_pio_ops ops;
	uint64_t calls, refused;
};

static struct mean_port mean;

static uint16_t
mean_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	uint16_t some = (uint16_t)(mean.calls++ % 2 == 0 ? 0 : (cnt + 2) / 3);
	uint16_t n = some > 0 ? mean.real->tx_burst(p, queue, m, some) : 0;

	mean.refused += (uint64_t)(cnt - n);
	return n;
}

static void
a_pool_that_is_nearly_empty_slows_down_and_recovers(void)
{
	struct rte_mbuf *hold[512];
	unsigned held = 0;
	struct worker_pair r;

	PLX_COVERS("F2");
	worker_pair_make(&r, &(struct worker_pair_cfg){.name = "short", .pool_cnt = 511});
	/* Somebody takes nearly all buffers, more than once while data flows. */
	worker_pair_dial(&r);
	for (int round = 0; round < 20; round++) {
		while (held < 512 && rte_mempool_avail_count(plx_sim_pool(r.sim)) > 8 &&
		       (hold[held] = rte_pktmbuf_alloc(plx_sim_pool(r.sim))) != NULL)
			held++;
		for (int i = 0; i < 200; i++)
			worker_pair_turn(&r);
		rte_pktmbuf_free_bulk(hold, held);
		held = 0;
		for (int i = 0; i < 20; i++)
			worker_pair_turn(&r);
	}
	while (r.app[CLIENT].streams_done < 4 && r.now < 400 * PLX_NS_PER_S)
		worker_pair_turn(&r);
	CU_ASSERT_EQUAL(r.app[CLIENT].streams_done, 4);
	CU_ASSERT_EQUAL(r.app[CLIENT].mismatches + r.app[SERVER].mismatches, 0);
	worker_pair_transfer(&r);
	worker_pair_end(&r);
}

static void
a_port_that_takes_little_loses_little_and_leaks_nothing(void)
{
	struct worker_pair r;

	PLX_COVERS("F3", "S0-46");
	worker_pair_make(&r, &(struct worker_pair_cfg){.name = "short", .pool_cnt = 2047});
	mean = (struct mean_port){.real = r.pio[SERVER]->ops, .ops = *r.pio[SERVER]->ops};
	mean.ops.tx_burst = mean_tx;
	r.pio[SERVER]->ops = &mean.ops;
	worker_pair_transfer(&r);
	CU_ASSERT_TRUE(mean.refused > 100);
	r.pio[SERVER]->ops = mean.real;
	worker_pair_end(&r);
}

/* An Initial of its own connection: half of them belong to worker 1. */
static struct rte_mbuf *
first_packet(struct worker_pair *r, uint32_t number)
{
	static uint8_t quic[1200] = {0xc0, 0, 0, 0, 1, 8};
	struct rig_spec spec = {.payload_len = sizeof(quic), .payload = quic};
	struct rig_frame f;

	memcpy(quic + 6, &number, sizeof(number));
	rig_build(&f, &spec);
	memcpy(f.b, r->pio[0]->mac, 6);
	return rig_mbuf(plx_sim_pool(r->sim), f.b, f.len);
}

/* Worker 0 receives everything, worker 1 does not turn. */
static void
a_mailbox_that_is_full_drops_and_counts(void)
{
	enum { DEPTH = 256, BURST = 32, BURSTS = 32 };
	struct plx_sim_cfg sc = {.name = "mbox",
	                         .pool_cnt = 2047,
	                         .ports = 2,
	                         .queues = {2, 1},
	                         .spread = {PLX_SIM_SPREAD_ZERO, PLX_SIM_SPREAD_ZERO},
	                         .ring_cnt = 256,
	                         .socket_id = -1};
	static struct worker_pair r;
	struct plx_worker *w[2];
	struct plx_mailboxes *boxes;
	uint64_t put, dropped;
	char err[256];

	memset(&r, 0, sizeof(r));
	CU_ASSERT_EQUAL_FATAL(plx_mailboxes_new(&boxes, "mbox", 2, DEPTH, -1), 0);
	CU_ASSERT_EQUAL_FATAL(plx_sim_new(&r.sim, &sc), 0);
	CU_ASSERT_EQUAL_FATAL(plx_tls_self_signed("t", true, NULL, &r.cert, &r.key), 0);
	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&r.neigh[0], 64), 0);
	r.pio[0] = plx_sim_port(r.sim, 0);
	r.pio[1] = plx_sim_port(r.sim, 1);
	r.proto[0] = (struct plx_proto){"t", &plx_testapp_server, &r.app[0]};
	r.net[0].addr[0].addr = (struct plx_addr){.family = PLX_FAMILY_IPV4};
	memcpy(r.net[0].addr[0].addr.ip, rig_ip4_a, 4);
	r.net[0].addr[0].prefix_len = 24;
	r.net[0].addr_cnt = 1;
	r.net[0].port_be[0] = htons(443);
	r.net[0].port_cnt = 1;
	r.net[0].ttl = 64;
	r.tls[0] =
	        (struct plx_tls_cfg){.server = true, .cert_pem = r.cert, .key_pem = r.key};
	for (uint8_t n = 0; n < 2; n++) {
		struct plx_worker_cfg c = {.number = n,
		                           .worker_cnt = 2,
		                           .port_cnt = 1,
		                           .pio = {r.pio[0]},
		                           .net = {&r.net[0]},
		                           .neigh = {r.neigh[0]},
		                           .proto = &r.proto[0],
		                           .proto_cnt = 1,
		                           .tls_server = &r.tls[0],
		                           .clock = PLX_CLOCK_VIRTUAL,
		                           .seed = 3,
		                           .node = -1,
		                           .mailboxes = boxes};

		plx_quic_cfg_init(&c.quic);
		c.quic.conns_max = 64;
		c.quic.server = true;
		c.steer.server_id_len = 2;
		CU_ASSERT_EQUAL_FATAL(plx_worker_new(&w[n], &c, err, sizeof(err)), 0);
	}
	for (unsigned b = 0; b < BURSTS; b++) {
		struct rte_mbuf *m[BURST];

		for (unsigned i = 0; i < BURST; i++)
			m[i] = first_packet(&r, b * BURST + i);
		CU_ASSERT_EQUAL(r.pio[1]->ops->tx_burst(r.pio[1], 0, m, BURST), BURST);
		plx_worker_turn(w[0], PLX_NS_PER_S + b * UINT64_C(1000));
	}
	put = plx_obs_get(plx_worker_obs(w[0]), PLX_COUNT_handover_out);
	dropped = plx_obs_get_drop(plx_worker_obs(w[0]), PLX_DROP_STEER_MAILBOX);
	/* A ring holds at least what was asked for; each packet has one end. */
	CU_ASSERT_TRUE(put >= DEPTH && dropped > 0);
	CU_ASSERT_EQUAL(
	        put + dropped +
	                plx_obs_get_drop(plx_worker_obs(w[0]), PLX_DROP_QUIC_DECRYPT),
	        BURST * BURSTS);
	for (unsigned n = 0; n < 2; n++)
		plx_worker_free(w[n]);
	plx_mailboxes_free(boxes);
	plx_neigh_free(r.neigh[0]);
	r.pio[0]->ops->close(r.pio[0]);
	r.pio[1]->ops->close(r.pio[1]);
	plx_sim_free(r.sim);
	free(r.cert);
	free(r.key);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a pool that is nearly empty slows down and recovers",
	         a_pool_that_is_nearly_empty_slows_down_and_recovers},
	        {"a port that takes little loses little and leaks nothing",
	         a_port_that_takes_little_loses_little_and_leaks_nothing},
	        {"a mailbox that is full drops and counts",
	         a_mailbox_that_is_full_drops_and_counts},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"shortage of a worker", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	if (plx_test_eal("shortage", 64) != 0)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_eal_cleanup();
	return rc;
}
