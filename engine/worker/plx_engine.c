/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "plx_bug.h"
#include "plx_engine_int.h"
#include "plx_h3.h"
#include "plx_keylog.h"
#include "plx_log.h"
#include "plx_place.h"
#include "plx_rawapp.h"
#include "plx_spent.h"

#define NEIGH_ENTRIES 1024
/** Twice what the demo needs at its peak: then no page is supplied while packets flow. */
#define SLAB_READY    ((size_t)8 << 20)
/** Time between two looks at the links of the ports: a look is a system call for some drivers. */
#define LINK_POLL_NS  (50 * PLX_NS_PER_MS)

/** The link of a port, as main sees it. */
struct link_state {
	struct plx_pio_link now;
	bool was_up; /* before that, down says nothing: some drivers never say up */
	bool told;   /* that it is down */
	uint64_t since_ns, told_ns;
	/* The same and the port's counters, for any thread. */
	_Atomic uint32_t seen_mbps;
	_Atomic bool seen_up;
	_Atomic uint64_t seen[sizeof(struct plx_pio_stats) / sizeof(uint64_t)];
};

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
	uint8_t ticket_secret[64];
	struct plx_spent *spent; /**< one register for all workers; NULL: no early data */
	struct link_state link[PLX_PORTS_MAX];
	uint64_t link_ns; /* when the links are looked at next */
	bool started, stopped;
};

void
plx_engine_cfg_init(struct plx_engine_cfg *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->name, sizeof(cfg->name), "plx");
	cfg->worker_cnt = 1;
	plx_quic_cfg_init(&cfg->quic);
	cfg->quic.slab_ready = SLAB_READY;
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
 * One secret serves IDs, hashes, tokens and tickets of all workers (and of all servers that share
 * the key file); each use gets its own 16 or 32 bytes of it, tickets what is derived from it. The epoch is new at every start, so that no
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
	memcpy(e->ticket_secret, secret, sizeof(e->ticket_secret));
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

static int
make_spent(struct plx_engine *e, char *err, size_t err_sz)
{
	struct plx_rand r;

	plx_rand_system(&r);
	e->spent = plx_spent_new(PLX_SPENT_PLACES, &r);
	if (e->spent != NULL)
		return 0;
	snprintf(err, err_sz, "no memory for the register of used tickets");
	return PLX_E_NOMEM;
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
	if (rc == 0 && cfg->serve && cfg->early_data)
		rc = make_spent(e, err, err_sz);
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
	        .clock = e->cfg.hosted ? PLX_CLOCK_VIRTUAL : e->cfg.clock,
	        .empty_polls = e->cfg.empty_polls,
	        .node = e->cfg.hosted ? e->cfg.pio[0]->socket_id
	                              : plx_place_node(e->cfg.numa, e->cfg.lcore[n]),
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

	plx_place_check(n, wc.node, e->cfg.pio, e->cfg.port_cnt);
	if (e->keylog != NULL) {
		server.keylog = client.keylog = plx_keylog_put;
		server.keylog_arg = client.keylog_arg = plx_keylog_ring_of(e->keylog, n);
	}
	server.ticket_secret = e->ticket_secret;
	server.ticket_secret_len = sizeof(e->ticket_secret);
	server.spent = e->spent;
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
	if (e->cfg.watch != NULL)
		e->cfg.watch->started(e);
	if (e->cfg.hosted)
		return 0;
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

/* Once a second at most: the process at the other end of a memif can do it all the time. */
static void
tell_link(const struct plx_pio *pio, struct link_state *l, bool up, uint64_t now_ns)
{
	if (up && l->told) {
		plx_log(PLX_LOG_INFO, "port %s: link is up again after %.1f s", pio->name,
		        (double)(now_ns - l->since_ns) / 1e9);
		l->told = false;
	} else if (!up && (l->told_ns == 0 || now_ns - l->told_ns >= PLX_NS_PER_S)) {
		plx_log(PLX_LOG_WARN, "port %s: link is down", pio->name);
		l->told = true;
		l->told_ns = now_ns;
	}
	l->since_ns = now_ns;
}

/* @return whether the port has lost the link that it had */
static bool
look_at_link(struct plx_engine *e, uint16_t p, uint64_t now_ns)
{
	struct plx_pio *pio = e->cfg.pio[p];
	struct link_state *l = &e->link[p];
	struct plx_pio_link link = {0};

	if (pio->ops->link(pio, &link) != 0)
		return l->was_up && !l->now.up;
	if (link.up != l->now.up && l->was_up)
		tell_link(pio, l, link.up, now_ns);
	l->now = link;
	l->was_up = l->was_up || link.up;
	return l->was_up && !link.up;
}

static void
publish_port(struct plx_engine *e, uint16_t p)
{
	struct link_state *l = &e->link[p];
	struct plx_pio_stats stats = {0};
	uint64_t v[sizeof(stats) / sizeof(uint64_t)];

	atomic_store_explicit(&l->seen_up, l->now.up, memory_order_relaxed);
	atomic_store_explicit(&l->seen_mbps, l->now.mbps, memory_order_relaxed);
	if (e->cfg.pio[p]->ops->stats(e->cfg.pio[p], &stats) != 0)
		return;
	memcpy(v, &stats, sizeof(v));
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		atomic_store_explicit(&l->seen[i], v[i], memory_order_relaxed);
}

static void
look_at_links(struct plx_engine *e)
{
	uint64_t now_ns = plx_clock_system_ns();
	uint32_t down = 0;

	if (now_ns < e->link_ns)
		return;
	e->link_ns = now_ns + LINK_POLL_NS;
	for (uint16_t p = 0; p < e->cfg.port_cnt; p++) {
		if (look_at_link(e, p, now_ns))
			down |= UINT32_C(1) << p;
		publish_port(e, p);
	}
	for (uint16_t n = 0; n < e->cfg.worker_cnt; n++)
		if (e->worker[n] != NULL)
			plx_worker_set_links(e->worker[n], down);
}

int
plx_engine_port(const struct plx_engine *e, uint16_t port, struct plx_pio_link *link,
                struct plx_pio_stats *stats)
{
	const struct link_state *l;
	uint64_t v[sizeof(*stats) / sizeof(uint64_t)];

	if (port >= e->cfg.port_cnt)
		return PLX_E_NOENT;
	l = &e->link[port];
	link->up = atomic_load_explicit(&l->seen_up, memory_order_relaxed);
	link->mbps = atomic_load_explicit(&l->seen_mbps, memory_order_relaxed);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		v[i] = atomic_load_explicit(&l->seen[i], memory_order_relaxed);
	memcpy(stats, v, sizeof(v));
	return 0;
}

static void
flush_keylog(struct plx_engine *e)
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
plx_engine_poll(struct plx_engine *e)
{
	look_at_links(e);
	flush_keylog(e);
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
	/* A host turns on until they have ended. */
	for (uint16_t n = 0; !e->cfg.hosted && n < e->cfg.worker_cnt; n++)
		wait_worker(e, n);
	for (uint16_t a = 0; a < e->attach_cnt; a++)
		plx_attach_close(e->attach[a]);
	flush_keylog(e);
}

void
plx_engine_free(struct plx_engine *e)
{
	if (e == NULL)
		return;
	if (e->started && e->cfg.watch != NULL)
		e->cfg.watch->ending(e);
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
	explicit_bzero(e->ticket_secret, sizeof(e->ticket_secret));
	plx_spent_free(e->spent);
	free(e);
}

uint16_t
plx_engine_workers(const struct plx_engine *e)
{
	return e->cfg.worker_cnt;
}

const char *
plx_engine_name(const struct plx_engine *e)
{
	return e->cfg.name;
}

unsigned
plx_engine_lcore(const struct plx_engine *e, uint16_t worker)
{
	return e->cfg.hosted ? LCORE_ID_ANY : e->cfg.lcore[worker];
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

struct plx_pio *
plx_engine_hostport(struct plx_engine *e)
{
	return e->cfg.hosted ? e->cfg.pio[0] : NULL;
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
