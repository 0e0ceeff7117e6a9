/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "plx_bug.h"
#include "plx_engine_int.h"
#include "plx_h3.h"
#include "plx_keylog.h"
#include "plx_log.h"
#include "plx_rawapp.h"

#define NEIGH_ENTRIES 1024

struct plx_engine {
	struct plx_engine_cfg cfg;
	struct plx_worker *worker[PLX_WORKERS_MAX];
	struct plx_neigh *neigh[PLX_PORTS_MAX];
	struct plx_mailboxes *mailboxes;
	struct plx_attach *attach[PLX_ATTACH_MAX];
	uint16_t attach_cnt;
	struct plx_keylog *keylog;
	uint64_t keylog_dropped;
	/* The protocols of each worker; ring applications have an argument of their own. */
	struct plx_proto proto[PLX_WORKERS_MAX][PLX_PROTOS_MAX];
	struct plx_ringapp_cfg ringapp[PLX_WORKERS_MAX];
	struct plx_steer_cfg steer;
	bool started, stopped;
};

void
plx_engine_cfg_init(struct plx_engine_cfg *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->name, sizeof(cfg->name), "plx");
	cfg->worker_cnt = 1;
	plx_quic_cfg_init(&cfg->quic);
	cfg->empty_polls = 512;
	cfg->clock = PLX_CLOCK_TSC;
	cfg->server_id_len = 2;
	cfg->rbuf_bytes = (size_t)16 << 20;
	cfg->send_high = 256 << 10;
}

static bool
all_zero(const uint8_t *p, size_t len)
{
	while (len > 0)
		if (p[--len] != 0)
			return false;
	return true;
}

/*
 * One secret serves IDs, hashes and tokens of all workers (and of all servers that share the key
 * file); each use gets its own 16 or 32 bytes of it. The epoch is new at every start, so that no
 * ID is issued twice under one key.
 */
static void
derive_keys(struct plx_engine *e)
{
	uint8_t secret[sizeof(e->cfg.secret)];
	struct plx_rand r;
	struct plx_steer_cfg *s = &e->steer;

	plx_rand_system(&r);
	memcpy(secret, e->cfg.secret, sizeof(secret));
	if (all_zero(secret, sizeof(secret)))
		plx_rand_bytes(&r, secret, sizeof(secret));
	memcpy(s->key, secret, 16);
	memcpy(s->hash_key, secret + 16, 16);
	if (all_zero(e->cfg.quic.token_key, sizeof(e->cfg.quic.token_key)))
		memcpy(e->cfg.quic.token_key, secret + 32, 32);
	s->epoch = (uint32_t)plx_rand_u64(&r);
	memcpy(s->server_id, e->cfg.server_id, sizeof(s->server_id));
	s->server_id_len = e->cfg.server_id_len;
	s->config_id = e->cfg.config_id;
	s->masked = !e->cfg.steer_clear;
	s->first_local = true;
	for (uint16_t p = 0; p < e->cfg.port_cnt; p++)
		if (!e->cfg.pio[p]->plan.hashes_by_flow)
			s->first_local = false;
	if (e->cfg.worker_cnt == 1)
		s->first_local = true;
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(&r, sizeof(r));
}

int
plx_engine_new(struct plx_engine **out, const struct plx_engine_cfg *cfg, char *err,
               size_t err_sz)
{
	struct plx_engine *e;
	int rc = 0;

	*out = NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		for (uint16_t p = 0; p < cfg->port_cnt; p++)
			cfg->pio[p]->ops->close(cfg->pio[p]);
		return PLX_E_NOMEM;
	}
	e->cfg = *cfg;
	if (cfg->worker_cnt == 0 || cfg->worker_cnt > PLX_WORKERS_MAX ||
	    cfg->port_cnt == 0 || cfg->port_cnt > PLX_PORTS_MAX || cfg->proto_cnt == 0 ||
	    cfg->proto_cnt > PLX_PROTOS_MAX) {
		snprintf(err, err_sz,
		         "an engine needs 1..%d workers, 1..%d ports and a protocol",
		         PLX_WORKERS_MAX, PLX_PORTS_MAX);
		rc = PLX_E_CONFIG;
	}
	if (rc == 0)
		derive_keys(e);
	if (rc == 0 && cfg->keylog != NULL) {
		rc = plx_keylog_open(&e->keylog, cfg->keylog, cfg->worker_cnt);
		if (rc != 0)
			snprintf(
			        err, err_sz,
			        "keylog %s: %s; name a file in a directory you may write to",
			        cfg->keylog, strerror(errno));
	}
	for (uint16_t p = 0; rc == 0 && p < cfg->port_cnt; p++)
		rc = plx_neigh_new(&e->neigh[p], NEIGH_ENTRIES);
	if (rc == 0 && cfg->worker_cnt > 1) {
		rc = plx_mailboxes_new(&e->mailboxes, e->cfg.name, cfg->worker_cnt,
		                       PLX_MAILBOX_DEPTH, cfg->pio[0]->socket_id);
		if (rc != 0)
			snprintf(err, err_sz, "no memory for the mailboxes of %u workers",
			         cfg->worker_cnt);
	}
	if (rc != 0) {
		plx_engine_free(e);
		return rc;
	}
	*out = e;
	return 0;
}

int
plx_app_attach(struct plx_engine *e, uint32_t depth, struct plx_attach **out)
{
	/* The smallest class of receive buffers is 2 KiB. */
	uint32_t rbuf_max = (uint32_t)(e->cfg.rbuf_bytes / 2048) + 1;
	int rc;

	*out = NULL;
	if (e->started)
		return PLX_E_CLOSING;
	if (e->attach_cnt == PLX_ATTACH_MAX)
		return PLX_E_FULL;
	rc = plx_attach_new(out, e->cfg.name, e->attach_cnt, e->cfg.worker_cnt, depth,
	                    rbuf_max, e->cfg.pio[0]->socket_id);
	if (rc == 0)
		e->attach[e->attach_cnt++] = *out;
	return rc;
}

void
plx_app_detach(struct plx_attach *a)
{
	/* The engine frees the rings when no worker can reach them any more. */
	plx_attach_close(a);
}

static void
make_protos(struct plx_engine *e, uint16_t worker)
{
	struct plx_ringapp_cfg *ra = &e->ringapp[worker];

	ra->pick = plx_worker_pick;
	ra->user = plx_worker_dial_user;
	ra->send_high = e->cfg.send_high;
	ra->field_section_max = e->cfg.field_section_max;
	ra->requests_max = e->cfg.requests_max;
	for (uint16_t i = 0; i < e->cfg.proto_cnt; i++) {
		const struct plx_engine_proto *c = &e->cfg.proto[i];
		struct plx_proto *p = &e->proto[worker][i];

		p->alpn = c->alpn;
		switch ((enum plx_proto_kind)c->kind) {
		case PLX_PROTO_RAW_RING:
			p->app = &plx_raw_ring;
			p->arg = ra;
			break;
		case PLX_PROTO_H3_RING:
			p->app = &plx_h3_ring;
			p->arg = ra;
			break;
		case PLX_PROTO_INLINE:
			p->app = c->app;
			p->arg = c->arg_of != NULL ? c->arg_of(c->arg, worker) : c->arg;
			break;
		}
	}
}

static int
make_worker(struct plx_engine *e, uint16_t n, char *err, size_t err_sz)
{
	struct plx_tls_cfg server = e->cfg.tls_server, client = e->cfg.tls_client;
	struct plx_worker_cfg wc = {
	        .number = (uint8_t)n,
	        .worker_cnt = (uint8_t)e->cfg.worker_cnt,
	        .idle = e->cfg.idle,
	        .clock = e->cfg.clock,
	        .empty_polls = e->cfg.empty_polls,
	        .node = (int)rte_lcore_to_socket_id(e->cfg.lcore[n]),
	        .port_cnt = e->cfg.port_cnt,
	        .quic = e->cfg.quic,
	        .steer = e->steer,
	        .tls_server = e->cfg.serve ? &server : NULL,
	        .tls_client = e->cfg.dial ? &client : NULL,
	        .proto = e->proto[n],
	        .proto_cnt = e->cfg.proto_cnt,
	        .crypt = e->cfg.crypt,
	        .attach_cnt = e->attach_cnt,
	        .rbuf_bytes = e->cfg.rbuf_bytes,
	        .mailboxes = e->mailboxes,
	};
	int rc;

	for (uint16_t p = 0; p < e->cfg.port_cnt; p++)
		if (e->cfg.pio[p]->socket_id >= 0 && e->cfg.pio[p]->socket_id != wc.node)
			plx_log(PLX_LOG_WARN,
			        "worker %u runs on NUMA node %d, port %s is on node %d: choose "
			        "lcores of that node",
			        n, wc.node, e->cfg.pio[p]->name, e->cfg.pio[p]->socket_id);
	if (e->keylog != NULL) {
		server.keylog = client.keylog = plx_keylog_put;
		server.keylog_arg = client.keylog_arg = plx_keylog_ring_of(e->keylog, n);
	}
	wc.quic.server = e->cfg.serve;
	wc.quic.node = wc.node;
	for (uint16_t p = 0; p < e->cfg.port_cnt; p++) {
		wc.pio[p] = e->cfg.pio[p];
		wc.net[p] = &e->cfg.net[p];
		wc.neigh[p] = e->neigh[p];
	}
	for (uint16_t a = 0; a < e->attach_cnt; a++)
		wc.pair[a] = plx_attach_pair(e->attach[a], n);
	make_protos(e, n);
	rc = plx_worker_new(&e->worker[n], &wc, err, err_sz);
	if (rc == 0)
		e->ringapp[n].pick_arg = e->worker[n];
	return rc;
}

static void
wait_worker(struct plx_engine *e, uint16_t n)
{
	rte_eal_wait_lcore(e->cfg.lcore[n]);
	PLX_BUG_ON(!plx_worker_ended(e->worker[n]));
}

int
plx_engine_start(struct plx_engine *e, char *err, size_t err_sz)
{
	int rc = 0;

	snprintf(err, err_sz, "the engine could not start");
	for (uint16_t n = 0; rc == 0 && n < e->cfg.worker_cnt; n++)
		rc = make_worker(e, n, err, err_sz);
	if (rc != 0)
		return rc;
	e->started = true;
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++) {
		if (rte_eal_remote_launch(plx_worker_run, e->worker[n], e->cfg.lcore[n]) !=
		    0) {
			snprintf(err, err_sz,
			         "lcore %u is busy or not part of EAL's lcores; give each "
			         "worker an lcore of its own (--lcores)",
			         e->cfg.lcore[n]);
			while (n-- > 0) {
				plx_worker_stop(e->worker[n], 0, 0);
				wait_worker(e, n);
			}
			e->stopped = true;
			return PLX_E_CONFIG;
		}
	}
	return 0;
}

void
plx_engine_poll(struct plx_engine *e)
{
	uint64_t dropped;

	if (e->keylog == NULL)
		return;
	dropped = plx_keylog_flush(e->keylog);
	if (dropped != e->keylog_dropped)
		plx_log(PLX_LOG_WARN, "keylog: %llu lines were not written",
		        (unsigned long long)(dropped - e->keylog_dropped));
	e->keylog_dropped = dropped;
}

void
plx_engine_drain(struct plx_engine *e)
{
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		if (e->worker[n] != NULL)
			plx_worker_drain(e->worker[n]);
}

void
plx_engine_stop(struct plx_engine *e, uint64_t code, uint32_t linger_ms)
{
	if (!e->started || e->stopped)
		return;
	e->stopped = true;
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		plx_worker_stop(e->worker[n], code, linger_ms);
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		wait_worker(e, n);
	for (uint16_t a = 0; a < e->attach_cnt; a++)
		plx_attach_close(e->attach[a]);
	plx_engine_poll(e);
}

void
plx_engine_free(struct plx_engine *e)
{
	if (e == NULL)
		return;
	plx_engine_stop(e, 0, 0);
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		plx_worker_free(e->worker[n]);
	for (uint16_t a = 0; a < e->attach_cnt; a++)
		plx_attach_free(e->attach[a]);
	if (e->mailboxes != NULL)
		plx_mailboxes_free(e->mailboxes);
	for (uint16_t p = 0; p < e->cfg.port_cnt; p++) {
		if (e->neigh[p] != NULL)
			plx_neigh_free(e->neigh[p]);
		if (e->cfg.pio[p] != NULL)
			e->cfg.pio[p]->ops->close(e->cfg.pio[p]);
	}
	plx_keylog_close(e->keylog);
	explicit_bzero(&e->steer, sizeof(e->steer));
	explicit_bzero(e->cfg.secret, sizeof(e->cfg.secret));
	free(e);
}

uint16_t
plx_engine_workers(const struct plx_engine *e)
{
	return e->cfg.worker_cnt;
}

struct plx_worker *
plx_engine_worker(struct plx_engine *e, uint16_t worker)
{
	return worker < e->cfg.worker_cnt ? e->worker[worker] : NULL;
}

const struct plx_pio *
plx_engine_pio(const struct plx_engine *e, uint16_t port)
{
	return port < e->cfg.port_cnt ? e->cfg.pio[port] : NULL;
}

uint64_t
plx_engine_count(const struct plx_engine *e, enum plx_count c)
{
	uint64_t sum = 0;

	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		if (e->worker[n] != NULL)
			sum += plx_obs_get(plx_worker_obs(e->worker[n]), c);
	return sum;
}

uint64_t
plx_engine_drops(const struct plx_engine *e, enum plx_drop r)
{
	uint64_t sum = 0;

	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		if (e->worker[n] != NULL)
			sum += plx_obs_get_drop(plx_worker_obs(e->worker[n]), r);
	return sum;
}
