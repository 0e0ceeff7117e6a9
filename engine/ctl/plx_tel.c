/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_tel.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "plx_log.h"
#include "plx_text.h"
#include "plx_worker_ask.h"

#define ENGINES_MAX 16
/** What a worker that does not run may cost the asker, and plx_engine_free() behind it. */
#define ASK_MS      200

/*
 * DPDK's callbacks carry no argument and cannot be taken back: the engines they speak of are found
 * here. An engine is in it from the start of its workers until plx_engine_free(), which waits for
 * the lock: nobody reads one that is going.
 */
static struct {
	pthread_mutex_t lock;
	struct plx_engine *engine[ENGINES_MAX];
	unsigned cnt;
} tel = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef void (*fill_fn)(struct rte_tel_data *d, struct plx_engine *e);

/* One dictionary an engine, under its name. */
static int
per_engine(struct rte_tel_data *d, fill_fn fill)
{
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&tel.lock);
	for (unsigned i = 0; i < tel.cnt; i++) {
		struct rte_tel_data *part = rte_tel_data_alloc();

		if (part == NULL)
			break;
		rte_tel_data_start_dict(part);
		fill(part, tel.engine[i]);
		if (rte_tel_data_add_dict_container(d, plx_engine_name(tel.engine[i]), part,
		                                    0) != 0)
			rte_tel_data_free(part);
	}
	pthread_mutex_unlock(&tel.lock);
	return 0;
}

/* The number behind the comma. @return false: none, or not one */
static bool
number_of(const char *params, uint64_t *out)
{
	char *end;

	if (params == NULL || params[0] < '0' || params[0] > '9')
		return false;
	*out = strtoull(params, &end, 0);
	return *end == '\0';
}

static uint64_t
conns_of(const struct plx_engine *e)
{
	uint64_t closed = plx_engine_count(e, PLX_COUNT_conns_closed);

	/* Counters of workers that run: an end may be seen before its beginning. */
	uint64_t made = plx_engine_count(e, PLX_COUNT_conns_accepted) +
	                plx_engine_count(e, PLX_COUNT_conns_dialed);

	return made > closed ? made - closed : 0;
}

static uint64_t
drops_of(const struct plx_engine *e)
{
	uint64_t sum = 0;

	for (int r = PLX_DROP_NONE + 1; r < PLX_DROP_CNT; r++)
		sum += plx_engine_drops(e, (enum plx_drop)r);
	return sum;
}

static void
add_count(struct rte_tel_data *d, const struct plx_engine *e, enum plx_count c)
{
	rte_tel_data_add_dict_uint(d, plx_count_name(c), plx_engine_count(e, c));
}

static void
add_hex(struct rte_tel_data *d, const char *name, uint32_t v)
{
	char text[12];

	snprintf(text, sizeof(text), "0x%" PRIx32, v);
	rte_tel_data_add_dict_string(d, name, text);
}

static int
get_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct rte_tel_data *names = rte_tel_data_alloc();

	(void)cmd, (void)params;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pollux", plx_version());
	rte_tel_data_add_dict_string(d, "dpdk", rte_version());
	rte_tel_data_add_dict_string(d, "ngtcp2", plx_quic_ngtcp2());
	rte_tel_data_add_dict_string(d, "openssl", plx_quic_openssl());
	if (names == NULL)
		return 0;
	rte_tel_data_start_array(names, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&tel.lock);
	for (unsigned i = 0; i < tel.cnt; i++)
		rte_tel_data_add_array_string(names, plx_engine_name(tel.engine[i]));
	pthread_mutex_unlock(&tel.lock);
	return rte_tel_data_add_dict_container(d, "engines", names, 0);
}

static void
fill_summary(struct rte_tel_data *d, struct plx_engine *e)
{
	static const enum plx_count shown[] = {
	        PLX_COUNT_handshakes_done, PLX_COUNT_handshakes_failed,
	        PLX_COUNT_rx_pkts,         PLX_COUNT_rx_bytes,
	        PLX_COUNT_tx_pkts,         PLX_COUNT_tx_bytes,
	        PLX_COUNT_stream_rx_bytes, PLX_COUNT_stream_tx_bytes,
	        PLX_COUNT_h3_requests,
	};

	rte_tel_data_add_dict_uint(d, "workers", plx_engine_workers(e));
	rte_tel_data_add_dict_uint(d, "conns", conns_of(e));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		add_count(d, e, shown[i]);
	rte_tel_data_add_dict_uint(d, "drops", drops_of(e));
}

static int
get_summary(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd, (void)params;
	return per_engine(d, fill_summary);
}

static void
fill_quic(struct rte_tel_data *d, struct plx_engine *e)
{
	for (int c = 0; c < PLX_COUNT_CNT; c++)
		add_count(d, e, (enum plx_count)c);
}

static int
get_quic(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd, (void)params;
	return per_engine(d, fill_quic);
}

static void
fill_drops(struct rte_tel_data *d, struct plx_engine *e)
{
	for (int r = PLX_DROP_NONE + 1; r < PLX_DROP_CNT; r++) {
		uint64_t n = plx_engine_drops(e, (enum plx_drop)r);

		if (n > 0)
			rte_tel_data_add_dict_uint(d, plx_drop_name((enum plx_drop)r), n);
	}
}

static int
get_drops(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd, (void)params;
	return per_engine(d, fill_drops);
}

/* The worker on an lcore. Caller holds the lock. */
static struct plx_worker *
worker_on(unsigned lcore, struct plx_engine **engine, uint16_t *number)
{
	for (unsigned i = 0; i < tel.cnt; i++) {
		for (uint16_t n = 0; n < plx_engine_workers(tel.engine[i]); n++) {
			if (lcore == LCORE_ID_ANY ||
			    plx_engine_lcore(tel.engine[i], n) != lcore)
				continue;
			*engine = tel.engine[i];
			*number = n;
			return plx_engine_worker(*engine, n);
		}
	}
	return NULL;
}

static uint64_t
run_ns(const struct plx_worker *w)
{
	uint64_t start_ns = plx_worker_start_ns(w);

	return start_ns == 0 ? 0 : plx_clock_system_ns() - start_ns;
}

static int
list_lcores(struct rte_tel_data *d)
{
	rte_tel_data_start_array(d, RTE_TEL_UINT_VAL);
	pthread_mutex_lock(&tel.lock);
	for (unsigned i = 0; i < tel.cnt; i++)
		for (uint16_t n = 0; n < plx_engine_workers(tel.engine[i]); n++)
			if (plx_engine_lcore(tel.engine[i], n) != LCORE_ID_ANY)
				rte_tel_data_add_array_uint(
				        d, plx_engine_lcore(tel.engine[i], n));
	pthread_mutex_unlock(&tel.lock);
	return 0;
}

static int
get_lcore(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct plx_obs *o;
	struct plx_engine *e;
	struct plx_worker *w;
	uint16_t number;
	uint64_t id;

	(void)cmd;
	if (params == NULL)
		return list_lcores(d);
	if (!number_of(params, &id))
		return PLX_E_INVAL;
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&tel.lock);
	w = worker_on((unsigned)id, &e, &number);
	if (w != NULL) {
		o = plx_worker_obs(w);
		rte_tel_data_add_dict_string(d, "engine", plx_engine_name(e));
		rte_tel_data_add_dict_uint(d, "worker", number);
		rte_tel_data_add_dict_uint(d, "run_ns", run_ns(w));
		rte_tel_data_add_dict_uint(d, "cpu_ns", plx_worker_cpu_ns(w));
		rte_tel_data_add_dict_uint(d, "busy_ns", plx_obs_get(o, PLX_COUNT_busy_ns));
		rte_tel_data_add_dict_uint(d, "turns", plx_obs_get(o, PLX_COUNT_turns));
		rte_tel_data_add_dict_uint(d, "busy_turns",
		                           plx_obs_get(o, PLX_COUNT_busy_turns));
	}
	pthread_mutex_unlock(&tel.lock);
	return w != NULL ? 0 : PLX_E_NOENT;
}

/* Ports are numbered through, engine by engine. Caller holds the lock. */
static struct plx_engine *
engine_of_port(uint64_t n, uint16_t *port)
{
	for (unsigned i = 0; i < tel.cnt; i++)
		for (uint16_t p = 0; plx_engine_pio(tel.engine[i], p) != NULL; p++)
			if (n-- == 0) {
				*port = p;
				return tel.engine[i];
			}
	return NULL;
}

static int
list_ports(struct rte_tel_data *d)
{
	struct plx_engine *e;
	uint16_t port;

	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&tel.lock);
	for (uint64_t n = 0; (e = engine_of_port(n, &port)) != NULL; n++)
		rte_tel_data_add_array_string(d, plx_engine_pio(e, port)->name);
	pthread_mutex_unlock(&tel.lock);
	return 0;
}

static void
fill_port(struct rte_tel_data *d, const struct plx_engine *e, uint16_t port)
{
	const struct plx_pio *pio = plx_engine_pio(e, port);
	struct plx_pio_link link;
	struct plx_pio_stats s;

	(void)plx_engine_port(e, port, &link, &s);
	rte_tel_data_add_dict_string(d, "engine", plx_engine_name(e));
	rte_tel_data_add_dict_string(d, "name", pio->name);
	rte_tel_data_add_dict_int(d, "node", pio->socket_id);
	rte_tel_data_add_dict_uint(d, "queues", pio->rxq_cnt);
	rte_tel_data_add_dict_uint(d, "mtu", pio->mtu);
	add_hex(d, "offloads_wanted", pio->off_want);
	add_hex(d, "offloads", pio->off_got);
	rte_tel_data_add_dict_uint(d, "link_up", link.up);
	rte_tel_data_add_dict_uint(d, "link_mbps", link.mbps);
	rte_tel_data_add_dict_uint(d, "rx_pkts", s.rx_pkts);
	rte_tel_data_add_dict_uint(d, "rx_bytes", s.rx_bytes);
	rte_tel_data_add_dict_uint(d, "tx_pkts", s.tx_pkts);
	rte_tel_data_add_dict_uint(d, "tx_bytes", s.tx_bytes);
	rte_tel_data_add_dict_uint(d, "rx_missed", s.rx_missed);
	rte_tel_data_add_dict_uint(d, "rx_nombuf", s.rx_nombuf);
	rte_tel_data_add_dict_uint(d, "rx_errors", s.rx_errors);
	rte_tel_data_add_dict_uint(d, "tx_errors", s.tx_errors);
}

static int
get_port(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct plx_engine *e;
	uint16_t port;
	uint64_t n;

	(void)cmd;
	if (params == NULL)
		return list_ports(d);
	if (!number_of(params, &n))
		return PLX_E_INVAL;
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&tel.lock);
	e = engine_of_port(n, &port);
	if (e != NULL)
		fill_port(d, e, port);
	pthread_mutex_unlock(&tel.lock);
	return e != NULL ? 0 : PLX_E_NOENT;
}

/*
 * A page of the list is a place in it: engine, worker and slot, so that no page costs more than
 * another. 0 is the first, and the number behind the last one.
 */
#define PAGE(engine, worker, slot) \
	((uint64_t)(engine) << 40 | (uint64_t)(worker) << 32 | (uint64_t)(slot))

static void
add_line(struct rte_tel_data *d, const char *engine, const struct plx_ask_line *l)
{
	char name[40], text[RTE_TEL_MAX_STRING_LEN], addr[PLX_ADDR_TEXT_MAX];

	snprintf(name, sizeof(name), "%s/%016" PRIx64, engine, l->id.v);
	snprintf(text, sizeof(text), "%s %s", plx_addr_format(&l->remote, addr), l->state);
	rte_tel_data_add_dict_string(d, name, text);
}

static int
get_conns(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct plx_ask a = {0};
	struct plx_engine *e;
	uint64_t page = 0;
	char name[16] = "";
	unsigned engine, worker;
	int rc = PLX_E_NOENT;

	(void)cmd;
	if (params != NULL && !number_of(params, &page))
		return PLX_E_INVAL;
	engine = (unsigned)(page >> 40);
	worker = (unsigned)(page >> 32) & 0xff;
	a.from = (uint32_t)page;
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&tel.lock);
	if (engine < tel.cnt && worker < plx_engine_workers(tel.engine[engine])) {
		e = tel.engine[engine];
		snprintf(name, sizeof(name), "%s", plx_engine_name(e));
		rc = plx_worker_ask(plx_engine_worker(e, (uint16_t)worker), &a, ASK_MS);
		/* A worker that ended has no connections: the next one. */
		if (rc == 0 && a.next != 0)
			page = PAGE(engine, worker, a.next);
		else if (worker + 1u < plx_engine_workers(e))
			page = PAGE(engine, worker + 1, 0);
		else
			page = engine + 1 < tel.cnt ? PAGE(engine + 1, 0, 0) : 0;
	}
	pthread_mutex_unlock(&tel.lock);
	if (rc != 0 && rc != PLX_E_TIMEOUT)
		return rc;
	for (uint32_t i = 0; i < a.cnt; i++)
		add_line(d, name, &a.line[i]);
	return rte_tel_data_add_dict_uint(d, "next_page", page);
}

static void
fill_conn(struct rte_tel_data *d, const struct plx_conn_info *c)
{
	char addr[PLX_ADDR_TEXT_MAX];

	rte_tel_data_add_dict_string(d, "remote", plx_addr_format(&c->path.remote, addr));
	rte_tel_data_add_dict_string(d, "local", plx_addr_format(&c->path.local, addr));
	rte_tel_data_add_dict_string(d, "role", c->is_server ? "server" : "client");
	rte_tel_data_add_dict_string(d, "alpn", c->alpn);
	/* What a client asked for is cut here: a string of telemetry has 127 bytes. */
	rte_tel_data_add_dict_string(d, "sni", strlen(c->sni) < 128 ? c->sni : "(long)");
	rte_tel_data_add_dict_string(d, "cipher", c->cipher);
	add_hex(d, "version", c->version);
	rte_tel_data_add_dict_uint(d, "handshake_ns", c->handshake_ns);
	rte_tel_data_add_dict_uint(d, "rtt_ns", c->rtt_ns);
	rte_tel_data_add_dict_uint(d, "rtt_min_ns", c->rtt_min_ns);
	rte_tel_data_add_dict_uint(d, "cwnd", c->cwnd);
	rte_tel_data_add_dict_uint(d, "in_flight", c->in_flight);
	rte_tel_data_add_dict_uint(d, "max_udp_payload", c->max_udp_payload);
	rte_tel_data_add_dict_uint(d, "tx_pkts", c->tx_pkts);
	rte_tel_data_add_dict_uint(d, "rx_pkts", c->rx_pkts);
	rte_tel_data_add_dict_uint(d, "tx_bytes", c->tx_bytes);
	rte_tel_data_add_dict_uint(d, "rx_bytes", c->rx_bytes);
	rte_tel_data_add_dict_uint(d, "lost_pkts", c->lost_pkts);
}

static int
get_conn(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const char *handle = params != NULL ? strchr(params, '/') : NULL;
	struct plx_engine *e = NULL;
	struct plx_ask a = {0};
	int rc = PLX_E_NOENT;
	uint8_t worker;
	char *end;

	(void)cmd;
	if (handle == NULL)
		return PLX_E_INVAL;
	a.id.v = strtoull(handle + 1, &end, 16);
	if (*end != '\0' || a.id.v == PLX_CONN_NONE.v)
		return PLX_E_INVAL;
	worker = plx_conn_id_worker(a.id);
	pthread_mutex_lock(&tel.lock);
	for (unsigned i = 0; i < tel.cnt; i++) {
		const char *name = plx_engine_name(tel.engine[i]);

		if (strlen(name) == (size_t)(handle - params) &&
		    memcmp(name, params, strlen(name)) == 0)
			e = tel.engine[i];
	}
	if (e != NULL && worker < plx_engine_workers(e))
		rc = plx_worker_ask(plx_engine_worker(e, worker), &a, ASK_MS);
	pthread_mutex_unlock(&tel.lock);
	if (rc != 0)
		return rc;
	rte_tel_data_start_dict(d);
	fill_conn(d, &a.info);
	return 0;
}

/* For /eal/lcore/usage and rte_lcore_dump(): busy is time in turns that moved something. */
static int
usage_of(unsigned lcore, struct rte_lcore_usage *usage)
{
	const double hz = (double)rte_get_tsc_hz() / 1e9;
	struct plx_engine *e;
	struct plx_worker *w;
	uint16_t number;

	pthread_mutex_lock(&tel.lock);
	w = worker_on(lcore, &e, &number);
	if (w != NULL) {
		uint64_t busy = plx_obs_get(plx_worker_obs(w), PLX_COUNT_busy_ns);

		usage->total_cycles = (uint64_t)((double)run_ns(w) * hz);
		usage->busy_cycles = (uint64_t)((double)busy * hz);
	}
	pthread_mutex_unlock(&tel.lock);
	return w != NULL ? 0 : -1;
}

/* As DPDK's own libraries do it: before EAL, and with it the thread that listens, begins. */
RTE_INIT(plx_tel_register)
{
	static const struct {
		const char *cmd;
		telemetry_cb fn;
		const char *help;
	} list[] = {
	        {"/pollux/info", get_info, "versions and engines of this process"},
	        {"/pollux/summary", get_summary, "per engine: connections, packets, drops"},
	        {"/pollux/quic", get_quic, "per engine: every counter"},
	        {"/pollux/drops", get_drops, "per engine: drops by reason"},
	        {"/pollux/lcore", get_lcore, "lcores with a worker; with an id: that one"},
	        {"/pollux/port", get_port, "ports; with a number: that one"},
	        {"/pollux/conn/list", get_conns,
	         "connections; next_page is the parameter for more, 0 = no more"},
	        {"/pollux/conn", get_conn,
	         "one connection; parameter: engine/handle, as listed"},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (rte_telemetry_register_cmd(list[i].cmd, list[i].fn, list[i].help) != 0)
			plx_log(PLX_LOG_WARN, "telemetry: %s could not be registered",
			        list[i].cmd);
	rte_lcore_register_usage_cb(usage_of);
}

static void
enter(struct plx_engine *e)
{
	pthread_mutex_lock(&tel.lock);
	if (tel.cnt < ENGINES_MAX)
		tel.engine[tel.cnt++] = e;
	pthread_mutex_unlock(&tel.lock);
}

static void
leave(struct plx_engine *e)
{
	pthread_mutex_lock(&tel.lock);
	for (unsigned i = 0; i < tel.cnt; i++)
		if (tel.engine[i] == e) {
			/* In order: pages and numbers of the others go on where they were. */
			memmove(&tel.engine[i], &tel.engine[i + 1],
			        (tel.cnt - i - 1) * sizeof(tel.engine[0]));
			tel.cnt--;
			break;
		}
	pthread_mutex_unlock(&tel.lock);
}

const struct plx_engine_watch plx_tel_watch = {.started = enter, .ending = leave};
