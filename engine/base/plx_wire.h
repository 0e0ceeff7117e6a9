/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Unaligned loads and stores of network-order fields, and the constants of the headers.
 *
 * Threads: plain functions.
 * Memory:  the caller has proven that the bytes are there.
 */
#ifndef PLX_WIRE_H
#define PLX_WIRE_H

#include <string.h>

#include <plx/defs.h>

#define PLX_ETH_HLEN  14
#define PLX_VLAN_HLEN 4
#define PLX_IP4_HLEN  20
#define PLX_IP6_HLEN  40
#define PLX_UDP_HLEN  8
#define PLX_ARP_LEN   28

#define PLX_ETHERTYPE_IP4  0x0800
#define PLX_ETHERTYPE_ARP  0x0806
#define PLX_ETHERTYPE_VLAN 0x8100
#define PLX_ETHERTYPE_IP6  0x86dd
#define PLX_ETHERTYPE_QINQ 0x88a8

#define PLX_PROTO_ICMP4 1
#define PLX_PROTO_UDP   17
#define PLX_PROTO_ICMP6 58

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
# define PLX_BE16(x) ((uint16_t)__builtin_bswap16((uint16_t)(x)))
# define PLX_BE32(x) ((uint32_t)__builtin_bswap32((uint32_t)(x)))
#else
# define PLX_BE16(x) ((uint16_t)(x))
# define PLX_BE32(x) ((uint32_t)(x))
#endif

/** Loads without changing the byte order. */
static inline uint16_t
plx_ld16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
plx_ld32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
plx_ld64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/** Loads and stores of a network-order field as a host number. */
static inline uint16_t
plx_ld16_be(const uint8_t *p)
{
	return PLX_BE16(plx_ld16(p));
}

static inline uint32_t
plx_ld32_be(const uint8_t *p)
{
	return PLX_BE32(plx_ld32(p));
}

static inline void
plx_st16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
plx_st16_be(uint8_t *p, uint16_t v)
{
	plx_st16(p, PLX_BE16(v));
}

static inline void
plx_st32_be(uint8_t *p, uint32_t v)
{
	v = PLX_BE32(v);
	memcpy(p, &v, sizeof(v));
}

#endif
