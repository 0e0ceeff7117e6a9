/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Ethernet, VLAN, IPv4, IPv6 and UDP in and out; ARP, neighbour discovery, ICMP echo.
 *
 * Path:    nic -> [net] -> steer -> quic -> stream -> app
 * Before:  plx_pio_rx()      After: plx_steer_burst()
 * Threads: one struct plx_net per worker and port; the neighbour table has one writer, the
 *          worker that owns queue 0, and is read by the others through a sequence lock; a
 *          worker that learns a neighbour on another queue passes it on by the same structure.
 * Memory:  fixed at init; no allocation afterwards but mbufs from the port's pool.
 * Spec:    RFC 791, 8200, 768, 826, 4861, 792, 4443, 1624, 6936
 */
#ifndef PLX_NET_H
#define PLX_NET_H

#include "plx_dgram.h"
#include "plx_obs.h"
#include "plx_pio.h"

#define PLX_NET_ADDRS_MAX 16
#define PLX_NET_PORTS_MAX 16
/** Bytes in front of the UDP payload: Ethernet 14 + two VLAN tags 8 + IPv6 40 + UDP 8. */
#define PLX_NET_HDR_MAX   70

/**
 * How long frames that the port refused are offered again before they are dropped; the worker
 * writes nothing new meanwhile, so what waits is bounded. Shorter: a peer in this machine whose
 * thread is not scheduled (virtual ports on shared cores: some 30 ms) costs a burst of losses on
 * a wire that loses nothing. Longer: on a dead port commands, which wait too, are taken rarely.
 */
#define PLX_NET_TX_HOLD_NS (100 * PLX_NS_PER_MS)

/** An address of ours with its prefix. */
struct plx_net_addr {
	struct plx_addr addr; /**< port unused */
	uint8_t prefix_len;   /**< 0..32 or 0..128 */
};

struct plx_net_cfg {
	struct plx_net_addr addr[PLX_NET_ADDRS_MAX];
	uint8_t addr_cnt;
	uint16_t port_be[PLX_NET_PORTS_MAX]; /**< UDP ports served; see accept_any_port */
	uint8_t port_cnt;
	bool accept_any_port;               /**< clients: every port above 1023 */
	struct plx_addr gateway4, gateway6; /**< family NONE = none */
	uint8_t gateway_mac[6];             /**< fixed next hop; all zero = resolve */
	uint16_t vlan;      /**< tag to send with, 0 = none; received tags are skipped */
	uint8_t ttl;        /**< default 64 */
	bool ip4_options;   /**< skip IPv4 options instead of refusing them */
	bool no_neigh;      /**< wire without neighbours (drivers/sim): dst MAC broadcast */
	uint16_t icmp_rate; /**< answers per second and worker, default 1000 */
};

/**
 * What received frames say about the set-up; bits of plx_net_hints(). A wire never shows the
 * first two, a veth pair does (drivers/ethdev, docs: what works without a NIC).
 */
enum plx_net_hint {
	PLX_NET_HINT_PARTIAL_CKSUM = 1, /**< peers leave UDP checksums unfinished */
	PLX_NET_HINT_GSO = 2,           /**< frames larger than the MTU arrive */
	PLX_NET_HINT_ADDR_IN_USE = 4,   /**< another MAC uses an address of ours */
};

/** Shared by the workers of a port: the neighbour table. */
struct plx_neigh;
struct plx_net;

/**
 * A router says that packets of this path are too large.
 *
 * @param path    ours and the remote address, with ports
 * @param ip_mtu  largest IP packet that fits, bytes; 1228.. (IPv4), 1280.. (IPv6)
 *
 * Anybody can send such a message; take it as a reason to probe, never as a fact (RFC 9000
 * section 14.2.1).
 */
typedef void (*plx_net_ptb_fn)(void *arg, const struct plx_path *path, uint16_t ip_mtu);

/**
 * plx_neigh_new() makes the neighbour table of a port, plx_neigh_free() frees it after every
 * struct plx_net that uses it.
 *
 * @param entries  1..2^20, rounded up to a power of two; 64 bytes each
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM
 *
 * Thread: main. Owns: the caller owns *out. Errors: as returned, *out is NULL then.
 */
int plx_neigh_new(struct plx_neigh **out, uint32_t entries) PLX_ON_MAIN;
void plx_neigh_free(struct plx_neigh *n) PLX_ON_MAIN;

/**
 * plx_net_new() makes the network side of one worker and port, plx_net_free() frees it with
 * the packets that wait in it.
 *
 * @param cfg    copied
 * @param pio    open port; outlives the net
 * @param queue  receive and transmit queue of this worker; 0 is the writer of neigh
 * @param neigh  table of the port; NULL only with cfg->no_neigh
 * @param obs    counters of the worker; outlive the net
 * @return 0, PLX_E_CONFIG (addresses, ports, prefix; MTU below 1228), PLX_E_INVAL, PLX_E_NOMEM
 *
 * Thread: main. Owns: the caller owns *out. Errors: as returned, *out is NULL then.
 */
int plx_net_new(struct plx_net **out, const struct plx_net_cfg *cfg, struct plx_pio *pio,
                uint16_t queue, struct plx_neigh *neigh, struct plx_obs *obs) PLX_ON_MAIN;
void plx_net_free(struct plx_net *n) PLX_ON_MAIN;

/** plx_net_set_ptb() names who is told of packet-too-big messages; fn NULL = nobody. */
void plx_net_set_ptb(struct plx_net *n, plx_net_ptb_fn fn, void *arg) PLX_ON_MAIN;

/**
 * plx_net_rx_burst() parses frames. Each becomes a datagram, or is consumed (ARP, ND, echo), or
 * is dropped under exactly one reason: of each burst
 *     rx_pkts = rx_dgrams + arp_rx + nd_rx + echo_rx + ptb_rx + drops counted here.
 * Order is kept. A datagram in several segments is copied into one buffer of the port's pool.
 *
 * @param m    frames; those not in dg are freed (answers are queued, see plx_net_tx_flush)
 * @param cnt  1..PLX_BURST_MAX
 * @param dg   [out] room for cnt; cookie = the mbuf, data inside it
 * @return datagrams
 *
 * Thread: the worker. Owns: mbufs in dg are the caller's to free. Errors: none.
 * Cost:   parse and classify <= 25 ns per packet; no allocation.
 */
uint16_t plx_net_rx_burst(struct plx_net *n, struct rte_mbuf **m, uint16_t cnt,
                          struct plx_dgram *dg, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_hand_over() puts into the mbuf of a datagram what plx_net_dgram_of() needs, before the
 * mbuf goes to another worker. Thread: the worker that parsed it. Errors: none.
 */
void plx_net_hand_over(const struct plx_dgram *dg) PLX_ON_WORKER;

/**
 * plx_net_dgram_of() rebuilds the datagram of an mbuf that another worker parsed (mailbox):
 * offsets are in the mbuf's l2_len, l3_len and data_len was trimmed to the UDP length. hops is 0.
 * Thread: any worker that owns the mbuf. Errors: none.
 */
void plx_net_dgram_of(struct rte_mbuf *m, struct plx_dgram *dg) PLX_ON_WORKER;

/**
 * plx_net_tx_alloc() takes cnt mbufs and prepares out[] for plx_quic_tx_burst(): buf behind
 * PLX_NET_HDR_MAX bytes of header room, cookie = mbuf. All or none.
 * @return cnt or 0 (counted under PLX_DROP_NET_NO_MBUF by the caller if it matters)
 */
uint16_t plx_net_tx_alloc(struct plx_net *n, struct plx_txpkt *out, uint16_t cnt)
        PLX_ON_WORKER;

/**
 * plx_net_tx_burst() puts headers in front of written packets and queues them for the port.
 * Unresolved next hops: up to 16 packets per neighbour wait, more are dropped and counted.
 * @param cnt  packets with len > 0
 * Thread: the worker. Owns: the mbufs leave the caller. Errors: none; counted.
 */
void plx_net_tx_burst(struct plx_net *n, struct plx_txpkt *out, uint16_t cnt,
                      uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_tx_flush() hands queued frames to the port. Frames refused twice, and at least
 * PLX_NET_TX_HOLD_NS apart, are dropped as PLX_DROP_NET_TX_FULL.
 * @return frames still queued: the port takes no more now (commands wait then, S0-46)
 */
uint16_t plx_net_tx_flush(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_tx_stalled() says that the port took none of the frames it was offered for
 * PLX_NET_TX_HOLD_NS or longer, up to now: its link is down, or what is behind it hangs. Only an
 * offer shows that it takes again. Thread: the worker. Owns: nothing. Errors: none.
 */
bool plx_net_tx_stalled(const struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_link_up() is told that the port has its link again: neighbours are asked anew, as the
 * other end may be another one now, and ours are announced. Those who are not the writer of the
 * neighbour table do nothing. Thread: the worker. Owns: nothing. Errors: none.
 */
void plx_net_link_up(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_housekeep() ages and re-resolves neighbours and gives up packets that waited 4 s for
 * one; call about every 100 ms.
 * Thread: the worker. Owns: nothing changes hands. Errors: none; counted.
 */
void plx_net_housekeep(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;

/** plx_net_pick_local() chooses the address of ours that reaches remote. PLX_E_NOENT: none. */
int plx_net_pick_local(const struct plx_net *n, const struct plx_addr *remote,
                       struct plx_addr *local) PLX_ON_WORKER;

/**
 * plx_net_hints() tells what the frames so far said about the set-up, PLX_NET_HINT_*.
 * Thread: any. Owns: nothing. Errors: none.
 */
uint32_t plx_net_hints(const struct plx_net *n) PLX_ANY_THREAD;

/** plx_net_announce() sends gratuitous ARP and unsolicited ND for our addresses. */
void plx_net_announce(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;

#endif
