/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What the tests of steering share: instances, packets, a burst of one.
 *
 * Threads: one.
 */
#ifndef STEER_TEST_H
#define STEER_TEST_H

#include "plx_rand.h"
#include "plx_steer.h"
#include "plx_test.h"

#define TEST_SLOTS 1000

static inline struct plx_steer_cfg
steer_cfg(uint8_t worker, uint8_t worker_cnt)
{
	struct plx_steer_cfg cfg = {
	        .key = {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80, 0x25, 0x69, 0x34,
	                0xe5, 0x0c, 0x66, 0x20, 0x7f},
	        .epoch = 0x08090a0b,
	        .server_id = {0xed, 0x79, 0x3a, 0x51},
	        .server_id_len = 2,
	        .config_id = 2,
	        .worker = worker,
	        .worker_cnt = worker_cnt,
	        .slots = TEST_SLOTS,
	};

	for (unsigned i = 0; i < sizeof(cfg.hash_key); i++)
		cfg.hash_key[i] = (uint8_t)i;
	return cfg;
}

static inline struct plx_steer *
steer_make(const struct plx_steer_cfg *cfg, struct plx_obs *obs)
{
	void *mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(cfg));
	struct plx_steer *st;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mem);
	st = plx_steer_init(mem, cfg, obs);
	CU_ASSERT_PTR_NOT_NULL_FATAL(st);
	return st;
}

static inline void
steer_drop(struct plx_steer *st)
{
	plx_steer_fini(st);
	free(st);
}

/** A long header with these IDs, and 20 bytes behind it. Returns its length. */
static inline uint16_t
long_packet(uint8_t *p, uint8_t flags, uint32_t version, const uint8_t *dcid,
            uint8_t dcid_len, uint8_t scid_len)
{
	uint8_t *at = p;

	*at++ = flags;
	for (int s = 24; s >= 0; s -= 8)
		*at++ = (uint8_t)(version >> s);
	*at++ = dcid_len;
	memcpy(at, dcid, dcid_len);
	at += dcid_len;
	*at++ = scid_len;
	memset(at, 0x5c, (size_t)scid_len + 20);
	return (uint16_t)(at + scid_len + 20 - p);
}

/** A short header with this ID, and 20 bytes behind it. */
static inline uint16_t
short_packet(uint8_t *p, uint8_t flags, const uint8_t dcid[PLX_CID_LEN])
{
	p[0] = flags;
	memcpy(p + 1, dcid, PLX_CID_LEN);
	memset(p + 1 + PLX_CID_LEN, 0x77, 20);
	return 1 + PLX_CID_LEN + 20;
}

/** Steers one datagram, from a heap block of exactly its size. */
static inline struct plx_dgram
steer_one(struct plx_steer *st, const uint8_t *p, uint16_t len, uint8_t hops)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct plx_dgram dg = {.data = exact, .len = len, .hops = hops};

	if (exact == NULL)
		abort();
	memcpy(exact, p, len);
	plx_steer_burst(st, &dg, 1);
	free(exact);
	dg.data = NULL;
	return dg;
}

#endif
