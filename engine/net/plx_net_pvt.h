/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of engine/net: the state of one worker on one port, and the calls between its files.
 *
 * Path:    nic -> [net] -> steer -> quic -> stream -> app
 * Threads: the worker; hints are read by any thread.
 * Memory:  one block, made by plx_net_new().
 *
 *     plx_net.c        life, receive burst, hints        plx_arp.c   ARP
 *     plx_net_parse.c  frames to verdicts                plx_nd.c    neighbour discovery
 *     plx_net_seg.c    buffers of several segments       plx_icmp.c  echo, packet too big
 *     plx_net_tx.c     templates, queue to the port      plx_neigh.c the table
 *     plx_net_hop.c    next hops, packets that wait, requests
 */
#ifndef PLX_NET_PVT_H
#define PLX_NET_PVT_H

#include <stdatomic.h>

#include <rte_mbuf.h>

#include <plx/err.h>

#include "plx_cksum.h"
#include "plx_neigh.h"
#include "plx_net.h"
#include "plx_net_parse.h"
#include "plx_wire.h"

/**
 * Frames queued for the port: two bursts and the answers of two. Below 64 a port that takes no
 * frame for one turn makes us drop; above, frames only grow old.
 */
#define PLX_NET_TXQ       128
/** Packets that wait for one neighbour, and neighbours waited for, per worker. */
#define PLX_NET_HOLD_PKTS 16
#define PLX_NET_HOLD_HOPS 32
/** Longer than three probes take: afterwards nobody will answer. */
#define PLX_NET_HOLD_NS   (4 * PLX_NS_PER_S)
/** Frames of one kind that raise a hint: not an accident of one corrupted frame any more. */
#define PLX_NET_HINT_MIN  2
/** Bytes of a template, right-aligned in plx_tx_path.tmpl. */
#define PLX_NET_TMPL      sizeof(((struct plx_tx_path *)0)->tmpl)

PLX_STATIC_ASSERT(PLX_NET_HDR_MAX <= sizeof(((struct plx_tx_path *)0)->tmpl),
                  "the longest header fits the template");
PLX_STATIC_ASSERT(sizeof(((struct plx_tx_path *)0)->tmpl) <= RTE_PKTMBUF_HEADROOM,
                  "a template copied whole stays inside the headroom");

/** Answers per second: a bucket of one second's worth, counted in nanoseconds. */
struct plx_net_bucket {
	uint64_t last_ns;
	uint64_t credit_ns; /**< 0..PLX_NS_PER_S */
	uint64_t cost_ns;   /**< of one answer */
};

/** Packets that wait for a neighbour: complete frames but for the destination MAC. */
struct plx_net_hold {
	struct plx_addr hop; /**< family NONE = slot unused */
	uint8_t cnt;
	uint64_t until_ns;
	struct rte_mbuf *pkt[PLX_NET_HOLD_PKTS];
};

struct plx_net {
	/* read per burst and packet */
	struct plx_obs *obs;
	struct plx_pio *pio;
	struct rte_mempool *pool;
	struct plx_neigh *neigh; /* NULL: wire without neighbours */
	uint64_t rx_ip_msk,
	        rx_udp_msk; /* ol_flags masks whose GOOD value is trusted; 0 = none */
	unsigned rx_trust;  /* PLX_NET_TRUST_* whatever the mbuf says */
	bool tx_ip_off, tx_udp_off, tx_no_cksum;
	bool has_gw_mac;
	uint16_t queue;
	uint16_t mtu;
	uint16_t room; /* bytes of data room behind the headroom in a buffer of the pool */
	struct plx_net_rule rule;

	/* written per burst */
	uint16_t txq_cnt;
	uint16_t refused_cnt; /* the first frames of txq, refused at refused_ns */
	uint64_t refused_ns;
	uint64_t
	        stall_ns; /* since then the port took nothing it was offered; 0 = it takes */
	struct rte_mbuf *txq[PLX_NET_TXQ];
	uint16_t txq_len[PLX_NET_TXQ];

	/* written seldom */
	struct plx_net_bucket bucket;
	uint16_t hold_cnt;   /* slots of hold in use */
	uint32_t hold_epoch; /* neighbour epoch at which hold was last looked through */
	uint32_t partial_cnt, gso_cnt;
	_Atomic uint32_t hints; /* read by any thread */
	plx_net_ptb_fn on_ptb;
	void *ptb_arg;
	struct plx_net_cfg cfg;
	struct plx_net_hold hold[PLX_NET_HOLD_HOPS];
};

/* --- plx_net.c --- */

/** plx_net_spend() takes an answer from the bucket; false when it is empty. */
bool plx_net_spend(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;
/** plx_net_hint() raises hints, PLX_NET_HINT_*. */
void plx_net_hint(struct plx_net *n, uint32_t bits) PLX_ON_WORKER;

/* --- plx_net_seg.c --- */

/**
 * plx_net_seg_join() makes one segment of a buffer that is not one, by copy.
 *
 * @param drop  [out] the reason when NULL is returned: NET_SEGMENTS, NET_TOO_LARGE, NET_NO_MBUF
 * @return the buffer with everything in it (a new one), or NULL
 *
 * Thread: the worker. Owns: takes m, whatever its segment list looks like.
 */
struct rte_mbuf *plx_net_seg_join(struct plx_net *n, struct rte_mbuf *m,
                                  enum plx_drop *drop) PLX_ON_WORKER;

/**
 * plx_net_seg_whole(): one segment whose data lies inside its buffer? One with a successor is a
 * driver's mistake: freeing would follow it.
 */
static inline bool
plx_net_seg_whole(const struct rte_mbuf *m)
{
	return m->nb_segs == 1 && m->pkt_len == m->data_len &&
	       (uint32_t)m->data_off + m->data_len <= m->buf_len && m->next == NULL;
}

/* --- plx_net_tx.c --- */

/** plx_net_tx_queue() puts a finished frame into the queue; it may be dropped and counted. */
void plx_net_tx_queue(struct plx_net *n, struct rte_mbuf *m, uint64_t now_ns) PLX_ON_WORKER;

/**
 * plx_net_tx_frame() takes a buffer for a frame of our own making and writes its Ethernet
 * header, with the VLAN tag of the configuration.
 *
 * @param len  bytes behind the Ethernet header, 1..mtu
 * @param l3   [out] where they go; zeroed
 * @return the buffer, at least 60 bytes long; NULL: none, not counted
 */
struct rte_mbuf *plx_net_tx_frame(struct plx_net *n, const uint8_t dst[6], uint16_t type,
                                  uint16_t len, uint8_t **l3) PLX_ON_WORKER;

/** plx_net_tx_ip6() writes an IPv6 header for an ICMPv6 message of len bytes. */
void plx_net_tx_ip6(uint8_t *ip, const uint8_t *src, const uint8_t *dst, uint16_t len,
                    uint8_t hop_limit) PLX_ON_WORKER;

/* --- plx_net_hop.c --- */

enum plx_net_hop {
	PLX_NET_HOP_MAC,     /**< mac is the way */
	PLX_NET_HOP_WAIT,    /**< being resolved: hold the packet */
	PLX_NET_HOP_FAILED,  /**< nobody answers */
	PLX_NET_HOP_NOROUTE, /**< no address of ours and no gateway reaches it */
};

/** plx_net_hop_find() looks for the MAC behind which remote is; hop: who has to be asked. */
enum plx_net_hop plx_net_hop_find(struct plx_net *n, const struct plx_addr *remote,
                                  struct plx_addr *hop, uint8_t mac[6]) PLX_ON_WORKER;
/** plx_net_hop_hold() keeps a frame until its hop is known, or drops and counts it. */
void plx_net_hop_hold(struct plx_net *n, const struct plx_addr *hop, struct rte_mbuf *m,
                      uint64_t now_ns) PLX_ON_WORKER;
/** plx_net_hop_run() sends what can go now; the writer also works off messages and asks. */
void plx_net_hop_run(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;
/** plx_net_hop_age() moves neighbours on with time and gives up what waited too long. */
void plx_net_hop_age(struct plx_net *n, uint64_t now_ns) PLX_ON_WORKER;
/** plx_net_hop_near(): may this neighbour be learnt? (on one of our links, or a gateway) */
bool plx_net_hop_near(const struct plx_net *n, const struct plx_addr *a) PLX_ON_WORKER;

/* --- plx_arp.c, plx_nd.c, plx_icmp.c --- */

/*
 * Handlers of what is not a datagram: p is the frame, k the verdict of the parser. They return
 * PLX_DROP_NONE and count what they did, or the one reason for which the frame is dropped.
 */
enum plx_drop plx_arp_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
                         uint64_t now_ns) PLX_ON_WORKER;
enum plx_drop plx_nd_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
                        uint64_t now_ns) PLX_ON_WORKER;
enum plx_drop plx_icmp4_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
                           uint64_t now_ns) PLX_ON_WORKER;
enum plx_drop plx_icmp6_rx(struct plx_net *n, const uint8_t *p, const struct plx_net_pkt *k,
                           uint64_t now_ns) PLX_ON_WORKER;

/** Ask for a neighbour from an address of ours; mac all zero: everybody. */
void plx_arp_ask(struct plx_net *n, const uint8_t *src, const uint8_t *target,
                 const uint8_t mac[6], uint64_t now_ns) PLX_ON_WORKER;
void plx_nd_ask(struct plx_net *n, const uint8_t *src, const uint8_t *target,
                const uint8_t mac[6], uint64_t now_ns) PLX_ON_WORKER;
/** Tell everybody that an address is ours. */
void plx_arp_announce(struct plx_net *n, const uint8_t *ip, uint64_t now_ns) PLX_ON_WORKER;
void plx_nd_announce(struct plx_net *n, const uint8_t *ip, uint64_t now_ns) PLX_ON_WORKER;

/** Can this MAC be a sender's? Not a group, not zero. */
static inline bool
plx_net_mac_ok(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0;
}

/** plx_net_neigh_tell() passes what was learnt to the writer; false: no room. */
static inline PLX_ON_WORKER bool
plx_net_neigh_tell(struct plx_net *n, enum plx_neigh_op op, const struct plx_addr *ip,
                   const uint8_t *mac)
{
	return n->neigh == NULL || plx_neigh_post(n->neigh, op, ip, mac) == 0;
}

static inline struct plx_addr
plx_net_addr_of(const uint8_t *ip, uint8_t family)
{
	struct plx_addr a = {.family = family};

	memcpy(a.ip, ip, family == PLX_FAMILY_IPV6 ? 16 : 4);
	return a;
}

#endif
