/* SPDX-License-Identifier: BSD-3-Clause */
/* For rte_eth_dev_conf_get(): nothing else tells what a host program configured. */
#define ALLOW_EXPERIMENTAL_API

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <plx/err.h>

#include <rte_mempool.h>

#include "plx_ethdev_pvt.h"

/* ---- bursts ---- */

static uint16_t
rx_burst(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	const struct plx_ethdev *e = p->priv;

	return rte_eth_rx_burst(e->rx[queue].port_id, e->rx[queue].queue, m, cnt);
}

static uint16_t
tx_burst(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	const struct plx_ethdev *e = p->priv;

	return rte_eth_tx_burst(e->tx[queue].port_id, e->tx[queue].queue, m, cnt);
}

static int
pick_port(const struct plx_pio *p, const struct plx_path *path, uint16_t queue,
          const struct plx_pio_ports *range, uint64_t seed)
{
	return plx_pio_pick_port(&p->plan, path, queue, range, seed);
}

/* ---- state ---- */

/**
 * What the kernel says of a network device now: IFF_RUNNING, which drivers read, follows up to a
 * second later (linkwatch).
 * @param up  [in,out] left alone where it cannot be asked
 */
static void
ask_kernel(struct plx_ethdev *e, const char *iface, bool *up)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr;

	if (e->ctl_fd < 0)
		e->ctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = (void *)&v;
	if (e->ctl_fd >= 0 && ioctl(e->ctl_fd, SIOCETHTOOL, &ifr) == 0)
		*up = v.data != 0;
}

static int
get_link(struct plx_pio *p, struct plx_pio_link *out)
{
	struct plx_ethdev *e = p->priv;
	struct rte_eth_link link;
	bool up;

	*out = (struct plx_pio_link){.up = true};
	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		memset(&link, 0, sizeof(link));
		if (rte_eth_link_get_nowait(e->dev[i].port_id, &link) != 0)
			return PLX_E_DEVICE;
		up = link.link_status == RTE_ETH_LINK_UP;
		if (e->dev[i].iface[0] != '\0')
			ask_kernel(e, e->dev[i].iface, &up);
		out->up = out->up && up;
		if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN && i == 0)
			out->mbps = link.link_speed;
	}
	return 0;
}

static int
get_stats(struct plx_pio *p, struct plx_pio_stats *out)
{
	const struct plx_ethdev *e = p->priv;
	struct rte_eth_stats s;

	memset(out, 0, sizeof(*out));
	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		if (rte_eth_stats_get(e->dev[i].port_id, &s) != 0)
			return PLX_E_DEVICE;
		out->rx_pkts += s.ipackets;
		out->rx_bytes += s.ibytes;
		out->tx_pkts += s.opackets;
		out->tx_bytes += s.obytes;
		out->rx_missed += s.imissed;
		out->rx_nombuf += s.rx_nombuf;
		out->rx_errors += s.ierrors;
		out->tx_errors += s.oerrors;
	}
	return 0;
}

/** Undoes whatever was done so far, in reverse; also the end of a bring-up that failed. */
static void
close_port(struct plx_pio *p)
{
	struct plx_ethdev *e = p->priv;

	for (uint8_t i = e->dev_cnt; i-- > 0;)
		plx_ethdev_remove(&e->dev[i]);
	if (e->pool_ours)
		rte_mempool_free(p->pool);
	if (e->ctl_fd >= 0)
		close(e->ctl_fd);
	free(e);
}

const struct plx_pio_ops plx_ethdev_ops = {
        .name = "ethdev",
        .rx_burst = rx_burst,
        .tx_burst = tx_burst,
        .pick_port = pick_port,
        .link = get_link,
        .stats = get_stats,
        .close = close_port,
};

/* ---- open ---- */

int
plx_ethdev_fail(struct plx_ethdev_err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e->sz == 0)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, e->sz, fmt, ap);
	va_end(ap);
	return code;
}

static struct plx_ethdev *
new_port(uint8_t dev_cnt)
{
	struct plx_ethdev *e =
	        aligned_alloc(PLX_CACHE_LINE, RTE_ALIGN_CEIL(sizeof(*e), PLX_CACHE_LINE));

	if (e == NULL)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->pio.ops = &plx_ethdev_ops;
	e->pio.priv = e;
	e->dev_cnt = dev_cnt;
	e->ctl_fd = -1;
	for (uint8_t i = 0; i < dev_cnt; i++)
		e->dev[i].port_id = RTE_MAX_ETHPORTS;
	return e;
}

static int
check(const struct plx_ethdev_cfg *cfg, struct plx_ethdev_err *err)
{
	if (cfg->device_cnt == 0 || cfg->device_cnt > PLX_ETHDEV_DEVS_MAX)
		return plx_ethdev_fail(err, PLX_E_INVAL, "name 1 to %d devices for a port",
		                       PLX_ETHDEV_DEVS_MAX);
	if (cfg->rxq > PLX_ETHDEV_QUEUES_MAX || cfg->txq > PLX_ETHDEV_QUEUES_MAX)
		return plx_ethdev_fail(err, PLX_E_INVAL, "a port has at most %d queues",
		                       PLX_ETHDEV_QUEUES_MAX);
	if (cfg->rss >= PLX_ETHDEV_WANT_CNT || cfg->promisc >= PLX_ETHDEV_WANT_CNT ||
	    cfg->allmulti >= PLX_ETHDEV_WANT_CNT)
		return plx_ethdev_fail(err, PLX_E_INVAL,
		                       "a wish is off, prefer or require");
	if (cfg->rss_key != NULL && (cfg->rss_key_len == 0 || cfg->rss_key_len > 64))
		return plx_ethdev_fail(err, PLX_E_INVAL, "an RSS key has 1 to 64 bytes");
	return 0;
}

static int
find_devices(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
             struct plx_ethdev_err *err)
{
	int rc = 0;

	for (uint8_t i = 0; rc == 0 && i < e->dev_cnt; i++) {
		if (cfg->device[i] == NULL || cfg->device[i][0] == '\0')
			return plx_ethdev_fail(err, PLX_E_INVAL, "device %u has no name",
			                       i);
		rc = plx_ethdev_find(&e->dev[i], cfg->device[i], err);
		for (uint8_t j = 0; rc == 0 && j < i; j++)
			if (e->dev[j].port_id == e->dev[i].port_id)
				rc = plx_ethdev_fail(err, PLX_E_INVAL,
				                     "device '%s' is named twice",
				                     e->dev[i].name);
	}
	return rc;
}

/** What the engine reads of the port. */
static void
fill_pio(struct plx_ethdev *e)
{
	struct plx_ethdev_dev *d = &e->dev[0];
	struct plx_pio *p = &e->pio;
	struct rte_ether_addr mac;
	uint16_t rx = 0, tx = 0;

	memcpy(p->name, d->name, sizeof(p->name));
	p->port_id = d->port_id;
	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		for (uint16_t q = 0; q < e->dev[i].rxq; q++)
			e->rx[rx++] = (struct plx_ethdev_qmap){e->dev[i].port_id, q};
		for (uint16_t q = 0; q < e->dev[i].txq; q++)
			e->tx[tx++] = (struct plx_ethdev_qmap){e->dev[i].port_id, q};
	}
	p->rxq_cnt = rx;
	p->txq_cnt = tx;
	p->socket_id = (int16_t)rte_eth_dev_socket_id(d->port_id);
	if (rte_eth_macaddr_get(d->port_id, &mac) == 0)
		memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	rte_eth_dev_get_mtu(d->port_id, &p->mtu);
}
PLX_STATIC_ASSERT(sizeof(((struct plx_pio *)0)->name) == RTE_ETH_NAME_MAX_LEN,
                  "the name of a DPDK port fits");

/** @return 0, whether or not the link is up now; PLX_E_INTERRUPTED */
static int
wait_link(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	const struct timespec step = {.tv_nsec = PLX_NS_PER_MS};
	struct plx_pio_link link;

	for (uint16_t i = 0; i < cfg->link_wait_ms; i++) {
		if (cfg->stop != NULL && cfg->stop(cfg->stop_arg))
			return PLX_E_INTERRUPTED;
		if (get_link(&e->pio, &link) != 0 || link.up)
			return 0;
		nanosleep(&step, NULL);
	}
	return 0;
}

static void
add_last_rows(struct plx_ethdev *e)
{
	struct plx_pio_link link = {0};
	char got[40];

	get_link(&e->pio, &link);
	if (link.up && link.mbps != 0)
		snprintf(got, sizeof(got), "up, %u Mbit/s", link.mbps);
	else
		snprintf(got, sizeof(got), "%s", link.up ? "up" : "down");
	plx_ethdev_row_add(e, "link", "-", got, link.up ? "" : "waits for the other side");
	snprintf(got, sizeof(got), "%d", e->pio.socket_id);
	plx_ethdev_row_add(e, "NUMA node", "-", e->pio.socket_id < 0 ? "unknown" : got, "");
}

int
plx_ethdev_open(struct plx_pio **out, const struct plx_ethdev_cfg *cfg, char *err,
                size_t err_sz)
{
	struct plx_ethdev_err e_err = {err, err_sz};
	struct plx_ethdev *e;
	int rc = check(cfg, &e_err);

	*out = NULL;
	if (rc != 0)
		return rc;
	e = new_port(cfg->device_cnt);
	if (e == NULL)
		return plx_ethdev_fail(&e_err, PLX_E_NOMEM, "out of memory");

	rc = find_devices(e, cfg, &e_err);
	if (rc == 0)
		rc = plx_ethdev_negotiate(e, cfg, &e_err);
	if (rc == 0)
		rc = plx_ethdev_make_pool(e, cfg, &e_err);
	if (rc == 0)
		rc = plx_ethdev_start(e, cfg, &e_err);
	if (rc == 0) {
		fill_pio(e);
		plx_ethdev_rss_plan(e);
		rc = wait_link(e, cfg);
	}
	if (rc == PLX_E_INTERRUPTED)
		plx_ethdev_fail(&e_err, rc, "interrupted while port %s waited for its link",
		                e->pio.name);
	if (rc != 0) {
		close_port(&e->pio);
		return rc;
	}
	add_last_rows(e);
	*out = &e->pio;
	return 0;
}

int
plx_ethdev_attach(struct plx_pio **out, uint16_t port_id, uint16_t queues,
                  struct rte_mempool *pool, char *err, size_t err_sz)
{
	struct plx_ethdev_err e_err = {err, err_sz};
	struct plx_ethdev_dev *d;
	struct plx_ethdev *e;
	struct rte_eth_dev_info info;

	*out = NULL;
	if (!rte_eth_dev_is_valid_port(port_id) ||
	    rte_eth_dev_info_get(port_id, &info) != 0)
		return plx_ethdev_fail(&e_err, PLX_E_NOENT, "there is no DPDK port %u",
		                       port_id);
	if (pool == NULL || queues == 0 || queues > PLX_ETHDEV_QUEUES_MAX)
		return plx_ethdev_fail(&e_err, PLX_E_INVAL,
		                       "port %u: give a pool and 1 to %d queues", port_id,
		                       PLX_ETHDEV_QUEUES_MAX);
	if (queues > info.nb_rx_queues || queues > info.nb_tx_queues)
		return plx_ethdev_fail(
		        &e_err, PLX_E_INVAL,
		        "port %u is configured with %u receive and %u transmit "
		        "queues; %u are asked for",
		        port_id, info.nb_rx_queues, info.nb_tx_queues, queues);

	e = new_port(1);
	if (e == NULL)
		return plx_ethdev_fail(&e_err, PLX_E_NOMEM, "out of memory");
	d = &e->dev[0];
	d->port_id = port_id;
	d->info = info;
	d->quirk = plx_ethdev_quirk(info.driver_name);
	d->rxq = queues;
	d->txq = queues;
	rte_eth_dev_get_name_by_port(port_id, d->name);
	if (rte_eth_dev_conf_get(port_id, &d->conf) != 0)
		memset(&d->conf, 0, sizeof(d->conf));
	e->pio.pool = pool;
	fill_pio(e);
	plx_ethdev_read_offloads(e);
	e->pio.off_want = e->pio.off_got;
	plx_ethdev_rss_plan(e);
	*out = &e->pio;
	return 0;
}
