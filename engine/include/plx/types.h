/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Small value types: addresses, paths, handles, buffers.
 *
 * Threads: plain values.
 * Memory:  none is owned.
 */
#ifndef PLX_TYPES_H
#define PLX_TYPES_H

#include <plx/defs.h>

#ifdef __cplusplus
extern "C" {
#endif

/** UDP over IPv4 or IPv6. */
enum plx_family {
	PLX_FAMILY_NONE = 0,
	PLX_FAMILY_IPV4 = 4,
	PLX_FAMILY_IPV6 = 6,
};

/**
 * An IP address and UDP port. For IPv4 ip[0..3] holds the address and the rest is zero, so
 * that two addresses compare with memcmp().
 */
struct plx_addr {
	uint8_t ip[16];   /**< network order */
	uint16_t port_be; /**< network order */
	uint8_t family;   /**< enum plx_family */
	uint8_t zero;     /**< always 0 */
};
PLX_STATIC_ASSERT(sizeof(struct plx_addr) == 20, "plx_addr is compared as bytes");

/** Both ends of a UDP flow, seen from us. */
struct plx_path {
	struct plx_addr local;
	struct plx_addr remote;
};
PLX_STATIC_ASSERT(sizeof(struct plx_path) == 40, "plx_path is compared as bytes");

/**
 * Handle of a connection: worker (8 bits), slot (24), generation (32). A handle of a
 * connection that is gone is refused with PLX_E_STALE, it never names another connection
 * (S1-3). 0 is no connection.
 */
struct plx_conn_id {
	uint64_t v;
};

#define PLX_CONN_NONE ((struct plx_conn_id){0})

/** Generation is never 0 for a live connection, so v is never 0. */
static inline struct plx_conn_id
plx_conn_id_make(uint8_t worker, uint32_t slot, uint32_t gen)
{
	return (struct plx_conn_id){(uint64_t)worker << 56 |
	                            (uint64_t)(slot & 0xffffff) << 32 | gen};
}

static inline uint8_t
plx_conn_id_worker(struct plx_conn_id id)
{
	return (uint8_t)(id.v >> 56);
}

static inline uint32_t
plx_conn_id_slot(struct plx_conn_id id)
{
	return (uint32_t)(id.v >> 32) & 0xffffff;
}

static inline uint32_t
plx_conn_id_gen(struct plx_conn_id id)
{
	return (uint32_t)id.v;
}

/** One piece of memory to send; same layout as struct iovec and ngtcp2_vec. */
struct plx_iov {
	const uint8_t *base;
	size_t len; /**< bytes */
};

/** Who ended a connection, and how. RFC 9000 section 10. */
enum plx_close_by {
	PLX_CLOSE_NONE = 0,
	PLX_CLOSE_LOCAL,            /**< we closed it */
	PLX_CLOSE_PEER_TRANSPORT,   /**< CONNECTION_CLOSE of type 0x1c */
	PLX_CLOSE_PEER_APPLICATION, /**< CONNECTION_CLOSE of type 0x1d */
	PLX_CLOSE_TRANSPORT_ERROR,  /**< the peer broke the protocol, we closed */
	PLX_CLOSE_IDLE,             /**< idle timeout */
	PLX_CLOSE_HANDSHAKE_TIMEOUT,
	PLX_CLOSE_STATELESS_RESET,
	PLX_CLOSE_VERSION, /**< no version in common */
	PLX_CLOSE_REFUSED, /**< we had no room for it */
	PLX_CLOSE_BY_CNT
};

struct plx_close_info {
	uint64_t code;  /**< error code of the frame; CRYPTO_ERROR 0x1xx for TLS alerts */
	uint8_t by;     /**< enum plx_close_by */
	uint8_t is_app; /**< code is an application code */
	uint8_t reason_len; /**< bytes used of reason */
	char reason[117];   /**< not terminated; cut when longer */
};

#ifdef __cplusplus
}
#endif

#endif
