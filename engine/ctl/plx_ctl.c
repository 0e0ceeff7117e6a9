/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "plx_engine_int.h"
#include "plx_ethdev.h"
#include "plx_log.h"
#include "plx_place.h"
#include "plx_tel.h"
#include "plx_text.h"

#define SECRET_SZ  64
/** What EAL and the drivers take for themselves, MiB. */
#define RESERVE_MB 16
/** Return ring of a pair: a pointer for each of 8192 receive buffers, rounded up. */
#define RETURNS_SZ (size_t)(16384 * sizeof(void *))

struct plx_ctl {
	struct plx_engine *engine;
	const struct plx_config *cfg;
	uint32_t hints_told; /* PLX_NET_HINT_* */
	bool stopped;
};

static int
fail(char *err, size_t err_sz, int rc, const char *what, const char *why)
{
	snprintf(err, err_sz, "%s: %s", what, why);
	return rc;
}

/* The key file: 64 bytes that all servers behind one balancer share. */
static int
read_secret(const char *path, uint8_t secret[SECRET_SZ], char *err, size_t err_sz)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		snprintf(
		        err, err_sz,
		        "quic.cid.key_file %s: %s; make one with: head -c %d /dev/urandom > %s",
		        path, strerror(errno), SECRET_SZ, path);
		return PLX_E_CONFIG;
	}
	n = read(fd, secret, SECRET_SZ);
	if (fstat(fd, &st) != 0)
		st.st_mode = 0;
	close(fd);
	if (n != SECRET_SZ) {
		snprintf(err, err_sz, "quic.cid.key_file %s: has fewer than %d bytes", path,
		         SECRET_SZ);
		return PLX_E_CONFIG;
	}
	if (st.st_mode & (S_IRGRP | S_IROTH)) {
		snprintf(err, err_sz,
		         "quic.cid.key_file %s: others may read it; run: chmod 600 %s",
		         path, path);
		return PLX_E_CONFIG;
	}
	return 0;
}

static int
add_address(struct plx_net_cfg *net, const char *text, char *err, size_t err_sz)
{
	struct plx_errtext why;
	struct plx_prefix p;

	if (net->addr_cnt == PLX_NET_ADDRS_MAX)
		return fail(err, err_sz, PLX_E_CONFIG, text,
		            "too many addresses on one port");
	if (plx_prefix_parse(text, &p, &why) != 0)
		return fail(err, err_sz, PLX_E_CONFIG, "port address", why.s);
	net->addr[net->addr_cnt].addr = p.addr;
	net->addr[net->addr_cnt].prefix_len = p.len;
	net->addr_cnt++;
	return 0;
}

static int
fill_net(struct plx_net_cfg *net, const struct plx_config_port *p,
         const struct plx_ctl_opts *o, char *err, size_t err_sz)
{
	int rc = 0;

	memset(net, 0, sizeof(*net));
	net->ttl = 64;
	net->icmp_rate = 1000;
	net->no_neigh = o->wire;
	if (o->serve)
		net->port_be[net->port_cnt++] = htons(o->listen_port);
	net->accept_any_port = o->dial;
	if (p == NULL) /* a port that was given, not configured */
		return add_address(net, o->address, err, err_sz);
	net->vlan = (uint16_t)p->vlan;
	for (uint32_t i = 0; rc == 0 && i < p->addresses.cnt; i++)
		rc = add_address(net, p->addresses.v[i], err, err_sz);
	if (rc == 0 && net->addr_cnt == 0)
		rc = fail(err, err_sz, PLX_E_CONFIG, "port",
		          "has no address; give one, e.g. --port-addresses 192.0.2.10/24");
	if (rc == 0 && p->gateway[0] != '\0') {
		struct plx_addr gw;
		struct plx_errtext why;

		if (plx_ip_parse(p->gateway, &gw, &why) != 0)
			rc = fail(err, err_sz, PLX_E_CONFIG, "gateway", why.s);
		else if (gw.family == PLX_FAMILY_IPV4)
			net->gateway4 = gw;
		else
			net->gateway6 = gw;
	}
	if (rc == 0 && p->gateway_mac[0] != '\0' &&
	    plx_mac_parse(p->gateway_mac, net->gateway_mac) != 0)
		rc = fail(err, err_sz, PLX_E_CONFIG, "gateway_mac",
		          "is not a MAC address like 02:00:5e:00:53:01");
	return rc;
}

static void
want(uint8_t how, uint32_t bits, struct plx_ethdev_cfg *e)
{
	if (how == PLX_WANT_PREFER)
		e->off_prefer |= bits;
	else if (how == PLX_WANT_REQUIRE)
		e->off_require |= bits;
}

static void
fill_ethdev(struct plx_ethdev_cfg *e, const struct plx_config_port *p, uint16_t workers)
{
	*e = (struct plx_ethdev_cfg){
	        .mtu = (uint16_t)p->mtu,
	        .rss = p->offloads.rss,
	        .promisc = p->promiscuous ? PLX_ETHDEV_PREFER : PLX_ETHDEV_OFF,
	        .allmulti = PLX_ETHDEV_PREFER,
	        .link_wait_ms = 2000,
	        .pool_cfg = {.workers = workers,
	                     .in_flight = workers > 1 ? PLX_MAILBOX_DEPTH * workers : 1024},
	};
	for (uint32_t i = 0; i < p->vdev.cnt && i < PLX_ETHDEV_DEVS_MAX; i++)
		e->device[e->device_cnt++] = p->vdev.v[i];
	if (e->device_cnt == 0 && p->match[0] != '\0')
		e->device[e->device_cnt++] = p->match;
	e->rxq = e->txq = p->queues != 0 ? (uint16_t)p->queues : workers;
	want(p->offloads.checksum,
	     PLX_OFF_RX_IP_CKSUM | PLX_OFF_RX_UDP_CKSUM | PLX_OFF_TX_IP_CKSUM |
	             PLX_OFF_TX_UDP_CKSUM,
	     e);
}

uint32_t
plx_ctl_mem_mb(const struct plx_config *cfg, uint16_t attach_cnt, uint32_t depth)
{
	uint32_t workers = cfg->workers.count;
	size_t sz = (size_t)RESERVE_MB << 20;
	struct plx_ethdev_cfg e;

	for (uint32_t p = 0; p < cfg->port_cnt; p++) {
		fill_ethdev(&e, &cfg->ports[p], (uint16_t)workers);
		sz += plx_ethdev_mem_need(&e);
	}
	sz += (size_t)workers * workers * PLX_MAILBOX_DEPTH * sizeof(void *);
	/* Events and commands of 64 bytes; returned and sent buffers as pointers. */
	sz += (size_t)workers * attach_cnt * depth *
	      (2 * sizeof(struct plx_event) + 2 * sizeof(void *));
	sz += (size_t)workers * attach_cnt * RETURNS_SZ;
	return (uint32_t)((sz + (1 << 20) - 1) >> 20);
}

static int
open_port(struct plx_pio **out, const struct plx_config_port *p,
          const struct plx_engine_cfg *ec, const struct plx_ctl_opts *o, char *err,
          size_t err_sz)
{
	struct plx_ethdev_cfg e;

	fill_ethdev(&e, p, ec->worker_cnt);
	e.prefix = ec->name;
	e.stop = o->stop;
	e.stop_arg = o->stop_arg;
	if (e.device_cnt == 0)
		return fail(
		        err, err_sz, PLX_E_CONFIG, "port",
		        "names no device; give --port-vdev net_af_packet0,iface=eth0 or "
		        "--port-match 0000:3b:00.0");
	return plx_ethdev_open(out, &e, err, err_sz);
}

static int
fill_quic(struct plx_engine_cfg *ec, const struct plx_config_quic *q, char *err,
          size_t err_sz)
{
	struct plx_quic_cfg *d = &ec->quic;
	size_t len = 0;

	d->cc = q->cc;
	d->conns_max = q->max_conns;
	d->handshakes_max = q->max_handshakes;
	d->handshake_timeout_ms = q->handshake_timeout_ms;
	d->idle_timeout_ms = q->idle_timeout_ms;
	d->keep_alive_ms = q->keep_alive_ms;
	d->max_data = q->max_data;
	d->max_stream_data = q->max_stream_data;
	d->max_streams_bidi = q->max_streams;
	d->max_tx_udp_payload = (uint16_t)q->mtu;
	d->pmtud = q->pmtud;
	d->migration = q->migration;
	d->retry = q->retry;
	d->retry_half_open = q->retry_half_open;
	d->initial_rtt_ms = q->initial_rtt_ms;
	d->no_pacing = !q->pacing;
	ec->config_id = (uint8_t)q->cid.config_id;
	ec->steer_clear = q->cid.steer == PLX_CONFIG_STEER_CLEAR;
	if (q->cid.server_id[0] != '\0') {
		if (plx_hex_parse(q->cid.server_id, ec->server_id, sizeof(ec->server_id),
		                  &len) != 0)
			return fail(err, err_sz, PLX_E_CONFIG, "quic.cid.server_id",
			            "is not 1 to 4 bytes in hex");
		ec->server_id_len = (uint8_t)len;
	}
	if (q->cid.key_file[0] != '\0')
		return read_secret(q->cid.key_file, ec->secret, err, err_sz);
	return 0;
}

static const char *
or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? s : NULL;
}

/* Tickets of a client, per worker. */
#define TICKETS_KEPT 64

static void
fill_tls(struct plx_engine_cfg *ec, const struct plx_config *cfg,
         const struct plx_ctl_opts *o)
{
	ec->serve = o->serve;
	ec->dial = o->dial;
	ec->tls_server.server = true;
	ec->tls_server.cert_pem = o->cert_pem;
	ec->tls_server.key_pem = o->key_pem;
	if (o->cert_pem == NULL) {
		ec->tls_server.cert_file = or_null(cfg->tls.cert);
		ec->tls_server.key_file = or_null(cfg->tls.key);
	}
	ec->tls_server.groups = or_null(cfg->quic.groups);
	ec->tls_server.no_tickets = cfg->quic.tickets == 0;
	ec->tls_server.tickets = (uint8_t)cfg->quic.tickets;
	ec->early_data = cfg->quic.early_data;
	ec->tls_client.keep_tickets = cfg->quic.resume;
	ec->quic.tickets_kept = cfg->quic.resume ? TICKETS_KEPT : 0;
	ec->tls_client.groups = or_null(cfg->quic.groups);
	ec->tls_client.ca_file = o->ca_file != NULL ? o->ca_file : or_null(cfg->tls.ca);
	ec->keylog = or_null(cfg->tls.keylog);
}

/* Behind the ports: their node decides. */
static int
choose_lcores(struct plx_engine_cfg *ec, uint16_t skip, char *err, size_t err_sz)
{
	unsigned lcore, found = 0, cnt = 0, from[RTE_MAX_LCORE];

	RTE_LCORE_FOREACH_WORKER (lcore)
		if (found++ >= skip)
			from[cnt++] = lcore;
	if (plx_place_pick(ec->lcore, ec->worker_cnt, from, cnt,
	                   plx_place_node_of(ec->pio, ec->port_cnt), ec->numa))
		return 0;
	snprintf(
	        err, err_sz,
	        "%u workers need %u lcores beside the main one, EAL has %u; lcores may share "
	        "cores: --eal-lcores '(0-%u)@(0,1)'",
	        ec->worker_cnt, ec->worker_cnt + skip, found, ec->worker_cnt + skip);
	return PLX_E_CONFIG;
}

static int
open_ports(struct plx_engine_cfg *ec, const struct plx_config *cfg,
           const struct plx_ctl_opts *o, char *err, size_t err_sz)
{
	int rc = 0;

	if (o->pio != NULL) {
		ec->pio[0] = o->pio;
		ec->port_cnt = 1;
	}
	if (o->pio != NULL && !o->hosted)
		return fill_net(&ec->net[0], NULL, o, err, err_sz);
	if (cfg->port_cnt == 0 && o->hosted)
		return fail(err, err_sz, PLX_E_CONFIG, "the host's port",
		            "has no address; set ports[0].addresses");
	if (cfg->port_cnt == 0)
		return fail(err, err_sz, PLX_E_CONFIG, "no port",
		            "name a device, e.g. --port-vdev net_af_packet0,iface=eth0 "
		            "--port-addresses 192.0.2.10/24");
	if (o->hosted)
		return fill_net(&ec->net[0], &cfg->ports[0], o, err, err_sz);
	for (uint32_t p = 0; rc == 0 && p < cfg->port_cnt && p < PLX_PORTS_MAX; p++) {
		rc = fill_net(&ec->net[p], &cfg->ports[p], o, err, err_sz);
		if (rc == 0)
			rc = open_port(&ec->pio[p], &cfg->ports[p], ec, o, err, err_sz);
		if (rc == 0)
			ec->port_cnt++;
	}
	return rc;
}

static void
close_ports(struct plx_engine_cfg *ec)
{
	for (uint16_t p = 0; p < ec->port_cnt; p++)
		ec->pio[p]->ops->close(ec->pio[p]);
	ec->port_cnt = 0;
}

int
plx_ctl_make_engine(struct plx_engine **out, const struct plx_config *cfg,
                    const struct plx_ctl_opts *o, char *err, size_t err_sz)
{
	static const struct plx_engine_proto h3 = {.alpn = "h3", .kind = PLX_PROTO_H3_RING};
	struct plx_engine_cfg ec;
	int rc;

	*out = NULL;
	err[0] = '\0';
	plx_engine_cfg_init(&ec);
	if (o->name != NULL)
		snprintf(ec.name, sizeof(ec.name), "%s", o->name);
	ec.worker_cnt = (uint16_t)cfg->workers.count;
	ec.numa = o->numa;
	ec.idle = cfg->workers.idle;
	ec.empty_polls = cfg->workers.empty_polls;
	ec.proto_cnt = o->proto != NULL ? o->proto_cnt : 1;
	memcpy(ec.proto, o->proto != NULL ? o->proto : &h3, ec.proto_cnt * sizeof(h3));
	ec.watch = &plx_tel_watch;
	fill_tls(&ec, cfg, o);
	rc = plx_ctl_check_mem(cfg, plx_ctl_mem_mb(cfg, 1, 0), err, err_sz);
	if (rc == 0)
		rc = fill_quic(&ec, &cfg->quic, err, err_sz);
	ec.hosted = o->hosted;
	if (rc == 0)
		rc = open_ports(&ec, cfg, o, err, err_sz);
	if (rc == 0 && !o->hosted)
		rc = choose_lcores(&ec, o->first_lcore, err, err_sz);
	if (rc == 0) {
		rc = plx_engine_new(out, &ec, err, err_sz); /* takes the ports */
	} else {
		if (o->pio != NULL && ec.port_cnt == 0)
			o->pio->ops->close(o->pio);
		close_ports(&ec);
	}
	explicit_bzero(ec.secret, sizeof(ec.secret));
	if (rc != 0 && err[0] == '\0')
		snprintf(err, err_sz, "%s", plx_strerror(rc));
	return rc;
}

int
plx_ctl_open(struct plx_ctl **out, const struct plx_config *cfg,
             const struct plx_ctl_opts *o, char *err, size_t err_sz)
{
	struct plx_ctl *c = calloc(1, sizeof(*c));
	int rc;

	*out = NULL;
	if (c == NULL) {
		if (o->pio != NULL)
			o->pio->ops->close(o->pio);
		return PLX_E_NOMEM;
	}
	rc = plx_ctl_make_engine(&c->engine, cfg, o, err, err_sz);
	if (rc != 0) {
		free(c);
		return rc;
	}
	c->cfg = cfg;
	*out = c;
	return 0;
}

int
plx_ctl_start(struct plx_ctl *c, char *err, size_t err_sz)
{
	return plx_engine_start(c->engine, err, err_sz);
}

/* Each hint once: what frames show is a state of the set-up, not an event. */
static void
tell_hints(struct plx_ctl *c)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} list[] = {
	        {PLX_NET_HINT_PARTIAL_CKSUM,
	         "datagrams arrive with unfinished UDP checksums, as a veth pair hands them over: on "
	         "the sending side run: ethtool -K <its device> tx off"},
	        {PLX_NET_HINT_GSO,
	         "frames larger than the MTU arrive, as a veth pair hands over segmentation offload: "
	         "on the sending side run: ethtool -K <its device> gso off tso off"},
	        {PLX_NET_HINT_ADDR_IN_USE,
	         "another machine or the kernel uses an address of this port: take it away there"},
	};
	uint32_t bits = 0;

	for (uint16_t n = 0; n < plx_engine_workers(c->engine); n++) {
		const struct plx_worker *w = plx_engine_worker(c->engine, n);

		if (w != NULL)
			bits |= plx_worker_hints(w);
	}
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (bits & ~c->hints_told & list[i].bit)
			plx_log(PLX_LOG_WARN, "%s", list[i].text);
	c->hints_told |= bits;
}

void
plx_ctl_poll(struct plx_ctl *c)
{
	plx_engine_poll(c->engine);
	tell_hints(c);
}

void
plx_ctl_drain(struct plx_ctl *c)
{
	plx_engine_drain(c->engine);
}

void
plx_ctl_stop(struct plx_ctl *c)
{
	/* H3_NO_ERROR; the frames get 20 ms, which is many turns. */
	plx_engine_stop(c->engine, 0x100, 20);
	c->stopped = true;
}

void
plx_ctl_close(struct plx_ctl *c)
{
	if (c == NULL)
		return;
	if (!c->stopped)
		plx_ctl_stop(c);
	plx_engine_free(c->engine);
	free(c);
}

struct plx_engine *
plx_ctl_engine(struct plx_ctl *c)
{
	return c->engine;
}

uint16_t
plx_ctl_workers(const struct plx_ctl *c)
{
	return plx_engine_workers(c->engine);
}

/* Says what is wrong with the kernel devices behind the virtual devices of a port. */
static void
print_hints(const struct plx_config_port *p, FILE *f)
{
	char iface[32] = "", hints[1024];
	uint32_t xdp = 0, rxq;

	for (uint32_t v = 0; v < p->vdev.cnt; v++) {
		if (!plx_ethdev_iface_of(p->vdev.v[v], iface, sizeof(iface)))
			return;
		xdp += strncmp(p->vdev.v[v], "net_af_xdp", 10) == 0;
	}
	if (iface[0] == '\0')
		return;
	if (plx_ethdev_hints(iface, hints, sizeof(hints)) != 0)
		fputs(hints, f);
	rxq = xdp > 0 ? plx_ethdev_iface_rxq(iface) : 0;
	if (rxq > xdp)
		fprintf(f,
		        "%s has %u receive queues and %u net_af_xdp device%s: packets on the others "
		        "go to the kernel; add devices with start_queue=%u.., or run `ethtool -L %s "
		        "rx %u` (combined %u on a NIC; the other end of a veth then needs `tx "
		        "%u`)\n",
		        iface, rxq, xdp, xdp == 1 ? "" : "s", xdp, iface, xdp, xdp, xdp);
}

void
plx_ctl_print_table(struct plx_ctl *c, FILE *f)
{
	const struct plx_pio *p;

	for (uint16_t i = 0; (p = plx_engine_pio(c->engine, i)) != NULL; i++)
		plx_ethdev_print_table(p, f);
	for (uint32_t i = 0; i < c->cfg->port_cnt; i++)
		print_hints(&c->cfg->ports[i], f);
}

static int
count_of(const char *name)
{
	for (int i = 0; i < PLX_COUNT_CNT; i++)
		if (strcmp(plx_count_name((enum plx_count)i), name) == 0)
			return i;
	return -1;
}

uint64_t
plx_ctl_count(const struct plx_ctl *c, const char *name)
{
	int i = count_of(name);

	return i < 0 ? 0 : plx_engine_count(c->engine, (enum plx_count)i);
}

uint64_t
plx_ctl_worker_count(const struct plx_ctl *c, uint16_t worker, const char *name)
{
	const struct plx_worker *w = plx_engine_worker(c->engine, worker);
	int i = count_of(name);

	return i < 0 || w == NULL ? 0 : plx_obs_get(plx_worker_obs(w), (enum plx_count)i);
}

uint64_t
plx_ctl_drops(const struct plx_ctl *c,
              void (*fn)(void *arg, const char *name, const char *text, uint64_t n),
              void *arg)
{
	uint64_t sum = 0;

	for (int r = PLX_DROP_NONE + 1; r < PLX_DROP_CNT; r++) {
		uint64_t n = plx_engine_drops(c->engine, (enum plx_drop)r);

		sum += n;
		if (n > 0 && fn != NULL)
			fn(arg, plx_drop_name((enum plx_drop)r),
			   plx_drop_text((enum plx_drop)r), n);
	}
	return sum;
}

uint64_t
plx_ctl_cpu_ns(const struct plx_ctl *c)
{
	uint64_t sum = 0;

	for (uint16_t n = 0; n < plx_engine_workers(c->engine); n++) {
		const struct plx_worker *w = plx_engine_worker(c->engine, n);

		if (w != NULL)
			sum += plx_worker_cpu_ns(w);
	}
	return sum;
}

int
plx_ctl_exit_code(int err)
{
	switch (err) {
	case 0:
		return 0;
	case PLX_E_CONFIG:
	case PLX_E_CERT:
	case PLX_E_TLS:
	case PLX_E_INVAL:
		return 2;
	case PLX_E_INTERRUPTED:
		return 130;
	default:
		return 3;
	}
}
