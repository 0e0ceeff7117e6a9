/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Packet input and output: what a driver offers the engine, one call per burst.
 *
 * Path:    [nic] -> net -> steer -> quic -> stream -> app
 * Threads: queue q is used by one worker at a time; the rest by the main thread.
 * Memory:  mbufs belong to the caller after rx_burst, to the driver after tx_burst took them.
 *
 * Drivers: drivers/ethdev (any DPDK port), drivers/sim (in-process wire). A driver fills in
 * struct plx_pio at open; the engine never looks behind `priv`.
 */
#ifndef PLX_PIO_H
#define PLX_PIO_H

#include <plx/types.h>

struct rte_mbuf;
struct rte_mempool;
struct plx_pio;

/** How the port spreads received packets over its queues. */
enum plx_spread {
	PLX_SPREAD_SINGLE = 0, /**< one queue */
	PLX_SPREAD_UNKNOWN, /**< the peer or the kernel chooses; not by flow for certain */
	PLX_SPREAD_RSS,     /**< 4-tuple hash, key and table known */
	PLX_SPREAD_CID,     /**< rules match the steer word of our IDs */
	PLX_SPREAD_CNT
};

/** What was installed for steering; tests and the start-up table read it. */
struct plx_steer_plan {
	uint8_t level;          /**< enum plx_spread */
	uint8_t hashes_by_flow; /**< first packets may stay on the receiving worker */
	uint8_t rss_key_len;    /**< bytes of rss_key, 0 = unknown */
	uint16_t reta_len;      /**< entries of reta, 0 = unknown */
	uint8_t rss_key[64];
	uint16_t reta[512]; /**< queue per entry */
};

/** Offload flags: wanted, got; what is not got is done in software. */
#define PLX_OFF_RX_IP_CKSUM   (UINT32_C(1) << 0)
#define PLX_OFF_RX_UDP_CKSUM  (UINT32_C(1) << 1)
#define PLX_OFF_TX_IP_CKSUM   (UINT32_C(1) << 2)
#define PLX_OFF_TX_UDP_CKSUM  (UINT32_C(1) << 3)
#define PLX_OFF_TX_FAST_FREE  (UINT32_C(1) << 4)
#define PLX_OFF_RX_SCATTER    (UINT32_C(1) << 5)
#define PLX_OFF_TX_MULTI_SEGS (UINT32_C(1) << 6)
/** The wire carries no checksum at all and needs none (drivers/sim without corruption). */
#define PLX_OFF_NO_CKSUM      (UINT32_C(1) << 7)

struct plx_pio_link {
	bool up;
	uint32_t mbps; /**< 0 = unknown */
};

/** Counters of the port itself; the reader sums queues. */
struct plx_pio_stats {
	uint64_t rx_pkts, rx_bytes;
	uint64_t tx_pkts, tx_bytes;
	uint64_t rx_missed; /**< the port had no descriptor */
	uint64_t rx_nombuf; /**< no buffer to receive into */
	uint64_t rx_errors, tx_errors;
};

/** Source ports a client may choose from. */
struct plx_pio_ports {
	uint16_t first, last; /**< host order, first <= last */
	uint16_t modulo;      /**< only ports with port % modulo == rest; 0 and 1 = all */
	uint16_t rest;
};

struct plx_pio_ops {
	const char *name;

	/** Takes up to cnt packets. @return packets written to m; they are the caller's. */
	uint16_t (*rx_burst)(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m,
	                     uint16_t cnt);

	/**
	 * Sends. @return n packets taken; the rest stays the caller's and stands in m[n..cnt),
	 * in order, also where the driver took later ones (drivers/sim).
	 */
	uint16_t (*tx_burst)(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m,
	                     uint16_t cnt);

	/**
	 * A source port so that replies to path (local.port_be is ignored) land on the queue; NULL
	 * where any port will do or nobody knows. As plx_pio_pick_port(). Any thread.
	 */
	int (*pick_port)(const struct plx_pio *p, const struct plx_path *path,
	                 uint16_t queue, const struct plx_pio_ports *range, uint64_t seed);

	/** Link state now. Main thread. */
	int (*link)(struct plx_pio *p, struct plx_pio_link *out);

	/** Port counters. Main thread. */
	int (*stats)(struct plx_pio *p, struct plx_pio_stats *out);

	/** Stops and closes the port, frees p. Main thread, no worker uses it any more. */
	void (*close)(struct plx_pio *p);
};

/** One open port. Read-only after open. */
struct plx_pio {
	const struct plx_pio_ops *ops;
	void *priv; /**< the driver's */

	/** Buffers to send with; rx buffers come from the driver. Never NULL. */
	struct rte_mempool *pool;

	char name[64];    /**< DPDK device name or "sim0" */
	uint16_t port_id; /**< DPDK port, UINT16_MAX when it has none */
	uint16_t rxq_cnt, txq_cnt;
	uint16_t mtu;      /**< IP packet, bytes */
	int16_t socket_id; /**< NUMA node, -1 unknown */
	uint8_t mac[6];
	uint32_t off_want, off_got; /**< PLX_OFF_* */
	struct plx_steer_plan plan;
};

/**
 * plx_pio_rx() and plx_pio_tx() are the calls of the hot path.
 *
 * @param queue  0..rxq_cnt-1 (txq_cnt-1)
 * @param cnt    1..PLX_BURST_MAX
 * @return packets received, or taken for sending
 *
 * Thread: the worker that owns the queue.
 * Owns:   see ops.
 * Errors: none; a port that is down gives 0.
 */
static inline uint16_t
plx_pio_rx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	return p->ops->rx_burst(p, queue, m, cnt);
}

static inline uint16_t
plx_pio_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	return p->ops->tx_burst(p, queue, m, cnt);
}

/**
 * plx_pio_predict_queue() computes the queue on which a port receives a UDP flow, from key
 * and indirection table.
 *
 * @param path  both ends as we see them: packets come from path->remote to path->local
 * @return queue, or PLX_E_UNSUPPORTED when the port does not hash with a known key and table,
 *         PLX_E_INVAL when the families differ or the key is too short for the family
 *
 * Thread: any.
 * Owns:   nothing.
 * Errors: as returned.
 * Cost:   about 100 ns for IPv4; not for every packet.
 */
int plx_pio_predict_queue(const struct plx_steer_plan *plan, const struct plx_path *path)
        PLX_ANY_THREAD;

/**
 * plx_pio_pick_port() chooses a source port so that replies land on a queue. It walks the
 * range by an odd stride: neighbouring ports share low bits of the hash and would need twice
 * the tries.
 *
 * @param path   local.port_be is ignored
 * @param queue  where replies must land
 * @param range  ports to choose from
 * @param seed   start and stride; another seed gives another port
 * @return port in host order, PLX_E_UNSUPPORTED, PLX_E_INVAL as above, PLX_E_NOENT when no port
 *         of the range leads there
 *
 * Thread: any.
 * Owns:   nothing.
 * Errors: as returned.
 */
int plx_pio_pick_port(const struct plx_steer_plan *plan, const struct plx_path *path,
                      uint16_t queue, const struct plx_pio_ports *range, uint64_t seed)
        PLX_ANY_THREAD;

#endif
