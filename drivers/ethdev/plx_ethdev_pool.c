/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <plx/err.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "plx_ethdev_pvt.h"

#define DESC_DEFAULT  1024
#define CACHE_DEFAULT 512
#define POOL_MIN      1023
#define MIB           ((size_t)1 << 20)
/** Ethernet header, two VLAN tags, checksum. */
#define FRAME_MORE    (RTE_ETHER_HDR_LEN + 8 + RTE_ETHER_CRC_LEN)
/** Header of a mempool element, and what spreads elements over memory channels. */
#define ELT_MORE      128
/** Where there are no hugepages an element does not cross a page. */
#define PAGE_SZ       4096
/** Descriptors of common devices take up to this, each way. */
#define DESC_SZ       64

static uint16_t
or_default(uint16_t v, uint16_t def)
{
	return v != 0 ? v : def;
}

/**
 * Every descriptor can hold a buffer; every worker a cache (which overflows at 1.5 times its
 * size), a burst in each direction and one that the port refused.
 */
static uint32_t
count(uint32_t rx_desc, uint32_t tx_desc, uint32_t queues, uint32_t more_mbufs,
      const struct plx_ethdev_pool_cfg *c)
{
	uint32_t workers = or_default(c->workers, (uint16_t)queues);
	uint32_t cache = or_default(c->cache, CACHE_DEFAULT);
	uint32_t burst = or_default(c->burst, PLX_BURST_MAX);
	uint32_t n = rx_desc + tx_desc + more_mbufs +
	             workers * (cache * 3 / 2 + 3 * burst) + c->in_flight;

	return RTE_MAX(rte_align32pow2(n + 1) - 1, (uint32_t)POOL_MIN);
}

uint32_t
plx_ethdev_pool_cnt(const struct plx_ethdev_cfg *cfg)
{
	uint32_t rxq = RTE_MAX(or_default(cfg->rxq, 1), cfg->device_cnt);
	uint32_t txq = RTE_MAX(or_default(cfg->txq, 1), cfg->device_cnt);
	uint32_t more = 0;

	for (uint8_t i = 0; i < cfg->device_cnt && i < PLX_ETHDEV_DEVS_MAX; i++)
		if (cfg->device[i] != NULL &&
		    strncmp(cfg->device[i], "net_af_xdp", 10) == 0)
			more += plx_ethdev_quirk("net_af_xdp")->more_mbufs;
	return count(rxq * or_default(cfg->rx_desc, DESC_DEFAULT),
	             txq * or_default(cfg->tx_desc, DESC_DEFAULT), RTE_MAX(rxq, txq), more,
	             &cfg->pool_cfg);
}

static uint16_t
room(uint16_t mtu)
{
	uint32_t frame = RTE_ALIGN_CEIL((uint32_t)mtu + FRAME_MORE, 64);

	return (uint16_t)(RTE_MAX(frame, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM) +
	                  RTE_PKTMBUF_HEADROOM);
}

static size_t
pool_bytes(uint32_t cnt, uint16_t data_room, bool hugepages)
{
	size_t elt = data_room + sizeof(struct rte_mbuf) + ELT_MORE;

	if (hugepages)
		return cnt * elt;
	if (elt > PAGE_SZ)
		return cnt * RTE_ALIGN_CEIL(elt, PAGE_SZ);
	return ((size_t)cnt * PAGE_SZ) / (PAGE_SZ / elt);
}

size_t
plx_ethdev_mem_need(const struct plx_ethdev_cfg *cfg)
{
	size_t desc =
	        (size_t)or_default(cfg->rxq, 1) * or_default(cfg->rx_desc, DESC_DEFAULT) +
	        (size_t)or_default(cfg->txq, 1) * or_default(cfg->tx_desc, DESC_DEFAULT);

	return pool_bytes(plx_ethdev_pool_cnt(cfg), room(cfg->mtu), false) + desc * DESC_SZ;
}

static size_t
mib(size_t bytes)
{
	return (bytes + MIB - 1) / MIB;
}

/** EAL memory that is taken, bytes. */
static size_t
taken(void)
{
	struct rte_malloc_socket_stats s;
	size_t sum = 0;

	for (unsigned i = 0; i < rte_socket_count(); i++) {
		int node = rte_socket_id_by_idx(i);

		if (node >= 0 && rte_malloc_get_socket_stats(node, &s) == 0)
			sum += s.heap_allocsz_bytes;
	}
	return sum;
}

static int
too_little(const char *port, size_t need, struct plx_ethdev_err *err)
{
	size_t has = (size_t)rte_eal_get_physmem_size();
	/* An eighth for what lies between the blocks and for the rings of the engine. */
	size_t want = mib(taken() + need + need / 8) + 8;

	if (rte_eal_has_hugepages() != 0)
		return plx_ethdev_fail(
		        err, PLX_E_NOMEM,
		        "port %s: its packet buffers need %zu MB and no hugepages "
		        "are left for them; reserve %zu MB more "
		        "(dpdk-hugepages.py --setup %zuM) or start with --no-huge",
		        port, mib(need), mib(need), RTE_ALIGN_CEIL(want, 2));
	return plx_ethdev_fail(
	        err, PLX_E_NOMEM,
	        "port %s: its packet buffers need %zu MB, -m %zu given (%zu MB "
	        "taken); use -m %zu",
	        port, mib(need), mib(has), mib(taken()), want);
}

static uint32_t
cache_of(uint32_t cnt, const struct plx_ethdev_pool_cfg *c)
{
	uint32_t cache = RTE_MIN(or_default(c->cache, CACHE_DEFAULT),
	                         (uint32_t)RTE_MEMPOOL_CACHE_MAX_SIZE);

	return RTE_MIN(cache, cnt * 2 / 3);
}

static uint16_t
largest_mtu(const struct plx_ethdev *e)
{
	uint16_t mtu = RTE_ETHER_MTU;

	for (uint8_t i = 0; i < e->dev_cnt; i++)
		mtu = RTE_MAX(mtu, (uint16_t)e->dev[i].conf.rxmode.mtu);
	return mtu;
}

int
plx_ethdev_make_pool(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                     struct plx_ethdev_err *err)
{
	const char *prefix = cfg->prefix != NULL ? cfg->prefix : "plx";
	uint32_t rx = 0, tx = 0, queues = 0, more = 0, cnt;
	char name[RTE_MEMPOOL_NAMESIZE], got[40], wanted[24];
	uint16_t data_room = room(largest_mtu(e));
	size_t bytes;

	for (uint8_t i = 0; i < e->dev_cnt; i++) {
		rx += (uint32_t)e->dev[i].rxq * e->dev[i].rx_desc;
		tx += (uint32_t)e->dev[i].txq * e->dev[i].tx_desc;
		more += (uint32_t)e->dev[i].rxq * e->dev[i].quirk->more_mbufs;
		queues += RTE_MAX(e->dev[i].rxq, e->dev[i].txq);
	}
	cnt = count(rx, tx, queues, more, &cfg->pool_cfg);
	snprintf(wanted, sizeof(wanted), "%u", cnt);
	if (cfg->pool != NULL) {
		e->pio.pool = cfg->pool;
		snprintf(got, sizeof(got), "%u (given)", cfg->pool->size);
		plx_ethdev_row_add(e, "packet buffers", wanted, got, "");
		return 0;
	}
	bytes = pool_bytes(cnt, data_room, rte_eal_has_hugepages() != 0);
	snprintf(name, sizeof(name), "%.10s_p%u", prefix, e->dev[0].port_id);
	e->pio.pool = rte_pktmbuf_pool_create(name, cnt, cache_of(cnt, &cfg->pool_cfg), 0,
	                                      data_room,
	                                      rte_eth_dev_socket_id(e->dev[0].port_id));
	if (e->pio.pool == NULL) {
		if (rte_errno == EEXIST)
			return plx_ethdev_fail(
			        err, PLX_E_EXIST,
			        "there is a pool '%s' already; give the engine "
			        "another name",
			        name);
		return too_little(e->dev[0].name, bytes, err);
	}
	e->pool_ours = true;
	snprintf(got, sizeof(got), "%u (%zu MB)", cnt, mib(bytes));
	plx_ethdev_row_add(e, "packet buffers", wanted, got, "");
	return 0;
}
