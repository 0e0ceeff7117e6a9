/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engines without a loop and a port of their own: this program is the host of two of them, in one
 * thread and virtual time, and the wire between them is an array of mbufs.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include <plx/attach.h>
#include <plx/embed.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "plx_test.h"
#include "plx_test_eal.h"
#include "plx_tls.h"

#define SERVER  0
#define CLIENT  1
#define BYTES   (300 << 10)
#define STEP_NS (20 * PLX_NS_PER_US)
#define LIMIT   200000 /* steps */

struct end {
	struct plx_conf *conf;
	struct plx_engine *engine;
	struct plx_attach *attach;
	uint16_t workers;
	uint64_t frames;  /* taken */
	bool ended, deaf; /* deaf: nobody takes its frames */
};

struct rig {
	struct end end[2];
	bool ip6, offload; /* offload: checksums are the port's */
	unsigned offloaded;
	uint64_t now_ns;
	struct plx_conn_id conn;
	int64_t stream;
	uint64_t got;
	unsigned up, opened, fins, closed, failed;
	uint8_t *body;
	struct plx_sbuf sb;
};

static struct rte_mempool *pool;
static char dir[] = "/tmp/plx-embed-XXXXXX", cert[64], key[64];

static int
put(struct end *e, enum plx_cmd_type type, struct plx_conn_id conn, int64_t sid, void *ptr,
    bool fin)
{
	struct plx_cmd cmd = {.type = (uint8_t)type,
	                      .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	                      .conn = conn,
	                      .stream_id = sid,
	                      .ptr = ptr};

	return plx_cmd_put(e->attach, plx_conn_id_worker(conn), &cmd);
}

/* The server sends the very bytes that came. */
static void
send_back(struct end *e, const struct plx_event *ev)
{
	struct plx_sbuf *b = calloc(1, sizeof(*b));

	b->user = (uintptr_t)ev->buf;
	if (ev->buf != NULL) {
		b->data = ev->buf->data;
		b->len = ev->buf->len;
	}
	CU_ASSERT_EQUAL(put(e, PLX_CMD_STREAM_SEND, ev->conn, ev->stream_id, b,
	                    ev->flags & PLX_EV_FLAG_FIN),
	                0);
}

static void
check_bytes(struct rig *r, const struct plx_event *ev)
{
	for (uint32_t i = 0; ev->buf != NULL && i < ev->buf->len; i++)
		r->failed += ev->buf->data[i] != r->body[r->got++];
	r->fins += (ev->flags & PLX_EV_FLAG_FIN) != 0;
}

static void
app_turn(struct rig *r, struct end *e)
{
	bool server = e == &r->end[SERVER];
	struct plx_event ev;
	struct plx_sbuf *b;

	while (plx_events_take(e->attach, &ev, 1) == 1) {
		r->up += ev.type == PLX_EV_CONN_UP;
		r->closed += ev.type == PLX_EV_CONN_CLOSED && !server;
		r->failed += ev.type == PLX_EV_CMD_FAILED || ev.type == PLX_EV_DIAL_FAILED;
		if (ev.type == PLX_EV_CONN_UP)
			r->conn = ev.conn;
		if (ev.type == PLX_EV_STREAM_OPEN && !server) {
			r->opened++;
			r->stream = ev.stream_id;
		}
		if (ev.type == PLX_EV_STREAM_DATA && server) {
			send_back(e, &ev);
			continue; /* released when the send buffer comes back */
		}
		if (ev.type == PLX_EV_STREAM_DATA)
			check_bytes(r, &ev);
		if (ev.buf != NULL)
			plx_rbuf_release(e->attach, ev.buf);
	}
	while (plx_sent_take(e->attach, &b, 1) == 1) {
		if (b->user != 0)
			plx_rbuf_release(e->attach, (void *)(uintptr_t)b->user);
		if (server)
			free(b);
	}
}

/* What a port does that finishes and checks checksums. */
static void
offload(struct rig *r, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	void *l3 = eth + 1;
	struct rte_udp_hdr *udp = RTE_PTR_ADD(l3, m->l3_len);

	if (!(m->ol_flags & RTE_MBUF_F_TX_UDP_CKSUM)) {
		m->ol_flags = 0;
		return;
	}
	r->offloaded++;
	udp->dgram_cksum = 0;
	if (r->ip6) {
		udp->dgram_cksum = rte_ipv6_udptcp_cksum(l3, udp);
	} else {
		struct rte_ipv4_hdr *ip = l3;

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	}
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

/* What an end wrote goes to the workers of the other, a burst to each in turn. */
static void
carry(struct rig *r, struct end *from, struct end *to)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t n;

	for (uint16_t w = 0; w < from->workers && !from->deaf; w++) {
		while ((n = plx_embed_take(from->engine, w, m, PLX_BURST_MAX)) > 0) {
			for (uint16_t i = 0; i < n; i++)
				offload(r, m[i]);
			if (to->ended)
				rte_pktmbuf_free_bulk(m, n);
			else
				CU_ASSERT(plx_embed_turn(
				                  to->engine,
				                  (uint16_t)(from->frames % to->workers), m,
				                  n, r->now_ns) >= 0);
			from->frames += n;
		}
	}
}

static void
step(struct rig *r)
{
	r->now_ns += STEP_NS;
	for (int i = 0; i < 2; i++) {
		struct end *e = &r->end[i];
		unsigned over = 0;

		for (uint16_t w = 0; w < e->workers && !e->ended; w++)
			over += plx_embed_turn(e->engine, w, NULL, 0, r->now_ns) ==
			        PLX_E_CLOSED;
		e->ended = e->ended || over == e->workers;
		carry(r, e, &r->end[!i]);
		app_turn(r, e);
	}
}

static bool
run_until(struct rig *r, const unsigned *what)
{
	for (int i = 0; i < LIMIT && *what == 0; i++)
		step(r);
	return *what > 0;
}

static void
make_end(struct rig *r, int which, uint16_t workers)
{
	struct plx_embed_port port = {.name = which == SERVER ? "hserver" : "hclient",
	                              .pool = pool,
	                              .rx_cksum = r->offload,
	                              .tx_cksum = r->offload,
	                              .mac = {2, 0, 0, 0, 0, (uint8_t)(which + 1)}};
	static const char *const address[2][2] = {{"192.0.2.1/24", "192.0.2.2/24"},
	                                          {"2001:db8::1/64", "2001:db8::2/64"}};
	struct end *e = &r->end[which];
	char err[512] = "", text[8];
	int rc;

	e->workers = workers;
	snprintf(text, sizeof(text), "%u", workers);
	CU_ASSERT_EQUAL_FATAL(plx_conf_new(&e->conf), 0);
	rc = plx_conf_set(e->conf, "ports[0].addresses", address[r->ip6][which], err,
	                  sizeof(err)) |
	     plx_conf_set(e->conf, "workers.count", text, err, sizeof(err)) |
	     plx_conf_set(e->conf, "quic.max_conns", "64", err, sizeof(err)) |
	     plx_conf_ring(e->conf, "echo", PLX_RING_STREAMS);
	if (which == SERVER) {
		rc |= plx_conf_set(e->conf, "tls.cert", cert, err, sizeof(err)) |
		      plx_conf_set(e->conf, "tls.key", key, err, sizeof(err));
		plx_conf_listen(e->conf, 443);
	} else {
		plx_conf_dial(e->conf);
	}
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	rc = plx_embed_open(&e->engine, e->conf, port.name, &port, err, sizeof(err));
	if (rc != 0)
		printf("%s\n", err);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	CU_ASSERT_EQUAL_FATAL(plx_app_attach(e->engine, 1024, &e->attach), 0);
	CU_ASSERT_EQUAL_FATAL(plx_engine_start(e->engine, err, sizeof(err)), 0);
}

static void
begin(struct rig *r, uint16_t server_workers, bool ip6, bool offloads)
{
	struct plx_dial *d = calloc(1, sizeof(*d));

	memset(r, 0, sizeof(*r));
	r->ip6 = ip6;
	r->offload = offloads;
	r->now_ns = PLX_NS_PER_S;
	r->body = malloc(BYTES);
	for (size_t i = 0; i < BYTES; i++)
		r->body[i] = (uint8_t)(i * 7 + (i >> 8));
	make_end(r, SERVER, server_workers);
	make_end(r, CLIENT, 1);
	d->remote.family = ip6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	d->remote.port_be = htons(443);
	inet_pton(ip6 ? AF_INET6 : AF_INET, ip6 ? "2001:db8::1" : "192.0.2.1",
	          d->remote.ip);
	snprintf(d->sni, sizeof(d->sni), "test.pollux");
	snprintf(d->alpn, sizeof(d->alpn), "echo");
	CU_ASSERT_EQUAL(put(&r->end[CLIENT], PLX_CMD_DIAL, PLX_CONN_NONE, -1, d, false), 0);
	CU_ASSERT_TRUE_FATAL(run_until(r, &r->up));
}

static void
make_rig(struct rig *r, uint16_t server_workers)
{
	begin(r, server_workers, false, false);
}

static void
free_rig(struct rig *r)
{
	for (int i = 0; i < 2; i++)
		plx_engine_stop(r->end[i].engine, 0, 1);
	for (int i = 0; i < 1000 && !(r->end[0].ended && r->end[1].ended); i++)
		step(r);
	CU_ASSERT_TRUE(r->end[0].ended && r->end[1].ended);
	for (int i = 0; i < 2; i++) {
		app_turn(r, &r->end[i]);
		plx_engine_free(r->end[i].engine);
		plx_conf_free(r->end[i].conf);
	}
	CU_ASSERT_TRUE(rte_mempool_full(pool));
	free(r->body);
}

static void
echo(struct rig *r)
{
	r->opened = 0;
	CU_ASSERT_EQUAL(put(&r->end[CLIENT], PLX_CMD_STREAM_OPEN, r->conn, -1, NULL, false),
	                0);
	CU_ASSERT_TRUE_FATAL(run_until(r, &r->opened));
	r->sb = (struct plx_sbuf){.data = r->body, .len = BYTES};
	CU_ASSERT_EQUAL(
	        put(&r->end[CLIENT], PLX_CMD_STREAM_SEND, r->conn, r->stream, &r->sb, true),
	        0);
}

static void
a_host_carries_the_frames_and_every_byte_comes_back(void)
{
	struct rig r;

	for (uint16_t workers = 1; workers <= 2; workers++) {
		make_rig(&r, workers);
		echo(&r);
		CU_ASSERT_TRUE(run_until(&r, &r.fins));
		CU_ASSERT_EQUAL(r.got, BYTES);
		CU_ASSERT_EQUAL(r.failed, 0);
		/* Frames came to either worker, the connection is one worker's. */
		CU_ASSERT_EQUAL(plx_engine_counter(r.end[SERVER].engine, "handover_in") > 0,
		                workers == 2);
		CU_ASSERT_EQUAL(plx_engine_counter(r.end[SERVER].engine, "handshakes_done"),
		                1);
		free_rig(&r);
	}
}

static void
offloads_of_the_hosts_port_are_used(void)
{
	struct rig r;

	for (int ip6 = 0; ip6 < 2; ip6++) {
		begin(&r, 1, ip6 == 1, true);
		echo(&r);
		CU_ASSERT_TRUE(run_until(&r, &r.fins));
		CU_ASSERT_EQUAL(r.got, BYTES);
		CU_ASSERT_EQUAL(r.failed, 0);
		CU_ASSERT_TRUE(r.offloaded > 2 * BYTES / 1500);
		free_rig(&r);
	}
}

static void
ipv6_and_its_neighbours_are_served(void)
{
	struct rig r;

	begin(&r, 1, true, false);
	echo(&r);
	CU_ASSERT_TRUE(run_until(&r, &r.fins));
	CU_ASSERT_EQUAL(r.got, BYTES);
	CU_ASSERT_EQUAL(r.offloaded, 0);
	free_rig(&r);
}

static void
the_deadline_is_when_a_turn_is_due(void)
{
	struct plx_engine *e;
	uint64_t due;
	struct rig r;

	make_rig(&r, 1);
	for (int i = 0; i < 20000; i++)
		step(&r);
	e = r.end[CLIENT].engine;
	due = plx_embed_deadline(e, 0);
	CU_ASSERT_TRUE(due > r.now_ns && due <= r.now_ns + 100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(plx_embed_turn(e, 0, NULL, 0, due - 1), 0);
	CU_ASSERT_EQUAL(plx_embed_deadline(e, 0), due);
	plx_embed_turn(e, 0, NULL, 0, due);
	CU_ASSERT_TRUE(plx_embed_deadline(e, 0) > due);
	/* Time that goes back is taken as standing still. */
	CU_ASSERT_EQUAL(plx_embed_turn(e, 0, NULL, 0, 1), 0);
	CU_ASSERT_TRUE(plx_embed_deadline(e, 0) > due);
	r.now_ns = due;
	/* A command is due at once. */
	echo(&r);
	CU_ASSERT_EQUAL(plx_embed_deadline(e, 0), 0);
	CU_ASSERT_TRUE(run_until(&r, &r.fins));
	CU_ASSERT_EQUAL(plx_embed_deadline(e, 1), PLX_TIME_NEVER);
	free_rig(&r);
}

static void
frames_that_nobody_takes_hold_the_engine_back(void)
{
	struct rte_mbuf *m[2 * PLX_EMBED_TX_MAX];
	struct rig r;
	uint16_t n;

	make_rig(&r, 1);
	echo(&r);
	r.end[CLIENT].deaf = true;
	for (int i = 0; i < 20000; i++)
		step(&r);
	r.end[CLIENT].deaf = false;
	n = plx_embed_take(r.end[CLIENT].engine, 0, m, RTE_DIM(m));
	CU_ASSERT_TRUE(n > 0 && n <= PLX_EMBED_TX_MAX);
	rte_pktmbuf_free_bulk(m, n);
	/* They are lost to the connection, which repairs it. */
	CU_ASSERT_TRUE(run_until(&r, &r.fins));
	CU_ASSERT_EQUAL(r.got, BYTES);
	CU_ASSERT_EQUAL(r.failed, 0);
	free_rig(&r);
}

static void
a_stopped_engine_says_goodbye_and_turns_no_more(void)
{
	struct end *s;
	struct rte_mbuf *m;
	struct rig r;

	PLX_COVERS("S1-39");
	make_rig(&r, 1);
	s = &r.end[SERVER];
	plx_engine_stop(s->engine, 7, 1);
	CU_ASSERT_TRUE(run_until(&r, &r.closed));
	for (int i = 0; i < 1000 && !s->ended; i++)
		step(&r);
	CU_ASSERT_TRUE(s->ended);
	/* Frames that are given all the same are freed. */
	m = rte_pktmbuf_alloc(pool);
	CU_ASSERT_EQUAL(plx_embed_turn(s->engine, 0, &m, 1, r.now_ns), PLX_E_CLOSED);
	m = rte_pktmbuf_alloc(pool);
	CU_ASSERT_EQUAL(plx_embed_turn(s->engine, 9, &m, 1, r.now_ns), PLX_E_INVAL);
	free_rig(&r);
}

static void
a_host_may_go_without_turning_to_the_end(void)
{
	struct rig r;

	make_rig(&r, 2);
	echo(&r);
	for (int i = 0; i < 100; i++)
		step(&r);
	for (int i = 0; i < 2; i++)
		plx_engine_stop(r.end[i].engine, 0, 50);
	for (int i = 0; i < 2; i++) {
		app_turn(&r, &r.end[i]);
		plx_engine_free(r.end[i].engine);
		plx_conf_free(r.end[i].conf);
	}
	CU_ASSERT_TRUE(rte_mempool_full(pool));
	free(r.body);
}

static void
what_is_missing_is_named(void)
{
	struct plx_embed_port port = {.mac = {2}};
	struct plx_engine *e;
	struct plx_conf *c;
	char err[512] = "";

	CU_ASSERT_EQUAL_FATAL(plx_conf_new(&c), 0);
	plx_conf_dial(c);
	CU_ASSERT_EQUAL(plx_embed_open(&e, c, "bad", &port, err, sizeof(err)),
	                PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "protocol"));
	plx_conf_ring(c, "echo", PLX_RING_STREAMS);
	CU_ASSERT_EQUAL(plx_embed_open(&e, c, "bad", &port, err, sizeof(err)),
	                PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "pool"));
	port.pool = pool;
	CU_ASSERT_EQUAL(plx_embed_open(&e, c, "bad", &port, err, sizeof(err)),
	                PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "ports[0].addresses"));
	CU_ASSERT_PTR_NULL(e);
	plx_conf_free(c);
}

static int
write_pem(char *path, size_t sz, const char *name, const char *pem)
{
	FILE *f;

	snprintf(path, sz, "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL)
		return -1;
	fputs(pem, f);
	return fclose(f);
}

static int
setup(void)
{
	char *c, *k;
	int rc;

	pool = rte_pktmbuf_pool_create("embed", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (pool == NULL || mkdtemp(dir) == NULL ||
	    plx_tls_self_signed("test.pollux", true, NULL, &c, &k) != 0)
		return -1;
	rc = write_pem(cert, sizeof(cert), "cert.pem", c) |
	     write_pem(key, sizeof(key), "key.pem", k);
	free(c);
	free(k);
	return rc;
}

static int
teardown(void)
{
	unlink(cert);
	unlink(key);
	rte_mempool_free(pool);
	return rmdir(dir);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a host carries the frames and every byte comes back",
	         a_host_carries_the_frames_and_every_byte_comes_back},
	        {"IPv6 and its neighbours are served", ipv6_and_its_neighbours_are_served},
	        {"offloads of the host's port are used",
	         offloads_of_the_hosts_port_are_used},
	        {"the deadline is when a turn is due", the_deadline_is_when_a_turn_is_due},
	        {"frames that nobody takes hold the engine back",
	         frames_that_nobody_takes_hold_the_engine_back},
	        {"a stopped engine says goodbye and turns no more",
	         a_stopped_engine_says_goodbye_and_turns_no_more},
	        {"a host may go without turning to the end",
	         a_host_may_go_without_turning_to_the_end},
	        {"what is missing is named", what_is_missing_is_named},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"embedded engine", setup, teardown, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	if (plx_test_eal("embed", 256) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
