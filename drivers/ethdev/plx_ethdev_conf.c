/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <plx/err.h>

#include <rte_errno.h>

#include "plx_ethdev_pvt.h"

#define DESC_DEFAULT 1024

/** Our offloads and what DPDK calls them. */
static const struct {
	uint32_t bit;
	uint64_t rx, tx; /**< RTE_ETH_RX_OFFLOAD_*, RTE_ETH_TX_OFFLOAD_* */
	const char *name;
	const char *fallback;
} offloads[] = {
        {PLX_OFF_RX_IP_CKSUM, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, 0, "rx IP checksum",
         "software"},
        {PLX_OFF_RX_UDP_CKSUM, RTE_ETH_RX_OFFLOAD_UDP_CKSUM, 0, "rx UDP checksum",
         "software"},
        {PLX_OFF_TX_IP_CKSUM, 0, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, "tx IP checksum",
         "software"},
        {PLX_OFF_TX_UDP_CKSUM, 0, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, "tx UDP checksum",
         "software"},
        {PLX_OFF_TX_FAST_FREE, 0, RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, "tx fast free", "off"},
        {PLX_OFF_RX_SCATTER, RTE_ETH_RX_OFFLOAD_SCATTER, 0, "rx scatter", "off"},
        {PLX_OFF_TX_MULTI_SEGS, 0, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, "tx multi-segment",
         "off"},
};

static const char *
want_of(const struct plx_ethdev_cfg *cfg, uint32_t bit)
{
	if (cfg->off_require & bit)
		return "require";
	return cfg->off_prefer & bit ? "prefer" : "off";
}

/** Every device must have it, since any of them may carry a packet. */
static uint32_t
offloads_of(const struct plx_ethdev *e, bool capable)
{
	uint32_t got = 0;

	for (size_t k = 0; k < RTE_DIM(offloads); k++) {
		bool all = true;

		for (uint8_t i = 0; i < e->dev_cnt; i++) {
			const struct plx_ethdev_dev *d = &e->dev[i];
			uint64_t rx =
			        capable ? d->info.rx_offload_capa : d->conf.rxmode.offloads;
			uint64_t tx =
			        capable ? d->info.tx_offload_capa : d->conf.txmode.offloads;

			if ((rx & offloads[k].rx) != offloads[k].rx ||
			    (tx & offloads[k].tx) != offloads[k].tx)
				all = false;
		}
		got |= all ? offloads[k].bit : 0;
	}
	return got;
}

void
plx_ethdev_read_offloads(struct plx_ethdev *e)
{
	e->pio.off_got = offloads_of(e, false);
}

/** @return bits that are required and not there */
static uint32_t
negotiate_offloads(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	uint32_t want = cfg->off_prefer | cfg->off_require;
	uint32_t got = want & offloads_of(e, true);

	e->pio.off_want = want;
	e->pio.off_got = got;
	for (size_t k = 0; k < RTE_DIM(offloads); k++) {
		uint32_t bit = offloads[k].bit;

		for (uint8_t i = 0; (got & bit) != 0 && i < e->dev_cnt; i++) {
			e->dev[i].conf.rxmode.offloads |= offloads[k].rx;
			e->dev[i].conf.txmode.offloads |= offloads[k].tx;
		}
		plx_ethdev_row_add(e, offloads[k].name, want_of(cfg, bit),
		                   got & bit ? "yes" : "no",
		                   want & ~got & bit ? offloads[k].fallback : "");
	}
	return cfg->off_require & ~got;
}

static void
negotiate_queues(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	uint16_t rx = cfg->rxq != 0 ? cfg->rxq : 1, tx = cfg->txq != 0 ? cfg->txq : 1;
	uint16_t got_rx = 0, got_tx = 0;
	char wanted[24], got[40];

	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		struct plx_ethdev_dev *d = &e->dev[i];

		d->rxq = e->dev_cnt > 1 ? 1 : RTE_MIN(rx, d->info.max_rx_queues);
		d->txq = e->dev_cnt > 1 ? 1 : RTE_MIN(tx, d->info.max_tx_queues);
		/* A queue is one worker's for both directions; tap insists on equal numbers. */
		if (rx == tx)
			d->rxq = d->txq = RTE_MIN(d->rxq, d->txq);
		got_rx += d->rxq;
		got_tx += d->txq;
	}
	snprintf(wanted, sizeof(wanted), "%u rx, %u tx", rx, tx);
	snprintf(got, sizeof(got), "%u rx, %u tx", got_rx, got_tx);
	plx_ethdev_row_add(e, "queues", wanted, got,
	                   got_rx < rx ? "workers without a queue take from the mailbox"
	                               : "");
}

static void
negotiate_descriptors(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	uint16_t rx = cfg->rx_desc != 0 ? cfg->rx_desc : DESC_DEFAULT;
	uint16_t tx = cfg->tx_desc != 0 ? cfg->tx_desc : DESC_DEFAULT;
	char wanted[24], got[40];

	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		struct plx_ethdev_dev *d = &e->dev[i];

		d->rx_desc = rx;
		d->tx_desc = tx;
		if (rte_eth_dev_adjust_nb_rx_tx_desc(d->port_id, &d->rx_desc,
		                                     &d->tx_desc) != 0) {
			d->rx_desc = rx;
			d->tx_desc = tx;
		}
	}
	snprintf(wanted, sizeof(wanted), "%u rx, %u tx", rx, tx);
	snprintf(got, sizeof(got), "%u rx, %u tx", e->dev[0].rx_desc, e->dev[0].tx_desc);
	plx_ethdev_row_add(e, "descriptors", wanted, got, "");
}

static void
negotiate_mtu(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	uint16_t now = 0, got_mtu = UINT16_MAX;
	char wanted[24] = "-", got[40];

	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		struct plx_ethdev_dev *d = &e->dev[i];
		uint16_t mtu = cfg->mtu;

		if (mtu == 0)
			mtu = rte_eth_dev_get_mtu(d->port_id, &now) == 0 ? now
			                                                 : RTE_ETHER_MTU;
		if (d->info.max_mtu != 0)
			mtu = RTE_MIN(mtu, d->info.max_mtu);
		mtu = RTE_MAX(mtu, d->info.min_mtu);
		d->conf.rxmode.mtu = mtu;
		got_mtu = RTE_MIN(got_mtu, mtu);
	}
	if (cfg->mtu != 0)
		snprintf(wanted, sizeof(wanted), "%u", cfg->mtu);
	snprintf(got, sizeof(got), "%u", got_mtu);
	plx_ethdev_row_add(e, "MTU", wanted, got,
	                   cfg->mtu > got_mtu ? "packets stay smaller" : "");
}

/** @return whether RSS over UDP flows will be asked of the device */
static bool
negotiate_rss(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg)
{
	const struct plx_ethdev_dev *d = &e->dev[0];
	bool got = cfg->rss != PLX_ETHDEV_OFF && e->dev_cnt == 1 && d->rxq > 1 &&
	           plx_ethdev_hashes(d);
	const char *fallback = "";

	if (cfg->rss != PLX_ETHDEV_OFF && !got)
		fallback = d->rxq == 1 && e->dev_cnt == 1 ? "one queue needs none"
		                                          : "software, by connection ID";
	plx_ethdev_row_add(e, "RSS", plx_ethdev_want_name(cfg->rss), got ? "yes" : "no",
	                   fallback);
	return got;
}

static void
name_row(struct plx_ethdev *e)
{
	char got[40];

	if (e->dev_cnt > 1)
		snprintf(got, sizeof(got), "%s x %u", e->dev[0].info.driver_name,
		         e->dev_cnt);
	else
		snprintf(got, sizeof(got), "%s", e->dev[0].info.driver_name);
	plx_ethdev_row_add(e, "driver", "-", got, "");
}

/** Ends a bring-up with the table behind the sentence. */
static int
refuse(struct plx_ethdev *e, const char *what, struct plx_ethdev_err *err)
{
	size_t len;

	plx_ethdev_fail(
	        err, PLX_E_UNSUPPORTED,
	        "port %s has no %s, which is required; ask for it with `prefer` to do "
	        "without, or use another device\n",
	        e->dev[0].name, what);
	len = strnlen(err->text, err->sz);
	if (len < err->sz)
		plx_ethdev_format(e->row, e->row_cnt, err->text + len, err->sz - len);
	return PLX_E_UNSUPPORTED;
}

int
plx_ethdev_negotiate(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                     struct plx_ethdev_err *err)
{
	uint32_t missing;

	name_row(e);
	negotiate_queues(e, cfg);
	for (uint8_t i = 0; i < e->dev_cnt; i++)
		if (e->dev[i].rxq == 0 || e->dev[i].txq == 0)
			return plx_ethdev_fail(
			        err, PLX_E_DEVICE,
			        "port %s has %u receive and %u transmit queues; "
			        "one of each is needed",
			        e->dev[i].name, e->dev[i].info.max_rx_queues,
			        e->dev[i].info.max_tx_queues);
	negotiate_descriptors(e, cfg);
	negotiate_mtu(e, cfg);
	missing = negotiate_offloads(e, cfg);
	for (size_t k = 0; k < RTE_DIM(offloads); k++)
		if (missing & offloads[k].bit)
			return refuse(e, offloads[k].name, err);
	if (missing != 0)
		return refuse(e, "such offload", err);
	if (!negotiate_rss(e, cfg) && cfg->rss == PLX_ETHDEV_REQUIRE && cfg->rxq > 1)
		return refuse(e, "RSS", err);
	return 0;
}

static int
setup_queues(struct plx_ethdev *e, struct plx_ethdev_dev *d, struct plx_ethdev_err *err)
{
	int node = rte_eth_dev_socket_id(d->port_id), rc = 0;
	struct rte_eth_rxconf rx = d->info.default_rxconf;
	struct rte_eth_txconf tx = d->info.default_txconf;

	rx.offloads = d->conf.rxmode.offloads;
	tx.offloads = d->conf.txmode.offloads;
	for (uint16_t q = 0; rc == 0 && q < d->rxq; q++)
		rc = rte_eth_rx_queue_setup(d->port_id, q, d->rx_desc, (unsigned)node, &rx,
		                            e->pio.pool);
	for (uint16_t q = 0; rc == 0 && q < d->txq; q++)
		rc = rte_eth_tx_queue_setup(d->port_id, q, d->tx_desc, (unsigned)node, &tx);
	if (rc == -ENOMEM || rc == -ENOBUFS)
		return plx_ethdev_fail(
		        err, PLX_E_NOMEM,
		        "port %s: no memory for its queues (%u receive and %u "
		        "transmit descriptors each); give EAL more (-m) or raise the "
		        "limit of locked memory (ulimit -l)",
		        d->name, d->rx_desc, d->tx_desc);
	if (rc != 0)
		return plx_ethdev_fail(
		        err, PLX_E_DEVICE,
		        "port %s: queues could not be set up (%s); another program "
		        "may be using the device",
		        d->name, rte_strerror(-rc));
	return 0;
}

static int
start_device(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
             struct plx_ethdev_dev *d, struct plx_ethdev_err *err)
{
	uint8_t key[64];
	int rc;

	plx_ethdev_rss_conf(e, cfg, d, key);
	rc = rte_eth_dev_configure(d->port_id, d->rxq, d->txq, &d->conf);
	d->conf.rx_adv_conf.rss_conf.rss_key = NULL;
	if (rc != 0)
		return plx_ethdev_fail(err, PLX_E_DEVICE,
		                       "port %s refused its configuration (%s)", d->name,
		                       rte_strerror(-rc));
	d->configured = true;
	rc = setup_queues(e, d, err);
	if (rc != 0)
		return rc;
	/* configure() only notes the MTU; the device hears of it here, if it has the call. */
	if (cfg->mtu != 0)
		rte_eth_dev_set_mtu(d->port_id, (uint16_t)d->conf.rxmode.mtu);
	rc = rte_eth_dev_start(d->port_id);
	if (rc != 0)
		return plx_ethdev_fail(err, PLX_E_DEVICE, "port %s did not start (%s)",
		                       d->name, rte_strerror(-rc));
	d->started = true;
	plx_ethdev_rss_table(e, d);
	return 0;
}

/** Promiscuous or all-multicast on all devices. @return the code of the row, < 0 not there */
static int
set_filter(struct plx_ethdev *e, uint8_t want, const char *property,
           int (*enable)(uint16_t port_id), const char *fallback)
{
	int rc = want != PLX_ETHDEV_OFF ? 0 : -1;

	for (uint8_t i = 0; rc == 0 && i < e->dev_cnt; i++)
		rc = enable(e->dev[i].port_id);
	plx_ethdev_row_add(e, property, plx_ethdev_want_name(want), rc == 0 ? "yes" : "no",
	                   want != PLX_ETHDEV_OFF && rc != 0 ? fallback : "");
	return want == PLX_ETHDEV_REQUIRE ? rc : 0;
}

int
plx_ethdev_start(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                 struct plx_ethdev_err *err)
{
	int rc = 0;

	for (uint8_t i = 0; rc == 0 && i < e->dev_cnt; i++)
		rc = start_device(e, cfg, &e->dev[i], err);
	if (rc != 0)
		return rc;
	if (set_filter(e, cfg->promisc, "promiscuous", rte_eth_promiscuous_enable, "off") !=
	    0)
		return refuse(e, "promiscuous mode", err);
	if (set_filter(e, cfg->allmulti, "all multicast", rte_eth_allmulticast_enable,
	               "what the device lets through") != 0)
		return refuse(e, "all-multicast mode", err);
	return 0;
}
