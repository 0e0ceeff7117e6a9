/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_test.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <plx/err.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_thash.h>

#include "drv_frames.h"
#include "plx_ethdev.h"
#include "plx_test_eal.h"

static struct rte_mempool *pool;

static struct plx_ethdev_cfg
cfg_of(const char *device, uint16_t queues)
{
	struct plx_ethdev_cfg cfg = {.device = {device},
	                             .device_cnt = 1,
	                             .rxq = queues,
	                             .txq = queues,
	                             .pool = pool};

	return cfg;
}

static struct plx_pio *
open_ok(const struct plx_ethdev_cfg *cfg)
{
	char err[PLX_ETHDEV_ERR_SZ] = "";
	struct plx_pio *p = NULL;
	int rc = plx_ethdev_open(&p, cfg, err, sizeof(err));

	if (rc != 0)
		printf("%s: %s\n", plx_errname(rc), err);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return p;
}

static bool
all_returned(void)
{
	/* Nothing is left: no port, no buffer. */
	return rte_eth_dev_count_avail() == 0 && rte_mempool_full(pool);
}

static const struct plx_ethdev_row *
row_of(const struct plx_pio *p, const char *property)
{
	static struct plx_ethdev_row rows[PLX_ETHDEV_ROWS_MAX];
	uint32_t cnt = plx_ethdev_rows(p, rows, PLX_ETHDEV_ROWS_MAX);

	for (uint32_t i = 0; i < cnt; i++)
		if (strcmp(rows[i].property, property) == 0)
			return &rows[i];
	CU_FAIL_FATAL("no such row");
	return NULL;
}

/** Sends cnt frames on a queue of one port. */
static uint16_t
send_frames(struct plx_pio *p, uint16_t queue, uint16_t cnt)
{
	struct frame f = FRAME_DEFAULT;
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t n;

	for (uint16_t i = 0; i < cnt; i++) {
		f.nr = i;
		m[i] = frame_make(pool, &f);
	}
	n = plx_pio_tx(p, queue, m, cnt);
	for (uint16_t i = n; i < cnt; i++)
		rte_pktmbuf_free(m[i]);
	return n;
}

/** Receives from a queue until nothing comes for some tries. @return frames in order */
static uint16_t
take_frames(struct plx_pio *p, uint16_t queue, unsigned tries)
{
	struct frame f = FRAME_DEFAULT;
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t total = 0, n;

	while (tries-- != 0) {
		n = plx_pio_rx(p, queue, m, PLX_BURST_MAX);
		for (uint16_t i = 0; i < n; i++) {
			CU_ASSERT_EQUAL(frame_nr(m[i], &f), total);
			total++;
			rte_pktmbuf_free(m[i]);
		}
		if (n == 0 && tries != 0)
			usleep(100);
	}
	return total;
}

/* ---- ports ---- */

static void
test_ring_loop_twice(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_loop", 2);
	struct plx_pio_stats stats;
	struct plx_pio_link link;
	struct plx_pio *p;

	for (int i = 0; i < 2; i++) {
		p = open_ok(&cfg);
		CU_ASSERT_EQUAL(p->rxq_cnt, 2);
		CU_ASSERT_EQUAL(p->txq_cnt, 2);
		CU_ASSERT_STRING_EQUAL(p->name, "net_ring_loop");
		CU_ASSERT_PTR_EQUAL(p->pool, pool);
		CU_ASSERT_EQUAL(p->plan.level, PLX_SPREAD_UNKNOWN);
		CU_ASSERT_EQUAL(p->ops->link(p, &link), 0);
		CU_ASSERT_TRUE(link.up);
		CU_ASSERT_EQUAL(send_frames(p, 1, 20), 20);
		CU_ASSERT_EQUAL(take_frames(p, 0, 1), 0);
		CU_ASSERT_EQUAL(take_frames(p, 1, 1), 20);
		CU_ASSERT_EQUAL(p->ops->stats(p, &stats), 0);
		CU_ASSERT_EQUAL(stats.tx_pkts, 20);
		CU_ASSERT_EQUAL(stats.rx_pkts, 20);
		p->ops->close(p);
		CU_ASSERT_TRUE(all_returned());
	}
}

static void
test_close_frees_frames_nobody_received(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_left", 1);
	struct plx_pio *p = open_ok(&cfg);

	CU_ASSERT_EQUAL(send_frames(p, 0, 10), 10);
	p->ops->close(p);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_own_pool_goes_with_the_port(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_own", 1);
	struct plx_pio *p;

	cfg.pool = NULL;
	cfg.prefix = "eng";
	cfg.rx_desc = 256;
	cfg.tx_desc = 256;
	for (int i = 0; i < 2; i++) {
		p = open_ok(&cfg);
		CU_ASSERT_EQUAL(p->pool->size, plx_ethdev_pool_cnt(&cfg));
		CU_ASSERT_EQUAL(p->pool->size & (p->pool->size + 1), 0);
		CU_ASSERT_EQUAL(strncmp(p->pool->name, "eng", 3), 0);
		p->ops->close(p);
		CU_ASSERT_PTR_NULL(rte_mempool_lookup("eng_p0"));
	}
	CU_ASSERT_TRUE(all_returned());
}

static void
test_pool_formula(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring0", 2);

	/* 2 x 2 x 1024 descriptors, 2 workers with 768 + 96 each = 5824, rounded up. */
	CU_ASSERT_EQUAL(plx_ethdev_pool_cnt(&cfg), 8191);
	cfg.pool_cfg.in_flight = 8191 - 5824;
	CU_ASSERT_EQUAL(plx_ethdev_pool_cnt(&cfg), 8191);
	cfg.pool_cfg.in_flight++;
	CU_ASSERT_EQUAL(plx_ethdev_pool_cnt(&cfg), 16383);
	cfg.pool_cfg = (struct plx_ethdev_pool_cfg){.workers = 1, .cache = 32, .burst = 8};
	cfg.rx_desc = cfg.tx_desc = 64;
	CU_ASSERT_EQUAL(plx_ethdev_pool_cnt(&cfg), 1023);
	CU_ASSERT_TRUE(plx_ethdev_mem_need(&cfg) > 1023 * (2048 + 128));
}

/** Two rings, two ports: what one sends the other receives. */
static void
test_ports_of_a_host_are_attached_and_left_running(void)
{
	struct rte_ring *ab = rte_ring_create("t_ab", 256, SOCKET_ID_ANY, 0);
	struct rte_ring *ba = rte_ring_create("t_ba", 256, SOCKET_ID_ANY, 0);
	struct rte_eth_conf conf = {0};
	struct plx_pio *a, *b;
	char err[256];
	int port[2];

	CU_ASSERT_TRUE_FATAL(ab != NULL && ba != NULL);
	port[0] = rte_eth_from_rings("t_a", &ba, 1, &ab, 1, 0);
	port[1] = rte_eth_from_rings("t_b", &ab, 1, &ba, 1, 0);
	for (int i = 0; i < 2; i++) {
		uint16_t id = (uint16_t)port[i];

		CU_ASSERT_TRUE_FATAL(port[i] >= 0);
		CU_ASSERT_EQUAL(rte_eth_dev_configure(id, 1, 1, &conf), 0);
		CU_ASSERT_EQUAL(rte_eth_rx_queue_setup(id, 0, 64, 0, NULL, pool), 0);
		CU_ASSERT_EQUAL(rte_eth_tx_queue_setup(id, 0, 64, 0, NULL), 0);
		CU_ASSERT_EQUAL(rte_eth_dev_start(id), 0);
	}
	CU_ASSERT_EQUAL_FATAL(
	        plx_ethdev_attach(&a, (uint16_t)port[0], 1, pool, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(
	        plx_ethdev_attach(&b, (uint16_t)port[1], 1, pool, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(send_frames(a, 0, 32), 32);
	CU_ASSERT_EQUAL(take_frames(a, 0, 1), 0);
	CU_ASSERT_EQUAL(take_frames(b, 0, 1), 32);
	CU_ASSERT_EQUAL(a->plan.level, PLX_SPREAD_SINGLE);
	a->ops->close(a);
	CU_ASSERT_EQUAL(plx_ethdev_attach(&a, (uint16_t)port[0], 2, pool, err, sizeof(err)),
	                PLX_E_INVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "1 receive"));
	/* Still running for the host. */
	CU_ASSERT_EQUAL(send_frames(b, 0, 1), 1);
	b->ops->close(b);
	CU_ASSERT_EQUAL(rte_ring_count(ba), 1);
	{
		struct rte_mbuf *m;

		CU_ASSERT_EQUAL(rte_eth_rx_burst((uint16_t)port[0], 0, &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	for (int i = 0; i < 2; i++) {
		rte_eth_dev_stop((uint16_t)port[i]);
		rte_eth_dev_close((uint16_t)port[i]);
	}
	rte_ring_free(ab);
	rte_ring_free(ba);
	CU_ASSERT_EQUAL(plx_ethdev_attach(&a, 30, 1, pool, err, sizeof(err)), PLX_E_NOENT);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_ports_that_exist_are_opened_by_name_or_number(void)
{
	struct rte_ring *r = rte_ring_create("t_one", 256, SOCKET_ID_ANY, 0);
	struct plx_ethdev_cfg cfg;
	char number[16], err[512];
	struct plx_pio *p;
	int port;

	port = rte_eth_from_rings("t_one", &r, 1, &r, 1, 0);
	CU_ASSERT_TRUE_FATAL(port >= 0);
	snprintf(number, sizeof(number), "%d", port);
	cfg = cfg_of("net_ring_t_one,nodeaction=x", 1);
	CU_ASSERT_EQUAL(plx_ethdev_open(&p, &cfg, err, sizeof(err)), PLX_E_EXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "leave its arguments out"));
	cfg = cfg_of(number, 1);
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(send_frames(p, 0, 5), 5);
	CU_ASSERT_EQUAL(take_frames(p, 0, 1), 5);
	p->ops->close(p);
	rte_ring_free(r);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_several_devices_are_the_queues_of_one_port(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_q0", 3);
	struct plx_pio *p;

	cfg.device[1] = "net_ring_q1";
	cfg.device[2] = "net_ring_q2";
	cfg.device_cnt = 3;
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(p->rxq_cnt, 3);
	CU_ASSERT_EQUAL(p->txq_cnt, 3);
	CU_ASSERT_EQUAL(p->plan.level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_EQUAL(send_frames(p, 2, 7), 7);
	CU_ASSERT_EQUAL(take_frames(p, 0, 1), 0);
	CU_ASSERT_EQUAL(take_frames(p, 1, 1), 0);
	CU_ASSERT_EQUAL(take_frames(p, 2, 1), 7);
	p->ops->close(p);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_null_port_claims_rss_and_is_not_believed(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_null0,size=64", 4);
	struct rte_mbuf *m[PLX_BURST_MAX];
	struct plx_pio *p;
	uint16_t n;

	cfg.rss = PLX_ETHDEV_PREFER;
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(p->rxq_cnt, 4);
	CU_ASSERT_EQUAL(p->plan.level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_EQUAL(p->plan.hashes_by_flow, 0);
	n = plx_pio_rx(p, 3, m, PLX_BURST_MAX);
	CU_ASSERT_EQUAL(n, PLX_BURST_MAX);
	CU_ASSERT_EQUAL(plx_pio_tx(p, 0, m, n), n);
	p->ops->close(p);
	CU_ASSERT_TRUE(all_returned());
}

static void
test_pcap_files_are_a_port(void)
{
	char tx[64], device[128], rx_device[128];
	struct plx_ethdev_cfg cfg;
	struct plx_pio *p;

	snprintf(tx, sizeof(tx), "/tmp/plx_test_%d.pcap", (int)getpid());
	/* The driver wants something to receive from too. */
	snprintf(device, sizeof(device), "net_pcap_w,tx_pcap=%s,infinite_rx=0", tx);
	cfg = cfg_of(device, 1);
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(send_frames(p, 0, 9), 9);
	p->ops->close(p);
	snprintf(rx_device, sizeof(rx_device), "net_pcap_r,rx_pcap=%s", tx);
	cfg = cfg_of(rx_device, 1);
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(take_frames(p, 0, 3), 9);
	p->ops->close(p);
	unlink(tx);
	CU_ASSERT_TRUE(all_returned());
}

/* ---- memif ---- */

static void
memif_names(char path[64], char server[160], char client[160])
{
	snprintf(path, 64, "/tmp/plx_memif_%d.sock", (int)getpid());
	snprintf(server, 160, "net_memif0,role=server,id=0,socket=%s,socket-abstract=no",
	         path);
	snprintf(client, 160, "net_memif1,role=client,id=0,socket=%s,socket-abstract=no",
	         path);
}

static bool
is_up(struct plx_pio *p)
{
	struct plx_pio_link link;

	return p->ops->link(p, &link) == 0 && link.up;
}

static void
test_memif_pair_in_one_process(void)
{
	char path[64], server[160], client[160];
	struct plx_ethdev_cfg cs, cc;
	struct plx_pio *s, *c;

	memif_names(path, server, client);
	cs = cfg_of(server, 2);
	cc = cfg_of(client, 2);
	cc.link_wait_ms = 5000;
	for (int round = 0; round < 3; round++) {
		s = open_ok(&cs);
		CU_ASSERT_FALSE(is_up(s));
		c = open_ok(&cc);
		CU_ASSERT_TRUE_FATAL(is_up(c));
		CU_ASSERT_EQUAL(s->plan.level, PLX_SPREAD_UNKNOWN);
		for (uint16_t q = 0; q < 2; q++) {
			CU_ASSERT_EQUAL(send_frames(c, q, 32), 32);
			CU_ASSERT_EQUAL(take_frames(s, q, 20), 32);
			/* The server fills slots that the client offers when it polls. */
			CU_ASSERT_EQUAL(take_frames(c, q, 1), 0);
			CU_ASSERT_EQUAL(send_frames(s, q, 32), 32);
			CU_ASSERT_EQUAL(take_frames(c, q, 20), 32);
		}
		c->ops->close(c);
		s->ops->close(s);
		CU_ASSERT_TRUE(all_returned());
	}
	unlink(path);
}

static bool
stop_soon(void *arg)
{
	unsigned *asked = arg;

	return ++*asked == 20;
}

static void
test_wait_for_a_link_can_be_ended(void)
{
	char path[64], server[160], client[160], err[PLX_ETHDEV_ERR_SZ] = "";
	struct plx_ethdev_cfg cfg;
	unsigned asked = 0;
	struct plx_pio *p;

	memif_names(path, server, client);
	cfg = cfg_of(server, 1);
	cfg.link_wait_ms = 60000;
	cfg.stop = stop_soon;
	cfg.stop_arg = &asked;
	CU_ASSERT_EQUAL(plx_ethdev_open(&p, &cfg, err, sizeof(err)), PLX_E_INTERRUPTED);
	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "net_memif0 waited for its link"));
	CU_ASSERT_EQUAL(asked, 20);
	/* Nothing is left: the same device can be made again. */
	asked = 0;
	CU_ASSERT_EQUAL(plx_ethdev_open(&p, &cfg, err, sizeof(err)), PLX_E_INTERRUPTED);
}

static void
test_socket_of_a_killed_memif_server_is_removed(void)
{
	char path[64], server[160], client[160];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct plx_ethdev_cfg cfg;
	struct plx_pio *p;
	int fd;

	memif_names(path, server, client);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	cfg = cfg_of(server, 1);
	p = open_ok(&cfg);
	p->ops->close(p);
	unlink(path);
	CU_ASSERT_TRUE(all_returned());
}

/* ---- negotiation ---- */

/* clang-format off */
static const char ring_table[] =
	"  property          wanted           got                          fallback\n"
	"  driver            -                net_ring\n"
	"  queues            32 rx, 32 tx     16 rx, 16 tx                 workers without a queue take from the mailbox\n"
	"  descriptors       512 rx, 512 tx   512 rx, 512 tx\n"
	"  MTU               1500             1500\n"
	"  rx IP checksum    off              no\n"
	"  rx UDP checksum   prefer           no                           software\n"
	"  tx IP checksum    off              no\n"
	"  tx UDP checksum   prefer           no                           software\n"
	"  tx fast free      off              no\n"
	"  rx scatter        off              no\n"
	"  tx multi-segment  require          yes\n"
	"  RSS               prefer           no                           software, by connection ID\n"
	"  packet buffers    32767            4095 (given)\n"
	"  promiscuous       prefer           yes\n"
	"  all multicast     prefer           yes\n"
	"  spread            -                by the peer's queue          software, by connection ID\n"
	"  link              -                up, 10000 Mbit/s\n"
	"  NUMA node         -                0\n";
/* clang-format on */

static void
test_ring_negotiation_is_the_table_expected(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_table", 32);
	char *text = NULL;
	size_t len = 0;
	struct plx_pio *p;
	FILE *f;

	cfg.rx_desc = cfg.tx_desc = 512;
	cfg.mtu = 1500;
	cfg.rss = PLX_ETHDEV_PREFER;
	cfg.promisc = PLX_ETHDEV_PREFER;
	cfg.allmulti = PLX_ETHDEV_PREFER;
	cfg.off_prefer = PLX_OFF_RX_UDP_CKSUM | PLX_OFF_TX_UDP_CKSUM;
	cfg.off_require = PLX_OFF_TX_MULTI_SEGS;
	p = open_ok(&cfg);
	CU_ASSERT_EQUAL(p->off_want, PLX_OFF_RX_UDP_CKSUM | PLX_OFF_TX_UDP_CKSUM |
	                                     PLX_OFF_TX_MULTI_SEGS);
	CU_ASSERT_EQUAL(p->off_got, PLX_OFF_TX_MULTI_SEGS);
	CU_ASSERT_EQUAL(p->plan.level, PLX_SPREAD_UNKNOWN);
	CU_ASSERT_STRING_EQUAL(row_of(p, "RSS")->wanted, "prefer");
	CU_ASSERT_STRING_EQUAL(row_of(p, "RSS")->got, "no");
	f = open_memstream(&text, &len);
	plx_ethdev_print_table(p, f);
	fclose(f);
	CU_ASSERT_EQUAL(strncmp(text, "port net_ring_table\n", 20), 0);
	CU_ASSERT_STRING_EQUAL(text + 20, ring_table);
	if (strcmp(text + 20, ring_table) != 0)
		fputs(text, stdout);
	free(text);
	p->ops->close(p);
	CU_ASSERT_TRUE(all_returned());
}

/** Opens what must fail. @return the code; the sentence is in err */
static int
open_bad(const struct plx_ethdev_cfg *cfg, char err[PLX_ETHDEV_ERR_SZ])
{
	struct plx_pio *p;
	int rc = plx_ethdev_open(&p, cfg, err, PLX_ETHDEV_ERR_SZ);

	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_TRUE(all_returned());
	return rc;
}

static void
test_required_and_missing_ends_with_the_table(void)
{
	struct plx_ethdev_cfg cfg = cfg_of("net_ring_req", 2);
	char err[PLX_ETHDEV_ERR_SZ];

	cfg.off_require = PLX_OFF_TX_UDP_CKSUM;
	CU_ASSERT_EQUAL(open_bad(&cfg, err), PLX_E_UNSUPPORTED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "has no tx UDP checksum, which is required"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "tx UDP checksum   require          no"));
	cfg.off_require = 0;
	cfg.rss = PLX_ETHDEV_REQUIRE;
	CU_ASSERT_EQUAL(open_bad(&cfg, err), PLX_E_UNSUPPORTED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "has no RSS"));
	cfg = cfg_of("net_ring_req", 2);
	cfg.off_require = UINT32_C(1) << 30;
	CU_ASSERT_EQUAL(open_bad(&cfg, err), PLX_E_UNSUPPORTED);
}

static void
test_unknown_devices_name_the_fix(void)
{
	static const struct {
		const char *device;
		int rc;
		const char *says;
	} bad[] = {
	        {"eth7", PLX_E_NOENT, "dpdk-devbind.py --status"},
	        {"7", PLX_E_NOENT, "no port was probed"},
	        {"net_nonsense0", PLX_E_NOENT, "librte-net-"},
	        {"net_af_packet0,iface=plxnone0", PLX_E_NOENT,
	         "no network device 'plxnone0'"},
	        {"net_af_xdp0,iface=plxnone0", PLX_E_NOENT, "no network device 'plxnone0'"},
	        {"net_memif0,role=nobody", PLX_E_DEVICE, "role=client"},
	        {"0000:ff:1f.7", PLX_E_NOENT, "--bind=vfio-pci 0000:ff:1f.7"},
	        {"", PLX_E_INVAL, "has no name"},
	        {"a-name-that-is-so-long-that-no-port-of-dpdk-can-have-it-at-all-really",
	         PLX_E_INVAL, "too long"},
	};
	char err[PLX_ETHDEV_ERR_SZ];
	struct plx_ethdev_cfg cfg;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		int rc;

		cfg = cfg_of(bad[i].device, 1);
		rc = open_bad(&cfg, err);
		if (rc != bad[i].rc || strstr(err, bad[i].says) == NULL)
			printf("%s: %d %s\n", bad[i].device, rc, err);
		CU_ASSERT_EQUAL(rc, bad[i].rc);
		CU_ASSERT_PTR_NOT_NULL(strstr(err, bad[i].says));
	}
	cfg = cfg_of("net_ring_twice", 1);
	cfg.device[1] = "net_ring_twice";
	cfg.device_cnt = 2;
	CU_ASSERT_EQUAL(open_bad(&cfg, err), PLX_E_INVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "named twice"));
	cfg.device_cnt = 0;
	CU_ASSERT_EQUAL(open_bad(&cfg, err), PLX_E_INVAL);
}

/* ---- prediction ---- */

static struct plx_steer_plan
plan_of(uint8_t key_len)
{
	struct plx_steer_plan plan = {.level = PLX_SPREAD_RSS,
	                              .hashes_by_flow = 1,
	                              .rss_key_len = key_len,
	                              .reta_len = 128};

	for (uint8_t i = 0; i < key_len; i++)
		plan.rss_key[i] = (uint8_t)(i * 37 + 11);
	for (uint16_t i = 0; i < 128; i++)
		plan.reta[i] = i % 4;
	return plan;
}

static void
test_predicted_queue_is_that_of_rte_softrss(void)
{
	struct plx_steer_plan plan = plan_of(40);
	_Alignas(uint32_t) uint8_t key[sizeof(plan.rss_key)];
	struct frame f = FRAME_DEFAULT;
	struct plx_path path;

	memcpy(key, plan.rss_key, sizeof(key));
	for (uint32_t i = 0; i < 1000; i++) {
		struct rte_ipv4_tuple four = {0};

		f.sport = (uint16_t)(i * 61 + 1);
		f.dport = (uint16_t)(i * 17 + 2);
		path = frame_path(&f);
		four.src_addr = 0x0a0b0c0d;
		four.dst_addr = 0xc0bfbebd;
		four.sport = f.sport;
		four.dport = f.dport;
		CU_ASSERT_EQUAL(
		        plx_pio_predict_queue(&plan, &path),
		        plan.reta[rte_softrss((uint32_t *)&four, RTE_THASH_V4_L4_LEN, key) %
		                  128]);
	}
	path.local.family = PLX_FAMILY_IPV6;
	CU_ASSERT_EQUAL(plx_pio_predict_queue(&plan, &path), PLX_E_INVAL);
	path.remote.family = PLX_FAMILY_IPV6;
	plan.rss_key_len = 36;
	CU_ASSERT_EQUAL(plx_pio_predict_queue(&plan, &path), PLX_E_INVAL);
	plan.level = PLX_SPREAD_UNKNOWN;
	CU_ASSERT_EQUAL(plx_pio_predict_queue(&plan, &path), PLX_E_UNSUPPORTED);
}

static void
test_port_picked_leads_to_the_queue(void)
{
	struct plx_pio_ports all = {.first = 32768, .last = 60999};
	struct plx_pio_ports mine = {.first = 32768, .last = 60999, .modulo = 4, .rest = 3};
	struct plx_pio_ports one = {.first = 5000, .last = 5000};
	struct plx_pio_ports wrong = {.first = 5000, .last = 4999};
	struct plx_steer_plan plan = plan_of(40);
	struct frame f = FRAME_DEFAULT;
	struct plx_path path;
	uint32_t found = 0;
	int port;

	for (uint32_t i = 0; i < 400; i++) {
		const struct plx_pio_ports *range = i & 1 ? &mine : &all;

		f.ip6 = i & 2;
		path = frame_path(&f);
		port = plx_pio_pick_port(&plan, &path, i % 4, range,
		                         i * UINT64_C(0x9e3779b97f4a7c15));
		CU_ASSERT_TRUE_FATAL(port >= 32768 && port <= 60999);
		if (i & 1)
			CU_ASSERT_EQUAL(port % 4, 3);
		path.local.port_be = rte_cpu_to_be_16((uint16_t)port);
		CU_ASSERT_EQUAL(plx_pio_predict_queue(&plan, &path), (int)(i % 4));
	}
	/* One port leads to one queue only. */
	for (uint16_t q = 0; q < 4; q++)
		found += plx_pio_pick_port(&plan, &path, q, &one, 99) == 5000;
	CU_ASSERT_EQUAL(found, 1);
	CU_ASSERT_EQUAL(plx_pio_pick_port(&plan, &path, 0, &wrong, 1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_pio_pick_port(&plan, &path, 9, &all, 1), PLX_E_NOENT);
}

/* ---- hints ---- */

static void
test_hints_of_loopback_and_of_nothing(void)
{
	char text[1024];

	CU_ASSERT_EQUAL(plx_ethdev_hints("plxnone0", text, sizeof(text)),
	                PLX_HINT_NO_IFACE);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "no network device plxnone0"));
	CU_ASSERT_TRUE((plx_ethdev_hints("lo", text, sizeof(text)) &
	                (PLX_HINT_ADDR4 | PLX_HINT_DOWN)) != 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "lo"));
	/* A short buffer is cut, not overrun. */
	CU_ASSERT_EQUAL(plx_ethdev_hints("plxnone0", text, 1), PLX_HINT_NO_IFACE);
	CU_ASSERT_STRING_EQUAL(text, "");
}

static void
test_iface_is_found_in_the_arguments(void)
{
	char iface[16];

	CU_ASSERT_TRUE(plx_ethdev_iface_of("net_af_packet0,qpairs=2,iface=eth0,x=1", iface,
	                                   sizeof(iface)));
	CU_ASSERT_STRING_EQUAL(iface, "eth0");
	CU_ASSERT_FALSE(plx_ethdev_iface_of("net_ring0", iface, sizeof(iface)));
	CU_ASSERT_FALSE(plx_ethdev_iface_of("net_ring0,xiface=a", iface, sizeof(iface)));
	CU_ASSERT_FALSE(plx_ethdev_iface_of("net_tap0,iface=a-name-beyond-all-measure",
	                                    iface, sizeof(iface)));
}

static int
suite_init(void)
{
	pool = rte_pktmbuf_pool_create("test_pool", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
	                               -1);
	return pool == NULL;
}

int
main(void)
{
	CU_TestInfo ports[] = {
	        {"a ring port loops by queue, twice", test_ring_loop_twice},
	        {"close frees frames that nobody received",
	         test_close_frees_frames_nobody_received},
	        {"a pool that open made goes with the port",
	         test_own_pool_goes_with_the_port},
	        {"the pool is as large as the formula says", test_pool_formula},
	        {"ports of a host program are attached and left running",
	         test_ports_of_a_host_are_attached_and_left_running},
	        {"ports that exist are opened by name or number",
	         test_ports_that_exist_are_opened_by_name_or_number},
	        {"several devices are the queues of one port",
	         test_several_devices_are_the_queues_of_one_port},
	        {"a null port claims RSS and is not believed",
	         test_null_port_claims_rss_and_is_not_believed},
	        {"capture files are a port", test_pcap_files_are_a_port},
	        {"a memif pair works in one process", test_memif_pair_in_one_process},
	        {"the wait for a link can be ended", test_wait_for_a_link_can_be_ended},
	        {"the socket of a killed memif server is removed",
	         test_socket_of_a_killed_memif_server_is_removed},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo negotiation[] = {
	        {"net_ring is negotiated as the table says",
	         test_ring_negotiation_is_the_table_expected},
	        {"required and missing ends with the table",
	         test_required_and_missing_ends_with_the_table},
	        {"devices that do not exist end with the fix",
	         test_unknown_devices_name_the_fix},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo prediction[] = {
	        {"the queue predicted is that of rte_softrss",
	         test_predicted_queue_is_that_of_rte_softrss},
	        {"the port picked leads to the queue", test_port_picked_leads_to_the_queue},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo hints[] = {
	        {"loopback and a device that does not exist are explained",
	         test_hints_of_loopback_and_of_nothing},
	        {"iface= is found in the arguments of a device",
	         test_iface_is_found_in_the_arguments},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"ethdev: ports", suite_init, NULL, NULL, NULL, ports},
	        {"ethdev: negotiation", NULL, NULL, NULL, NULL, negotiation},
	        {"ethdev: prediction", NULL, NULL, NULL, NULL, prediction},
	        {"ethdev: hints", NULL, NULL, NULL, NULL, hints},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("plx_test_ethdev", 64) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
