/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_mbuf.h>
#include <rte_pause.h>

#include "plx_log.h"
#include "plx_worker_pvt.h"

/* One row a role: what one turn does. */
static uint32_t (*const role_turn[PLX_ROLE_CNT])(struct plx_worker *, uint64_t) = {
        [PLX_ROLE_QUIC] = plx_worker_turn_quic,
};

/* A router between us and the peer takes no packet of that size. */
static void
on_ptb(void *arg, const struct plx_path *path, uint16_t ip_mtu)
{
	struct plx_worker *w = arg;
	uint16_t hdr = path->local.family == PLX_FAMILY_IPV6 ? 48 : 28;

	if (w->quic != NULL && ip_mtu > hdr)
		plx_quic_too_big(w->quic, path, (uint16_t)(ip_mtu - hdr), w->clock.last_ns);
}

static int
make_nets(struct plx_worker *w, char *err, size_t err_sz)
{
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++) {
		int rc = plx_net_new(&w->net[p], w->cfg.net[p], w->cfg.pio[p],
		                     w->cfg.number, w->cfg.neigh[p], &w->obs);

		if (rc != 0 && w->cfg.number >= w->cfg.pio[p]->txq_cnt) {
			snprintf(
			        err, err_sz,
			        "port %s has %u transmit queues and each worker needs one; "
			        "use --workers-count %u, or a port with more",
			        w->cfg.pio[p]->name, w->cfg.pio[p]->txq_cnt,
			        w->cfg.pio[p]->txq_cnt);
			return PLX_E_CONFIG;
		}
		if (rc != 0) {
			snprintf(err, err_sz, "port %s: %s", w->cfg.pio[p]->name,
			         plx_strerror(rc));
			return rc;
		}
		plx_net_set_ptb(w->net[p], on_ptb, w);
	}
	return 0;
}

static int
make_steer(struct plx_worker *w, char *err, size_t err_sz)
{
	struct plx_steer_cfg *c = &w->cfg.steer;
	size_t sz;

	c->worker = w->cfg.number;
	c->worker_cnt = w->cfg.worker_cnt;
	c->slots = w->cfg.quic.conns_max;
	sz = plx_steer_footprint(c);
	if (sz == 0) {
		snprintf(
		        err, err_sz,
		        "connection IDs: server_id takes 1..4 bytes, config_id 0..6, and at "
		        "most 16777214 connections a worker");
		return PLX_E_CONFIG;
	}
	sz = (sz + plx_steer_align() - 1) / plx_steer_align() * plx_steer_align();
	w->steer_mem = aligned_alloc(plx_steer_align(), sz);
	if (w->steer_mem == NULL)
		return PLX_E_NOMEM;
	w->steer = plx_steer_init(w->steer_mem, c, &w->obs);
	return w->steer == NULL ? PLX_E_CONFIG : 0;
}

static int
make_tls(struct plx_worker *w, char *err, size_t err_sz)
{
	struct plx_tls_cfg c;
	int rc = 0;

	if (w->cfg.tls_server != NULL) {
		c = *w->cfg.tls_server;
		if (w->cfg.seed != 0)
			c.rand = &w->rand;
		rc = plx_tls_new(&w->tls_server, &c, err, err_sz);
	}
	if (rc == 0 && w->cfg.tls_client != NULL) {
		c = *w->cfg.tls_client;
		if (w->cfg.seed != 0)
			c.rand = &w->rand;
		rc = plx_tls_new(&w->tls_client, &c, err, err_sz);
	}
	return rc;
}

static int
make_quic(struct plx_worker *w, char *err, size_t err_sz)
{
	struct plx_quic_deps deps = {
	        .steer = w->steer,
	        .crypt = w->crypt,
	        .obs = &w->obs,
	        .rand = &w->rand,
	        .tls_server = w->tls_server,
	        .tls_client = w->tls_client,
	        .proto = w->cfg.proto,
	        .proto_cnt = w->cfg.proto_cnt,
	        .worker = w->cfg.number,
	};
	int rc = plx_quic_new(&w->quic, &w->cfg.quic, &deps);

	if (rc != 0)
		snprintf(err, err_sz, "QUIC endpoint of worker %u: %s", w->cfg.number,
		         plx_strerror(rc));
	return rc;
}

static int
make_sides(struct plx_worker *w, char *err, size_t err_sz)
{
	int rc;

	if (w->cfg.attach_cnt == 0)
		return 0;
	rc = plx_rbufpool_new(&w->pool, w->cfg.rbuf_bytes, w->cfg.node, w->cfg.number);
	if (rc != 0) {
		snprintf(err, err_sz,
		         "worker %u: no memory for %zu bytes of receive buffers",
		         w->cfg.number, w->cfg.rbuf_bytes);
		return rc;
	}
	for (uint16_t a = 0; a < w->cfg.attach_cnt; a++) {
		rc = plx_appside_init(&w->side[a], w->pool, plx_quic_slab(w->quic), &w->obs,
		                      w->cfg.number, a);
		if (rc != 0)
			return rc;
		w->side_cnt++;
	}
	return 0;
}

int
plx_worker_new(struct plx_worker **out, const struct plx_worker_cfg *cfg, char *err,
               size_t err_sz)
{
	struct plx_worker *w;
	int rc;

	*out = NULL;
	if (cfg->port_cnt == 0 || cfg->port_cnt > PLX_PORTS_MAX ||
	    cfg->attach_cnt > PLX_ATTACH_MAX || cfg->number >= cfg->worker_cnt) {
		snprintf(err, err_sz,
		         "a worker needs 1..%d ports and at most %d attachments",
		         PLX_PORTS_MAX, PLX_ATTACH_MAX);
		return PLX_E_CONFIG;
	}
	w = aligned_alloc(PLX_CACHE_LINE, sizeof(*w));
	if (w == NULL)
		return PLX_E_NOMEM;
	memset(w, 0, sizeof(*w));
	w->cfg = *cfg;
	w->turn = role_turn[PLX_ROLE_QUIC];
	w->next_dial_port = (uint16_t)(PLX_DIAL_PORT_FIRST + cfg->number);
	plx_clock_init(&w->clock, (enum plx_clock_kind)cfg->clock);
	if (cfg->seed != 0)
		plx_rand_seed(&w->rand, cfg->seed + cfg->number);
	else
		plx_rand_system(&w->rand);

	rc = plx_crypt_new(&w->crypt, (enum plx_crypt_backend)cfg->crypt);
	if (rc != 0)
		snprintf(err, err_sz, "packet protection: %s", plx_strerror(rc));
	if (rc == 0)
		rc = make_nets(w, err, err_sz);
	if (rc == 0)
		rc = make_steer(w, err, err_sz);
	if (rc == 0)
		rc = make_tls(w, err, err_sz);
	if (rc == 0)
		rc = make_quic(w, err, err_sz);
	if (rc == 0)
		rc = make_sides(w, err, err_sz);
	if (rc != 0) {
		plx_worker_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

static void
leave_thread(struct plx_worker *w)
{
	if (w->tls_server != NULL)
		plx_tls_thread_end(w->tls_server);
	if (w->tls_client != NULL)
		plx_tls_thread_end(w->tls_client);
	atomic_store_explicit(&w->running, false, memory_order_release);
}

void
plx_worker_free(struct plx_worker *w)
{
	if (w == NULL)
		return;
	PLX_ACT_AS_WORKER();
	/* Connections first: they hold packets, keys and buffers of everything below. */
	if (w->quic != NULL)
		plx_quic_abort_all(w->quic);
	for (uint16_t a = 0; a < w->side_cnt; a++)
		plx_appside_fini(&w->side[a]);
	if (w->quic != NULL)
		plx_quic_free(w->quic);
	for (uint16_t i = 0; i < w->spare_cnt; i++)
		rte_pktmbuf_free(w->spare[i].cookie);
	if (!plx_worker_ended(w))
		leave_thread(w); /* a host that does not turn to the end */
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		if (w->net[p] != NULL)
			plx_net_free(w->net[p]);
	if (w->pool != NULL)
		plx_rbufpool_free(w->pool);
	if (w->tls_server != NULL)
		plx_tls_free(w->tls_server);
	if (w->tls_client != NULL)
		plx_tls_free(w->tls_client);
	if (w->steer != NULL)
		plx_steer_fini(w->steer);
	free(w->steer_mem);
	if (w->crypt != NULL)
		plx_crypt_free(w->crypt);
	free(w);
}

uint32_t
plx_worker_turn(struct plx_worker *w, uint64_t now_ns)
{
	uint32_t moved = w->turn(w, now_ns);

	plx_obs_add(&w->obs, PLX_COUNT_turns, 1);
	if (moved > 0)
		plx_obs_add(&w->obs, PLX_COUNT_busy_turns, 1);
	return moved;
}

/* Is something waiting that no timer announces? */
static bool
rings_pending(const struct plx_worker *w)
{
	if (w->cfg.mailboxes != NULL &&
	    plx_mailbox_pending(w->cfg.mailboxes, w->cfg.number))
		return true;
	for (uint16_t a = 0; a < w->cfg.attach_cnt; a++)
		if (plx_pair_pending(w->cfg.pair[a]))
			return true;
	return false;
}

static void
idle(struct plx_worker *w, uint32_t empty_turns, uint64_t now_ns)
{
	uint64_t due, sleep_ns = PLX_IDLE_SLEEP_NS;
	struct timespec ts;

	if (w->cfg.idle == PLX_IDLE_POLL)
		return;
	if (w->cfg.idle == PLX_IDLE_PAUSE || empty_turns < w->cfg.empty_polls ||
	    rings_pending(w)) {
		rte_pause();
		return;
	}
	due = plx_quic_deadline(w->quic);
	if (due <= now_ns)
		return;
	if (due - now_ns < sleep_ns)
		sleep_ns = due - now_ns;
	ts = (struct timespec){.tv_nsec = (long)sleep_ns};
	nanosleep(&ts, NULL);
}

/* Requests of other threads. @return false when the loop is to end */
static bool
obey(struct plx_worker *w, uint64_t now_ns)
{
	if (!w->draining && atomic_load_explicit(&w->drain_asked, memory_order_acquire)) {
		w->draining = true;
		plx_quic_drain(w->quic);
	}
	if (plx_unlikely(atomic_load_explicit(&w->ask, memory_order_relaxed) != NULL))
		plx_worker_answer(w);
	if (plx_likely(!atomic_load_explicit(&w->stop_asked, memory_order_acquire)))
		return true;
	if (w->stop_ns == 0) {
		plx_quic_drain(w->quic);
		plx_quic_close_all(w->quic, atomic_load(&w->stop_code));
		w->stop_ns = now_ns + 1 + atomic_load(&w->stop_linger_ms) * PLX_NS_PER_MS;
	}
	return now_ns < w->stop_ns;
}

/* What belongs to the thread and not to the worker. */
static void
enter_thread(struct plx_worker *w, uint64_t now_ns)
{
	atomic_store_explicit(&w->start_ns, plx_clock_system_ns(), memory_order_relaxed);
	pthread_getcpuclockid(pthread_self(), &w->cpu_clock);
	atomic_store_explicit(&w->running, true, memory_order_release);
	if ((w->tls_server != NULL && plx_tls_warm(w->tls_server) != 0) ||
	    (w->tls_client != NULL && plx_tls_warm(w->tls_client) != 0))
		plx_log(PLX_LOG_WARN, "worker %u: no memory to prepare handshakes",
		        w->cfg.number);
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		if (w->cfg.number == 0 && !w->cfg.net[p]->no_neigh)
			plx_net_announce(w->net[p], now_ns);
}

int
plx_worker_run(void *arg)
{
	struct plx_worker *w = arg;
	uint32_t empty_turns = 0;
	uint64_t now_ns = plx_clock_now(&w->clock);

	enter_thread(w, now_ns);
	while (obey(w, now_ns)) {
		uint32_t moved = plx_worker_turn(w, now_ns);
		uint64_t end_ns;

		if (moved == 0)
			idle(w, ++empty_turns, now_ns);
		else
			empty_turns = 0;
		end_ns = plx_clock_now(&w->clock);
		if (moved > 0)
			plx_obs_add(&w->obs, PLX_COUNT_busy_ns, end_ns - now_ns);
		now_ns = end_ns;
	}
	leave_thread(w);
	return 0;
}

int
plx_worker_host_turn(struct plx_worker *w, uint64_t now_ns)
{
	plx_clock_set(&w->clock, now_ns);
	now_ns = w->clock.last_ns;
	if (plx_unlikely(plx_worker_ended(w))) {
		if (w->stop_ns != 0)
			return PLX_E_CLOSED;
		enter_thread(w, now_ns);
	}
	if (plx_unlikely(!obey(w, now_ns))) {
		leave_thread(w);
		return PLX_E_CLOSED;
	}
	return (int)plx_worker_turn(w, now_ns);
}

uint64_t
plx_worker_deadline(const struct plx_worker *w)
{
	uint64_t due;

	if (plx_quic_has_tx(w->quic) || rings_pending(w))
		return 0;
	due = plx_quic_deadline(w->quic);
	if (w->stop_ns != 0 && w->stop_ns < due)
		due = w->stop_ns;
	return w->housekeep_ns < due ? w->housekeep_ns : due;
}

void
plx_worker_drain(struct plx_worker *w)
{
	atomic_store_explicit(&w->drain_asked, true, memory_order_release);
}

void
plx_worker_stop(struct plx_worker *w, uint64_t code, uint32_t linger_ms)
{
	atomic_store(&w->stop_code, code);
	atomic_store(&w->stop_linger_ms, linger_ms > 1000 ? 1000 : linger_ms);
	atomic_store_explicit(&w->stop_asked, true, memory_order_release);
}

bool
plx_worker_ended(const struct plx_worker *w)
{
	/* Pairs with the release store in leave_thread(), the worker's last word. */
	return !atomic_load_explicit(&w->running, memory_order_acquire);
}

uint64_t
plx_worker_cpu_ns(const struct plx_worker *w)
{
	struct timespec ts;

	/* The clock of a thread that ended cannot be read. */
	if (!atomic_load_explicit(&w->running, memory_order_acquire) ||
	    clock_gettime(w->cpu_clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t
plx_worker_start_ns(const struct plx_worker *w)
{
	return atomic_load_explicit(&w->start_ns, memory_order_relaxed);
}

uint32_t
plx_worker_hints(const struct plx_worker *w)
{
	uint32_t bits = 0;

	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		bits |= plx_net_hints(w->net[p]);
	return bits;
}

const struct plx_obs *
plx_worker_obs(const struct plx_worker *w)
{
	return &w->obs;
}

struct plx_quic *
plx_worker_quic(struct plx_worker *w)
{
	return w->quic;
}
