/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole engine, bulk: two workers joined by the in-process wire without impairments (mbuf
 * pointers pass), ALPN "perf", one stream per connection, the client sends.
 *
 *     bench_engine [--mode turns|threads] [--cksum none|soft] [--conns N] [--len BYTES]
 *                  [--windows N] [--window-us N] [--cpus A,B] [--evp] [--no-pacing]
 *
 *     engine mode=… conns=… r1=… r2=… tx_gbps=… rx_gbps=… tx_tsc=… rx_tsc=… acks_per_pkt=…
 *
 * turns: one thread turns both workers in alternation and charges each turn that moved something
 * to the worker that turned. It needs one CPU and measures the instructions of both sides well;
 * payload never leaves that CPU's caches. threads: each worker has a CPU, as in production; the
 * payload crosses from one core's cache to the other's, and each side is charged its own turns.
 *
 * The wire's cost belongs to the side that calls it. --cksum none: the wire says that it needs no
 * checksums, which stands for a NIC that does them; soft: both sides compute them.
 */
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "bench_app.h"
#include "bench_win.h"
#include "plx_sim.h"
#include "plx_test_eal.h"
#include "plx_worker.h"

#define WARM_PKTS 200000 /* past slow start and the growth of every table */
#define HOST_PORT 443

enum { CLIENT, SERVER };

struct opts {
	bool threads, soft, evp, no_pacing;
	uint32_t conns, len, windows, window_us;
	int cpu[2];
};

struct end {
	struct plx_worker *w;
	struct plx_pio *pio;
	struct plx_clock clock;
	struct bench_app app;
	struct plx_proto proto;
	struct plx_net_cfg net;
	struct bench_win *win; /* mode threads */
	struct bench *b;
	unsigned idx;
};

struct bench {
	struct opts o;
	struct plx_sim *sim;
	struct end end[2];
	struct bench_win *win; /* mode turns */
	char *cert, *key;
	_Atomic bool stop;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench_engine: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint64_t
count_of(const struct end *e, enum plx_count c)
{
	return plx_obs_get(plx_worker_obs(e->w), c);
}

static struct plx_addr
address(uint8_t host, uint16_t port)
{
	return (struct plx_addr){.family = PLX_FAMILY_IPV4,
	                         .ip = {192, 0, 2, host},
	                         .port_be = (uint16_t)(port << 8 | port >> 8)};
}

static void
make_wire(struct bench *b)
{
	struct plx_sim_cfg sc = {.name = "bench",
	                         .ports = 2,
	                         .queues = {1, 1},
	                         .no_cksum = !b->o.soft,
	                         .ring_cnt = 512,
	                         .socket_id = -1};

	if (plx_sim_new(&b->sim, &sc) != 0)
		die("no memory for the wire");
	for (unsigned i = 0; i < 2; i++)
		b->end[i].pio = plx_sim_port(b->sim, (uint16_t)i);
}

static void
make_worker(struct bench *b, unsigned i)
{
	struct end *e = &b->end[i];
	struct plx_tls_cfg tls = {.server = i == SERVER};
	struct plx_worker_cfg c = {.worker_cnt = 1,
	                           .clock = PLX_CLOCK_TSC,
	                           .node = -1,
	                           .port_cnt = 1,
	                           .proto = &e->proto,
	                           .proto_cnt = 1,
	                           .crypt = b->o.evp ? PLX_CRYPT_EVP : PLX_CRYPT_IPSEC_MB};
	char err[512] = "";

	e->b = b;
	e->idx = i;
	e->proto = (struct plx_proto){.alpn = BENCH_ALPN,
	                              .app = i == SERVER ? &bench_app_server
	                                                 : &bench_app_client,
	                              .arg = &e->app};
	e->net = (struct plx_net_cfg){.addr_cnt = 1, .ttl = 64, .no_neigh = true};
	e->net.addr[0] = (struct plx_net_addr){address((uint8_t)(1 + i), 0), 24};
	e->net.port_be[0] = address(0, HOST_PORT).port_be;
	e->net.port_cnt = i == SERVER;
	e->net.accept_any_port = i == CLIENT;
	if (i == SERVER) {
		tls.cert_pem = b->cert;
		tls.key_pem = b->key;
		c.tls_server = &tls;
	} else {
		c.tls_client = &tls;
	}
	c.pio[0] = e->pio;
	c.net[0] = &e->net;
	plx_quic_cfg_init(&c.quic);
	c.quic.server = i == SERVER;
	c.quic.conns_max = 4096;
	c.quic.handshakes_max = 4096;
	c.quic.max_tx_udp_payload = (uint16_t)b->o.len;
	c.quic.no_pacing = b->o.no_pacing;
	c.quic.idle_timeout_ms = 600000;
	c.steer.server_id_len = 2;
	c.steer.first_local = true;
	c.steer.masked = true;
	plx_clock_init(&e->clock, PLX_CLOCK_TSC);
	if (plx_worker_new(&e->w, &c, err, sizeof(err)) != 0)
		die(err);
}

/* One turn, charged to its side when it moved something. */
static void
turn(struct end *e, struct bench_side *side)
{
	uint64_t t = bench_tsc();

	if (plx_worker_turn(e->w, plx_clock_now(&e->clock)) > 0)
		side->tsc += bench_tsc() - t;
}

static void
both(struct bench *b)
{
	struct bench_side unused = {0};

	turn(&b->end[CLIENT], &unused);
	turn(&b->end[SERVER], &unused);
}

static void
dial(struct bench *b)
{
	struct end *c = &b->end[CLIENT];
	struct plx_quic_dial d = {.path.remote = address(1 + SERVER, HOST_PORT),
	                          .sni = "bench.pollux",
	                          .alpn = BENCH_ALPN};

	c->app.hold = true;
	for (uint32_t i = 0; i < b->o.conns; i++) {
		struct plx_conn_id id;

		d.path.local = address(1 + CLIENT, (uint16_t)(40000 + i));
		if (plx_quic_dial(plx_worker_quic(c->w), &d, plx_clock_now(&c->clock),
		                  &id) != 0)
			die("the dial was refused");
		for (unsigned t = 0; t < 10000000 && b->end[SERVER].app.established <= i;
		     t++)
			both(b);
		if (b->end[SERVER].app.established <= i)
			die("no handshake");
	}
	bench_app_go(&c->app);
}

static void
warm(struct bench *b)
{
	uint64_t end = count_of(&b->end[SERVER], PLX_COUNT_quic_rx_pkts) + WARM_PKTS;

	while (count_of(&b->end[SERVER], PLX_COUNT_quic_rx_pkts) < end)
		both(b);
}

/* Data packets are what the client writes; all of them but a handful carry stream bytes. */
static void
snapshot(const struct end *e, struct bench_side *s, int sign)
{
	bool tx = e->idx == CLIENT;
	uint64_t bytes = tx ? e->app.tx_bytes : e->app.rx_bytes;
	uint64_t pkts = count_of(e, tx ? PLX_COUNT_quic_tx_pkts : PLX_COUNT_quic_rx_pkts);

	s->bytes = sign < 0 ? bytes : bytes - s->bytes;
	s->pkts = sign < 0 ? pkts : pkts - s->pkts;
}

static void
measure_turns(struct bench *b)
{
	uint64_t len = (uint64_t)(bench_tsc_hz() * b->o.window_us / 1e6);

	b->win = bench_win_new(b->o.len, b->o.windows);
	if (b->win == NULL)
		die("no memory");
	while (bench_win_open(b->win)) {
		struct bench_side side[BENCH_SIDES] = {0};

		for (unsigned i = 0; i < 2; i++)
			snapshot(&b->end[i], &side[i], -1);
		while (side[0].tsc + side[1].tsc < len) {
			turn(&b->end[CLIENT], &side[CLIENT]);
			turn(&b->end[SERVER], &side[SERVER]);
		}
		for (unsigned i = 0; i < 2; i++)
			snapshot(&b->end[i], &side[i], 1);
		bench_win_close(b->win, side);
	}
}

static int
thread(void *arg)
{
	struct end *e = arg;
	struct bench *b = e->b;
	uint64_t len = (uint64_t)(bench_tsc_hz() * b->o.window_us / 1e6);

	while (!atomic_load(&b->stop) && bench_win_open(e->win)) {
		struct bench_side side[BENCH_SIDES] = {0};
		uint64_t end = bench_tsc() + len;

		snapshot(e, &side[e->idx], -1);
		while (bench_tsc() < end)
			turn(e, &side[e->idx]);
		snapshot(e, &side[e->idx], 1);
		bench_win_close(e->win, side);
	}
	/* The other side may still have windows to fill. */
	atomic_store(&b->stop, true);
	return 0;
}

static void
measure_threads(struct bench *b)
{
	unsigned other = rte_get_next_lcore(-1, 1, 0);

	for (unsigned i = 0; i < 2; i++) {
		b->end[i].win = bench_win_new(b->o.len, b->o.windows);
		if (b->end[i].win == NULL)
			die("no memory");
	}
	if (other >= RTE_MAX_LCORE ||
	    rte_eal_remote_launch(thread, &b->end[SERVER], other) != 0)
		die("mode threads needs two CPUs");
	thread(&b->end[CLIENT]);
	rte_eal_wait_lcore(other);
}

static void
report(struct bench *b, double acks, uint64_t lost, double turns[2])
{
	struct bench_win *wt = b->o.threads ? b->end[CLIENT].win : b->win;
	struct bench_win *wr = b->o.threads ? b->end[SERVER].win : b->win;
	struct bench_figures tx, rx;
	struct bench_totals t, tr;

	bench_win_figures(wt, CLIENT, &tx);
	bench_win_figures(wr, SERVER, &rx);
	bench_win_totals(wt, &t);
	bench_win_totals(wr, &tr);
	printf("engine mode=%s cksum=%s crypt=%s conns=%u len=%u",
	       b->o.threads ? "threads" : "turns", b->o.soft ? "soft" : "none",
	       b->o.evp ? "evp" : "ipsec-mb", b->o.conns, b->o.len);
	printf(" raw_gbps=%.1f raw_med_gbps=%.1f", t.raw_gbps, t.raw_gbps_med);
	printf(" r1=%.4f r2=%.4f r1_med=%.4f r2_med=%.4f", tx.ratio, rx.ratio, tx.ratio_med,
	       rx.ratio_med);
	printf(" tx_gbps=%.2f rx_gbps=%.2f tx_med_gbps=%.2f rx_med_gbps=%.2f", tx.gbps,
	       rx.gbps, tx.gbps_med, rx.gbps_med);
	printf(" tx_ns=%.0f rx_ns=%.0f tx_tsc=%.0f rx_tsc=%.0f", tx.ns, rx.ns, tx.tsc,
	       rx.tsc);
	printf(" acks_per_pkt=%.4f heap_per_pkt=%.6f lost=%llu", acks, t.heap_per_pkt,
	       (unsigned long long)lost);
	printf(" tx_pkts_per_turn=%.1f rx_pkts_per_turn=%.1f", turns[CLIENT],
	       turns[SERVER]);
	printf(" windows=%u dropped=%u switches=%" PRIu64 "\n",
	       t.kept + (b->o.threads ? tr.kept : 0),
	       t.dropped + (b->o.threads ? tr.dropped : 0),
	       t.switches + (b->o.threads ? tr.switches : 0));
}

static void
parse(struct opts *o, int argc, char **argv)
{
	static const struct option opt[] = {
	        {"mode", 1, NULL, 'm'},      {"cksum", 1, NULL, 'k'},
	        {"conns", 1, NULL, 'c'},     {"len", 1, NULL, 'l'},
	        {"windows", 1, NULL, 'w'},   {"window-us", 1, NULL, 'u'},
	        {"cpus", 1, NULL, 'p'},      {"evp", 0, NULL, 'e'},
	        {"no-pacing", 0, NULL, 'n'}, {0},
	};
	int c;

	*o = (struct opts){
	        .conns = 1, .len = 1452, .windows = 1200, .window_us = 400, .cpu = {0, 1}};
	while ((c = getopt_long(argc, argv, "", opt, NULL)) != -1) {
		switch (c) {
		case 'm':
			o->threads = strcmp(optarg, "threads") == 0;
			break;
		case 'k':
			o->soft = strcmp(optarg, "soft") == 0;
			break;
		case 'c':
			o->conns = (uint32_t)atoi(optarg);
			break;
		case 'l':
			o->len = (uint32_t)atoi(optarg);
			break;
		case 'w':
			o->windows = (uint32_t)atoi(optarg);
			break;
		case 'u':
			o->window_us = (uint32_t)atoi(optarg);
			break;
		case 'p':
			if (sscanf(optarg, "%d,%d", &o->cpu[0], &o->cpu[1]) != 2)
				die("--cpus takes two numbers: 0,1");
			break;
		case 'e':
			o->evp = true;
			break;
		case 'n':
			o->no_pacing = true;
			break;
		default:
			exit(2);
		}
	}
	if (o->conns < 1 || o->conns > 4000 || o->windows < 1 || o->len < 1200 ||
	    o->len > 1472)
		die("--conns 1..4000, --len 1200..1472, --windows 1..");
}

static void
start_eal(const struct opts *o)
{
	char lcores[48], prefix[48], prog[] = "bench_engine";
	char fixed[5][24] = {"--no-shconf", "--no-pci", "--no-telemetry",
	                     "--log-level=error", "-m256"};
	char memory[24], *arg[12] = {prog, memory};
	int n = 2;

	snprintf(memory, sizeof(memory), "%s", plx_test_memory());
	for (unsigned i = 0; i < 5; i++)
		arg[n++] = fixed[i];
	if (o->threads)
		snprintf(lcores, sizeof(lcores), "--lcores=0@%d,1@%d", o->cpu[0],
		         o->cpu[1]);
	else
		snprintf(lcores, sizeof(lcores), "--lcores=0@%d", o->cpu[0]);
	snprintf(prefix, sizeof(prefix), "--file-prefix=bench-%ld", (long)getpid());
	arg[n++] = lcores;
	arg[n++] = prefix;
	if (rte_eal_init(n, arg) < 0)
		die("EAL did not start");
}

int
main(int argc, char **argv)
{
	static struct bench b;
	uint64_t pkts, acks, lost = 0, turns[2];
	double per_turn[2];

	parse(&b.o, argc, argv);
	start_eal(&b.o);
	if (plx_tls_self_signed("bench.pollux", false, NULL, &b.cert, &b.key) != 0)
		die("no certificate");
	make_wire(&b);
	for (unsigned i = 0; i < 2; i++)
		make_worker(&b, i);
	dial(&b);
	warm(&b);
	pkts = count_of(&b.end[SERVER], PLX_COUNT_quic_rx_pkts);
	acks = count_of(&b.end[SERVER], PLX_COUNT_quic_tx_pkts);
	for (unsigned i = 0; i < 2; i++)
		turns[i] = count_of(&b.end[i], PLX_COUNT_busy_turns);
	if (b.o.threads)
		measure_threads(&b);
	else
		measure_turns(&b);
	pkts = count_of(&b.end[SERVER], PLX_COUNT_quic_rx_pkts) - pkts;
	acks = count_of(&b.end[SERVER], PLX_COUNT_quic_tx_pkts) - acks;
	for (unsigned i = 0; i < 2; i++)
		per_turn[i] =
		        (double)pkts /
		        (double)(count_of(&b.end[i], PLX_COUNT_busy_turns) - turns[i]);
	for (unsigned r = 1; r < PLX_DROP_CNT; r++)
		for (unsigned i = 0; i < 2; i++)
			lost += plx_obs_get_drop(plx_worker_obs(b.end[i].w),
			                         (enum plx_drop)r);
	report(&b, (double)acks / (double)pkts, lost, per_turn);
	for (unsigned i = 0; i < 2; i++) {
		plx_worker_free(b.end[i].w);
		b.end[i].pio->ops->close(b.end[i].pio);
		bench_win_free(b.end[i].win);
	}
	bench_win_free(b.win);
	plx_sim_free(b.sim);
	free(b.cert);
	free(b.key);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
