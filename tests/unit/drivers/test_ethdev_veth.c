/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports on kernel devices, in a network namespace of this program's own that ends with it. Skips
 * where such a namespace or the devices cannot be made.
 */
#include "plx_test.h"

#include <sched.h>
#include <unistd.h>

#include <plx/err.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "drv_frames.h"
#include "plx_ethdev.h"
#include "plx_test_eal.h"
#include "plx_test_run.h"

static struct rte_mempool *pool;

static struct plx_ethdev_cfg
cfg_of(const char *device, uint16_t queues)
{
	struct plx_ethdev_cfg cfg = {.device = {device},
	                             .device_cnt = 1,
	                             .rxq = queues,
	                             .txq = queues,
	                             .pool = pool,
	                             .promisc = PLX_ETHDEV_PREFER,
	                             .allmulti = PLX_ETHDEV_PREFER,
	                             .link_wait_ms = 1000};

	return cfg;
}

static struct plx_pio *
try_open(const struct plx_ethdev_cfg *cfg)
{
	char err[PLX_ETHDEV_ERR_SZ] = "";
	struct plx_pio *p = NULL;

	if (plx_ethdev_open(&p, cfg, err, sizeof(err)) != 0)
		printf("%s\n", err);
	return p;
}

/** Sends frames of many flows over all queues of a. @return those that b received */
static uint32_t
exchange(struct plx_pio *a, struct plx_pio *b, uint32_t cnt, uint32_t per_queue[])
{
	struct frame f = FRAME_DEFAULT;
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint32_t got = 0, sent = 0, idle = 0;
	uint16_t n;

	memset(per_queue, 0, b->rxq_cnt * sizeof(*per_queue));
	while (idle < 200) {
		if (sent < cnt) {
			f.sport = (uint16_t)(1024 + sent % 64);
			f.nr = sent;
			m[0] = frame_make(a->pool, &f);
			if (plx_pio_tx(a, (uint16_t)(sent % a->txq_cnt), m, 1) == 1)
				sent++;
			else
				rte_pktmbuf_free(m[0]);
		}
		idle++;
		for (uint16_t q = 0; q < b->rxq_cnt; q++) {
			n = plx_pio_rx(b, q, m, PLX_BURST_MAX);
			for (uint16_t i = 0; i < n; i++) {
				/* The kernel says things of its own on a device that comes up. */
				if (m[i]->pkt_len == 142 && frame_cksum_ok(m[i])) {
					got++;
					per_queue[q]++;
					idle = 0;
				}
				rte_pktmbuf_free(m[i]);
			}
		}
		for (uint16_t q = 0; q < a->rxq_cnt; q++)
			rte_pktmbuf_free_bulk(m, plx_pio_rx(a, q, m, PLX_BURST_MAX));
		if (sent == cnt)
			usleep(200);
	}
	return got;
}

static bool
all_returned(void)
{
	return rte_eth_dev_count_avail() == 0 && rte_mempool_full(pool);
}

static void
test_af_packet_sends_and_receives(void)
{
	struct plx_ethdev_cfg one = cfg_of("net_af_packet0,iface=pv0", 1);
	struct plx_ethdev_cfg two = cfg_of("net_af_packet1,iface=pv1,qpairs=2", 2);
	uint32_t per_queue[2];
	struct plx_pio *a, *b;

	for (int i = 0; i < 2; i++) {
		a = try_open(&one);
		b = try_open(&two);
		CU_ASSERT_TRUE_FATAL(a != NULL && b != NULL);
		CU_ASSERT_EQUAL(a->plan.level, PLX_SPREAD_SINGLE);
		CU_ASSERT_EQUAL(b->plan.level, PLX_SPREAD_UNKNOWN);
		CU_ASSERT_EQUAL(b->rxq_cnt, 2);
		CU_ASSERT_EQUAL(exchange(a, b, 1000, per_queue), 1000);
		CU_ASSERT_TRUE(per_queue[0] != 0 && per_queue[1] != 0);
		CU_ASSERT_EQUAL(exchange(b, a, 1000, per_queue), 1000);
		a->ops->close(a);
		b->ops->close(b);
		CU_ASSERT_TRUE(all_returned());
	}
}

static void
test_two_af_xdp_devices_are_two_queues(void)
{
	struct plx_ethdev_cfg cfg =
	        cfg_of("net_af_xdp0,iface=pv0,start_queue=0,busy_budget=0", 2);
	struct plx_ethdev_cfg peer = cfg_of("net_af_packet1,iface=pv1", 1);
	uint32_t per_queue[2];
	struct plx_pio *a, *b;

	cfg.device[1] = "net_af_xdp1,iface=pv0,start_queue=1,busy_budget=0";
	cfg.device_cnt = 2;
	cfg.pool = NULL;
	a = try_open(&cfg);
	if (a == NULL)
		PLX_SKIP("AF_XDP needs root and a kernel with it");
	b = try_open(&peer);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(a->rxq_cnt, 2);
	CU_ASSERT_EQUAL(a->txq_cnt, 2);
	CU_ASSERT_EQUAL(a->plan.level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_EQUAL(exchange(a, b, 1000, per_queue), 1000);
	CU_ASSERT_EQUAL(exchange(b, a, 1000, per_queue), 1000);
	a->ops->close(a);
	b->ops->close(b);
	CU_ASSERT_TRUE(all_returned());
}

/* What the warning about net_af_xdp devices for some queues only is made from. */
static void
test_receive_queues_of_a_device_are_counted(void)
{
	CU_ASSERT_EQUAL(plx_ethdev_iface_rxq("pv0"), 2);
	CU_ASSERT_EQUAL(plx_test_run("ethtool -L pv0 rx 1"), 0);
	CU_ASSERT_EQUAL(plx_ethdev_iface_rxq("pv0"), 1);
	CU_ASSERT_EQUAL(plx_test_run("ethtool -L pv0 rx 2"), 0);
	CU_ASSERT_EQUAL(plx_ethdev_iface_rxq("pv0"), 2);
	CU_ASSERT_EQUAL(plx_ethdev_iface_rxq("lo"), 0);
	CU_ASSERT_EQUAL(plx_ethdev_iface_rxq("none0"), 0);
}

static void
test_tap_sends_and_receives(void)
{
	struct plx_ethdev_cfg tap = cfg_of("net_tap0,iface=ptap0", 1);
	struct plx_ethdev_cfg peer = cfg_of("net_af_packet1,iface=ptap0", 1);
	uint32_t per_queue[1];
	char text[1024];
	struct plx_pio *a, *b;

	a = try_open(&tap);
	if (a == NULL)
		PLX_SKIP("no /dev/net/tun");
	b = try_open(&peer);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(exchange(a, b, 500, per_queue), 500);
	CU_ASSERT_EQUAL(exchange(b, a, 500, per_queue), 500);
	CU_ASSERT_EQUAL(plx_ethdev_hints("ptap0", text, sizeof(text)) & PLX_HINT_NO_IFACE,
	                0);
	b->ops->close(b);
	a->ops->close(a);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_hints_name_what_a_veth_does(void)
{
	char text[2048];
	uint32_t bits;

	CU_ASSERT_EQUAL(plx_test_run("ethtool -K pv1 tx on gso on"), 0);
	CU_ASSERT_EQUAL(plx_test_run("ip addr add 192.0.2.1/24 dev pv0"), 0);
	bits = plx_ethdev_hints("pv0", text, sizeof(text));
	CU_ASSERT_TRUE((bits & PLX_HINT_TX_CKSUM) != 0);
	CU_ASSERT_TRUE((bits & PLX_HINT_GSO) != 0);
	CU_ASSERT_TRUE((bits & PLX_HINT_ADDR4) != 0);
	CU_ASSERT_EQUAL(bits & (PLX_HINT_DOWN | PLX_HINT_NO_IFACE | PLX_HINT_PEER_HIDDEN),
	                0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ethtool -K pv1 tx off"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip addr flush dev pv0"));

	CU_ASSERT_EQUAL(plx_test_run("ethtool -K pv1 tx off gso off tso off"), 0);
	CU_ASSERT_EQUAL(plx_test_run("ip addr flush dev pv0"), 0);
	CU_ASSERT_EQUAL(plx_test_run("ethtool -K pv0 gro off"), 0);
	bits = plx_ethdev_hints("pv0", text, sizeof(text));
	CU_ASSERT_EQUAL(bits, 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(plx_test_run("ip link set pv0 down"), 0);
	CU_ASSERT_EQUAL(plx_ethdev_hints("pv0", text, sizeof(text)), PLX_HINT_DOWN);
	CU_ASSERT_EQUAL(plx_test_run("ip link set pv0 up"), 0);
}

static void
test_port_on_a_device_that_is_up_has_link(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_af_packet0,iface=pv0", 1);
	struct plx_pio_link link;
	struct plx_pio *p = try_open(&cfg);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->ops->link(p, &link), 0);
	CU_ASSERT_TRUE(link.up);
	p->ops->close(p);
	CU_ASSERT_TRUE(all_returned());
}

/** Looks at once: the kernel's own flag for "running" follows up to a second later. */
static bool
link_is(struct plx_pio *p, bool up)
{
	struct plx_pio_link link;

	return p->ops->link(p, &link) == 0 && link.up == up;
}

static void
test_link_follows_the_cable_at_once(void)
{
	static const char *const device[] = {"net_af_packet0,iface=pv0",
	                                     "net_af_xdp0,iface=pv0,start_queue=0"};

	PLX_COVERS("F1");
	for (size_t i = 0; i < 2; i++) {
		struct plx_ethdev_cfg cfg = cfg_of(device[i], 1);
		struct plx_pio *p;

		/* Its own: the kernel keeps a buffer or two of a socket that was cut off. */
		cfg.pool = NULL;
		p = try_open(&cfg);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		for (int round = 0; round < 2; round++) {
			CU_ASSERT_TRUE(link_is(p, true));
			CU_ASSERT_EQUAL(plx_test_run("ip link set pv1 down"), 0);
			CU_ASSERT_TRUE(link_is(p, false));
			CU_ASSERT_EQUAL(plx_test_run("ip link set pv1 up"), 0);
			CU_ASSERT_TRUE(link_is(p, true));
			CU_ASSERT_EQUAL(plx_test_run("ip link set pv0 down"), 0);
			CU_ASSERT_TRUE(link_is(p, false));
			CU_ASSERT_EQUAL(plx_test_run("ip link set pv0 up"), 0);
		}
		p->ops->close(p);
	}
}

/** A namespace with two ends of a veth in it. */
static bool
make_world(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		return false;
	return plx_test_run("ip link add pv0 numrxqueues 2 numtxqueues 2 type veth "
	                    "peer name pv1 numrxqueues 2 numtxqueues 2") == 0 &&
	       plx_test_run("ip link set pv0 up") == 0 &&
	       plx_test_run("ip link set pv1 up") == 0 &&
	       plx_test_run("ethtool -K pv0 tx off gso off tso off gro off") == 0 &&
	       plx_test_run("ethtool -K pv1 tx off gso off tso off gro off") == 0;
}

static int
suite_init(void)
{
	pool = rte_pktmbuf_pool_create("veth_pool", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
	                               -1);
	return pool == NULL;
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"af_packet ports send and receive, twice",
	         test_af_packet_sends_and_receives},
	        {"two af_xdp devices are the two queues of one port",
	         test_two_af_xdp_devices_are_two_queues},
	        {"the receive queues of a device are counted",
	         test_receive_queues_of_a_device_are_counted},
	        {"a tap port sends and receives", test_tap_sends_and_receives},
	        {"hints name what a veth does and the command that ends it",
	         test_hints_name_what_a_veth_does},
	        {"a port on a device that is up has its link up",
	         test_port_on_a_device_that_is_up_has_link},
	        {"the link follows the cable at once", test_link_follows_the_cable_at_once},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"ethdev: kernel devices", suite_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	if (!make_world()) {
		printf("skipped: no right to make a network namespace with a veth\n");
		return PLX_TEST_SKIP;
	}
	if (plx_test_eal("plx_test_veth", 128) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
