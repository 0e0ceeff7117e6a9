/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker_pair.h"

#include <arpa/inet.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "plx_test.h"
#include "plx_tls.h"

void
worker_pair_make(struct worker_pair *r, const struct worker_pair_cfg *cfg)
{
	struct plx_sim_cfg sc = {.name = cfg->name,
	                         .ports = 2,
	                         .seed = 5,
	                         .pool_cnt = cfg->pool_cnt,
	                         .ring_cnt = cfg->link.rate_Bps != 0 ? 1024 : 256,
	                         .socket_id = -1};
	char err[256];

	memset(r, 0, sizeof(*r));
	plx_clock_init(&r->clock, PLX_CLOCK_VIRTUAL);
	r->now = PLX_NS_PER_S;
	plx_clock_set(&r->clock, r->now);
	sc.clock = &r->clock;
	sc.to[SERVER] = cfg->link;
	if (cfg->link.delay_ns == 0)
		sc.to[SERVER].delay_ns = 100000;
	sc.to[CLIENT] = sc.to[SERVER];
	CU_ASSERT_EQUAL_FATAL(plx_sim_new(&r->sim, &sc), 0);
	CU_ASSERT_EQUAL_FATAL(plx_tls_self_signed("t", true, NULL, &r->cert, &r->key), 0);
	r->pool_avail = rte_mempool_avail_count(plx_sim_pool(r->sim));
	for (int s = 0; s < SIDES; s++) {
		struct plx_worker_cfg c = {.worker_cnt = 1, .port_cnt = 1, .proto_cnt = 1};

		r->pio[s] = plx_sim_port(r->sim, (uint16_t)s);
		r->proto[s] = (struct plx_proto){
		        "t", s == SERVER ? &plx_testapp_server : &plx_testapp_client,
		        &r->app[s]};
		r->net[s].addr[0].addr.family = PLX_FAMILY_IPV4;
		inet_pton(AF_INET, s == SERVER ? "192.0.2.1" : "192.0.2.2",
		          r->net[s].addr[0].addr.ip);
		r->net[s].addr[0].prefix_len = 24;
		r->net[s].addr_cnt = 1;
		r->net[s].port_be[0] = htons(443);
		r->net[s].port_cnt = 1;
		r->net[s].accept_any_port = s == CLIENT;
		r->net[s].ttl = 64;
		r->net[s].icmp_rate = 100;
		CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&r->neigh[s], 64), 0);
		r->tls[s] = (struct plx_tls_cfg){
		        .server = s == SERVER, .cert_pem = r->cert, .key_pem = r->key};
		plx_quic_cfg_init(&c.quic);
		c.quic.conns_max = cfg->conns_max != 0 ? cfg->conns_max : 64;
		if (cfg->idle_ms != 0)
			c.quic.idle_timeout_ms = cfg->idle_ms;
		c.quic.server = s == SERVER;
		c.pio[0] = r->pio[s];
		c.net[0] = &r->net[s];
		c.neigh[0] = r->neigh[s];
		c.proto = &r->proto[s];
		c.clock = PLX_CLOCK_VIRTUAL;
		c.seed = 3;
		c.node = -1;
		c.steer.server_id_len = 2;
		c.steer.first_local = true;
		if (s == SERVER)
			c.tls_server = &r->tls[s];
		else
			c.tls_client = &r->tls[s];
		CU_ASSERT_EQUAL_FATAL(plx_worker_new(&r->w[s], &c, err, sizeof(err)), 0);
	}
	r->app[CLIENT].streams = 4;
	r->app[CLIENT].up = 200000;
	r->app[CLIENT].down = 1000000;
}

void
worker_pair_turn(struct worker_pair *r)
{
	uint64_t next = PLX_TIME_NEVER;

	if (plx_worker_turn(r->w[SERVER], r->now) + plx_worker_turn(r->w[CLIENT], r->now) >
	    0) {
		r->now += 10000;
		r->busy++;
	} else {
		uint64_t t = plx_sim_next(r->sim);

		next = t;
		for (int s = 0; s < SIDES; s++) {
			t = plx_quic_deadline(plx_worker_quic(r->w[s]));
			next = t < next ? t : next;
		}
		/* Neighbours and pacing have no deadline that is seen here. */
		r->now = next > r->now && next < r->now + PLX_NS_PER_MS
		                 ? next
		                 : r->now + PLX_NS_PER_MS;
	}
	plx_clock_set(&r->clock, r->now);
}

void
worker_pair_until(struct worker_pair *r, uint64_t end_ns)
{
	while (r->now < end_ns)
		worker_pair_turn(r);
}

void
worker_pair_dial(struct worker_pair *r)
{
	struct plx_quic_dial d = {.sni = "t",
	                          .alpn = "t",
	                          .on_failed = plx_testapp_failed,
	                          .on_failed_arg = &r->app[CLIENT]};
	struct plx_conn_id id;

	d.path.local = r->net[CLIENT].addr[0].addr;
	d.path.local.port_be = htons((uint16_t)(50000 + r->next_port++));
	d.path.remote = r->net[SERVER].addr[0].addr;
	d.path.remote.port_be = htons(443);
	CU_ASSERT_EQUAL_FATAL(plx_quic_dial(plx_worker_quic(r->w[CLIENT]), &d, r->now, &id),
	                      0);
}

void
worker_pair_transfer(struct worker_pair *r)
{
	uint64_t end = r->now + 300 * PLX_NS_PER_S, want = r->app[CLIENT].streams_done + 4;

	worker_pair_dial(r);
	while (r->app[CLIENT].streams_done < want && r->app[CLIENT].failed == 0 &&
	       r->now < end)
		worker_pair_turn(r);
	CU_ASSERT_EQUAL(r->app[CLIENT].streams_done, want);
	CU_ASSERT_EQUAL(r->app[CLIENT].mismatches + r->app[SERVER].mismatches, 0);
}

void
worker_pair_end(struct worker_pair *r)
{
	for (int s = 0; s < SIDES; s++) {
		plx_worker_free(r->w[s]);
		plx_neigh_free(r->neigh[s]);
	}
	for (uint64_t until = r->now + PLX_NS_PER_S; r->now < until;
	     r->now += PLX_NS_PER_MS) {
		struct rte_mbuf *m[32];

		/* Frames under way arrive at nobody; they must not be missing from the pool. */
		plx_clock_set(&r->clock, r->now);
		for (int s = 0; s < SIDES; s++)
			rte_pktmbuf_free_bulk(m, plx_pio_rx(r->pio[s], 0, m, 32));
	}
	CU_ASSERT_EQUAL(rte_mempool_avail_count(plx_sim_pool(r->sim)), r->pool_avail);
	for (int s = 0; s < SIDES; s++)
		r->pio[s]->ops->close(r->pio[s]);
	plx_sim_free(r->sim);
	free(r->cert);
	free(r->key);
}
