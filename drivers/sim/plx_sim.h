/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The in-process wire: ports of one process joined by rings, with a software NIC at each
 * receiving end and seeded impairments on the way.
 *
 * Path:    [nic] -> net -> steer -> quic -> stream -> app
 * Before:  plx_pio_tx() of one port      After: plx_pio_rx() of another
 * Threads: queue q of a port belongs to one thread at a time, for sending and receiving alike;
 *          different queues and ports may be on different threads. new, free, port, set_link:
 *          main, while nobody polls; set_carrier: any. With a virtual clock everything is one
 *          thread.
 * Memory:  rings, per-queue state and the pool are sized by the configuration. No allocation
 *          per packet but the copy of a frame that is duplicated, broadcast, or corrupted while
 *          somebody else still holds it. A frame's bytes are never copied otherwise: the
 *          receiver gets the sender's mbuf.
 *
 * How it works:
 *
 *   tx_burst(port a, queue i)                          rx_burst(port b, queue j)
 *     which port (dst MAC), which queue (software      rings of queue j -> [impairments:
 *     NIC of that port: RSS, sender's queue, ...)      fate, departure and arrival time ->
 *     -> ring (a,i) -> (b,j)                           heap by arrival] -> those due by now
 *
 * There is one SPSC ring per pair of sending and receiving queue while these are few, else one
 * multi-producer ring per receiving queue. A ring without room refuses the packet to the sender,
 * as a link with pause frames does: a wire without impairments loses nothing. When only some of
 * the receiving queues have no room, tx_burst moves the frames it did not take to the end of the
 * array, in their order.
 *
 * Impairments happen on the polling side, with a generator per receiving queue, so that no
 * state is shared by threads but the serialisation clock of a port with a rate. A frame is
 * stamped when it is sent; what happens to it depends on the stamp and the order of sending,
 * not on when it is polled. With a virtual clock a run is a function of its seed.
 */
#ifndef PLX_SIM_H
#define PLX_SIM_H

#include "plx_clock.h"
#include "plx_obs.h"
#include "plx_pio.h"

#define PLX_SIM_PORTS_MAX  8
#define PLX_SIM_QUEUES_MAX 16
#define PLX_SIM_DROPS_MAX  64
/** Entries of the indirection table. */
#define PLX_SIM_RETA_LEN   128
/** Bytes of the hash key: as long as the longest that the software NIC hashes needs. */
#define PLX_SIM_KEY_LEN    40

/** How the software NIC of a port spreads what it receives. */
enum plx_sim_spread {
	PLX_SIM_SPREAD_RSS = 0, /**< Toeplitz over the 4-tuple and the indirection table */
	PLX_SIM_SPREAD_PEER,    /**< the sender's queue number, as memif and vhost do */
	PLX_SIM_SPREAD_ZERO,    /**< everything to queue 0 */
	PLX_SIM_SPREAD_LYING,   /**< says RSS, sends each packet anywhere */
	PLX_SIM_SPREAD_CNT
};

/** Which byte of a frame is changed. */
enum plx_sim_corrupt {
	/**
	 * One of the first 50 bytes of the UDP payload; the UDP checksum is corrected so that
	 * QUIC meets the damage, as in the quic-network-simulator. Frames without UDP pass.
	 */
	PLX_SIM_CORRUPT_PAYLOAD = 0,
	/** Any byte of the frame; checksums are left alone. */
	PLX_SIM_CORRUPT_ANY,
};

/**
 * What happens to frames on their way to a port. All zero: nothing. Probabilities are in parts
 * per million of frames, 0..1000000.
 */
struct plx_sim_link {
	uint64_t rate_Bps;  /**< bytes per second of all queues together, 0 = unlimited */
	uint64_t delay_ns;  /**< propagation */
	uint64_t jitter_ns; /**< more delay, uniform in 0..jitter_ns; reorders */
	uint32_t
	        queue_pkts; /**< frames that wait for the rate per receiving queue, 0 = 1000 */

	uint32_t loss_ppm;        /**< independent losses, and losses in the good state */
	uint32_t burst_enter_ppm; /**< Gilbert-Elliott: good to bad, per frame */
	uint32_t burst_leave_ppm; /**< bad to good, per frame */
	uint32_t burst_loss_ppm;  /**< losses in the bad state */

	uint32_t reorder_ppm; /**< frames that come reorder_ns later */
	uint64_t reorder_ns;
	uint32_t dup_ppm;
	uint32_t corrupt_ppm;
	uint8_t corrupt_how; /**< enum plx_sim_corrupt */

	uint16_t mtu; /**< larger IP packets vanish silently (a black hole), 0 = no limit */

	/** The link is dead in [start, start + len), again every period (0 = once); ns after new. */
	uint64_t hole_start_ns, hole_len_ns, hole_period_ns;

	/** Frames to lose by number, per receiving queue, counted from 0, ascending. */
	uint64_t drop_idx[PLX_SIM_DROPS_MAX];
	uint32_t drop_cnt;
};

struct plx_sim_cfg {
	const char *name; /**< prefix of object names, unique in the process; NULL "sim" */
	uint16_t ports;   /**< 2..PLX_SIM_PORTS_MAX */
	uint16_t queues[PLX_SIM_PORTS_MAX]; /**< per port, 1..PLX_SIM_QUEUES_MAX; 0 = 1 */
	uint8_t spread[PLX_SIM_PORTS_MAX];  /**< enum plx_sim_spread */
	struct plx_sim_link to[PLX_SIM_PORTS_MAX]; /**< on the way to each port */
	uint64_t seed;

	/**
	 * Time of the impairments; NULL = CLOCK_MONOTONIC. A virtual clock is used in place and
	 * moved by the caller; of any other kind each queue keeps a copy.
	 */
	struct plx_clock *clock;

	uint32_t ring_cnt; /**< frames a ring holds, a power of two; 0 = 1024 */
	uint32_t
	        flight_cnt; /**< frames under way per receiving queue with impairments; 0 = 4096 */
	bool no_cksum; /**< ports say PLX_OFF_NO_CKSUM; taken back where a link corrupts */

	const uint8_t
	        *rss_key; /**< PLX_SIM_KEY_LEN bytes, NULL = a key derived from seed */

	uint16_t mtu;             /**< of the ports, IP packet bytes; 0 = 1500 */
	struct rte_mempool *pool; /**< NULL = one is made */
	uint32_t pool_cnt;        /**< mbufs of that pool, 0 = from rings and flights */
	uint16_t mbuf_room; /**< data room of an mbuf without headroom, bytes; 0 = 2048 */
	int16_t socket_id;  /**< NUMA node, -1 any */
};

/** Sums over the queues of a port. */
struct plx_sim_stats {
	uint64_t rx_pkts, rx_bytes;     /**< handed to the receiver */
	uint64_t tx_pkts, tx_bytes;     /**< taken from the sender */
	uint64_t dup, corrupt, reorder; /**< frames that were, on the way to the port */
	uint64_t flight;                /**< frames on the way to the port now */
};

struct plx_sim;

/**
 * plx_sim_mem_need() gives the bytes of EAL memory that plx_sim_new() will ask for without
 * hugepages, so that -m can be computed before rte_eal_init().
 *
 * @return bytes, 0 when cfg is refused
 *
 * Thread: any.
 * Owns:   nothing.
 * Errors: 0.
 */
size_t plx_sim_mem_need(const struct plx_sim_cfg *cfg) PLX_ANY_THREAD;

/**
 * plx_sim_new() makes the wire with its ports.
 *
 * @param out  [out] NULL on failure
 * @param cfg  copied, except pool and a virtual clock, which must outlive the wire
 * @return 0, PLX_E_INVAL (a number out of range), PLX_E_NOMEM, PLX_E_EXIST (another wire of
 *         that name)
 *
 * Thread: main, after rte_eal_init().
 * Owns:   the caller gives *out back with plx_sim_free().
 * Errors: as returned.
 */
int plx_sim_new(struct plx_sim **out, const struct plx_sim_cfg *cfg) PLX_ON_MAIN;

/**
 * plx_sim_free() gives the wire back. It goes away, with the frames still under way, once the
 * ports taken with plx_sim_port() are closed too, in any order. NULL is allowed.
 *
 * Thread: main. Owns: sim leaves the caller. Errors: none.
 */
void plx_sim_free(struct plx_sim *sim) PLX_ON_MAIN;

/**
 * plx_sim_port() takes port i. Its MAC address is 02:50:4c:58:00:(i + 1).
 *
 * With two ports each hears whatever the other sends. With more, a frame goes to the port with
 * its destination MAC, a broadcast or multicast frame to all others, any other is dropped.
 *
 * @param i  0..ports-1, each to be taken once
 * @return the port, NULL when i is out of range or taken
 *
 * Thread: main.
 * Owns:   the caller; give back with ops->close().
 * Errors: NULL.
 */
struct plx_pio *plx_sim_port(struct plx_sim *sim, uint16_t i) PLX_ON_MAIN;

/**
 * plx_sim_next() gives the time at which the next frame can be received, so that a driver of
 * virtual time knows how far to move the clock.
 *
 * @return ns; the clock's time when something can be received now; PLX_TIME_NEVER when nothing
 *         is under way
 *
 * Thread: the only one that uses the wire.
 * Owns:   nothing.
 * Errors: none.
 */
uint64_t plx_sim_next(struct plx_sim *sim) PLX_ON_MAIN;

/**
 * plx_sim_set_link() changes what happens on the way to port i. Frames under way keep their
 * time of arrival.
 *
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM
 *
 * Thread: main, while no thread polls the port.
 * Owns:   nothing; link is copied.
 * Errors: as returned, nothing is changed then.
 */
int plx_sim_set_link(struct plx_sim *sim, uint16_t i, const struct plx_sim_link *link)
        PLX_ON_MAIN;

/**
 * plx_sim_set_carrier() takes the carrier of port i away or gives it back, as pulling a cable
 * does: the port reports it, and what it sends and what reaches it is lost, counted as
 * PLX_DROP_SIM_HOLE. The other port sees nothing, as behind a switch; a cable without one takes
 * both away.
 * Thread: any. Owns: nothing. Errors: i out of range: nothing happens.
 */
void plx_sim_set_carrier(struct plx_sim *sim, uint16_t i, bool up) PLX_ANY_THREAD;

/** plx_sim_get_stats() sums the queues of port i. Thread: any. Errors: i out of range: zeros. */
void plx_sim_get_stats(const struct plx_sim *sim, uint16_t i, struct plx_sim_stats *out)
        PLX_ANY_THREAD;

/**
 * plx_sim_get_drop() sums a drop reason over the queues of port i: losses on the way to the
 * port, and PLX_DROP_SIM_NO_PORT for frames that the port sent to nobody.
 * Thread: any. Errors: i out of range: 0.
 */
uint64_t plx_sim_get_drop(const struct plx_sim *sim, uint16_t i, enum plx_drop r)
        PLX_ANY_THREAD;

/** plx_sim_pool() gives the pool of the wire. Thread: any. Owns: the wire. Errors: none. */
struct rte_mempool *plx_sim_pool(const struct plx_sim *sim) PLX_ANY_THREAD;

#endif
