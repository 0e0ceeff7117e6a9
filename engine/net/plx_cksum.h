/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The Internet checksum: one's complement sum of 16-bit words.
 *
 * A sum is a uint64_t in the byte order of memory (the checksum does not care, RFC 1071
 * section 2), carries are folded once at the end. Pieces are added in any order as long as each
 * begins at an even offset of the whole.
 *
 * Threads: plain functions.
 * Memory:  reads exactly the bytes named.
 * Spec:    RFC 1071, RFC 1624
 */
#ifndef PLX_CKSUM_H
#define PLX_CKSUM_H

#include "plx_wire.h"

/**
 * plx_cksum_add() adds len bytes to a sum; an odd last byte counts as if a zero followed it.
 *
 * @param sum  what was added so far, below 2^48
 * @param len  0..65535 bytes
 * @return the sum; plx_cksum_fold() makes 16 bits of it
 *
 * Thread: any. Owns: nothing. Errors: none.
 * Cost:   about 16 bytes a cycle, 32 where the CPU has AVX2.
 */
uint64_t plx_cksum_add(uint64_t sum, const void *data, size_t len) PLX_ANY_THREAD;

/** plx_cksum_fold() folds the carries. 0xffff over data with its checksum means correct. */
static inline uint16_t
plx_cksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/** plx_cksum_ip4() sums an IPv4 header without options. */
static inline uint64_t
plx_cksum_ip4(const uint8_t *ip)
{
	return (uint64_t)plx_ld32(ip) + plx_ld32(ip + 4) + plx_ld32(ip + 8) +
	       plx_ld32(ip + 12) + plx_ld32(ip + 16);
}

/**
 * plx_cksum_pseudo() sums the pseudo header of UDP or ICMPv6.
 *
 * @param ip     IPv4 or IPv6 header
 * @param v6     which
 * @param len    length of header and data above IP, bytes
 * @param proto  protocol above IP
 */
static inline uint64_t
plx_cksum_pseudo(const uint8_t *ip, bool v6, uint16_t len, uint8_t proto)
{
	uint64_t sum = (uint64_t)PLX_BE16(len) + PLX_BE16(proto);
	const uint8_t *p = ip + (v6 ? 8 : 12);

	sum += (uint64_t)plx_ld32(p) + plx_ld32(p + 4);
	if (v6)
		sum += (uint64_t)plx_ld32(p + 8) + plx_ld32(p + 12) + plx_ld32(p + 16) +
		       plx_ld32(p + 20) + plx_ld32(p + 24) + plx_ld32(p + 28);
	return sum;
}

#endif
