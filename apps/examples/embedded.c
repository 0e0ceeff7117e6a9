/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * embedded: a DPDK program with ports, pools and a loop of its own hands QUIC to Pollux. It
 * forwards frames between two ports; UDP to ADDRESS, port 443, goes to an engine that this loop
 * turns, and what the engine writes leaves by port 0. The application, an echo behind rings, runs
 * in the same thread.
 *
 *   embedded [EAL arguments with two ports] -- ADDRESS CERT KEY        until Ctrl-C
 *
 *   ADDRESS  of the engine, 192.0.2.1/24: one that no machine behind port 1 has
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <plx/attach.h>
#include <plx/embed.h>

#define PORT 443

struct host {
	struct rte_mempool *pool;
	struct plx_engine *engine;
	struct plx_attach *attach;
	struct in_addr ip; /* the engine's */
	uint64_t forwarded;
};

static volatile sig_atomic_t stopping;

static void
on_signal(int sig)
{
	stopping = sig;
}

/* The host's ports: one queue each way. */

static bool
open_port(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(port) != 0)
		return false;
	rte_eth_promiscuous_enable(port); /* what is forwarded is for others */
	return true;
}

static void
send_out(uint16_t port, struct rte_mbuf **m, uint16_t cnt)
{
	uint16_t n = cnt > 0 ? rte_eth_tx_burst(port, 0, m, cnt) : 0;

	rte_pktmbuf_free_bulk(m + n, cnt - n);
}

static bool
is_quic(const struct host *h, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const void *);
	const struct rte_ipv4_hdr *ip = (const void *)(eth + 1);
	const struct rte_udp_hdr *udp = (const void *)(ip + 1);

	return m->data_len >= sizeof(*eth) + sizeof(*ip) + sizeof(*udp) &&
	       eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       ip->version_ihl == 0x45 && ip->next_proto_id == IPPROTO_UDP &&
	       ip->dst_addr == h->ip.s_addr && udp->dst_port == RTE_BE16(PORT);
}

/* Parts what came by port 0. ARP is for both: the engine answers for its address. */
static uint16_t
part(struct host *h, struct rte_mbuf **m, uint16_t cnt, struct rte_mbuf **quic)
{
	struct rte_mbuf *rest[PLX_BURST_MAX], *copy;
	uint16_t quic_cnt = 0, rest_cnt = 0;

	for (uint16_t i = 0; i < cnt; i++) {
		const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m[i], const void *);

		if (is_quic(h, m[i])) {
			quic[quic_cnt++] = m[i];
			continue;
		}
		/* No frame is shorter than its Ethernet header. */
		if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) &&
		    (copy = rte_pktmbuf_copy(m[i], h->pool, 0, UINT32_MAX)) != NULL)
			quic[quic_cnt++] = copy;
		rest[rest_cnt++] = m[i];
	}
	send_out(1, rest, rest_cnt);
	h->forwarded += rest_cnt;
	return quic_cnt;
}

/* The application. */

static void
give_back(struct host *h, struct plx_sbuf *b)
{
	if (b->user != 0)
		plx_rbuf_release(h->attach, (void *)(uintptr_t)b->user);
	free(b);
}

/* Sends the very bytes that came; their buffer goes home with the send buffer. */
static void
send_back(struct host *h, const struct plx_event *ev)
{
	struct plx_sbuf *b = calloc(1, sizeof(*b));
	struct plx_cmd cmd = {.type = PLX_CMD_STREAM_SEND,
	                      .flags = ev->flags & PLX_EV_FLAG_FIN ? PLX_CMD_FLAG_FIN : 0,
	                      .conn = ev->conn,
	                      .stream_id = ev->stream_id,
	                      .ptr = b};
	int rc;

	if (b == NULL)
		abort();
	b->user = (uintptr_t)ev->buf;
	b->data = ev->buf != NULL ? ev->buf->data : NULL;
	b->len = ev->buf != NULL ? ev->buf->len : 0;
	/* Full: the engine is in this thread, a turn makes room. */
	while ((rc = plx_cmd_put(h->attach, 0, &cmd)) == PLX_E_FULL)
		plx_embed_turn(h->engine, 0, NULL, 0, 0);
	if (rc != 0)
		give_back(h, b); /* the engine was stopped */
}

static uint32_t
echo(struct host *h)
{
	struct plx_event ev[PLX_BURST_MAX];
	struct plx_sbuf *sb[PLX_BURST_MAX];
	uint32_t n = plx_events_take(h->attach, ev, PLX_BURST_MAX),
	         m = plx_sent_take(h->attach, sb, PLX_BURST_MAX);

	for (uint32_t i = 0; i < n; i++) {
		if (ev[i].type == PLX_EV_STREAM_DATA)
			send_back(h, &ev[i]);
		else if (ev[i].buf != NULL)
			plx_rbuf_release(h->attach, ev[i].buf);
	}
	for (uint32_t i = 0; i < m; i++)
		give_back(h, sb[i]);
	return n + m;
}

/* The host's loop. @return false when the engine has ended */
static bool
turn(struct host *h)
{
	struct rte_mbuf *m[PLX_BURST_MAX], *quic[PLX_BURST_MAX];
	struct timespec ts;
	uint64_t now_ns, before = h->forwarded;
	uint16_t n;
	int moved;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ns = (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
	n = rte_eth_rx_burst(1, 0, m, PLX_BURST_MAX);
	send_out(0, m, n);
	h->forwarded += n;
	n = part(h, m, rte_eth_rx_burst(0, 0, m, PLX_BURST_MAX), quic);
	moved = plx_embed_turn(h->engine, 0, quic, n, now_ns);
	while ((n = plx_embed_take(h->engine, 0, m, PLX_BURST_MAX)) > 0)
		send_out(0, m, n);
	if (echo(h) == 0 && moved == 0 && h->forwarded == before &&
	    plx_embed_deadline(h->engine, 0) > now_ns + 50000)
		usleep(50);
	plx_engine_poll(h->engine);
	return moved != PLX_E_CLOSED;
}

static int
open_engine(struct host *h, struct plx_conf *conf, char **arg, char *err, size_t err_sz)
{
	const char *const key[] = {"ports[0].addresses", "tls.cert", "tls.key"};
	struct plx_embed_port port = {.name = "front", .pool = h->pool};
	struct rte_ether_addr mac;
	char ip[INET_ADDRSTRLEN];
	int rc = 0;

	snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(arg[0], "/"), arg[0]);
	if (inet_pton(AF_INET, ip, &h->ip) != 1 || rte_eth_macaddr_get(0, &mac) != 0)
		return PLX_E_INVAL;
	memcpy(port.mac, mac.addr_bytes, sizeof(port.mac));
	rte_eth_dev_get_mtu(0, &port.mtu);
	plx_conf_ring(conf, "echo", PLX_RING_STREAMS);
	plx_conf_listen(conf, PORT);
	for (int i = 0; rc == 0 && i < 3; i++)
		rc = plx_conf_set(conf, key[i], arg[i], err, err_sz);
	if (rc == 0)
		rc = plx_embed_open(&h->engine, conf, "embedded", &port, err, err_sz);
	if (rc == 0)
		rc = plx_app_attach(h->engine, 1024, &h->attach);
	return rc != 0 ? rc : plx_engine_start(h->engine, err, err_sz);
}

int
main(int argc, char **argv)
{
	char err[1024] = "usage: embedded [EAL arguments, two ports] -- ADDRESS CERT KEY";
	struct plx_conf *conf = NULL;
	struct host h = {0};
	int n = rte_eal_init(argc, argv), rc = PLX_E_INVAL;

	if (n >= 0 && argc - n == 4 && rte_eth_dev_count_avail() == 2)
		rc = plx_conf_new(&conf);
	if (rc == 0)
		h.pool = rte_pktmbuf_pool_create("host", 8191, 256, 0,
		                                 RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (rc == 0 && (h.pool == NULL || !open_port(0, h.pool) || !open_port(1, h.pool)))
		rc = PLX_E_DEVICE;
	if (rc == 0)
		rc = open_engine(&h, conf, argv + n + 1, err, sizeof(err));
	if (rc == 0) {
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
		printf("embedded: running\n");
		fflush(stdout);
		while (turn(&h))
			if (stopping)
				plx_engine_stop(h.engine, 0, 50);
		printf("embedded: %llu connections, %llu frames forwarded\n",
		       (unsigned long long)plx_engine_counter(h.engine, "handshakes_done"),
		       (unsigned long long)h.forwarded);
	} else {
		fprintf(stderr, "embedded: %s (%s)\n", plx_strerror(rc), err);
	}
	plx_engine_free(h.engine);
	plx_conf_free(conf);
	for (uint16_t p = 0; h.pool != NULL && p < 2; p++)
		rte_eth_dev_stop(p);
	rte_eal_cleanup();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
