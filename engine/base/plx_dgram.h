/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Datagrams and packets as the parts below DPDK see them: pointer, length, path.
 *
 * Path:    nic -> [net] -> steer -> quic -> stream -> app
 * Threads: plain values, owned by one worker.
 * Memory:  the bytes belong to whoever filled the structure (an mbuf in a worker, an array in
 *          a test); nothing here is freed by the reader.
 * Spec:    RFC 8999, RFC 9000 section 12
 */
#ifndef PLX_DGRAM_H
#define PLX_DGRAM_H

#include <plx/types.h>

/** What steering decided about a datagram. */
enum plx_verdict {
	PLX_VERDICT_NONE = 0,
	PLX_VERDICT_CONN,  /**< slot and gen name a connection of this worker */
	PLX_VERDICT_NEW,   /**< long header with an ID we did not issue: a first packet */
	PLX_VERDICT_RESET, /**< short header, ID unknown: candidate for a stateless reset */
	PLX_VERDICT_OTHER, /**< belongs to worker `worker`: mailbox */
	PLX_VERDICT_DROP,  /**< drop with reason `drop` */
	PLX_VERDICT_CNT
};

/** A received UDP datagram. Filled by engine/net, verdict by engine/steer. */
struct plx_dgram {
	const uint8_t *data;  /**< UDP payload */
	void *cookie;         /**< the filler's: the mbuf in a worker */
	uint16_t len;         /**< bytes of payload, trimmed to the UDP length */
	uint8_t ecn;          /**< the two ECN bits of the IP header */
	uint8_t verdict;      /**< enum plx_verdict */
	uint8_t worker;       /**< owner, with PLX_VERDICT_OTHER */
	uint8_t hops;         /**< times it went through a mailbox, 0..2 */
	uint16_t drop;        /**< enum plx_drop, with PLX_VERDICT_DROP */
	uint32_t slot;        /**< connection slot, with PLX_VERDICT_CONN */
	uint32_t cid_seq;     /**< sequence number of our ID the packet came on */
	uint16_t l2_len;      /**< the filler's: bytes of Ethernet and VLAN header */
	uint16_t l3_len;      /**< the filler's: bytes of IP header, extensions included */
	struct plx_path path; /**< local = destination, remote = source */
};

/**
 * A path with the header template of engine/net behind it. It lives in the connection (one
 * for the current path, one for a path under validation); engine/quic fills path and clears
 * tmpl_len when it changes, engine/net fills and owns the rest.
 */
struct plx_tx_path {
	struct plx_path path;
	uint32_t epoch;   /**< neighbour epoch the template was made in */
	uint8_t tmpl_len; /**< Ethernet to UDP header, bytes; 0 = none made yet */
	uint8_t l2_len;   /**< bytes of tmpl that are Ethernet and VLAN */
	uint8_t port; /**< the worker's: port that reaches path.local, plus 1; 0 = not looked up */
	uint8_t pad;
	uint8_t tmpl[80]; /**< lengths, IP id and checksums are filled per packet */
};

/** A packet to send. buf and cap are the caller's; engine/quic fills len, ecn and tx. */
struct plx_txpkt {
	uint8_t *buf; /**< where the UDP payload is written */
	void *cookie; /**< the caller's: the mbuf in a worker */
	uint16_t cap; /**< bytes of room at buf */
	uint16_t len; /**< [out] bytes written, > 0 */
	uint8_t ecn;  /**< [out] ECN bits to send with */
	struct plx_tx_path
	        *tx; /**< [out] path; valid until the next call into engine/quic */
};

#endif
