/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole engines over the simulated wire: real handshakes, HTTP/3, rings, worker threads.
 */
#include <arpa/inet.h>
#include <time.h>

#include "plx_engine_int.h"
#include "plx_h3.h"
#include "plx_sim.h"
#include "plx_test.h"
#include "plx_test_eal.h"
#include "plx_worker_ask.h"

#define BODY_SZ      (256 << 10)
#define WORKERS_MAX  2
#define CLIENTS_MAX  2
#define RUN_LIMIT_NS (20 * PLX_NS_PER_S)

struct end {
	struct plx_engine *engine;
	struct plx_attach *attach;
};

struct rig {
	struct plx_sim *sim;
	struct plx_pio_ops ops; /* of the client's port, with any_port */
	bool any_port;
	struct end server, client;
	char *cert, *key;
	uint8_t *body;
	/* What happened. */
	unsigned up, closed, responses, ends, failed, accepted, requests;
	unsigned sbufs_back, whole;
	uint64_t got;
};

/* A request needs a buffer of its own until it comes back. */
struct send {
	struct plx_sbuf sb;
	struct rig *rig;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static struct plx_h3_msg *
msg(const char *const *nv, uint16_t cnt)
{
	size_t sz = sizeof(struct plx_h3_msg) + cnt * sizeof(struct plx_h3_field);
	struct plx_h3_msg *m;
	char *s;

	for (uint16_t i = 0; i < 2 * cnt; i++)
		sz += strlen(nv[i]);
	m = calloc(1, sz);
	if (m == NULL)
		abort();
	m->cnt = cnt;
	s = (char *)&m->field[cnt];
	for (size_t i = 0; i < cnt; i++) {
		m->field[i].name_len = (uint32_t)strlen(nv[2 * i]);
		m->field[i].value_len = (uint32_t)strlen(nv[2 * i + 1]);
		m->field[i].name = memcpy(s, nv[2 * i], m->field[i].name_len);
		s += m->field[i].name_len;
		m->field[i].value = memcpy(s, nv[2 * i + 1], m->field[i].value_len);
		s += m->field[i].value_len;
	}
	return m;
}

static int
put(struct end *e, uint16_t worker, enum plx_cmd_type type, struct plx_conn_id conn,
    int64_t sid, void *ptr, bool fin)
{
	struct plx_cmd cmd = {.type = (uint8_t)type,
	                      .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	                      .conn = conn,
	                      .stream_id = sid,
	                      .ptr = ptr};

	return plx_cmd_put(e->attach, worker, &cmd);
}

static void
dial(struct rig *r, uint16_t worker)
{
	struct plx_dial *d = calloc(1, sizeof(*d));

	d->remote.family = PLX_FAMILY_IPV4;
	d->remote.port_be = htons(443);
	inet_pton(AF_INET, "192.0.2.1", d->remote.ip);
	snprintf(d->sni, sizeof(d->sni), "test.pollux");
	snprintf(d->alpn, sizeof(d->alpn), "h3");
	CU_ASSERT_EQUAL(put(&r->client, worker, PLX_CMD_DIAL, PLX_CONN_NONE, -1, d, false),
	                0);
}

static void
request(struct rig *r, const struct plx_event *ev)
{
	static const char *const f[] = {":method",    "GET",         ":scheme", "https",
	                                ":authority", "test.pollux", ":path",   "/"};

	CU_ASSERT_EQUAL(put(&r->client, ev->worker, PLX_CMD_H3_REQUEST, ev->conn, -1,
	                    msg(f, 4), true),
	                0);
}

static void
respond(struct rig *r, const struct plx_event *ev)
{
	static const char *const f[] = {":status", "200"};
	struct send *s = calloc(1, sizeof(*s));

	s->rig = r;
	s->sb.data = r->body;
	s->sb.len = BODY_SZ;
	CU_ASSERT_EQUAL(put(&r->server, ev->worker, PLX_CMD_H3_RESPONSE, ev->conn,
	                    ev->stream_id, msg(f, 1), false),
	                0);
	CU_ASSERT_EQUAL(put(&r->server, ev->worker, PLX_CMD_H3_BODY, ev->conn,
	                    ev->stream_id, &s->sb, true),
	                0);
}

static void
on_event(struct rig *r, struct end *e, const struct plx_event *ev)
{
	switch ((enum plx_event_type)ev->type) {
	case PLX_EV_CONN_NEW:
		r->accepted++;
		break;
	case PLX_EV_CONN_UP:
		r->up++;
		request(r, ev);
		break;
	case PLX_EV_H3_REQUEST:
		r->requests++;
		respond(r, ev);
		break;
	case PLX_EV_H3_RESPONSE:
		r->responses++;
		break;
	case PLX_EV_H3_DATA:
		if (ev->buf != NULL) {
			for (uint32_t i = 0; i < ev->buf->len; i++)
				r->failed += ev->buf->data[i] != 0xa7;
			r->got += ev->buf->len;
		}
		if (ev->flags & PLX_EV_FLAG_FIN)
			r->ends += e == &r->client;
		break;
	case PLX_EV_CONN_CLOSED:
		r->closed += e == &r->client;
		break;
	case PLX_EV_DIAL_FAILED:
	case PLX_EV_CMD_FAILED:
	case PLX_EV_H3_RESET:
		r->failed++;
		break;
	default:
		break;
	}
	if (ev->buf != NULL)
		plx_rbuf_release(e->attach, ev->buf);
}

static unsigned
turn(struct rig *r, struct end *e)
{
	struct plx_event ev[32];
	struct plx_sbuf *sb[32];
	unsigned n = plx_events_take(e->attach, ev, 32),
	         m = plx_sent_take(e->attach, sb, 32);

	for (unsigned i = 0; i < n; i++)
		on_event(r, e, &ev[i]);
	for (unsigned i = 0; i < m; i++) {
		r->sbufs_back++;
		r->whole += sb[i]->acked == sb[i]->len;
		free(sb[i]);
	}
	return n + m;
}

static bool
run_until(struct rig *r, const unsigned *what, unsigned value)
{
	uint64_t end = now_ns() + RUN_LIMIT_NS;

	while (*what < value && now_ns() < end)
		if (turn(r, &r->client) + turn(r, &r->server) == 0)
			plx_events_wait(r->client.attach, 200);
	return *what >= value;
}

static void
make_engine(struct rig *r, struct end *e, bool server, uint16_t workers,
            unsigned first_lcore)
{
	struct plx_engine_cfg c;
	char err[256] = "";

	plx_engine_cfg_init(&c);
	snprintf(c.name, sizeof(c.name), server ? "tsrv" : "tcli");
	c.worker_cnt = workers;
	for (uint16_t i = 0; i < workers; i++)
		c.lcore[i] = first_lcore + i;
	c.pio[0] = plx_sim_port(r->sim, server ? 0 : 1);
	if (!server && r->any_port) {
		r->ops = *c.pio[0]->ops;
		r->ops.pick_port = NULL;
		c.pio[0]->ops = &r->ops;
	}
	c.port_cnt = 1;
	c.net[0].addr[0].addr.family = PLX_FAMILY_IPV4;
	inet_pton(AF_INET, server ? "192.0.2.1" : "192.0.2.2", c.net[0].addr[0].addr.ip);
	c.net[0].addr[0].prefix_len = 24;
	c.net[0].addr_cnt = 1;
	c.net[0].port_be[0] = htons(443);
	c.net[0].port_cnt = server ? 1 : 0;
	c.net[0].accept_any_port = !server;
	c.net[0].ttl = 64;
	c.net[0].icmp_rate = 100;
	c.serve = server;
	c.dial = !server;
	c.tls_server.server = true;
	c.tls_server.cert_pem = r->cert;
	c.tls_server.key_pem = r->key;
	c.proto_cnt = 1;
	c.proto[0].kind = PLX_PROTO_H3_RING;
	snprintf(c.proto[0].alpn, sizeof(c.proto[0].alpn), "h3");
	c.idle = PLX_IDLE_ADAPTIVE;
	c.empty_polls = 32;
	c.rbuf_bytes = 4 << 20;
	c.quic.conns_max = 64;
	CU_ASSERT_EQUAL_FATAL(plx_engine_new(&e->engine, &c, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(plx_app_attach(e->engine, 1024, &e->attach), 0);
	CU_ASSERT_EQUAL_FATAL(plx_engine_start(e->engine, err, sizeof(err)), 0);
}

struct rig_cfg {
	uint16_t server_workers, client_workers; /* a queue each */
	uint8_t server_spread, client_spread;    /* enum plx_sim_spread */
	bool any_port;                           /* the client's port does not choose */
	const struct plx_sim_link *link;         /* NULL = nothing happens on it */
};

static void
make_rig_as(struct rig *r, const struct rig_cfg *c)
{
	struct plx_sim_cfg sc = {.name = "teng",
	                         .ports = 2,
	                         .queues = {c->server_workers, c->client_workers},
	                         .spread = {c->server_spread, c->client_spread},
	                         .seed = 7,
	                         .ring_cnt = 1024,
	                         .socket_id = -1};

	memset(r, 0, sizeof(*r));
	if (c->link != NULL)
		sc.to[0] = sc.to[1] = *c->link;
	r->any_port = c->any_port;
	r->body = malloc(BODY_SZ);
	memset(r->body, 0xa7, BODY_SZ);
	CU_ASSERT_EQUAL_FATAL(
	        plx_tls_self_signed("test.pollux", true, NULL, &r->cert, &r->key), 0);
	CU_ASSERT_EQUAL_FATAL(plx_sim_new(&r->sim, &sc), 0);
	make_engine(r, &r->server, true, c->server_workers, 1);
	make_engine(r, &r->client, false, c->client_workers, 1 + WORKERS_MAX);
}

static void
make_rig(struct rig *r, uint16_t server_workers, uint8_t spread,
         const struct plx_sim_link *link)
{
	make_rig_as(r, &(struct rig_cfg){.server_workers = server_workers,
	                                 .client_workers = 1,
	                                 .server_spread = spread,
	                                 .client_spread = PLX_SIM_SPREAD_ZERO,
	                                 .link = link});
}

static void
free_rig(struct rig *r)
{
	plx_engine_stop(r->client.engine, 0x100, 20);
	plx_engine_stop(r->server.engine, 0x100, 20);
	/* What was published before the stop is taken, and what was lent comes home. */
	turn(r, &r->client);
	turn(r, &r->server);
	plx_app_detach(r->client.attach);
	plx_app_detach(r->server.attach);
	plx_engine_free(r->client.engine);
	plx_engine_free(r->server.engine);
	plx_sim_free(r->sim);
	free(r->cert);
	free(r->key);
	free(r->body);
}

static void
fetch(struct rig *r, unsigned conns)
{
	for (unsigned i = 0; i < conns; i++)
		dial(r, (uint16_t)(i % plx_engine_workers(r->client.engine)));
	CU_ASSERT_TRUE(run_until(r, &r->ends, conns));
	CU_ASSERT_EQUAL(r->up, conns);
	CU_ASSERT_EQUAL(r->accepted, conns);
	CU_ASSERT_EQUAL(r->responses, conns);
	CU_ASSERT_EQUAL(r->got, (uint64_t)conns * BODY_SZ);
	CU_ASSERT_EQUAL(r->failed, 0);
	/* Every send buffer comes back, and says that all of it was acknowledged. */
	CU_ASSERT_TRUE(run_until(r, &r->sbufs_back, conns));
	CU_ASSERT_EQUAL(r->whole, conns);
}

static void
two_engines_live_and_end_twice_in_one_process(void)
{
	PLX_COVERS("S0-18", "S0-21");
	for (int round = 0; round < 2; round++) {
		struct rig r;

		make_rig(&r, 1, PLX_SIM_SPREAD_ZERO, NULL);
		fetch(&r, 4);
		CU_ASSERT_EQUAL(
		        plx_engine_count(r.server.engine, PLX_COUNT_handshakes_done), 4);
		free_rig(&r);
	}
}

static void
a_packet_on_the_wrong_queue_reaches_the_worker_that_owns_it(void)
{
	struct rig r;
	uint64_t handed, taken, end;

	/* Every packet comes to queue 0; half of the connections belong to worker 1. */
	PLX_COVERS("S3-X9");
	make_rig(&r, 2, PLX_SIM_SPREAD_ZERO, NULL);
	fetch(&r, 16);
	/* Late acknowledgements may still be on their way from one to the other. */
	end = now_ns() + RUN_LIMIT_NS;
	do {
		handed = plx_engine_count(r.server.engine, PLX_COUNT_handover_out);
		taken = plx_engine_count(r.server.engine, PLX_COUNT_handover_in);
	} while (handed != taken && now_ns() < end);
	CU_ASSERT_TRUE(handed > 0);
	CU_ASSERT_EQUAL(handed, taken);
	for (uint16_t w = 0; w < 2; w++)
		CU_ASSERT_TRUE(
		        plx_obs_get(plx_worker_obs(plx_engine_worker(r.server.engine, w)),
		                    PLX_COUNT_conns_accepted) > 0);
	free_rig(&r);
}

/* @return datagrams that the client's workers handed to each other */
static uint64_t
handed_by_client(bool any_port)
{
	struct rig r;
	uint64_t n;

	make_rig_as(&r, &(struct rig_cfg){.server_workers = 1,
	                                  .client_workers = 2,
	                                  .client_spread = PLX_SIM_SPREAD_RSS,
	                                  .any_port = any_port});
	fetch(&r, 32);
	for (uint16_t w = 0; w < 2; w++)
		CU_ASSERT_EQUAL(
		        plx_obs_get(plx_worker_obs(plx_engine_worker(r.client.engine, w)),
		                    PLX_COUNT_conns_dialed),
		        16);
	n = plx_engine_count(r.client.engine, PLX_COUNT_handover_out);
	free_rig(&r);
	return n;
}

static void
answers_come_to_the_queue_of_the_worker_that_dialed(void)
{
	CU_ASSERT_EQUAL(handed_by_client(false), 0);
	/* A port that does not choose: about half go the long way, and all arrive. */
	CU_ASSERT_TRUE(handed_by_client(true) > 0);
}

static void
an_engine_sees_a_link_go_and_come_back(void)
{
	const struct timespec step = {.tv_nsec = 10 * (long)PLX_NS_PER_MS};
	struct plx_pio_stats stats;
	struct plx_pio_link link;
	struct rig r;

	PLX_COVERS("F1");
	make_rig(&r, 2, PLX_SIM_SPREAD_ZERO, NULL);
	plx_engine_poll(r.server.engine);
	CU_ASSERT_EQUAL(plx_engine_port(r.server.engine, 1, &link, &stats), PLX_E_NOENT);
	for (unsigned round = 1; round <= 2; round++) {
		for (int up = 0; up < 2; up++) {
			const enum plx_count c =
			        up ? PLX_COUNT_link_ups : PLX_COUNT_link_downs;
			uint64_t end = now_ns() + RUN_LIMIT_NS;

			plx_sim_set_carrier(r.sim, 0, up);
			while (plx_engine_count(r.server.engine, c) < round &&
			       now_ns() < end) {
				plx_engine_poll(r.server.engine);
				nanosleep(&step, NULL);
			}
			/* Once, though two workers share the port. */
			CU_ASSERT_EQUAL(plx_engine_count(r.server.engine, c), round);
			CU_ASSERT_EQUAL(plx_engine_port(r.server.engine, 0, &link, &stats),
			                0);
			CU_ASSERT_EQUAL(link.up, up);
		}
	}
	fetch(&r, 4);
	free_rig(&r);
}

static void
a_worker_answers_between_turns_and_holds_up_nobody_when_it_ended(void)
{
	struct plx_ask a = {0};
	struct plx_worker *w;
	struct rig r;

	make_rig(&r, 1, PLX_SIM_SPREAD_ZERO, NULL);
	fetch(&r, 2);
	w = plx_engine_worker(r.server.engine, 0);
	CU_ASSERT_EQUAL(plx_worker_ask(w, &a, 10000), 0);
	CU_ASSERT_TRUE_FATAL(a.cnt > 0);
	CU_ASSERT_STRING_EQUAL(a.line[0].state, "OPEN");
	a.id = a.line[0].id;
	CU_ASSERT_EQUAL(plx_worker_ask(w, &a, 10000), 0);
	CU_ASSERT_EQUAL(a.info.id.v, a.id.v);
	CU_ASSERT_TRUE(a.info.rx_pkts > 0);
	a.id.v++;
	CU_ASSERT_EQUAL(plx_worker_ask(w, &a, 10000), PLX_E_STALE);
	plx_engine_stop(r.server.engine, 0, 0);
	/* The second one is not told that the first is still before the worker. */
	CU_ASSERT_EQUAL(plx_worker_ask(w, &a, 10), PLX_E_TIMEOUT);
	CU_ASSERT_EQUAL(plx_worker_ask(w, &a, 10), PLX_E_TIMEOUT);
	free_rig(&r);
}

static void
a_wire_that_loses_and_reorders_only_slows_things_down(void)
{
	const struct plx_sim_link bad = {.loss_ppm = 20000,
	                                 .reorder_ppm = 20000,
	                                 .reorder_ns = 300000,
	                                 .dup_ppm = 5000,
	                                 .corrupt_ppm = 5000,
	                                 .delay_ns = 100000};
	struct rig r;

	PLX_COVERS("IC-transferloss", "IC-transfercorruption");
	make_rig(&r, 2, PLX_SIM_SPREAD_LYING, &bad);
	fetch(&r, 4);
	free_rig(&r);
}

static void
a_stopped_engine_says_goodbye(void)
{
	struct rig r;

	PLX_COVERS("S1-39");
	make_rig(&r, 1, PLX_SIM_SPREAD_ZERO, NULL);
	fetch(&r, 3);
	plx_engine_stop(r.server.engine, 0x100, 20);
	CU_ASSERT_TRUE(run_until(&r, &r.closed, 3));
	free_rig(&r);
}

static void
a_busy_lcore_is_refused_with_the_fix(void)
{
	struct rig r;
	struct plx_engine_cfg c;
	struct plx_engine *e;
	struct plx_sim *sim;
	const struct plx_sim_cfg sc = {.name = "tbusy", .ports = 2, .socket_id = -1};
	char err[256] = "";

	make_rig(&r, 1, PLX_SIM_SPREAD_ZERO, NULL);
	CU_ASSERT_EQUAL_FATAL(plx_sim_new(&sim, &sc), 0);
	plx_engine_cfg_init(&c);
	snprintf(c.name, sizeof(c.name), "tbusy");
	c.lcore[0] = 1; /* the server's worker runs there */
	c.pio[0] = plx_sim_port(sim, 0);
	c.port_cnt = 1;
	c.net[0].addr[0].addr.family = PLX_FAMILY_IPV4;
	c.net[0].addr[0].addr.ip[0] = 10;
	c.net[0].addr[0].prefix_len = 8;
	c.net[0].addr_cnt = 1;
	c.proto_cnt = 1;
	c.proto[0].kind = PLX_PROTO_RAW_RING;
	snprintf(c.proto[0].alpn, sizeof(c.proto[0].alpn), "echo");
	c.dial = true;
	c.quic.conns_max = 16;
	CU_ASSERT_EQUAL_FATAL(plx_engine_new(&e, &c, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(plx_engine_start(e, err, sizeof(err)), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "--lcores"));
	plx_engine_free(e);
	plx_sim_free(sim);
	free_rig(&r);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"two engines live and end twice in one process",
	         two_engines_live_and_end_twice_in_one_process},
	        {"a packet on the wrong queue reaches the worker that owns it",
	         a_packet_on_the_wrong_queue_reaches_the_worker_that_owns_it},
	        {"answers come to the queue of the worker that dialed",
	         answers_come_to_the_queue_of_the_worker_that_dialed},
	        {"an engine sees a link go and come back",
	         an_engine_sees_a_link_go_and_come_back},
	        {"a worker answers between turns and holds up nobody when it ended",
	         a_worker_answers_between_turns_and_holds_up_nobody_when_it_ended},
	        {"a wire that loses and reorders only slows things down",
	         a_wire_that_loses_and_reorders_only_slows_things_down},
	        {"a stopped engine says goodbye", a_stopped_engine_says_goodbye},
	        {"a busy lcore is refused with the fix",
	         a_busy_lcore_is_refused_with_the_fix},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"engine", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	if (plx_test_eal_lcores("engine", 160, 1 + WORKERS_MAX + CLIENTS_MAX) != 0)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_eal_cleanup();
	return rc;
}
