/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Insides of the ethdev driver.
 *
 * Threads: main, except the queue maps, which the bursts read.
 */
#ifndef PLX_ETHDEV_PVT_H
#define PLX_ETHDEV_PVT_H

#include <rte_ethdev.h>

#include "plx_ethdev.h"

/** What is special about a DPDK driver: its rows of docs/ports.md. */
struct plx_ethdev_quirk {
	const char *driver; /**< dev_info.driver_name */
	/** Who chooses the receiving queue; NULL = the hash of the device, as it says. */
	const char *spread_by;
	/** mbufs the driver takes per queue beyond its descriptors. */
	uint16_t more_mbufs;
	/**
	 * The network device behind it is asked for the link: the driver says nothing, or what
	 * the kernel lets it know up to a second late.
	 */
	bool kernel_link;
	/** Bit-exact prefix of the devices' names, for messages. */
	const char *example;
};

/** One DPDK port under an open plx_pio. */
struct plx_ethdev_dev {
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t port_id;
	uint16_t rxq, txq, rx_desc, tx_desc; /**< got */
	bool probed;                         /**< we made or probed it and remove it */
	bool configured;                     /**< ours to stop and close */
	bool started;
	const struct plx_ethdev_quirk *quirk;
	char iface[32]; /**< network device behind it, "" = none or not to be asked */
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
};

/** Queue of the engine -> queue of a DPDK port. */
struct plx_ethdev_qmap {
	uint16_t port_id, queue;
};

struct plx_ethdev {
	struct plx_pio pio;
	/* Read by the bursts. */
	struct plx_ethdev_qmap rx[PLX_ETHDEV_QUEUES_MAX];
	struct plx_ethdev_qmap tx[PLX_ETHDEV_QUEUES_MAX];
	/* Main only. */
	struct plx_ethdev_dev dev[PLX_ETHDEV_DEVS_MAX];
	uint8_t dev_cnt;
	int ctl_fd; /**< socket that asks for the state of network devices, -1 = none */
	bool pool_ours;
	uint32_t row_cnt;
	struct plx_ethdev_row row[PLX_ETHDEV_ROWS_MAX];
};

/** Where a message goes. */
struct plx_ethdev_err {
	char *text;
	size_t sz;
};

/** Writes the sentence. @return code */
int plx_ethdev_fail(struct plx_ethdev_err *e, int code, const char *fmt, ...)
        PLX_PRINTF(3, 4);

/* plx_ethdev_dev.c: names to ports */

int plx_ethdev_find(struct plx_ethdev_dev *d, const char *spec, struct plx_ethdev_err *e);
void plx_ethdev_remove(struct plx_ethdev_dev *d);
const struct plx_ethdev_quirk *plx_ethdev_quirk(const char *driver);

/* plx_ethdev_conf.c: what is wanted against what there is */

int plx_ethdev_negotiate(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                         struct plx_ethdev_err *err);
int plx_ethdev_start(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                     struct plx_ethdev_err *err);
void plx_ethdev_read_offloads(struct plx_ethdev *e);

/* plx_ethdev_pool.c */

int plx_ethdev_make_pool(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                         struct plx_ethdev_err *err);

/* plx_ethdev_rss.c */

/** Whether the device's own hash over UDP flows decides, as far as it says. */
bool plx_ethdev_hashes(const struct plx_ethdev_dev *d);
/** Fills in the RSS part of a device's configuration; key needs 64 bytes until configured. */
void plx_ethdev_rss_conf(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                         struct plx_ethdev_dev *d, uint8_t *key);
/** Sets the indirection table of a started device. */
void plx_ethdev_rss_table(struct plx_ethdev *e, struct plx_ethdev_dev *d);
/** Reads key and table back into the plan and decides the spread level. */
void plx_ethdev_rss_plan(struct plx_ethdev *e);

/* plx_ethdev_table.c */

void plx_ethdev_row_add(struct plx_ethdev *e, const char *property, const char *wanted,
                        const char *got, const char *fallback);
const char *plx_ethdev_want_name(uint8_t want);
/** @return length of the text, as snprintf() */
size_t plx_ethdev_format(const struct plx_ethdev_row *row, uint32_t cnt, char *buf,
                         size_t sz);

extern const struct plx_pio_ops plx_ethdev_ops;

#endif
