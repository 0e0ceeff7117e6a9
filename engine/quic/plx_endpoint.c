/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plx_endpoint_pvt.h"
#include "plx_spent.h"

/* Life of an endpoint, and what drives it: datagrams, timers, batches. */

PLX_STATIC_ASSERT(PLX_EP_STAT_CNT <= 64, "one bit each");

void
plx_endpoint_cfg_init(struct plx_endpoint_cfg *cfg)
{
	*cfg = (struct plx_endpoint_cfg){
	        .send_queue_capacity = 4096,
	        .max_transmit_datagrams = 10,
	        .allow_mtud = true,
	        .conns_max = 1024,
	        .idle_timeout_ms = 30000,
	        .handshake_timeout_ms = 10000,
	        .initial_rtt_ms = 333,
	        .max_streams_bidi = 100,
	        .max_streams_uni = 100,
	        .stream_window = 1250000,
	        .conn_window = 10000000,
	        .send_window = 1250000,
	        .datagram_recv_buffer = 1250000,
	        .datagram_send_buffer = 1u << 20,
	        .migration = true,
	        .mem_max = (size_t)256 << 20,
	};
}

void
plx_endpoint_cfg_server(struct plx_endpoint_cfg *cfg,
                        const struct plx_endpoint_server *server, const char *alpn)
{
	plx_endpoint_cfg_init(cfg);
	cfg->server = server;
	cfg->alpn[0] = alpn;
}

void
plx_endpoint_cfg_client(struct plx_endpoint_cfg *cfg,
                        const struct plx_endpoint_client *client, const char *alpn)
{
	plx_endpoint_cfg_init(cfg);
	cfg->client = client;
	cfg->alpn[0] = alpn;
}

/* Copies names; the order is that of preference. */
static int
copy_alpn(struct plx_endpoint *ep)
{
	for (int i = 0; i < PLX_ENDPOINT_ALPN_MAX && ep->cfg.alpn[i] != NULL; i++) {
		size_t len = strlen(ep->cfg.alpn[i]);

		if (len == 0 || len >= sizeof(ep->alpn[i]))
			return PLX_E_CONFIG;
		memcpy(ep->alpn[i], ep->cfg.alpn[i], len + 1);
		ep->proto[i] = (struct plx_proto){
		        .alpn = ep->alpn[i], .app = &plx_ep_app, .arg = ep};
		ep->proto_cnt++;
	}
	return ep->proto_cnt > 0 ? 0 : PLX_E_CONFIG;
}

/** Places of an endpoint's own register of used tickets: 64 KiB. */
#define SPENT_PLACES 16384

static int
make_tls_server(struct plx_endpoint *ep, char *err, size_t err_sz)
{
	const struct plx_endpoint_server *s = ep->cfg.server;
	struct plx_tls_cfg tc = {
	        .server = true,
	        .cert_file = s->cert_file,
	        .key_file = s->key_file,
	        .cert_pem = s->cert_pem,
	        .key_pem = s->key_pem,
	        .no_tickets = s->no_tickets,
	        .tickets = s->tickets,
	        .ticket_secret = s->ticket_secret,
	        .ticket_secret_len = s->ticket_secret_len,
	        .rand = ep->cfg.has_seed ? &ep->rand : NULL,
	};

	if (s->early_data) {
		tc.spent = s->spent;
		if (tc.spent == NULL)
			tc.spent = ep->spent = plx_spent_new(SPENT_PLACES, &ep->rand);
		if (tc.spent == NULL)
			return PLX_E_NOMEM;
	}
	return plx_tls_new(&ep->tls_server, &tc, err, err_sz);
}

static int
make_tls(struct plx_endpoint *ep, char *err, size_t err_sz)
{
	const struct plx_endpoint_client *c = ep->cfg.client;
	int rc = 0;

	if (ep->cfg.server != NULL)
		rc = make_tls_server(ep, err, err_sz);
	if (rc == 0 && c != NULL) {
		struct plx_tls_cfg tc = {.ca_file = c->ca_file,
		                         .keep_tickets = c->tickets,
		                         .rand = ep->cfg.has_seed ? &ep->rand : NULL};

		rc = plx_tls_new(&ep->tls_client, &tc, err, err_sz);
	}
	PLX_ACT_AS_WORKER();
	if (rc == 0 && ep->tls_server != NULL)
		rc = plx_tls_warm(ep->tls_server);
	if (rc == 0 && ep->tls_client != NULL)
		rc = plx_tls_warm(ep->tls_client);
	return rc;
}

static int
make_steer(struct plx_endpoint *ep)
{
	struct plx_steer_cfg sc = {.server_id_len = 2,
	                           .worker_cnt = 1,
	                           .first_local = true,
	                           .slots = ep->cfg.conns_max};
	size_t sz;

	plx_rand_bytes(&ep->rand, sc.key, sizeof(sc.key));
	plx_rand_bytes(&ep->rand, sc.hash_key, sizeof(sc.hash_key));
	plx_rand_bytes(&ep->rand, sc.server_id, sc.server_id_len);
	sc.epoch = (uint32_t)plx_rand_u64(&ep->rand);
	sz = plx_steer_footprint(&sc);
	if (sz == 0)
		return PLX_E_CONFIG;
	/* aligned_alloc() wants a multiple of the alignment. */
	sz = (sz + plx_steer_align() - 1) / plx_steer_align() * plx_steer_align();
	ep->steer_mem = aligned_alloc(plx_steer_align(), sz);
	if (ep->steer_mem == NULL)
		return PLX_E_NOMEM;
	ep->steer = plx_steer_init(ep->steer_mem, &sc, ep->obs);
	return ep->steer != NULL ? 0 : PLX_E_NOMEM;
}

static int
make_quic(struct plx_endpoint *ep)
{
	const struct plx_endpoint_cfg *cfg = &ep->cfg;
	struct plx_quic_deps deps = {
	        .steer = ep->steer,
	        .crypt = ep->crypt,
	        .obs = ep->obs,
	        .rand = &ep->rand,
	        .tls_server = ep->tls_server,
	        .tls_client = ep->tls_client,
	        .proto = ep->proto,
	        .proto_cnt = ep->proto_cnt,
	        .watch = &plx_ep_watch,
	        .watch_arg = ep,
	};
	struct plx_quic_cfg qc;

	plx_quic_cfg_init(&qc);
	qc.conns_max = cfg->conns_max;
	qc.handshakes_max = cfg->conns_max;
	qc.handshake_timeout_ms = cfg->handshake_timeout_ms;
	qc.idle_timeout_ms = cfg->idle_timeout_ms;
	qc.keep_alive_ms = cfg->keep_alive_ms;
	qc.initial_rtt_ms = cfg->initial_rtt_ms;
	qc.max_streams_bidi = cfg->max_streams_bidi;
	qc.max_streams_uni = cfg->max_streams_uni;
	qc.max_stream_data = cfg->stream_window;
	qc.max_data = cfg->conn_window;
	qc.max_datagram_frame = cfg->datagram_recv_buffer > 0 ? UINT16_MAX : 0;
	qc.pmtud = cfg->allow_mtud;
	qc.migration = cfg->migration;
	qc.no_pacing = cfg->no_pacing;
	qc.cc = cfg->cc;
	qc.server = cfg->server != NULL;
	qc.slab_limit = cfg->mem_max;
	return plx_quic_new(&ep->q, &qc, &deps);
}

static void
make_rand(struct plx_endpoint *ep)
{
	if (!ep->cfg.has_seed) {
		plx_rand_system(&ep->rand);
		return;
	}
	plx_rand_seed(&ep->rand, 0);
	for (size_t i = 0; i < 4; i++) {
		uint64_t word;

		memcpy(&word, ep->cfg.rng_seed + 8 * i, sizeof(word));
		ep->rand.s[i] ^= word;
	}
	/* Seeds that differ in one bit begin alike: move away from the beginning. */
	for (int i = 0; i < 32; i++)
		plx_rand_u64(&ep->rand);
}

static int
make(struct plx_endpoint *ep, char *err, size_t err_sz)
{
	int rc = copy_alpn(ep);

	if (rc != 0 || ep->cfg.send_queue_capacity == 0 || ep->cfg.send_window == 0)
		return PLX_E_CONFIG;
	if (ep->cfg.conns_max == 0 || ep->cfg.conns_max > (1u << 24) - 2)
		return PLX_E_CONFIG;
	make_rand(ep);
	ep->obs = aligned_alloc(PLX_CACHE_LINE, sizeof(*ep->obs));
	ep->rec = calloc(ep->cfg.conns_max, sizeof(struct plx_ep_rec *));
	if (ep->obs == NULL || ep->rec == NULL)
		return PLX_E_NOMEM;
	memset(ep->obs, 0, sizeof(*ep->obs));
	rc = plx_ep_sendq_init(ep);
	if (rc == 0)
		rc = make_steer(ep);
	if (rc == 0)
		rc = plx_crypt_new(&ep->crypt, PLX_CRYPT_AUTO);
	if (rc == 0)
		rc = make_tls(ep, err, err_sz);
	if (rc == 0)
		rc = make_quic(ep);
	return rc;
}

struct plx_spent *
plx_endpoint_spent_new(uint32_t places)
{
	struct plx_rand rand;

	plx_rand_system(&rand);
	return plx_spent_new(places, &rand);
}

void
plx_endpoint_spent_free(struct plx_spent *spent)
{
	plx_spent_free(spent);
}

int
plx_endpoint_new(struct plx_endpoint **out, const struct plx_endpoint_cfg *cfg, char *err,
                 size_t err_sz)
{
	struct plx_endpoint *ep = calloc(1, sizeof(*ep));
	int rc;

	*out = NULL;
	if (err_sz > 0)
		err[0] = '\0';
	if (ep == NULL)
		return PLX_E_NOMEM;
	ep->cfg = *cfg;
	if (ep->cfg.max_transmit_datagrams == 0)
		ep->cfg.max_transmit_datagrams = 1;
	rc = make(ep, err, err_sz);
	if (rc != 0) {
		plx_endpoint_free(ep);
		return rc;
	}
	ep->verify = cfg->client != NULL && !cfg->client->insecure;
	ep->cfg.server = NULL;
	ep->cfg.client = NULL;
	memset(ep->cfg.alpn, 0, sizeof(ep->cfg.alpn));
	PLX_ACT_AS_WORKER();
	ep->slab = plx_quic_slab(ep->q);
	*out = ep;
	return 0;
}

void
plx_endpoint_free(struct plx_endpoint *ep)
{
	if (ep == NULL)
		return;
	PLX_ACT_AS_WORKER();
	if (ep->q != NULL) {
		plx_quic_abort_all(ep->q);
		plx_ep_events_fini(ep);
	}
	plx_quic_free(ep->q);
	if (ep->sendq != NULL)
		plx_ep_sendq_fini(ep);
	plx_tls_free(ep->tls_server);
	plx_tls_free(ep->tls_client);
	plx_spent_free(ep->spent);
	if (ep->crypt != NULL)
		plx_crypt_free(ep->crypt);
	if (ep->steer != NULL)
		plx_steer_fini(ep->steer);
	free(ep->steer_mem);
	free(ep->rec);
	free(ep->obs);
	free(ep);
}

static void
advance(struct plx_endpoint *ep, uint64_t now_ns)
{
	if (now_ns > ep->now)
		ep->now = now_ns;
}

/* What follows everything that may have changed a connection (S1-47): its identifiers and events
 * are in place, as ngtcp2 calls back while it reads; packets; addresses; freed slots left by
 * themselves. */
static void
pass(struct plx_endpoint *ep)
{
	plx_ep_drain(ep);
	plx_ep_check_addresses(ep);
}

void
plx_endpoint_feed(struct plx_endpoint *ep, uint64_t now_ns, const uint8_t *data, size_t len,
                  const struct plx_path *path, uint8_t ecn)
{
	struct plx_dgram dg = {
	        .data = data, .len = (uint16_t)len, .ecn = ecn & 3, .path = *path};
	struct plx_ep_rec *rec;

	advance(ep, now_ns);
	if (len == 0 || len > UINT16_MAX) {
		plx_obs_drop(ep->obs,
		             len == 0 ? PLX_DROP_NET_EMPTY : PLX_DROP_NET_TOO_LARGE, 1);
		return;
	}
	if (dg.path.local.family == PLX_FAMILY_NONE)
		dg.path.local = ep->cfg.local;
	plx_steer_burst(ep->steer, &dg, 1);
	if (dg.verdict == PLX_VERDICT_DROP)
		plx_obs_drop(ep->obs, (enum plx_drop)dg.drop, 1);
	ep->fed_len = dg.len;
	rec = dg.verdict == PLX_VERDICT_CONN ? ep->rec[dg.slot] : NULL;
	if (rec != NULL) {
		rec->udp_rx_datagrams++;
		rec->udp_rx_bytes += dg.len;
	}
	plx_quic_rx_burst(ep->q, &dg, 1, ep->now);
	pass(ep);
}

void
plx_endpoint_timers(struct plx_endpoint *ep, uint64_t now_ns)
{
	advance(ep, now_ns);
	plx_quic_timers_run(ep->q, ep->now);
	pass(ep);
}

uint64_t
plx_endpoint_deadline(const struct plx_endpoint *ep)
{
	/* Packets that found no room are due as soon as there is some. */
	if (ep->starved && ep->sendq_len < ep->cfg.send_queue_capacity)
		return ep->now;
	return plx_quic_deadline(ep->q);
}

void
plx_endpoint_flush(struct plx_endpoint *ep, uint64_t now_ns)
{
	advance(ep, now_ns);
	pass(ep);
}

void
plx_endpoint_batch_begin(struct plx_endpoint *ep)
{
	if (ep->batch < UINT32_MAX)
		ep->batch++;
}

void
plx_endpoint_batch_end(struct plx_endpoint *ep, uint64_t now_ns)
{
	if (ep->batch == 0)
		return;
	advance(ep, now_ns);
	if (--ep->batch == 0)
		pass(ep);
}
