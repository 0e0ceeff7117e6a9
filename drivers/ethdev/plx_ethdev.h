/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Any DPDK port behind plx_pio: bring-up by negotiation, the start-up table, queue prediction.
 *
 * Path:    [nic] -> net -> steer -> quic -> stream -> app
 * Before:  rte_eal_init()      After: plx_net_new()
 * Threads: main, except the bursts of plx_pio (the worker that owns the queue) and the pure
 *          functions marked so.
 * Memory:  one structure per open port, and one mbuf pool sized by formula unless one is given.
 *          No allocation after open but mbufs.
 *
 * How it works. What is wanted is compared with what rte_eth_dev_info_get() says the device
 * has, never tried out: several drivers accept what they cannot do. Every line of that
 * comparison is a row {property, wanted, got, fallback} that the start-up table, the JSON output
 * and the tests read. A wish that is `required` and not granted ends the bring-up.
 *
 *   devices -> info -> queues, descriptors, MTU, offloads, RSS -> pool -> configure -> queues
 *   -> start -> RSS key and table read back -> multicast, promiscuous -> plan, rows
 *
 * Several devices with one queue each can be one port (AF_XDP before DPDK 25.07 needs one
 * virtual device per queue on veth): queue q is device q.
 *
 * Hardware rules by connection ID are not installed here: the plan ends at RSS.
 */
#ifndef PLX_ETHDEV_H
#define PLX_ETHDEV_H

#include <stdio.h>

#include "plx_pio.h"

#define PLX_ETHDEV_DEVS_MAX   16
#define PLX_ETHDEV_QUEUES_MAX PLX_WORKERS_MAX
#define PLX_ETHDEV_ROWS_MAX   32
/** Room for a message with the whole start-up table behind it. */
#define PLX_ETHDEV_ERR_SZ     4096

enum plx_ethdev_want {
	PLX_ETHDEV_OFF = 0,
	PLX_ETHDEV_PREFER, /**< take it, else do without */
	PLX_ETHDEV_REQUIRE,
	PLX_ETHDEV_WANT_CNT
};

/** What the size of the mbuf pool depends on, beside queues and descriptors. */
struct plx_ethdev_pool_cfg {
	uint16_t workers; /**< threads that take and give mbufs, 0 = the queues */
	uint16_t burst;   /**< mbufs a worker has in hand per step, 0 = PLX_BURST_MAX */
	uint32_t
	        in_flight; /**< mbufs held elsewhere: mailboxes, frames waiting for a neighbour */
	uint16_t cache; /**< per-thread cache, 0 = 512, cut where the pool is small */
};

struct plx_ethdev_cfg {
	/**
	 * Each is the number of a port ("0"), the name of a port that EAL probed ("net_ring0",
	 * "0000:3b:00.0"), a virtual device to make ("net_af_packet0,iface=eth0") or a PCI
	 * address to probe. More than one: each gives one queue.
	 */
	const char *device[PLX_ETHDEV_DEVS_MAX];
	uint8_t device_cnt; /**< 1..PLX_ETHDEV_DEVS_MAX */

	const char *
	        prefix; /**< the engine's name; EAL object names begin with it; NULL "plx" */
	uint16_t rxq, txq;                /**< wanted, 0 = 1; cut to what the device has */
	uint16_t rx_desc, tx_desc;        /**< wanted per queue, 0 = 1024 */
	uint16_t mtu;                     /**< IP packet bytes, 0 = what the device has */
	uint32_t off_prefer, off_require; /**< PLX_OFF_*; in neither = off */

	uint8_t rss;     /**< enum plx_ethdev_want; matters with more than one queue */
	uint8_t promisc; /**< enum plx_ethdev_want */
	uint8_t allmulti; /**< enum plx_ethdev_want; IPv6 neighbour discovery needs multicast */
	const uint8_t
	        *rss_key;    /**< NULL = random: a known key lets peers aim at one queue */
	uint8_t rss_key_len; /**< bytes, as the device wants: 40 or 52 */

	uint16_t link_wait_ms; /**< how long open waits for the link, 0 = not at all */
	/** Asked every millisecond of that time: true ends it and the open. NULL = nobody. */
	bool (*stop)(void *arg);
	void *stop_arg;
	struct rte_mempool *pool; /**< NULL = one is made */
	struct plx_ethdev_pool_cfg pool_cfg;
};

/** One line of the start-up table. */
struct plx_ethdev_row {
	char property[24];
	char wanted[24]; /**< "-" where nothing was asked for */
	char got[40];
	char fallback
	        [56]; /**< who does it instead: "software", "off", or what follows; "" */
};

/**
 * plx_ethdev_open() brings a port up.
 *
 * @param out     [out] NULL on failure
 * @param cfg     only read; rss_key and strings need not outlive the call
 * @param err     [out] one sentence that names the fix; behind it, after a newline, the start-up
 *                table when a required property is missing
 * @param err_sz  bytes at err, PLX_ETHDEV_ERR_SZ fits everything
 * @return 0, PLX_E_INVAL (a number out of range), PLX_E_NOENT (no such device), PLX_E_EXIST,
 *         PLX_E_PERM, PLX_E_NOMEM, PLX_E_UNSUPPORTED (required and not there), PLX_E_DEVICE,
 *         PLX_E_INTERRUPTED (cfg->stop said so)
 *
 * Thread: main, after rte_eal_init().
 * Owns:   the caller; give back with ops->close(). Devices that open made or probed are removed
 *         by close, those that were there are only stopped and closed.
 * Errors: as returned; nothing is left behind.
 */
int plx_ethdev_open(struct plx_pio **out, const struct plx_ethdev_cfg *cfg, char *err,
                    size_t err_sz) PLX_ON_MAIN;

/**
 * plx_ethdev_attach() takes a port that the host program configured and started. Nothing of it
 * is changed; close lets go of it and leaves it running.
 *
 * @param queues  0..queues-1 for receiving and sending are ours, 1..PLX_ETHDEV_QUEUES_MAX
 * @param pool    mbufs to send with
 * @return 0, PLX_E_NOENT, PLX_E_INVAL (fewer queues, no pool), PLX_E_NOMEM
 *
 * Thread: main.
 * Owns:   *out is the caller's; port and pool stay the host's.
 * Errors: as returned, a sentence in err.
 */
int plx_ethdev_attach(struct plx_pio **out, uint16_t port_id, uint16_t queues,
                      struct rte_mempool *pool, char *err, size_t err_sz) PLX_ON_MAIN;

/**
 * plx_ethdev_pool_cnt() gives the mbufs a port needs: descriptors, caches, bursts and what is in
 * flight, rounded up to 2^n - 1. plx_ethdev_mem_need() gives the bytes of EAL memory for them
 * and their descriptors without hugepages, so that -m can be computed before rte_eal_init(); with
 * hugepages it is up to 1.7 times less.
 *
 * Thread: any.
 * Owns:   nothing.
 * Errors: none; 0 in cfg means the defaults.
 */
uint32_t plx_ethdev_pool_cnt(const struct plx_ethdev_cfg *cfg) PLX_ANY_THREAD;
size_t plx_ethdev_mem_need(const struct plx_ethdev_cfg *cfg) PLX_ANY_THREAD;

/**
 * plx_ethdev_rows() gives the start-up table. For a port of another driver the rows are made
 * from struct plx_pio.
 *
 * @param rows  [out]
 * @param max   entries of rows
 * @return rows written
 *
 * Thread: main. Owns: nothing. Errors: none.
 */
uint32_t plx_ethdev_rows(const struct plx_pio *p, struct plx_ethdev_row *rows, uint32_t max)
        PLX_ON_MAIN;

/** plx_ethdev_print_table() prints them in columns. Thread: main. Errors: those of f. */
void plx_ethdev_print_table(const struct plx_pio *p, FILE *f) PLX_ON_MAIN;

/** What is wrong with a kernel network device that a port is to use. */
enum plx_ethdev_hint {
	PLX_HINT_NO_IFACE = 1 << 0, /**< there is no such device in this namespace */
	PLX_HINT_DOWN = 1 << 1,     /**< it is down */
	PLX_HINT_TX_CKSUM = 1 << 2, /**< the sending side leaves UDP checksums unfinished */
	PLX_HINT_GSO = 1 << 3,      /**< the sending side sends frames up to 64 kB */
	PLX_HINT_GRO = 1 << 4,      /**< our side merges received frames */
	PLX_HINT_ADDR4 = 1 << 5,    /**< the kernel holds an IPv4 address on it */
	PLX_HINT_ADDR6 = 1 << 6,    /**< a global IPv6 address */
	PLX_HINT_PEER_HIDDEN = 1 << 7, /**< veth whose other end is in another namespace */
};

/**
 * plx_ethdev_hints() looks at a kernel network device before a port uses it: a veth carries what
 * a wire never would.
 *
 * @param iface  name of the device, as in iface= of net_af_packet, net_af_xdp, net_tap
 * @param text   [out] one line per hint with the command that fixes it, "" without hints
 * @param sz     bytes at text, > 0
 * @return bits of enum plx_ethdev_hint; 0 = nothing to say
 *
 * Thread: main.
 * Owns:   nothing.
 * Errors: what cannot be read is left out.
 */
uint32_t plx_ethdev_hints(const char *iface, char *text, size_t sz) PLX_ON_MAIN;

/**
 * plx_ethdev_iface_rxq() gives the receive queues of a kernel network device. A net_af_xdp device
 * sees only its own queue: with fewer devices than queues the rest of the traffic goes to the
 * kernel, silently.
 * @return queues, 0 when they cannot be read
 * Thread: main. Owns: nothing. Errors: 0.
 */
uint32_t plx_ethdev_iface_rxq(const char *iface) PLX_ON_MAIN;

/**
 * plx_ethdev_iface_of() copies the value of iface= out of a virtual device's arguments.
 * @return true when there is one and it fits
 * Thread: any. Errors: false.
 */
bool plx_ethdev_iface_of(const char *device, char *iface, size_t sz) PLX_ANY_THREAD;

#endif
